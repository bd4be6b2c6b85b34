/* sample_test.c -- events of requests that nobody sent. Format 2.0 member by member: "Working with AWS Lambda proxy
 * integrations for HTTP APIs" and events of AWS that were published; 1.0 comes from the gateway's own builder (event_test.c). */
#include "base/json.h"
#include "gateway/gateway.h"
#include "../base/unit.h"

static struct json *event(struct arena *arena, gateway_sample_fn *make, const struct gateway_sample *sample)
{
    struct str text;
    struct json *tree;
    assert_true(make(sample, arena, &text));
    assert_int_equal(json_parse(text, arena, &tree), ERR_OK);
    return tree;
}

/* The member at "a.b", NULL if there is none. */
static struct json *at(struct json *tree, const char *path)
{
    struct str rest = str_of(path);
    while (rest.n)
        tree = json_get(tree, str_cut(&rest, '.'));
    return tree;
}

/* `expected` NULL: the member is absent. */
static void same(struct arena *arena, struct json *tree, const char *path, const char *expected)
{
    struct json *actual = at(tree, path), *wanted = NULL;
    if (expected)
        assert_int_equal(json_parse(str_of(expected), arena, &wanted), ERR_OK);
    if (actual && wanted ? !json_equal(actual, wanted) : actual != wanted) {
        print_error("%s: " STR_FMT " is not %s\n", path, STR_ARG(actual ? json_text(arena, actual) : STR("(absent)")),
                    expected ? expected : "(absent)");
        fail();
    }
}

#define S(text) {text, sizeof(text) - 1}
#define GET(...) {.method = S("GET"), .path = S("/"), .stage = S("$default"), __VA_ARGS__}
#define HEADERS(...) .headers = (struct http_header[]){__VA_ARGS__}, .header_count = COUNT_OF(((struct http_header[]){__VA_ARGS__}))
#define HEADER(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}}
#define HOST                                                                                                                       \
    "\"host\":\"sample.execute-api.us-east-1.localhost\",\"x-amzn-trace-id\":\"Root=1-0\",\"x-forwarded-for\":\"127.0.0.1\","      \
    "\"x-forwarded-port\":\"80\",\"x-forwarded-proto\":\"http\""
#define TRACE HEADER("X-Amzn-Trace-Id", "Root=1-0")

static void http_api_members(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const struct gateway_sample sample = {.method = STR("POST"),
                                          .path = STR("/todos/a%20b"),
                                          .stage = STR("$default"),
                                          .resource = STR("/todos/{id}"),
                                          .query = STR("a=1&a=2&b=%20c&d"),
                                          .body = STR("{\"x\":1}"),
                                          HEADERS(TRACE, HEADER("Content-Type", "application/json"), HEADER("Cookie", "a=b; c=d"),
                                                  HEADER("cookie", "e=f"), HEADER("X-A", "1"), HEADER("x-a", "2"),
                                                  HEADER("User-Agent", "curl/8"))};
    struct json *tree = event(arena, gateway_sample_http_event, &sample);
    assert_int_equal(at(tree, "requestContext.requestId")->text.n, 16);
    assert_true(json_is(at(tree, "requestContext.timeEpoch"), JSON_NUMBER));
    assert_int_equal(at(tree, "requestContext.time")->text.n, sizeof "12/Mar/2020:19:03:58 +0000" - 1);
    static const char *const vary[] = {"requestId", "timeEpoch", "time"};
    for (size_t i = 0; i < COUNT_OF(vary); i++)
        assert_true(json_remove(at(tree, "requestContext"), str_of(vary[i])));
    same(
        arena, tree, "",
        "{\"version\":\"2.0\",\"routeKey\":\"POST /todos/{id}\",\"rawPath\":\"/todos/a b\",\"rawQueryString\":\"a=1&a=2&b=%20c&d\","
        "\"cookies\":[\"a=b\",\"c=d\",\"e=f\"],"
        "\"headers\":{\"content-type\":\"application/json\",\"x-a\":\"1,2\",\"user-agent\":\"curl/"
        "8\",\"content-length\":\"7\"," HOST "},"
        "\"queryStringParameters\":{\"a\":\"1,2\",\"b\":\" c\",\"d\":\"\"},"
        "\"requestContext\":{\"accountId\":\"000000000000\",\"apiId\":\"sample\",\"domainName\":\"sample.execute-api.us-east-1."
        "localhost\","
        "\"domainPrefix\":\"sample\",\"http\":{\"method\":\"POST\",\"path\":\"/todos/a "
        "b\",\"protocol\":\"HTTP/1.1\",\"sourceIp\":\"127.0.0.1\","
        "\"userAgent\":\"curl/8\"},\"routeKey\":\"POST /todos/{id}\",\"stage\":\"$default\"},"
        "\"pathParameters\":{\"id\":\"a b\"},\"body\":\"{\\\"x\\\":1}\",\"isBase64Encoded\":false}");
    arena_free(arena);
}

