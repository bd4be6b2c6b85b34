/* lambda_parts.h -- the service's parts, for what stands above them: the operations and the doors. Folder-internal.
 *
 * The order within the folder; a file includes headers of its own line and of those below it, never above
 * (tests/map_test.py reads the list in docs/map.md):
 *   lambda                                                     makes the parts; the table of operations
 *   control, permission, invoke_operation, config, lambda_invoke   operations, and the doors for the gateway
 *   lambda_call, lambda_parts                                  what operations share
 *   pool                                                       environments of functions, invocations that wait
 *   environment                                                one environment
 *   environment_start, output, invocation                      its start, what it prints, the end of an invocation
 *   code, download, interpreter                                packages unpacked, packages fetched, interpreters
 *   function, failure, package                                 functions compiled, failures in words, zips
 *   function_doc, function_name                                documents, names */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_PARTS_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_PARTS_H
#include "services/lambda/lambda.h"

struct lambda {
    struct lambda_options options;
    struct lambda_limits limits;
    struct lambda__functions *functions;
    struct lambda__interpreters *interpreters;
    struct lambda__code *code;
    struct lambda__downloads *downloads;
    struct lambda__pools *pools;
    _Atomic size_t in_flight;           /* invocations from lambda_invoke to done */
};
#endif
