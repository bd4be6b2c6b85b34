/* handlers.h -- the handlers behind the rows of apigateway.c; each stands in the file named after its resource.
 * Folder-internal. Reads answer inline from the store's reader; writes are mutations. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_HANDLERS_H
#define CLOUDLESS_SERVICES_APIGATEWAY_HANDLERS_H
#include "call/call.h"

/* restapi.c */
call_mutate_fn apigateway__create_rest_api, apigateway__update_rest_api, apigateway__delete_rest_api;
call_run_fn apigateway__get_rest_api, apigateway__get_rest_apis;
/* resource.c */
call_mutate_fn apigateway__create_resource, apigateway__update_resource, apigateway__delete_resource;
call_run_fn apigateway__get_resource, apigateway__get_resources;
/* method.c */
call_mutate_fn apigateway__put_method, apigateway__update_method, apigateway__delete_method;
call_mutate_fn apigateway__put_method_response, apigateway__update_method_response, apigateway__delete_method_response;
call_run_fn apigateway__get_method, apigateway__get_method_response;
/* integration.c */
call_mutate_fn apigateway__put_integration, apigateway__update_integration, apigateway__delete_integration;
call_run_fn apigateway__get_integration;
/* integration_response.c */
call_mutate_fn apigateway__put_integration_response, apigateway__update_integration_response,
    apigateway__delete_integration_response;
call_run_fn apigateway__get_integration_response;
/* deployment.c */
call_mutate_fn apigateway__create_deployment, apigateway__update_deployment, apigateway__delete_deployment;
call_run_fn apigateway__get_deployment, apigateway__get_deployments;
/* stage.c */
call_mutate_fn apigateway__create_stage, apigateway__update_stage, apigateway__delete_stage;
call_run_fn apigateway__get_stage, apigateway__get_stages;
/* restapi_tags.c */
call_mutate_fn apigateway__tag_resource, apigateway__untag_resource;
call_run_fn apigateway__get_tags;
#endif
