/* dynamodb.h -- tables and items. Table descriptions in STORE_SPACE_DYNAMODB, a space of items per table. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#define CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#include "call/call.h"
extern const struct model model_dynamodb;         /* generated */
extern const struct service_errors dynamodb_errors;
extern struct service_api dynamodb_api;
extern const struct validate_overrides dynamodb_overrides;
enum err dynamodb_new(struct store *store);     /* sets the service's state */
void dynamodb_free(void);
#endif
