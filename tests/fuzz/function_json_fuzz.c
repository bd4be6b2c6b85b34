/* function_json_fuzz.c -- cloudless/json.h on any bytes. Properties: what is refused has its place within the text; what is
 * taken is the same after writing and reading again, and after copying; all strings are UTF-8 and end in NUL; members are not
 * repeated; counts and last children are right. A bound on memory changes nothing but CL_NO_MEMORY. */
#include "internal.h"
#include <stdlib.h>

#define CHECK(what) ((what) ? (void)0 : abort())

static void check_tree(const cl_json *json, unsigned depth)
{
    size_t n = 0;
    const cl_json *last = NULL;
    int64_t integer;
    double real;
    CHECK(depth <= CL_JSON_DEPTH_MAX);
    if (json->text.p)
        CHECK(cl_utf8_valid(json->text) && json->text.p[json->text.n] == 0);
    if (json->type == CL_NUMBER) {
        CHECK(cl__json_number_ok(json->text));
        if (cl_json_i64(json, &integer) && cl_json_double(json, &real))
            CHECK(real <= 9.3e18 && real >= -9.3e18);
    }
    for CL_JSON_EACH(child, json) {
        n++;
        last = child;
        CHECK((json->type == CL_OBJECT) == (child->key.p != NULL));
        if (child->key.p)
            CHECK(cl_utf8_valid(child->key) && child->key.p[child->key.n] == 0);
        if (n < 50)
            for (const cl_json *other = child->next; other && json->type == CL_OBJECT; other = other->next)
                CHECK(!cl_str_eq(child->key, other->key));
        check_tree(child, depth + 1);
    }
    CHECK(n == json->count && last == json->last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cl_str text = {(const char *)data, size};
    cl_json *json = NULL, *again = NULL;
    size_t where = SIZE_MAX;
    cl_arena *arena = cl_arena_new(0);
    cl_result result = cl_json_parse(arena, text, &json, &where);
    if (result == CL_OK) {
        check_tree(json, 0);
        cl_str first = cl_json_text(arena, json);
        CHECK(first.n > 0 && cl_json_parse(arena, first, &again, NULL) == CL_OK);
        CHECK(cl_str_eq(first, cl_json_text(arena, again)));
        CHECK(cl_str_eq(first, cl_json_text(arena, cl_json_copy(arena, json))));
    } else {
        CHECK(result == CL_INVALID && where <= size && !json);
    }
    cl_arena_free(arena);
    arena = cl_arena_new(size % 7 * 300 + 1);
    json = NULL;
    cl_result bounded = cl_json_parse(arena, text, &json, NULL);
    CHECK(bounded == result || (bounded == CL_NO_MEMORY && cl_arena_failed(arena) && !json));
    cl_arena_free(arena);
    return 0;
}
