/* answer_test.c -- what a proxied function may answer, and what becomes of it. Sources: "Output format of a Lambda function
 * for proxy integration", "Amazon API Gateway important notes" (headers dropped and remapped). */
#include "gateway/exchange.h"
#include "../base/unit.h"

static void malformed(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",
        "null",
        "1",
        "[]",
        "\"text\"",
        "{",
        "{\"message\":\"x\"}",
        "{\"statusCode\":200,\"extra\":1}",
        "{\"statusCode\":\"abc\"}",
        "{\"statusCode\":\"\"}",
        "{\"statusCode\":200.5}",
        "{\"statusCode\":true}",
        "{\"statusCode\":99}",
        "{\"statusCode\":199}",
        "{\"statusCode\":600}",
        "{\"statusCode\":\"1e2\"}",
        "{\"body\":{\"a\":1}}",
        "{\"body\":[1]}",
        "{\"headers\":[]}",
        "{\"headers\":\"x\"}",
        "{\"headers\":{\"a\":[1]}}",
        "{\"headers\":{\"a b\":null}}",
        "{\"headers\":{\"a\":{}}}",
        "{\"headers\":{\"a\":\"x\\r\\nSet-Cookie: y\"}}",
        "{\"headers\":{\"a b\":\"x\"}}",
        "{\"headers\":{\"\":\"x\"}}",
        "{\"headers\":{\"a\\r\\nb\":\"x\"}}",
        "{\"multiValueHeaders\":{\"a\":\"x\"}}",
        "{\"multiValueHeaders\":{\"a\":1}}",
        "{\"multiValueHeaders\":{\"a\":[[1]]}}",
        "{\"multiValueHeaders\":[]}",
        "{\"isBase64Encoded\":\"no\"}",
        "{\"isBase64Encoded\":{}}",
        "{\"errorMessage\":\"x\",\"errorType\":\"E\"}",
    };
    struct arena *arena = arena_new();
    struct gateway_proxy_answer answer;
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        if (gateway__proxy_answer(str_of(answers[i]), arena, &answer))
            fail_msg("%s was accepted", answers[i]);
    arena_free(arena);
}

/* "status|name: value|…|body" */
static const char *shown(struct arena *arena, const char *text)
{
    struct gateway_proxy_answer answer;
    struct buf out;
    if (!gateway__proxy_answer(str_of(text), arena, &answer))
        return "malformed";
    buf_init(&out, arena, 20000);
    buf_printf(&out, "%d|", answer.status);
    for (size_t i = 0; i < answer.header_count; i++)
        buf_printf(&out, STR_FMT ": " STR_FMT "|", STR_ARG(answer.headers[i].name), STR_ARG(answer.headers[i].value));
    buf_add(&out, answer.body);
    return arena_cstr(arena, buf_str(&out));
}

