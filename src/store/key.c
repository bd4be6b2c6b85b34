/* key.c -- see key.h for the layout. */
#include "store/key.h"
#include "base/codec.h"
#include "base/panic.h"

void store__key_head(struct engine_key *ret, uint64_t space, uint64_t hash)
{
    ret->p[0] = KEY_LAYOUT;
    put_u64((uint8_t *)ret->p + 1, space);
    put_u64((uint8_t *)ret->p + 9, hash);
    ret->n = KEY_HEAD;
}

bool store__key_collection(struct engine_key *ret, uint64_t space, uint64_t hash, struct str collection)
{
    if (collection.n > STORE_COLLECTION_MAX)
        return false;
    store__key_head(ret, space, hash);
    char *to = ret->p + ret->n;
    for (struct str rest = collection; rest.n; ) {
        size_t zero = str_find(rest, '\0');
        memcpy(to, rest.p, zero);
        to += zero;
        if (zero == rest.n)
            break;
        *to++ = '\0';
        *to++ = (char)0xff;
        rest = str_slice(rest, zero + 1, rest.n);
    }
    *to++ = '\0';
    *to++ = 1;
    ret->n = (size_t)(to - ret->p);
    return true;
}

bool store__key_add(struct engine_key *ret, struct str key)
{
    if (key.n > STORE_KEY_MAX)
        return false;
    if (key.n)
        memcpy(ret->p + ret->n, key.p, key.n);
    ret->n += key.n;
    return true;
}

void store__key_behind(struct engine_key *prefix)
{
    ENSURE(prefix->n > KEY_HEAD && prefix->p[prefix->n - 1] == 1);
    prefix->p[prefix->n - 1] = 2;
}

bool store__key_split(struct str engine, char *scratch, struct store_key *ret)
{
    if (engine.n < KEY_HEAD + 2 || engine.p[0] != KEY_LAYOUT)
        return false;
    struct str rest = str_slice(engine, KEY_HEAD, engine.n);
    size_t zero = str_find(rest, '\0');
    if (zero + 1 >= rest.n)
        return false;
    struct str collection = str_slice(rest, 0, zero);
    if (rest.p[zero + 1] != 1) {        /* escapes: copy */
        size_t n = 0;
        for (;;) {
            if (zero + 1 >= rest.n || n + zero + 1 > STORE_COLLECTION_MAX)
                return false;
            memcpy(scratch + n, rest.p, zero);
            n += zero;
            if (rest.p[zero + 1] == 1)
                break;
            if ((uint8_t)rest.p[zero + 1] != 0xff)
                return false;
            scratch[n++] = '\0';
            rest = str_slice(rest, zero + 2, rest.n);
            zero = str_find(rest, '\0');
        }
        collection = (struct str){scratch, n};
    }
    ret->space = get_u64((const uint8_t *)engine.p + 1);
    ret->collection = collection;
    ret->key = str_slice(rest, zero + 2, rest.n);
    return true;
}
