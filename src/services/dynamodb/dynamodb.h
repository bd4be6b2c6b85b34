/* dynamodb.h -- tables and items. Table descriptions in STORE_SPACE_DYNAMODB, a space of items per table. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#define CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#include "api/call.h"
extern struct service dynamodb_service;
enum err dynamodb_new(struct store *store);     /* sets the service's state */
void dynamodb_free(void);
#endif
