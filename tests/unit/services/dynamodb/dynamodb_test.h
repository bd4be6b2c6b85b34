/* dynamodb_test.h -- what these tests share: reading a corpus, values from JSON text, random values. */
#ifndef CLOUDLESS_DYNAMODB_TEST_H
#define CLOUDLESS_DYNAMODB_TEST_H
#include "../../base/files.h"
#include "../../base/unit.h"
#include "base/json.h"
#include "base/panic.h"
#include "services/dynamodb/value.h"

#define CORPUS "tests/corpus/dynamodb/expressions/"      /* tests run from the top of the tree */

static inline struct json *json_of(struct arena *arena, struct str text)
{
    struct json *json = NULL;
    assert_int_equal(json_parse(text, arena, &json), ERR_OK);
    return json;
}

static inline struct json *corpus_read(struct arena *arena, const char *path)
{
    return json_of(arena, files_read(path, arena));
}

static inline struct value *item_of(struct arena *arena, const struct json *json)
{
    struct str message = STR_NONE;
    bool serialization = false;
    struct value *item = item_from_json(json, arena, &message, &serialization);
    if (!item) fail_msg("item: " STR_FMT, STR_ARG(message));
    return item;
}

static inline struct value *item_text(struct arena *arena, const char *text)
{
    return item_of(arena, json_of(arena, str_of(text)));
}

static inline struct str random_text(struct arena *arena, uint64_t *seed, unsigned max)
{
    unsigned n = random_below(seed, max + 1);
    char *text = arena_alloc(arena, n + 1);
    for (unsigned i = 0; i < n; i++)
        text[i] = (char)(random_below(seed, 8) ? 'a' + random_below(seed, 26) : random_below(seed, 127));
    return (struct str){text, n};
}

static inline struct decimal random_number(struct arena *arena, uint64_t *seed)
{
    struct decimal d;
    struct str text =
        arena_printf(arena, "%s%u.%u%sE%d", random_below(seed, 2) ? "-" : "", random_below(seed, 1000000), random_below(seed, 1000),
                     random_below(seed, 4) ? "" : "12345678901234567890", (int)random_below(seed, 200) - 100);
    ENSURE(decimal_parse(text, &d) == DECIMAL_OK);
    return d;
}

static inline struct value *random_value(struct arena *arena, uint64_t *seed, unsigned depth)
{
    struct value *value = value_new(arena, random_below(seed, depth ? VALUE_TYPES : VALUE_M));
    unsigned children = random_below(seed, 5);
    if (value->type == VALUE_S || value->type == VALUE_B) value->bytes = random_text(arena, seed, 300);
    if (value->type == VALUE_N) value->number = random_number(arena, seed);
    if (value->type == VALUE_BOOL) value->boolean = random_below(seed, 2);
    if (value->type == VALUE_NULL) value->boolean = true;
    if (value->type < VALUE_M) return value;
    for (unsigned i = 0; i <= children; i++) {
        struct value *child =
            value_is_set(value->type) ? value_new(arena, value_set_element(value->type)) : random_value(arena, seed, depth - 1);
        if (value->type == VALUE_M) child->name = arena_printf(arena, "k%u", i);
        if (value_is_set(value->type)) child->bytes = arena_printf(arena, "e%u", i);
        if (value->type == VALUE_NS) {
            child->bytes = STR_NONE;
            ENSURE(decimal_parse(arena_printf(arena, "%u.5E%u", i, random_below(seed, 50)), &child->number) == DECIMAL_OK);
            child->number.exponent = (int16_t)(child->number.exponent + (int)i);
        }
        value_append(value, child);
    }
    return value;
}

static inline struct value *random_item(struct arena *arena, uint64_t *seed)
{
    struct value *item = value_new(arena, VALUE_M);
    unsigned attributes = 1 + random_below(seed, 6);
    for (unsigned i = 0; i < attributes; i++) {
        struct value *value = random_value(arena, seed, 4);
        value->name = arena_printf(arena, "attribute%u", i);
        value_append(item, value);
    }
    return item;
}
#endif