static void http_api_cases(void **state)
{
    (void)state;
    const struct {
        struct gateway_sample sample;
        const char *path, *expected;
    } rows[] = {
        {GET(), "routeKey", "\"$default\""},
        {GET(), "rawQueryString", "\"\""},
        {GET(), "cookies", NULL},
        {GET(), "queryStringParameters", NULL},
        {GET(), "pathParameters", NULL},
        {GET(), "body", NULL},
        {GET(), "isBase64Encoded", "false"},
        {GET(), "requestContext.http.userAgent", "\"\""},
        {GET(HEADERS(TRACE)), "headers", "{\"content-length\":\"0\"," HOST "}"},
        {GET(HEADERS(HEADER("Host", "a.example"))), "headers.host", "\"a.example\""},
        {GET(HEADERS(HEADER("X", "\xff"))), "headers.x", "\"\xEF\xBF\xBD\""},
        {{.method = S("GET"), .path = S("/a"), .stage = S("dev")}, "rawPath", "\"/dev/a\""},
        {{.method = S("GET"), .path = S("/a"), .stage = S("dev")}, "requestContext.http.path", "\"/dev/a\""},
        {{.method = S("GET"), .path = S("/a"), .stage = S("dev")}, "requestContext.stage", "\"dev\""},
        {{.method = S("GET"), .path = S("/a/b"), .stage = S("$default"), .resource = S("/{proxy+}")},
         "pathParameters",
         "{\"proxy\":\"a/b\"}"},
        /* which bodies are text */
        {GET(.body = S("x")), "body", "\"eA==\""},
        {GET(.body = S("x"), HEADERS(HEADER("Content-Type", "text/html; charset=utf-8"))), "body", "\"x\""},
        {GET(.body = S("x"), HEADERS(HEADER("Content-Type", "Application/XML"))), "body", "\"x\""},
        {GET(.body = S("a=b"), HEADERS(HEADER("Content-Type", "application/x-www-form-urlencoded"))), "body", "\"YT1i\""},
        {GET(.body = S("a=b"), HEADERS(HEADER("Content-Type", "application/x-www-form-urlencoded"))), "isBase64Encoded", "true"},
        {GET(.body = S("\xff"), HEADERS(HEADER("Content-Type", "text/plain"))), "body", "\"/w==\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        same(arena, event(arena, gateway_sample_http_event, &rows[i].sample), rows[i].path, rows[i].expected);
        arena_free(arena);
    }
}

static void rest_api_has_a_host(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const struct gateway_sample sample = {
        .method = STR("GET"), .path = STR("/a"), .stage = STR("prod"), .resource = STR("/{proxy+}")};
    struct json *tree = event(arena, gateway_sample_event, &sample);
    same(arena, tree, "headers.Host", "\"sample.execute-api.us-east-1.localhost\"");
    same(arena, tree, "requestContext.domainName", "\"sample.execute-api.us-east-1.localhost\"");
    arena_free(arena);
}

static void what_fits_no_route(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const struct gateway_sample sample = {.method = STR("GET"), .path = STR("/a"), .stage = STR("prod"), .resource = STR("/b")};
    struct str text = STR("untouched");
    assert_false(gateway_sample_event(&sample, arena, &text));
    assert_false(gateway_sample_http_event(&sample, arena, &text));
    assert_string_equal(text.p, "untouched");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_api_members),
        cmocka_unit_test(http_api_cases),
        cmocka_unit_test(rest_api_has_a_host),
        cmocka_unit_test(what_fits_no_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
