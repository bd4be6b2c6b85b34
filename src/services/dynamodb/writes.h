/* writes.h -- the rows' functions of PutItem, UpdateItem and DeleteItem. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_WRITES_H
#define CLOUDLESS_SERVICES_DYNAMODB_WRITES_H
#include "call/call.h"

call_needs_fn put_item_needs, update_item_needs, delete_item_needs;
call_run_fn put_item_prepare, update_item_prepare, delete_item_prepare, write_committed;
call_mutate_fn put_item_mutate, update_item_mutate, delete_item_mutate;
#endif
