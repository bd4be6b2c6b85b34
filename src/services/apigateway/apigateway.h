/* apigateway.h -- REST APIs, control plane; and what a stage serves, for the data plane. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#define CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#include "call/call.h"
#define APIGATEWAY_SPACE 5              /* of its documents in the store; on disk, so never another */
extern const struct model model_apigateway;         /* generated */
extern const struct service_errors apigateway_errors;
extern const struct validate_overrides apigateway_overrides;
extern const struct service_api apigateway_api;
extern const struct service apigateway_service;

/* What a stage serves, as its deployment stored it. API ids are unique in the server. */
struct apigateway_stage {
    struct str account, region;
    struct json *api;           /* RestApi */
    struct json *stage;         /* Stage: deploymentId, variables, … */
    struct json *snapshot;      /* {"resources": [Resource with resourceMethods in full, …]} as deployed; never changes */
};
/* Without the snapshot, which may be large. ERR_NOT_FOUND: no such API, or no such stage; *ret_missing says which. */
enum err apigateway_find_stage(struct store_txn *txn, struct str api_id, struct str stage, struct arena *arena,
                               struct apigateway_stage *ret, const char **ret_missing);
/* The snapshot of what was found. */
enum err apigateway_find_snapshot(struct store_txn *txn, struct str api_id, struct arena *arena, struct apigateway_stage *at,
                                  const char **ret_missing);
#endif
