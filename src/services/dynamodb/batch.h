/* batch.h -- the rows' functions of BatchGetItem and BatchWriteItem. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_BATCH_H
#define CLOUDLESS_SERVICES_DYNAMODB_BATCH_H
#include "call/call.h"

call_needs_fn batch_get_needs, batch_write_needs;
call_run_fn batch_get_prepare, batch_get_handle, batch_write_prepare, batch_write_committed;
call_mutate_fn batch_write_mutate;
#endif
