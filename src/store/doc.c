/* doc.c -- see doc.h. Stored: one byte of version, then compact JSON text. */
#include "store/doc.h"

#define DOC_VERSION 1

struct str doc_collection(struct arena *arena, struct str account, struct str region, const char *type)
{
    return arena_printf(arena, STR_FMT "/" STR_FMT "/%s", STR_ARG(account), STR_ARG(region), type);
}

static enum err doc_parse(struct str value, struct arena *arena, struct json **ret)
{
    if (value.n == 0)
        return ERR_CORRUPT;
    if (value.p[0] != DOC_VERSION)
        return ERR_UNSUPPORTED;
    enum err err = json_parse(str_slice(value, 1, value.n), arena, ret);
    return err == ERR_INVALID ? ERR_CORRUPT : err;
}

enum err doc_get(struct store_txn *txn, struct store_key key, struct arena *arena, struct json **ret)
{
    struct str value;
    enum err err = store_get(txn, key, arena, &value);
    return err == ERR_OK ? doc_parse(value, arena, ret) : err;
}

void doc_put(struct store_txn *txn, struct store_key key, const struct json *document, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, STORE_VALUE_MAX + 1);     /* a longer one is cut there: store_put then refuses it */
    buf_add_char(&buf, DOC_VERSION);
    json_write(&buf, document);
    struct str value = buf_str(&buf);
    if (buf.failed)
        value.n = STORE_VALUE_MAX + 1;
    store_put(txn, key, value);
}

enum err doc_list(struct store_txn *txn, uint64_t space, struct str collection, struct str prefix, struct str after,
                  size_t limit, struct arena *arena, struct json **ret, bool *ret_more)
{
    struct store_range range = {.space = space, .collection = collection, .from = prefix,
                                .to = arena_behind(arena, prefix)};
    if (after.n && str_cmp(after, prefix) >= 0) {       /* the smallest key above it */
        range.from = (struct str){arena_cstr(arena, after), after.n + 1};
    }
    struct json *list = json_new(arena, JSON_ARRAY);
    struct store_iter *iter = store_range(txn, &range, arena);
    struct store_key key;
    struct str value;
    bool more = false;
    enum err err;
    while ((err = store_next(iter, &key, &value)) == ERR_OK) {
        if (list->count == limit) {
            more = true;
            break;
        }
        struct json *document;
        err = doc_parse(arena_dup(arena, value), arena, &document);
        if (err != ERR_OK)
            break;
        struct json *row = json_new(arena, JSON_OBJECT);
        json_add_str(arena, row, "k", arena_dup(arena, key.key));
        json_add(row, "d", document);
        json_add(list, NULL, row);
    }
    store_iter_close(iter);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    *ret = list;
    *ret_more = more;
    return ERR_OK;
}
