/* dynamodb.h -- tables and items. Table descriptions in DYNAMODB_SPACE, a space of items per table. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#define CLOUDLESS_SERVICES_DYNAMODB_DYNAMODB_H
#include "call/call.h"
extern const struct model model_dynamodb;         /* generated */
extern const struct service_errors dynamodb_errors;
extern const struct service_api dynamodb_api;
extern const struct service dynamodb_service;
extern const struct validate_overrides dynamodb_overrides;
#endif
