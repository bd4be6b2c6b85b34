/* reads.h -- the rows' functions of GetItem, Query and Scan. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_READS_H
#define CLOUDLESS_SERVICES_DYNAMODB_READS_H
#include "call/call.h"

call_needs_fn get_item_needs, query_needs, scan_needs;
call_run_fn get_item_prepare, get_item_handle, query_prepare, scan_prepare, page_handle;
#endif
