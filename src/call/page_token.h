/* page_token.h -- tokens of pages: where the next page of a list begins, given to the client and brought back by it.
 *
 * A token is opaque and signed: base64 of   version (1) · MAC (12) · position
 * The MAC (HMAC-SHA-256, cut) is over the operation, the account, the region, the `scope` and the position, with a key of the
 * installation: a token that nobody gave, or that another list, account or operation gave, is refused; one that was given
 * stays good, across restarts too. The position is not secret. */
#ifndef CLOUDLESS_CALL_PAGE_TOKEN_H
#define CLOUDLESS_CALL_PAGE_TOKEN_H
#include "call/call.h"

#define PAGE_POSITION_BYTES_MAX 1600                    /* a longer one is a programmer's error */
#define PAGE_TOKEN_CHARS_MAX 2200

/* `scope`: what else the list depends on (the parent's id); the same in both. */
struct str page_token_make(struct call *call, struct str scope, struct str position);
/* *ret: the position, untouched if false. The caller fails the call in its service's words. */
bool page_token_read(struct call *call, struct str token, struct str scope, struct str *ret);

/* The same without a call: `context` is what the token is bound to, `key` has AUTH_TOKEN_KEY_BYTES. */
struct str page_token_seal(const uint8_t *key, const struct str *context, size_t count, struct str position, struct arena *arena);
bool page_token_open(const uint8_t *key, const struct str *context, size_t count, struct str token, struct arena *arena,
                     struct str *ret);
#endif