static void good(void **state)
{
    (void)state;
    static const struct { const char *answer, *expected;
    } cases[] = {
        {"{}", "200|"},
        {"{\"statusCode\":201}", "201|"},
        {"{\"statusCode\":\"404\",\"body\":\"no\"}", "404|no"},
        {"{\"statusCode\":null,\"headers\":null,\"multiValueHeaders\":null,\"body\":null,\"isBase64Encoded\":null}", "200|"},
        {"{\"headers\":{\"A\":\"1\",\"b\":true,\"c\":false,\"d\":1.50,\"e\":null,\"f\":-2}}",
         "200|A: 1|b: true|c: false|d: 1.50|f: -2|"},
        {"{\"body\":1.50}", "200|1.50"},
        {"{\"body\":false,\"isBase64Encoded\":\"TRUE\"}", "200|false"},
        {"{\"multiValueHeaders\":{\"a\":[1,true,null,\"x\"],\"b\":null,\"c\":[]}}", "200|a: 1|a: true|a: x|"},
        /* both, recorded on AWS: the list's values first, under its spelling; what stands in both counts once */
        {"{\"multiValueHeaders\":{\"tesT-Multi\":[\"value-multi\"]},\"headers\":{\"test-multi\":\"value-solo\"}}",
         "200|tesT-Multi: value-multi|tesT-Multi: value-solo|"},
        {"{\"multiValueHeaders\":{\"a\":[\"1\",2]},\"headers\":{\"A\":\"2\",\"a\":1,\"b\":3}}", "200|b: 3|a: 1|a: 2|"},
        {"{\"multiValueHeaders\":{\"a\":[],\"A\":[\"1\"]},\"headers\":{\"A\":\"2\"}}", "200|a: 2|A: 1|"},
        {"{\"multiValueHeaders\":{\"Set-Cookie\":[\"a=1\",\"b=2\"]}}", "200|Set-Cookie: a=1|Set-Cookie: b=2|"},
        {"{\"headers\":{\"x\":\"1\",\"y\":\"2\"},\"multiValueHeaders\":{\"X\":[\"1\",\"3\"],\"Y\":[\"4\"]}}",
         "200|X: 1|X: 3|Y: 4|Y: 2|"},
        {"{\"headers\":{\"Date\":\"d\",\"Server\":\"s\",\"Connection\":\"close\",\"Authorization\":\"t\",\"content-length\":\"7\","
         "\"Transfer-Encoding\":\"chunked\",\"WWW-Authenticate\":\"Basic\"},\"body\":\"b\"}",
         "200|x-amzn-Remapped-Date: d|x-amzn-Remapped-Server: s|x-amzn-Remapped-Connection: close|x-amzn-Remapped-Authorization: t|"
         "x-amzn-Remapped-content-length: 7|x-amzn-Remapped-WWW-Authenticate: Basic|b"},
        {"{\"body\":\"aGk=\",\"isBase64Encoded\":true}", "200|aGk="}, /* no binary media types: text stays text */
        {"{\"headers\":{\"a\":\" padded\\t\"}}", "200|a: padded|"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(shown(arena, cases[i].answer), cases[i].expected);
    arena_free(arena);
}

static void headers_have_a_quota(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (int value = 10238; value <= 10239; value++) {
        const char *single = arena_printf(arena, "{\"headers\":{\"ab\":\"%0*d\"}}", value, 0).p;
        const char *multi = arena_printf(arena, "{\"multiValueHeaders\":{\"a\":[\"\",\"%0*d\"]}}", value, 0).p;
        const char *both = arena_printf(arena, "{\"headers\":{\"a\":\"\"},\"multiValueHeaders\":{\"b\":[\"%0*d\"]}}", value, 0).p;
        const char *expected = value == 10238 ? "200|" : "malf";
        assert_memory_equal(shown(arena, single), expected, 4);
        assert_memory_equal(shown(arena, multi), expected, 4);
        assert_memory_equal(shown(arena, both), expected, 4);
    }
    arena_free(arena);
}

static void refused_before_the_body(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct http_request request = {.arena = arena};
    struct http_response response;
    gateway_refuse(&request, 413, arena, &response);
    assert_int_equal(response.status, 413);
    assert_str(response.body, "{\"message\":\"Request Too Long\"}");
    assert_int_equal(response.header_count, 4);
    gateway_refuse(&request, 408, arena, &response);
    assert_int_equal(response.status, 408);
    arena_free(arena);
}

static void not_json(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_str(gateway__not_json(arena, STR("hello")),
               "Could not parse request body into json: Unrecognized token 'hello': was expecting ('true', 'false' or 'null')");
    assert_true(str_starts(gateway__not_json(arena, STR("{\"a\"")), STR("Could not parse request body into json: Unexpected end")));
    assert_true(str_starts(gateway__not_json(arena, STR("<a/>")), STR("Could not parse request body into json: Unexpected char")));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(malformed), cmocka_unit_test(good), cmocka_unit_test(headers_have_a_quota),
                                       cmocka_unit_test(refused_before_the_body), cmocka_unit_test(not_json)};
    return RUN(tests);
}
