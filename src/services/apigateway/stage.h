/* stage.h -- what deployments need of stages. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_STAGE_H
#define CLOUDLESS_SERVICES_APIGATEWAY_STAGE_H
#include "call/call.h"

/* Points the stage of CreateDeployment's input to the deployment, making it if it is missing. False: the call failed. */
bool apigateway__deploy_stage(struct call *call, struct store_txn *txn, struct str deployment_id);
/* CreateDeployment without stageName: what is a stage's is refused by name. False: the call failed. */
bool apigateway__without_stage(struct call *call);
#endif
