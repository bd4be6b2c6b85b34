/* tables.h -- the rows' functions of the operations on tables and their tags. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_TABLES_H
#define CLOUDLESS_SERVICES_DYNAMODB_TABLES_H
#include "call/call.h"

call_needs_fn create_table_needs, delete_table_needs, describe_table_needs, list_tables_needs, describe_time_to_live_needs,
    describe_continuous_backups_needs, tag_resource_needs, untag_resource_needs, list_tags_needs;
call_run_fn create_table_prepare, describe_table_prepare, describe_table_handle, list_tables_handle, describe_time_to_live_handle,
    describe_continuous_backups_handle, list_tags_handle, tag_resource_prepare, untag_resource_prepare,
    delete_table_committed;
call_mutate_fn create_table_mutate, delete_table_mutate, tag_resource_mutate, untag_resource_mutate;

#endif
