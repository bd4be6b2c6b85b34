/* function_name.h -- names and ARNs of functions. Folder-internal; parsing is lambda_parse_name, in lambda.h. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FUNCTION_NAME_H
#define CLOUDLESS_SERVICES_LAMBDA_FUNCTION_NAME_H
#include "base/arena.h"

struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name);
#endif
