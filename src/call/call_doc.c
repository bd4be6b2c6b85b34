/* call_doc.c -- a short list of what was read; a call asks for few documents, so they are compared one by one. */
#include "call/call_doc.h"
#include "store/doc.h"

struct call_doc {
    struct call_doc *next;
    struct store_key key;
    enum err err;
    struct json *document;
};

static struct call_doc *call_doc_find(const struct call *call, struct store_key key)
{
    for (struct call_doc *doc = call->docs; doc; doc = doc->next) {
        if (doc->key.space == key.space && str_eq(doc->key.key, key.key) && str_eq(doc->key.collection, key.collection))
            return doc;
    }
    return NULL;
}

enum err call_doc_get(struct call *call, struct store_txn *txn, struct store_key key, struct json **ret)
{
    if (!store_is_reader(txn))
        return doc_get(txn, key, call->arena, ret);
    struct call_doc *doc = call_doc_find(call, key);
    if (!doc) {
        struct json *document = NULL;
        enum err err = doc_get(txn, key, call->arena, &document);
        if ((err != ERR_OK && err != ERR_NOT_FOUND) || call->doc_count == CALL_DOCS_MAX) {
            *ret = document;
            return err;
        }
        doc = arena_new_of(call->arena, struct call_doc);
        *doc = (struct call_doc){.next = call->docs, .key = key, .err = err, .document = document};
        call->docs = doc;
        call->doc_count++;
    }
    if (doc->err == ERR_OK)
        *ret = doc->document;
    return doc->err;
}
