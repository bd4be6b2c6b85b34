/* route_test.c -- gateway/route.h: precedence as documented and as measured on AWS, raw parameters, malformed paths, and
 * random trees against a plain search over all resources. */
#include "gateway/route.h"
#include "../base/unit.h"

struct row { const char *path, *methods; };
static const struct row api[] = {
    {"/", "GET"},
    {"/todos", "GET,POST"},
    {"/todos/{id}", "GET,PUT"},
    {"/todos/search", "GET"},
    {"/todos/{id}/parts/{part}", "ANY"},
    {"/test", "POST"},
    {"/test/any", "ANY"},
    {"/files/{path+}", "ANY"},
    {"/files/index", "GET"},
    {"/{proxy+}", "OPTIONS"},
};

static struct route_tree *tree_of(struct arena *arena, const struct row *rows, size_t count)
{
    struct route_tree *tree = route_tree_new(arena);
    for (size_t i = 0; i < count; i++) {
        struct str list = str_of(rows[i].methods);
        while (list.n)
            assert_true(route_add(tree, str_of(rows[i].path), str_cut(&list, ','), (void *)(uintptr_t)&rows[i]));
    }
    return tree;
}

/* "path name=value name=value", or "" when nothing matches */
static const char *find(const struct route_tree *tree, struct arena *arena, const char *method, const char *path)
{
    struct route_match match;
    if (!route_find(tree, str_of(path), str_of(method), arena, &match))
        return "";
    struct buf out;
    buf_init(&out, arena, 1000);
    buf_printf(&out, "%s", ((const struct row *)match.target)->path);
    for (size_t i = 0; i < match.param_count; i++)
        buf_printf(&out, " " STR_FMT "=" STR_FMT, STR_ARG(match.params[i].name), STR_ARG(match.params[i].value));
    return arena_cstr(arena, buf_str(&out));
}

static void precedence(void **state)
{
    (void)state;
    static const struct { const char *method, *path, *expected; } cases[] = {
        {"GET", "/", "/"},
        {"GET", "", "/"},
        {"GET", "///", "/"},
        {"POST", "/", ""},
        {"GET", "/todos", "/todos"},
        {"GET", "/todos/", "/todos"},
        {"GET", "//todos", "/todos"},
        {"DELETE", "/todos", ""},
        {"GET", "/todos/17", "/todos/{id} id=17"},
        {"GET", "/todos/search", "/todos/search"},
        {"PUT", "/todos/search", "/todos/{id} id=search"},         /* the static one has no PUT */
        {"GET", "/todos/a%20b", "/todos/{id} id=a%20b"},           /* raw */
        {"GET", "/TODOS", ""},
        {"DELETE", "/todos/1/parts/2", "/todos/{id}/parts/{part} id=1 part=2"},
        {"GET", "/todos/search/parts/2", "/todos/{id}/parts/{part} id=search part=2"},
        {"GET", "/todos//parts/2", ""},
        {"GET", "/files/index", "/files/index"},
        {"POST", "/files/index", "/files/{path+} path=index"},
        {"GET", "/files/a/b/c", "/files/{path+} path=a/b/c"},
        {"GET", "/files/a//c/", "/files/{path+} path=a//c"},
        {"GET", "/files", ""},
        {"POST", "/test", "/test"},
        {"OPTIONS", "/test", "/{proxy+} proxy=test"},              /* AWS goes on to the proxy */
        {"OPTIONS", "/test/any", "/test/any"},                     /* ANY of the better resource wins */
        {"OPTIONS", "/nowhere/at/all", "/{proxy+} proxy=nowhere/at/all"},
        {"GET", "/nowhere", ""},
        {"ANY", "/test/any", ""},
        {"BREW", "/test/any", ""},
    };
    struct arena *arena = arena_new();
    struct route_tree *tree = tree_of(arena, api, COUNT_OF(api));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(find(tree, arena, cases[i].method, cases[i].path), cases[i].expected);
    arena_free(arena);
}

