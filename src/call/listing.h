/* listing.h -- a page of a list in ascending order of its keys: give each key to listing_take and show what it accepts.
 * The token (page_token.h) of the next page holds where this one ended: the beginning of the last key, and how many keys with this
 * beginning were shown, so that tokens stay short whatever the keys are (IAM's have 320 characters at most, by its model).
 *
 *     if (!listing_begin(call, &page, max, "Marker", scope)) … fail in the service's words …
 *     for each key in order: if (listing_take(&page, key)) … show it …
 *     if (page.truncated) … listing_token(call, &page, scope) … */
#ifndef CLOUDLESS_CALL_LISTING_H
#define CLOUDLESS_CALL_LISTING_H
#include "call/call.h"

#define LISTING_KEY_BYTES 200

struct listing {
    size_t max, count;                  /* of this page */
    bool truncated;                     /* there are keys behind it */
    struct str after, last;             /* beginnings of keys: what the page before ended with, what this one shows last */
    size_t twins, twins_seen, last_twins;   /* keys that begin so: shown before; met again; shown in all */
};
/* `member`: of the input, a token or absent. False: it is none of ours. */
bool listing_begin(struct call *call, struct listing *page, size_t max, const char *member, struct str scope);
bool listing_take(struct listing *page, struct str key);
struct str listing_token(struct call *call, const struct listing *page, struct str scope);

/* A page of documents in the order of their keys, which are names: the token holds the whole of the last one. `list`: its key is
 * what the names begin with. *ret: as doc_list gives it; *ret_token: of the page behind it, STR_NONE: there is none.
 * ERR_INVALID: the member's token is none of ours; the store's errors. */
enum err listing_docs(struct call *call, struct store_txn *txn, struct store_key list, size_t max, const char *member,
                      struct str scope, struct json **ret, struct str *ret_token);
#endif
