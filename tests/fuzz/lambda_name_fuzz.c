/* lambda_name_fuzz.c -- services/lambda/function_name.h, and what a runtime says when it fails to start (failure.h):
 * a name, a newline, a type, a newline, a body. Properties: the parts of a name are parts of the text, and an ARN made of them has
 * the same; the answer is a JSON object that says an error. */
#include "base/panic.h"
#include "base/codec.h"
#include "base/json.h"
#include "services/lambda/failure.h"
#include "services/lambda/function_name.h"

static bool is_within(struct str part, struct str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_name(struct str text, struct arena *arena)
{
    struct str account, region, name, qualifier, again[4];
    if (!lambda__parse_name(text, &account, &region, &name, &qualifier))
        return;
    ENSURE(name.n && str_alnum_or(name, "-_."));
    ENSURE(is_within(account, text) && is_within(region, text) && is_within(name, text) && is_within(qualifier, text));
    if (!account.n || !region.n)
        return;
    struct str arn = lambda__function_arn(arena, account, region, name);
    if (lambda__parse_name(arn, &again[0], &again[1], &again[2], &again[3]))
        ENSURE(str_eq(again[0], account) && str_eq(again[1], region) && str_eq(again[2], name) && !again[3].n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str body = arena_dup(arena, (struct str){(const char *)data, size}), name = str_cut(&body, '\n'),
               type = str_cut(&body, '\n');
    struct json *tree;
    check_name(name, arena);
    if (utf8_valid(type)) {
        struct lambda__failure failure = lambda__failure_init(type, body, STR("id"), arena);
        ENSURE(json_parse(failure.payload, arena, &tree) == ERR_OK && json_is(tree, JSON_OBJECT) && failure.status.n);
    }
    arena_free(arena);
    return 0;
}
