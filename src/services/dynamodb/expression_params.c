/* expression_params.c -- ExpressionAttributeNames and ExpressionAttributeValues of one request: checked, found by
 * placeholder (sorted array), and counted as used. Source of limits: developer guide, "Expression parameters". */
#include "services/dynamodb/expression_internal.h"
#include <stdlib.h>

struct placeholder {
    struct str key;
    struct str name;                /* of #key */
    const struct value *value;      /* of :key */
    bool used;
};
struct placeholder_table {
    struct placeholder *all;        /* as they came */
    struct placeholder **sorted;
    size_t count;
};
struct expression_params {
    struct placeholder_table names, values;
};

/* ---- which parameters may stand together ---- */

static void add_present(struct buf *buf, const struct json *input, const char *const *names)
{
    bool first = true;
    buf_add_char(buf, '{');
    for (; names && *names; names++) {
        if (!json_at(input, *names))
            continue;
        if (!first)
            buf_lit(buf, ", ");
        buf_add(buf, str_of(*names));
        first = false;
    }
    buf_add_char(buf, '}');
}

static bool any_present(const struct json *input, const char *const *names)
{
    for (; names && *names; names++)
        if (json_at(input, *names))
            return true;
    return false;
}

static struct str values_alone(const struct expression_usage *usage, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, 1024);
    buf_lit(&buf, "ExpressionAttributeValues can only be specified when using expressions: ");
    size_t count = 0;
    for (; usage->values_in[count]; count++) {
        if (count)
            buf_lit(&buf, " and ");
        buf_add(&buf, str_of(usage->values_in[count]));
    }
    buf_add(&buf, count > 1 ? STR(" are null") : STR(" is null"));
    return buf_str(&buf);
}

bool expression_usage_check(const struct expression_usage *usage, const struct json *input, struct arena *arena,
                            struct str *ret_message)
{
    bool expressions = any_present(input, usage->expressions);
    if (expressions && any_present(input, usage->legacy)) {
        struct buf buf;
        buf_init(&buf, arena, 1024);
        buf_lit(&buf, "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: ");
        add_present(&buf, input, usage->legacy);
        buf_lit(&buf, " Expression parameters: ");
        add_present(&buf, input, usage->expressions);
        *ret_message = buf_str(&buf);
        return false;
    }
    if (!expressions && json_at(input, "ExpressionAttributeNames")) {
        *ret_message = STR("ExpressionAttributeNames can only be specified when using expressions");
        return false;
    }
    if (usage->values_in && json_at(input, "ExpressionAttributeValues") && !any_present(input, usage->values_in)) {
        *ret_message = values_alone(usage, arena);
        return false;
    }
    return true;
}

/* ---- the placeholders ---- */

static int placeholder_order(const void *a, const void *b)
{
    return str_cmp((*(struct placeholder *const *)a)->key, (*(struct placeholder *const *)b)->key);
}

static bool placeholder_valid(struct str key, char sign)
{
    if (key.n < 2 || key.p[0] != sign)
        return false;
    return str_alnum_or(str_slice(key, 1, key.n), "_");
}

static bool table_fill(struct placeholder_table *table, const struct json *map, char sign, const char *what, struct arena *arena,
                       struct str *ret_message)
{
    if (map->count == 0) {
        *ret_message = arena_printf(arena, "%s must not be empty", what);
        return false;
    }
    table->all = arena_array(arena, struct placeholder, map->count);
    table->sorted = arena_alloc(arena, sizeof *table->sorted * map->count);
    for JSON_EACH (member, map) {
        if (!placeholder_valid(member->key, sign)) {
            *ret_message =
                arena_printf(arena, "%s contains invalid key: Syntax error; key: \"" STR_FMT "\"", what, STR_ARG(member->key));
            return false;
        }
        if (member->key.n > EXPRESSION_PLACEHOLDER_MAX) {
            *ret_message = arena_printf(arena, "%s contains invalid key: Length of key has exceeded the maximum allowed length; "
                                               "key: \"" STR_FMT "\"", what, STR_ARG(member->key));
            return false;
        }
        table->all[table->count] = (struct placeholder){.key = member->key, .name = member->text};
        table->sorted[table->count] = &table->all[table->count];
        table->count++;
    }
    qsort(table->sorted, table->count, sizeof *table->sorted, placeholder_order);
    return true;
}

