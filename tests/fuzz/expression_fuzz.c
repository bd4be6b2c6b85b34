/* expression_fuzz.c -- DynamoDB's expressions: a digit for the kind, then the text; placeholders and the item are fixed.
 * A refusal has DynamoDB's form; an evaluation changes nothing but its result, twice the same, and the result can be
 * stored. */
#include "base/panic.h"
#include "services/dynamodb/expression.h"
#include "services/dynamodb/item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char names[] = "{\"#a\":\"n\",\"#b\":\"m\",\"#c\":\"l\",\"#d\":\"x y\"}";
static const char values[] =
    "{\":s\":{\"S\":\"b\"},\":n\":{\"N\":\"2\"},\":b\":{\"B\":\"AQ==\"},\":t\":{\"BOOL\":true},\":z\":{\"NULL\":true},"
    "\":l\":{\"L\":[{\"N\":\"1\"}]},\":m\":{\"M\":{\"k\":{\"S\":\"v\"}}},\":ss\":{\"SS\":[\"a\",\"c\"]},\":ns\":{\"NS\":[\"1\"]}}";
static const char item_text[] = "{\"s\":{\"S\":\"abc\"},\"n\":{\"N\":\"10\"},\"l\":{\"L\":[{\"S\":\"a\"},{\"N\":\"1\"},{\"L\":[{"
                                "\"S\":\"in\"}]}]},"
                                "\"m\":{\"M\":{\"k\":{\"S\":\"v\"},\"l\":{\"L\":[]},\"n\":{\"N\":\"1\"}}},\"ss\":{\"SS\":[\"a\","
                                "\"b\"]},\"x y\":{\"NULL\":true}}";

struct fuzz { struct arena *arena; struct expression_params *params; struct value *item; struct str message; };

static struct json *parsed(struct arena *arena, const char *text)
{
    struct json *json = NULL;
    ENSURE(json_parse(str_of(text), arena, &json) == ERR_OK);
    return json;
}

static void refused(const struct fuzz *f)
{
    ENSURE(str_starts(f->message, STR("Invalid ")) || str_starts(f->message, STR("KeyCondition")) ||
           str_starts(f->message, STR("Conditions can")) || str_starts(f->message, STR("Query ")) ||
           str_starts(f->message, STR("One or more")));
}

static void try_condition(struct fuzz *f, struct str text)
{
    struct condition *condition = condition_parse(text, "FilterExpression", f->params, f->arena, &f->message);
    if (!condition) {
        refused(f);
        return;
    }
    bool holds = condition_holds(condition, f->item, f->arena);
    ENSURE(holds == condition_holds(condition, f->item, f->arena));
    condition_holds(condition, NULL, f->arena);
    condition_mentions(condition, STR("n"));
    condition_enters(condition, STR("m"));
}

static void try_update(struct fuzz *f, struct str text)
{
    struct update *update = update_parse(text, f->params, f->arena, &f->message);
    if (!update) {
        refused(f);
        return;
    }
    struct value *kept = value_clone(f->arena, f->item), *after = update_apply(update, f->item, f->arena, &f->message);
    ENSURE(value_equal(kept, f->item));
    if (!after) {
        ENSURE(f->message.n > 0);
        return;
    }
    ENSURE(value_equal(after, update_apply(update, f->item, f->arena, &f->message)));
    struct value *stored = item_decode(item_encode(after, f->arena), f->arena);
    ENSURE(stored && value_equal(stored, after));
    update_touched(update, f->item, f->arena);
    ENSURE(item_size(update_touched(update, after, f->arena)) <= item_size(after));
}

static void try_projection(struct fuzz *f, struct str text)
{
    struct projection *projection = projection_parse(text, f->params, f->arena, &f->message);
    if (!projection) refused(f);
    else ENSURE(item_size(projection_apply(projection, f->item, f->arena)) <= item_size(f->item));
}

static void try_key_condition(struct fuzz *f, struct str text)
{
    const struct key_attribute hash = {STR("s"), VALUE_S}, range = {STR("n"), VALUE_N};
    struct key_conditions conditions;
    struct key_condition bound;
    if (!key_conditions_parse(text, f->params, f->arena, &conditions, &f->message) ||
        !key_conditions_bind(&conditions, &hash, &range, f->arena, &bound, &f->message)) refused(f);
    else ENSURE(bound.hash->type == VALUE_S && (bound.op == KEY_NONE || bound.low->type == VALUE_N));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct fuzz *, struct str) = {try_condition, try_update, try_projection, try_key_condition};
    if (size < 1) return 0;
    struct fuzz f = {.arena = arena_new()};
    bool serialization = false;
    f.params = expression_params_new(parsed(f.arena, names), parsed(f.arena, values), f.arena, &f.message, &serialization);
    f.item = item_from_json(parsed(f.arena, item_text), f.arena, &f.message, &serialization);
    ENSURE(f.params && f.item);
    kinds[data[0] & 3](&f, (struct str){(const char *)data + 1, size - 1});
    arena_free(f.arena);
    return 0;
}
