/* function_name.h -- names and ARNs of functions. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FUNCTION_NAME_H
#define CLOUDLESS_SERVICES_LAMBDA_FUNCTION_NAME_H
#include "base/arena.h"

/* A function's name and, where they stand there, account, region and qualifier, of a name or a (partial) ARN; false: malformed. */
bool lambda__parse_name(struct str text, struct str *ret_account, struct str *ret_region, struct str *ret_name,
                        struct str *ret_qualifier);
/* The same of NAME or NAME:QUALIFIER. */
bool lambda__split_name(struct str text, struct str *ret_name, struct str *ret_qualifier);
struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name);
#endif
