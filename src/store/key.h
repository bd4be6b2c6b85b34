/* key.h -- engine keys: how (space, collection, key) becomes one ordered byte string, and back.
 *
 *   0        1          9               17
 *   +--------+----------+---------------+----------------------+-------+-----
 *   | 0x01   | space    | siphash24 of  | collection, 00 as    | 00 01 | key
 *   | layout | 8, BE    | collection, BE| 00 FF                |       |
 *   +--------+----------+---------------+----------------------+-------+-----
 *
 * 00 is followed by FF inside a collection and by 01 at its end, so no collection's keys lie between another's, and
 * replacing the final 01 by 02 gives the first byte string behind all keys of the collection. */
#ifndef CLOUDLESS_STORE_KEY_H
#define CLOUDLESS_STORE_KEY_H
#include "store/store.h"

#define KEY_LAYOUT 1
#define KEY_HEAD (1 + 8 + 8)
#define ENGINE_KEY_MAX (KEY_HEAD + 2 * STORE_COLLECTION_MAX + 2 + STORE_KEY_MAX)

struct engine_key { size_t n; char p[ENGINE_KEY_MAX]; };

static inline struct str engine_key_str(const struct engine_key *key)
{
    return (struct str){key->p, key->n};
}

/* Layout, space and hash only: where a walk begins. */
void store__key_head(struct engine_key *ret, uint64_t space, uint64_t hash);
/* Everything up to the key. False: the collection is over its limit. */
bool store__key_collection(struct engine_key *ret, uint64_t space, uint64_t hash, struct str collection);
/* Adds the key. False: it is over its limit. */
bool store__key_add(struct engine_key *ret, struct str key);
/* Turns a collection's prefix into the first byte string behind its keys. */
void store__key_behind(struct engine_key *prefix);

/* Takes an engine key apart. `scratch` holds STORE_COLLECTION_MAX bytes and is used if the collection has a 00.
 * False: not a key of this layout. */
bool store__key_split(struct str engine, char *scratch, struct store_key *ret);
#endif
