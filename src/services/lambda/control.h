/* control.h -- the control plane's operations on functions. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_CONTROL_H
#define CLOUDLESS_SERVICES_LAMBDA_CONTROL_H
#include "call/call.h"

call_mutate_fn lambda__create, lambda__update_code, lambda__update_configuration, lambda__delete, lambda__tag, lambda__untag;
call_run_fn lambda__prepare_create, lambda__prepare_update_code, lambda__prepare_update_configuration, lambda__prepare_named,
    lambda__prepare_delete, lambda__prepare_tag;
call_run_fn lambda__get_function, lambda__get_configuration, lambda__list, lambda__list_tags, lambda__list_versions,
    lambda__code_signing;
call_run_fn lambda__function_created, lambda__code_changed, lambda__function_changed;       /* committed */
#endif