static void own_method_before_any(void **state)
{
    (void)state;
    static const struct row rows[] = {{"/x", "ANY"}, {"/x", "GET"}};
    struct arena *arena = arena_new();
    struct route_tree *tree = tree_of(arena, rows, 2);
    struct route_match match;
    assert_true(route_find(tree, STR("/x"), STR("GET"), arena, &match));
    assert_ptr_equal(match.target, &rows[1]);
    assert_true(route_find(tree, STR("/x"), STR("HEAD"), arena, &match));
    assert_ptr_equal(match.target, &rows[0]);
    assert_false(route_add(tree, STR("/x"), STR("GET"), tree));
    arena_free(arena);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "x", "/a//b", "/{", "/{}", "/{x"};
    struct arena *arena = arena_new();
    struct route_tree *tree = route_tree_new(arena);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        assert_false(route_add(tree, str_of(paths[i]), STR("GET"), tree));
    assert_true(route_add(tree, STR("/{a}"), STR("GET"), tree));
    assert_false(route_add(tree, STR("/{b}"), STR("GET"), tree));
    assert_false(route_add(tree, STR("/c"), STR("BREW"), tree));

    struct buf deep;
    buf_init(&deep, arena, 4 * ROUTE_DEPTH_MAX);
    for (int i = 0; i < ROUTE_DEPTH_MAX; i++)
        buf_lit(&deep, "/d");
    assert_true(route_add(tree, buf_str(&deep), STR("GET"), tree));
    struct route_match match;
    assert_true(route_find(tree, buf_str(&deep), STR("GET"), arena, &match));
    buf_lit(&deep, "/d");
    assert_false(route_add(tree, buf_str(&deep), STR("GET"), tree));
    assert_false(route_find(tree, buf_str(&deep), STR("GET"), arena, &match));
    arena_free(arena);
}

/* ---- the model: every resource tried, the best by its parts compared from the left ---- */

static int rank(struct str part)
{
    return part.p[0] != '{' ? 0 : str_ends(part, STR("+}")) ? 2 : 1;
}

static bool fits(struct str pattern, struct str path)
{
    while (pattern.n) {
        struct str part = str_cut(&pattern, '/');
        if (rank(part) == 2)
            return path.n > 0;
        struct str have = str_cut(&path, '/');
        if (have.n == 0 || (rank(part) == 0 && !str_eq(part, have)))
            return false;
    }
    return path.n == 0;
}

static bool better(struct str a, struct str b)
{
    while (a.n && b.n) {
        int difference = rank(str_cut(&a, '/')) - rank(str_cut(&b, '/'));
        if (difference)
            return difference < 0;
    }
    return false;
}

static void agrees_with_model(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "b", "c", "{x}", "{y+}"};
    uint64_t random = 42;
    for (int round = 0; round < 300; round++) {
        struct arena *arena = arena_new();
        struct route_tree *tree = route_tree_new(arena);
        struct str paths[40];
        size_t count = 0;
        for (int i = 0; i < 40; i++) {
            struct buf path;
            buf_init(&path, arena, 100);
            for (unsigned depth = 1 + random_below(&random, 4); depth; depth--) {
                const char *part = parts[random_below(&random, COUNT_OF(parts))];
                buf_printf(&path, "/%s", part);
                if (str_ends(str_of(part), STR("+}")))
                    break;
            }
            if (route_add(tree, buf_str(&path), STR("GET"), (void *)(uintptr_t)(count + 1)))
                paths[count++] = buf_str(&path);
        }
        for (int i = 0; i < 200; i++) {
            struct buf path;
            buf_init(&path, arena, 100);
            for (unsigned depth = 1 + random_below(&random, 5); depth; depth--)
                buf_printf(&path, "/%c", 'a' + (char)random_below(&random, 4));
            struct str target = str_slice(buf_str(&path), 1, path.n);
            size_t best = 0;
            for (size_t k = 0; k < count; k++) {
                struct str pattern = str_slice(paths[k], 1, paths[k].n);
                if (fits(pattern, target) && (!best || better(pattern, str_slice(paths[best - 1], 1, paths[best - 1].n))))
                    best = k + 1;
            }
            struct route_match match;
            bool found = route_find(tree, buf_str(&path), STR("GET"), arena, &match);
            assert_int_equal(found, best != 0);
            if (found)
                assert_int_equal((uintptr_t)match.target, best);
        }
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(precedence), cmocka_unit_test(own_method_before_any),
                                       cmocka_unit_test(malformed), cmocka_unit_test(agrees_with_model)};
    return RUN(tests);
}
