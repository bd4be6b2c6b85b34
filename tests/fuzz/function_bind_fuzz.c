/* function_bind_fuzz.c -- binding of any JSON to a table with every type of field, one within itself. Properties: a refusal has
 * one sentence, and the same without memory to spare is CL_NO_MEMORY; what was bound, unbound and bound again is the same. */
#include "internal.h"
#include <stdlib.h>

#define CHECK(what) ((what) ? (void)0 : abort())

struct inner {
    cl_str name;
    cl_list parts;
};
struct outer {
    cl_str text, choice, price;
    int64_t number;
    bool flag, has_flag, has_number;
    const cl_json *any;
    struct inner inner;
    cl_list list, values;
};
static const char *const choices[] = {"a", "b", NULL};
static const cl_field inner_fields[] = {
    {.name = "n", .type = CL_F_STRING, .offset = offsetof(struct inner, name), .min = 1, .max = 5},
    {.name = "p", .type = CL_F_LIST, .offset = offsetof(struct inner, parts), .fields = inner_fields, .size = sizeof(struct inner), .max = 4},
    {0},
};
static const cl_field value = {.type = CL_F_STRING, .max = 3}, row = {.type = CL_F_LIST, .max = 4, .item = &value};
static const cl_field outer_fields[] = {
    {.name = "s", .type = CL_F_STRING, .offset = offsetof(struct outer, text), .required = true},
    {.name = "c", .type = CL_F_STRING, .offset = offsetof(struct outer, choice), .choices = choices},
    {.name = "d", .type = CL_F_DECIMAL, .offset = offsetof(struct outer, price), .min = -100, .max = 100},
    {.name = "i", .type = CL_F_INT, .offset = offsetof(struct outer, number), .present = offsetof(struct outer, has_number)},
    {.name = "b", .type = CL_F_BOOL, .offset = offsetof(struct outer, flag), .present = offsetof(struct outer, has_flag)},
    {.name = "j", .type = CL_F_JSON, .offset = offsetof(struct outer, any)},
    {.name = "o", .type = CL_F_OBJECT, .offset = offsetof(struct outer, inner), .fields = inner_fields},
    {.name = "l", .type = CL_F_LIST, .offset = offsetof(struct outer, list), .fields = inner_fields, .size = sizeof(struct inner), .min = 1, .max = 3},
    {.name = "v", .type = CL_F_LIST, .offset = offsetof(struct outer, values), .item = &row},
    {0},
};

static cl_result bind(cl_arena *arena, const cl_json *json, bool strict, struct outer *to)
{
    cl_str message = {NULL, 0};
    *to = (struct outer){.number = 0};
    cl_result result = cl_json_bind(arena, json, outer_fields, strict, to, &message);
    if (result != CL_OK)
        CHECK(message.n > 0 && cl_utf8_valid(message) && message.p[message.n] == 0);
    else
        CHECK(!message.p);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cl_str text = {(const char *)data, size};
    cl_json *json = NULL, *back;
    struct outer first, second;
    cl_arena *arena = cl_arena_new(0);
    if (cl_json_parse(arena, text, &json, NULL) == CL_OK) {
        cl_result strict = bind(arena, json, true, &first), lenient = bind(arena, json, false, &second);
        CHECK(strict != CL_NO_MEMORY && lenient != CL_NO_MEMORY && (strict != CL_OK || lenient == CL_OK));
        if (lenient == CL_OK) {
            back = cl_json_unbind(arena, outer_fields, &second);
            if (second.list.count == 0)                         /* an empty list is written, but may not be read */
                cl_json_set(back, "l", cl_json_null(arena));
            cl_str once = cl_json_text(arena, back);
            CHECK(bind(arena, back, true, &first) == CL_OK);
            back = cl_json_unbind(arena, outer_fields, &first);
            if (first.list.count == 0)
                cl_json_set(back, "l", cl_json_null(arena));
            CHECK(cl_str_eq(once, cl_json_text(arena, back)));
        }
    }
    cl_arena_free(arena);
    arena = cl_arena_new(size % 11 * 200 + 1);
    if (cl_json_parse(arena, text, &json, NULL) == CL_OK && bind(arena, json, true, &first) == CL_NO_MEMORY)
        CHECK(cl_arena_failed(arena));
    cl_arena_free(arena);
    return 0;
}
