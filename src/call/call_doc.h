/* call_doc.h -- documents that a call reads outside of its mutation: needs, prepare and an inline handler ask for the same ones, so
 * each is read once, and all of a call sees the same. Where a call reads in another way, store_watch_reads sees that it is once. */
#ifndef CLOUDLESS_CALL_CALL_DOC_H
#define CLOUDLESS_CALL_CALL_DOC_H
#include "call/call.h"

#define CALL_DOCS_MAX 16        /* that a call remembers; further ones are read each time */

/* As doc_get. With a reader the answer is remembered, ERR_NOT_FOUND too; a mutation reads for itself, because it decides. The
 * document is the call's and may be changed by the last who asks for it. */
enum err call_doc_get(struct call *call, struct store_txn *txn, struct store_key key, struct json **ret);
#endif
