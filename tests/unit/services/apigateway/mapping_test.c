/* mapping_test.c -- literal templates, quoted values, media types, Lambda's invocation URI; selection patterns. */
#include "services/apigateway/mapping.h"
#include "services/apigateway/selector.h"
#include "../../base/unit.h"

static void literals(void **state)
{
    (void)state;
    struct str value;
    assert_true(mapping_is_literal(STR("{\"statusCode\": 200}")));
    assert_true(mapping_is_literal(STR("")));
    assert_false(mapping_is_literal(STR("$input.json('$')")));
    assert_false(mapping_is_literal(STR("#set($x = 1)")));
    assert_true(mapping_literal_value(STR("'*'"), &value));
    assert_str(value, "*");
    assert_true(mapping_literal_value(STR("''"), &value));
    assert_str(value, "");
    static const char *const others[] = {"", "'", "*", "integration.response.header.X", "'a", "'a\r\nb'"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(mapping_literal_value(str_of(others[i]), &value));
}

static void response_headers(void **state)
{
    (void)state;
    struct str name;
    assert_true(mapping_response_header(STR("method.response.header.Access-Control-Allow-Origin"), &name));
    assert_str(name, "Access-Control-Allow-Origin");
    static const char *const others[] = {"method.response.header.", "method.response.header.a b", "method.response.body", "header.X", ""};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(mapping_response_header(str_of(others[i]), &name));
}

static void templates(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct json *map;
    assert_int_equal(json_parse(STR("{\"application/json\":\"j\",\"text/xml\":\"x\"}"), arena, &map), ERR_OK);
    assert_str(mapping_find_template(map, STR_NONE)->text, "j");
    assert_str(mapping_find_template(map, STR("application/json; charset=utf-8"))->text, "j");
    assert_str(mapping_find_template(map, STR("Text/XML"))->text, "x");
    assert_null(mapping_find_template(map, STR("application/x-www-form-urlencoded")));
    assert_null(mapping_find_template(NULL, STR_NONE));
    arena_free(arena);
}

static void lambda_uris(void **state)
{
    (void)state;
    static const char arn[] = "arn:aws:lambda:us-east-1:000000000000:function:f";
    static const struct { const char *uri, *arn; } cases[] = {
        {"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations", arn},
        {"arn:aws:apigateway:us-east-1:lambda:path//2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations", arn},
        {"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f:${stageVariables.alias}/invocations", "f:${stageVariables.alias}"},
        {"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions//invocations", NULL},
        {"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/a/b/invocations", NULL},
        {"arn:aws:apigateway:us-east-1:lambda:path/2014-11-13/functions/f/invocations", NULL},
        {"arn:aws:apigateway:us-east-1:lambda:action/Invoke", NULL},
        {"arn:aws:apigateway:us-east-1:s3:path/bucket", NULL},
        {"arn:aws:apigateway::lambda:path/2015-03-31/functions/f/invocations", NULL},
        {"http://example.com", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str found = STR_NONE;
        assert_int_equal(mapping_lambda_uri(str_of(cases[i].uri), &found), cases[i].arn != NULL);
        if (cases[i].arn)
            assert_str(found, cases[i].arn);
    }
}

static void selectors(void **state)
{
    (void)state;
    static const struct { const char *pattern, *subject; bool matches; } cases[] = {
        {".*Bad.*", "A Bad thing", true}, {"Bad", "A Bad thing", false}, {"^\\[BadRequest\\].*", "[BadRequest] no", true},
        {"4\\d{2}", "404", true}, {"(?i)error.*", "ERROR: x", true}, {".*", "two\nlines", false}, {"(.|\\n)*", "two\nlines", true},
        {"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},     /* bounded */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct selector *selector = selector_new(str_of(cases[i].pattern));
        assert_non_null(selector);
        assert_int_equal(selector_matches(selector, str_of(cases[i].subject)), cases[i].matches);
        selector_free(selector);
    }
    assert_null(selector_new(STR("(")));
    assert_null(selector_new(STR("[a")));
    selector_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(literals), cmocka_unit_test(response_headers), cmocka_unit_test(templates),
                                       cmocka_unit_test(lambda_uris), cmocka_unit_test(selectors)};
    return RUN(tests);
}
