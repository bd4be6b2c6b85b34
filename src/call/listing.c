/* listing.c -- see listing.h. Position in a token: number of twins (4 bytes) · beginning of the last key. */
#include "call/listing.h"
#include "base/codec.h"
#include "call/page_token.h"
#include "store/doc.h"

static struct str key_beginning(struct str key)
{
    return str_slice(key, 0, LISTING_KEY_BYTES);
}

bool listing_begin(struct call *call, struct listing *page, size_t max, const char *member, struct str scope)
{
    struct str position;
    *page = (struct listing){.max = max};
    if (!call_has(call, member))
        return true;
    if (!page_token_read(call, call_str(call, member), scope, &position) || position.n < 4)
        return false;
    page->twins = get_u32((const uint8_t *)position.p);
    page->after = str_slice(position, 4, position.n);
    return true;
}

/* Whether a page before this one had the key. */
static bool listing_had(struct listing *page, struct str beginning)
{
    int order = str_cmp(beginning, page->after);
    return page->after.n && (order < 0 || (order == 0 && page->twins_seen++ < page->twins));
}

bool listing_take(struct listing *page, struct str key)
{
    struct str beginning = key_beginning(key), before = page->count ? page->last : page->after;
    if (listing_had(page, beginning))
        return false;
    if (page->count == page->max) {
        page->truncated = true;
        return false;
    }
    size_t same = page->count ? page->last_twins : page->twins;
    page->last_twins = str_eq(beginning, before) ? same + 1 : 1;
    page->last = beginning;
    page->count++;
    return true;
}

struct str listing_token(struct call *call, const struct listing *page, struct str scope)
{
    char position[4 + LISTING_KEY_BYTES], *at = position + 4;
    put_u32((uint8_t *)position, (uint32_t)page->last_twins);
    str_pack(&at, page->last);
    return page_token_make(call, scope, (struct str){position, 4 + page->last.n});
}

enum err listing_docs(struct call *call, struct store_txn *txn, struct store_key list, size_t max, const char *member,
                      struct str scope, struct json **ret, struct str *ret_token)
{
    struct str after = STR_NONE;
    struct json *rows;
    bool more;
    if (call_has(call, member) && !page_token_read(call, call_str(call, member), scope, &after))
        return ERR_INVALID;
    enum err err = doc_list(txn, list.space, list.collection, list.key, after, max, call->arena, &rows, &more);
    if (err != ERR_OK)
        return err;
    *ret = rows;
    *ret_token = more ? page_token_make(call, scope, json_str(rows->last, "k")) : STR_NONE;
    return ERR_OK;
}
