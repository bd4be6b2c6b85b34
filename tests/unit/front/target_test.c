/* target_test.c -- whose request it is, from Host and path. */
#include "front/target.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_targets(void **state)
{
    static const struct {
        const char *host, *path;
        enum front_kind kind;
        const char *api, *stage, *rest, *domain;
    } cases[] = {
        {"abc.execute-api.us-east-1.localhost:4566", "/prod/a/b", FRONT_GATEWAY, "abc", "prod", "/a/b",
         "abc.execute-api.us-east-1.localhost"},
        {"abc.execute-api.us-east-1.amazonaws.com", "/prod", FRONT_GATEWAY, "abc", "prod", "",
         "abc.execute-api.us-east-1.amazonaws.com"},
        {"abc.execute-api.us-east-1.localhost", "/", FRONT_GATEWAY, "abc", "", "", "abc.execute-api.us-east-1.localhost"},
        {"127.0.0.1:4566", "/_aws/execute-api/abc/prod/x", FRONT_GATEWAY, "abc", "prod", "/x",
         "abc.execute-api.eu-west-1.localhost"},
        {"[::1]:4566", "/restapis/abc/prod/_user_request_/x/", FRONT_GATEWAY, "abc", "prod", "/x/",
         "abc.execute-api.eu-west-1.localhost"},
        {"127.0.0.1", "/restapis/abc/prod/_user_request_", FRONT_GATEWAY, "abc", "prod", "", "abc.execute-api.eu-west-1.localhost"},
        {"abc.execute-api.us-east-1.localhost", "//prod//a", FRONT_GATEWAY, "abc", "prod", "//a",
         "abc.execute-api.us-east-1.localhost"},
        {"127.0.0.1", "/_aws/execute-api/abc///prod/x", FRONT_GATEWAY, "abc", "prod", "/x", "abc.execute-api.eu-west-1.localhost"},
        {"127.0.0.1", "/restapis/abc//prod/_user_request_//x", FRONT_GATEWAY, "abc", "prod", "//x",
         "abc.execute-api.eu-west-1.localhost"},
        {"127.0.0.1", "/restapis/abc/stages/prod", FRONT_AWS, "", "", "", ""},
        {"127.0.0.1", "/_cloudless/health", FRONT_HEALTH, "", "", "", ""},
        {"127.0.0.1", "/_cloudless/metrics", FRONT_METRICS, "", "", "", ""},
        {"127.0.0.1", "/_cloudless/other", FRONT_OWN_UNKNOWN, "", "", "", ""},
        {"127.0.0.1", "/_aws/other", FRONT_PAGE, "", "", "", ""},
        {"127.0.0.1", "/", FRONT_AWS, "", "", "", ""},
        {"execute-api.us-east-1.localhost", "/", FRONT_AWS, "", "", "", ""},
        {"", "/", FRONT_AWS, "", "", "", ""},
    };
    struct arena *arena = arena_new();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_request request = {.arena = arena, .host = str_of(cases[i].host), .path = str_of(cases[i].path)};
        struct front_target target = front_target_of(&request, STR("eu-west-1"));
        assert_int_equal(target.kind, cases[i].kind);
        if (target.kind != FRONT_GATEWAY)
            continue;
        assert_true(str_eq(target.api_id, str_of(cases[i].api)) && str_eq(target.stage, str_of(cases[i].stage)));
        assert_true(str_eq(target.path, str_of(cases[i].rest)) && str_eq(target.domain, str_of(cases[i].domain)));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
