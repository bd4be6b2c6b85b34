/* apigateway.h -- REST APIs, control plane; and the compiled snapshot of a stage that the data plane serves. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#define CLOUDLESS_SERVICES_APIGATEWAY_APIGATEWAY_H
#include "api/call.h"
extern struct service apigateway_service;
enum err apigateway_new(struct store *store);
void apigateway_free(void);

/* For the data plane: where an API lives (its id is unique in the server), and what a stage serves.
 * ERR_NOT_FOUND: no such API, or no such stage. The documents are JSON as the deployment stored them. */
enum err apigateway_find_api(struct store_txn *txn, struct str api_id, struct arena *arena, struct str *ret_account, struct str *ret_region);
enum err apigateway_find_stage(struct store_txn *txn, struct str api_id, struct str stage, struct arena *arena,
                               struct json **ret_stage, struct json **ret_snapshot);
#endif
