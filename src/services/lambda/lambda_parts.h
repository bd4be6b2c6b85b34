/* lambda_parts.h -- the service's parts, for what stands above them: the operations and the doors. Folder-internal.
 * Which file of the folder may include which stands in docs/map.md, "Order within a folder"; tests/map_test.py looks. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_PARTS_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_PARTS_H
#include "call/service.h"
#include "services/lambda/environment.h"
#include "services/lambda/meters.h"

struct lambda {
    const struct platform *platform;
    struct lambda__limits limits;        /* a test makes them small before the loops run */
    size_t concurrency_max;             /* invocations at the same time; more: 429 */
    struct lambda__functions *functions;
    struct lambda__interpreters *interpreters;
    struct lambda__code *code;
    struct lambda__downloads *downloads;
    struct lambda__pools *pools;
    struct lambda__meters meters;
    _Atomic size_t in_flight;           /* invocations from lambda_invoke to done */
};
#endif