static bool read_names(struct placeholder_table *table, const struct json *names, struct arena *arena, struct str *ret_message)
{
    if (!table_fill(table, names, '#', "ExpressionAttributeNames", arena, ret_message))
        return false;
    for (size_t i = 0; i < table->count; i++) {
        if (table->all[i].name.n)
            continue;
        *ret_message = arena_printf(arena, "ExpressionAttributeNames contains invalid value: Empty attribute name for key " STR_FMT,
                                    STR_ARG(table->all[i].key));
        return false;
    }
    return true;
}

static bool read_values(struct placeholder_table *table, const struct json *values, struct arena *arena, struct str *ret_message,
                        bool *ret_serialization)
{
    size_t bytes = 0;
    if (!table_fill(table, values, ':', "ExpressionAttributeValues", arena, ret_message))
        return false;
    struct placeholder *at = table->all;
    for JSON_EACH (member, values) {
        struct str message;
        at->value = value_from_json(member, arena, &message, ret_serialization);
        if (!at->value) {
            *ret_message = *ret_serialization ? message
                         : arena_printf(arena, "ExpressionAttributeValues contains invalid value: " STR_FMT " for key " STR_FMT,
                                        STR_ARG(message), STR_ARG(member->key));
            return false;
        }
        bytes += member->key.n + value_size(at->value);
        at++;
    }
    if (bytes <= EXPRESSION_SUBSTITUTION_BYTES_MAX)
        return true;
    *ret_message = STR("ExpressionAttributeValues exceeds max size");
    return false;
}

struct expression_params *expression_params_new(const struct json *names, const struct json *values, struct arena *arena,
                                                struct str *ret_message, bool *ret_serialization)
{
    struct expression_params *params = arena_new_of(arena, struct expression_params);
    if (names && !read_names(&params->names, names, arena, ret_message))
        return NULL;
    if (values && !read_values(&params->values, values, arena, ret_message, ret_serialization))
        return NULL;
    return params;
}

static struct placeholder *use(const struct placeholder_table *table, struct str key)
{
    struct placeholder wanted = {.key = key}, *pointer = &wanted;
    if (!table->count)
        return NULL;
    struct placeholder **found = bsearch(&pointer, table->sorted, table->count, sizeof *table->sorted, placeholder_order);
    if (!found)
        return NULL;
    (*found)->used = true;
    return *found;
}

const struct str *expression__name(struct expression_params *params, struct str key)
{
    struct placeholder *found = use(&params->names, key);
    return found ? &found->name : NULL;
}

const struct value *expression__value(struct expression_params *params, struct str key)
{
    struct placeholder *found = use(&params->values, key);
    return found ? found->value : NULL;
}

static bool all_used(const struct placeholder_table *table, const char *what, struct arena *arena, struct str *ret_message)
{
    struct buf buf;
    size_t unused = 0;
    buf_init(&buf, arena, EXPRESSION_SUBSTITUTION_BYTES_MAX);
    buf_printf(&buf, "Value provided in %s unused in expressions: keys: {", what);
    for (size_t i = 0; i < table->count; i++) {
        if (table->all[i].used)
            continue;
        if (unused++)
            buf_lit(&buf, ", ");
        buf_add(&buf, table->all[i].key);
    }
    buf_add_char(&buf, '}');
    if (unused)
        *ret_message = buf_str(&buf);
    return unused == 0;
}

bool expression_params_all_used(const struct expression_params *params, struct arena *arena, struct str *ret_message)
{
    return all_used(&params->names, "ExpressionAttributeNames", arena, ret_message) &&
           all_used(&params->values, "ExpressionAttributeValues", arena, ret_message);
}
