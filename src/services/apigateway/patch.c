/* patch.c -- walks input's patchOperations through a table of paths. A path is a JSON pointer (RFC 6901): ~1 is '/',
 * ~0 is '~'. The operations are applied to the loaded document, in order; the caller stores it if all went well. */
#include "services/apigateway/patch.h"

static struct str unescape(struct arena *arena, struct str s)
{
    if (str_find(s, '~') == s.n)
        return s;
    char *out = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
        out[n++] = escape ? (s.p[i + 1] == '1' ? '/' : '~') : s.p[i];
        i += escape;
    }
    return (struct str){out, n};
}

/* Does `path` have the form of `pattern`? *ret_name is the segment at '*', else the last one. */
static bool matches(const char *pattern, struct str path, struct str *ret_name)
{
    struct str rule = str_of(pattern), name = STR_NONE;
    bool starred = false;
    while (rule.n && path.n) {
        if (str_eq(rule, STR("**"))) {
            *ret_name = path;
            return true;
        }
        struct str want = str_cut(&rule, '/'), have = str_cut(&path, '/');
        bool star = str_eq(want, STR("*"));
        if (star ? have.n == 0 : !str_eq(want, have))
            return false;
        if (!starred)
            name = have;
        starred |= star;
    }
    *ret_name = name;
    return rule.n == 0 && path.n == 0;
}

static const struct {
    const char *name;
    unsigned bit;
} operations[] = {{"add", PATCH_ADD}, {"remove", PATCH_REMOVE}, {"replace", PATCH_REPLACE}};

static unsigned operation_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        if (str_eq(name, str_of(operations[i].name)))
            return operations[i].bit;
    return 0;
}

static void fail_path(struct call *call, const struct patch_table *table, struct str op, const struct patch *patch)
{
    if (table->must_be_one_of && !table->wrong_path)
        call_fail(call, "BadRequestException",
                  "Invalid patch path  '" STR_FMT "' specified for op '" STR_FMT "'. Must be one of: [%s]", STR_ARG(patch->path),
                  STR_ARG(op), table->must_be_one_of);
    else if (table->wrong_path)
        call_fail(call, "BadRequestException", "%s: " STR_FMT ". Must be one of: [%s]", table->wrong_path, STR_ARG(patch->path),
                  table->must_be_one_of);
    else
        call_fail(call, "BadRequestException", "Invalid patch path " STR_FMT, STR_ARG(patch->path));
}

static void fail_operation(struct call *call, const struct patch_table *table, struct str op, const struct patch *patch,
                           unsigned allowed)
{
    if (table->must_be_one_of && !table->wrong_path) {
        call_fail(call, "BadRequestException",
                  "Invalid patch path  '" STR_FMT "' specified for op '" STR_FMT "'. Please choose supported operations",
                  STR_ARG(patch->path), STR_ARG(op));
        return;
    }
    struct buf list;
    buf_init(&list, call->arena, 64);
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        if (allowed & operations[i].bit)
            buf_printf(&list, "%s%s", list.n ? ", " : "", operations[i].name);
    call_fail(call, "BadRequestException", "Invalid patch operation specified. Must be one of: [" STR_FMT "]",
              STR_ARG(buf_str(&list)));
}

static void apply_one(struct call *call, const struct patch_table *table, struct json *document, struct store_txn *txn,
                      const struct json *operation)
{
    struct str op = json_str(operation, "op");
    struct patch patch = {.op = operation_of(op), .path = json_str(operation, "path"), .value = json_str(operation, "value"),
                          .has_value = json_is(json_at(operation, "value"), JSON_STRING)};
    const struct patch_rule *rule = table->rules;
    while (rule->path && (!matches(rule->path, patch.path, &patch.name) || ((rule->ops & PATCH_ONLY) && !(rule->ops & patch.op))))
        rule++;
    patch.name = unescape(call->arena, patch.name);
    if (!rule->path && table->must_be_one_of && !table->wrong_path && patch.op != PATCH_REPLACE)
        fail_operation(call, table, op, &patch, PATCH_REPLACE);
    else if (!rule->path)
        fail_path(call, table, op, &patch);
    else if (!rule->apply)
        call_fail_not_implemented(call, arena_printf(call->arena, "patch path " STR_FMT, STR_ARG(patch.path)).p);
    else if (!(rule->ops & patch.op))
        fail_operation(call, table, op, &patch, rule->ops);
    else
        rule->apply(call, document, &patch, txn);
}

bool apigateway__patch(struct call *call, const struct patch_table *table, struct json *document, struct store_txn *txn)
{
    const struct json *list = json_at(call->input, "patchOperations");
    if (list && list->count > PATCH_OPERATIONS_MAX)
        call_fail(call, "BadRequestException", "More than %d patch operations specified", PATCH_OPERATIONS_MAX);
    for JSON_EACH (operation, list) {
        if (call->failed)
            break;
        apply_one(call, table, document, txn, operation);
    }
    return !call->failed;
}

static struct str last_segment(struct str path)
{
    struct str last = STR_NONE;
    while (path.n)
        last = str_cut(&path, '/');
    return last;
}

void apigateway__patch_text(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    if (patch->op == PATCH_REMOVE)
        json_remove(document, last_segment(patch->path));
    else
        json_put(document, last_segment(patch->path), json_new_str(call->arena, patch->value));
}

void apigateway__patch_boolean(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    bool value = str_eq_nocase(patch->value, STR("true"));
    json_put(document, last_segment(patch->path), json_new(call->arena, value ? JSON_TRUE : JSON_FALSE));
}

static struct str map_of(const struct patch *patch)
{
    struct str path = str_slice(patch->path, 1, patch->path.n);
    return str_cut(&path, '/');
}

static void fail_entry(struct call *call, struct str member)
{
    call_fail(call, "NotFoundException", "%s",
              str_ends(member, STR("Parameters")) ? "Invalid parameter name specified" : "Content-Type specified was not found");
}

bool apigateway__patch_finds(struct call *call, const struct json *document, const struct patch *patch)
{
    bool found = patch->op == PATCH_ADD || json_get(json_get(document, map_of(patch)), patch->name);
    if (!found)
        fail_entry(call, map_of(patch));
    return found;
}

static void patch_entry(struct call *call, struct json *document, const struct patch *patch, struct json *value)
{
    struct str member = map_of(patch);
    struct json *map = json_get(document, member);
    if (patch->op == PATCH_REMOVE) {
        if (!map || !json_remove(map, patch->name))
            fail_entry(call, member);
        else if (map->count == 0)
            json_remove(document, member);
        return;
    }
    if (!map)
        map = json_put(document, member, json_new(call->arena, JSON_OBJECT));
    json_put(map, patch->name, value);
}

void apigateway__patch_map(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    patch_entry(call, document, patch, json_new_str(call->arena, patch->value));
}

void apigateway__patch_boolean_map(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn)
{
    (void)txn;
    patch_entry(call, document, patch, json_new(call->arena, str_eq_nocase(patch->value, STR("true")) ? JSON_TRUE : JSON_FALSE));
}
