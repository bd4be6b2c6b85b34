/* apigateway.h -- REST APIs, control plane; and what a stage serves, for the data plane. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#define CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#include "call/call.h"
extern const struct model model_apigateway;         /* generated */
extern const struct service_errors apigateway_errors;
extern struct service_api apigateway_api;
enum err apigateway_new(struct store *store);
void apigateway_free(void);

/* What a stage serves, as its deployment stored it. API ids are unique in the server. */
struct apigateway_stage {
    struct str account, region;
    struct json *api;           /* RestApi */
    struct json *stage;         /* Stage: deploymentId, variables, … */
    struct json *snapshot;      /* {"resources": [Resource with resourceMethods in full, …]} as deployed */
};
/* ERR_NOT_FOUND: no such API, or no such stage. */
enum err apigateway_find_stage(struct store_txn *txn, struct str api_id, struct str stage, struct arena *arena,
                               struct apigateway_stage *ret);
#endif
