/* request_id.c -- request ids, in the two forms of AWS's answers. They come from a generator of each thread's own with a random
 * start: unique, no secret, no system call. */
#include "base/hash.h"
#include "base/ids.h"
#include "call/call.h"

#define LONG_ID_CHARS 52
#define LONG_ID_WORDS 7         /* of eight characters: the last four are not used */

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static uint64_t id_random(void)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        random_bytes(&state, sizeof state);
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Base 32 of 0-9A-V, as DynamoDB's are; five bits of each byte of a random word make a character. */
static struct str long_id(struct arena *arena)
{
    const uint64_t ones = 0x0101010101010101u;
    char *id = arena_alloc(arena, LONG_ID_WORDS * sizeof(uint64_t));
    for (size_t i = 0; i < LONG_ID_WORDS; i++) {
        uint64_t digits = id_random() & 31 * ones;
        uint64_t letters = (digits + (0x80 - 10) * ones) >> 7 & ones;      /* 1 where a digit is 10 or more */
        uint64_t text = digits + '0' * ones + letters * ('A' - '9' - 1);
        memcpy(id + i * sizeof text, &text, sizeof text);
    }
    return (struct str){id, LONG_ID_CHARS};
}

static struct str uuid(struct arena *arena)
{
    uint64_t random[2] = {id_random(), id_random()};
    uint8_t bytes[sizeof random];
    char *id = arena_alloc(arena, UUID_CHARS);
    memcpy(bytes, random, sizeof bytes);
    id_uuid4(bytes, id);
    return (struct str){id, UUID_CHARS};
}

struct str call_request_id(struct arena *arena, const struct service_errors *errors)
{
    return errors->long_request_id ? long_id(arena) : uuid(arena);
}
