/* event_test.c -- the event of payload format 1.0 for a request, member by member. Expected values: "Input format of a
 * Lambda function for proxy integration", and what AWS was seen to send (path and path parameters as written, query decoded,
 * leading slashes folded in path only, header names in their case). */
#include "base/json.h"
#include "gateway/exchange.h"
#include "../base/unit.h"

struct setup {
    struct arena *arena;
    struct http_request request;
    struct gateway_method method;
    struct gateway_stage stage;
    struct gateway_exchange x;
};

static struct http_header header(const char *name, const char *value)
{
    return (struct http_header){str_of(name), str_of(value)};
}

static void set_up(struct setup *s, struct http_header *headers, size_t count)
{
    *s = (struct setup){.arena = arena_new()};
    s->request = (struct http_request){.arena = s->arena, .method = STR("GET"), .host = STR("localhost:4566"), .headers = headers,
                                       .header_count = count, .peer_ip = STR("127.0.0.1"), .received_ms = 1769850307123};
    s->method = (struct gateway_method){.resource_id = STR("abc123"), .resource_path = STR("/{proxy+}")};
    s->stage = (struct gateway_stage){.account = STR("000000000000"), .api_id = STR("api1234567"), .deployment_id = STR("dep123"),
                                      .variables = STR("null")};
    s->x = (struct gateway_exchange){.request = &s->request,
                                     .arena = s->arena,
                                     .stage = &s->stage,
                                     .method = &s->method,
                                     .stage_name = STR("prod"),
                                     .path = STR("/a"),
                                     .domain = STR("api1234567.execute-api.us-east-1.localhost")};
    gateway__make_ids(&s->request, s->arena, &s->x.ids);
}

static struct json *event(struct setup *s)
{
    struct str text;
    struct json *tree;
    assert_true(gateway__event(&s->x, s->arena, &text));
    assert_int_equal(json_parse(text, s->arena, &tree), ERR_OK);
    return tree;
}

static void same(struct setup *s, const struct json *actual, const char *expected)
{
    struct json *tree;
    assert_int_equal(json_parse(str_of(expected), s->arena, &tree), ERR_OK);
    if (!actual || !json_equal(actual, tree)) {
        print_error(STR_FMT " is not %s\n", STR_ARG(actual ? json_text(s->arena, actual) : STR("(missing)")), expected);
        fail();
    }
}

static void least_request(void **state)
{
    (void)state;
    struct setup s;
    set_up(&s, NULL, 0);
    s.x.ids.trace = STR("Root=1-0-0");
    struct json *root = event(&s);
    same(&s, json_at(root, "resource"), "\"/{proxy+}\"");
    same(&s, json_at(root, "path"), "\"/a\"");
    same(&s, json_at(root, "httpMethod"), "\"GET\"");
    same(&s, json_at(root, "headers"),
         "{\"X-Amzn-Trace-Id\":\"Root=1-0-0\",\"X-Forwarded-For\":\"127.0.0.1\",\"X-Forwarded-Port\":\"4566\","
         "\"X-Forwarded-Proto\":\"http\"}");
    same(&s, json_at(root, "multiValueHeaders"), "{\"X-Amzn-Trace-Id\":[\"Root=1-0-0\"],\"X-Forwarded-For\":[\"127.0.0.1\"],"
                                                 "\"X-Forwarded-Port\":[\"4566\"],\"X-Forwarded-Proto\":[\"http\"]}");
    s.request.secure = true;
    same(&s, json_at(json_at(event(&s), "headers"), "X-Forwarded-Proto"), "\"https\"");
    s.request.host = STR("a");
    same(&s, json_at(json_at(event(&s), "headers"), "X-Forwarded-Port"), "\"443\"");
    static const char *const nulls[] = {"queryStringParameters", "multiValueQueryStringParameters", "pathParameters",
                                        "stageVariables", "body"};
    for (size_t i = 0; i < COUNT_OF(nulls); i++)
        same(&s, json_at(root, nulls[i]), "null");
    same(&s, json_at(root, "isBase64Encoded"), "false");
    assert_int_equal(root->count, 12);
    arena_free(s.arena);
}

static void context(void **state)
{
    (void)state;
    struct http_header headers[] = {header("user-agent", "curl/7")};
    struct setup s;
    set_up(&s, headers, 1);
    struct json *context = json_at(event(&s), "requestContext");
    static const struct { const char *name, *value; } expected[] = {
        {"resourceId", "\"abc123\""}, {"resourcePath", "\"/{proxy+}\""}, {"httpMethod", "\"GET\""}, {"path", "\"/prod/a\""},
        {"accountId", "\"000000000000\""}, {"protocol", "\"HTTP/1.1\""}, {"stage", "\"prod\""}, {"domainPrefix", "\"api1234567\""},
        {"requestTime", "\"31/Jan/2026:09:05:07 +0000\""}, {"requestTimeEpoch", "1769850307123"}, {"deploymentId", "\"dep123\""},
        {"domainName", "\"api1234567.execute-api.us-east-1.localhost\""}, {"apiId", "\"api1234567\""},
        {"identity", "{\"cognitoIdentityPoolId\":null,\"accountId\":null,\"cognitoIdentityId\":null,\"caller\":null,"
                     "\"sourceIp\":\"127.0.0.1\",\"principalOrgId\":null,\"accessKey\":null,\"cognitoAuthenticationType\":null,"
                     "\"cognitoAuthenticationProvider\":null,\"userArn\":null,\"userAgent\":\"curl/7\",\"user\":null}"},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        same(&s, json_at(context, expected[i].name), expected[i].value);
    assert_int_equal(json_str(context, "requestId").n, 36);
    assert_int_equal(json_str(context, "extendedRequestId").n, 16);
    assert_int_equal(context->count, COUNT_OF(expected) + 2);
    arena_free(s.arena);
}

static void headers_grouped(void **state)
{
    (void)state;
    struct http_header headers[] = {header("Host", "localhost:4566"),
                                    header("tEsT-HEADeR", "aValUE"),
                                    header("x-multi", "1"),
                                    header("X-Multi", "2"),
                                    header("Connection", "keep-alive"),
                                    header("Content-Length", "3"),
                                    header("X-Forwarded-For", "10.0.0.9"),
                                    header("x-multi", "3"),
                                    header("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678;Sampled=1"),
                                    header("X-Bytes", "\xff\xc3\xa9")};
    struct setup s;
    set_up(&s, headers, COUNT_OF(headers));
    struct json *root = event(&s);
    same(&s, json_at(root, "headers"),
         "{\"Host\":\"localhost:4566\",\"tEsT-HEADeR\":\"aValUE\",\"x-multi\":\"3\",\"X-Bytes\":\"\xEF\xBF\xBD\xc3\xa9\","
         "\"X-Amzn-Trace-Id\":\"Root=1-67891233-abcdef012345678912345678;Sampled=1\",\"X-Forwarded-For\":\"10.0.0.9, 127.0.0.1\","
         "\"X-Forwarded-Port\":\"4566\",\"X-Forwarded-Proto\":\"http\"}");
    same(&s, json_at(json_at(root, "multiValueHeaders"), "x-multi"), "[\"1\",\"2\",\"3\"]");
    arena_free(s.arena);
}

/* A regional API's names are the client's; before an edge-optimized one the CDN spells one of them (recorded on AWS, August 2024).
 */
static void authorization_spelled(void **state)
{
    (void)state;
    struct http_header headers[] = {header("aUThorization", "a"), header("x-other", "b")};
    for (int edge = 0; edge < 2; edge++) {
        struct setup s;
        set_up(&s, headers, COUNT_OF(headers));
        s.stage.edge = edge;
        struct json *root = event(&s), *named = json_at(root, "headers"), *lists = json_at(root, "multiValueHeaders");
        same(&s, json_at(named, edge ? "Authorization" : "aUThorization"), "\"a\"");
        same(&s, json_at(lists, edge ? "Authorization" : "aUThorization"), "[\"a\"]");
        same(&s, json_at(named, "x-other"), "\"b\"");
        assert_null(json_at(named, edge ? "aUThorization" : "Authorization"));
        arena_free(s.arena);
    }
}

static void query_decoded(void **state)
{
    (void)state;
    struct setup s;
    set_up(&s, NULL, 0);
    s.request.query = STR("dateTimeOffset=2023-06-12T18:05:10.123456+00:00&email=test%2Balias@gmail.com&plus=test+alias@gmail.com"
                          "&price=10&price=20&&flag&e=&=x&price=30&%ff=%C3%A9");
    struct json *root = event(&s);
    same(&s, json_at(root, "queryStringParameters"),
         "{\"dateTimeOffset\":\"2023-06-12T18:05:10.123456 00:00\",\"email\":\"test+alias@gmail.com\",\"plus\":\"test "
         "alias@gmail.com\","
         "\"price\":\"30\",\"flag\":\"\",\"e\":\"\",\"\":\"x\",\"\xEF\xBF\xBD\":\"\xc3\xa9\"}");
    same(&s, json_at(json_at(root, "multiValueQueryStringParameters"), "price"), "[\"10\",\"20\",\"30\"]");
    same(&s, json_at(json_at(root, "multiValueQueryStringParameters"), "flag"), "[\"\"]");
    arena_free(s.arena);
}

static void paths(void **state)
{
    (void)state;
    static const struct { const char *path, *clean, *full; } cases[] = {
        {"/test/alias%2B@x.com", "\"/test/alias%2B@x.com\"", "\"/prod/test/alias%2B@x.com\""},
        {"//hardcoded", "\"/hardcoded\"", "\"/prod//hardcoded\""},
        {"/a/", "\"/a/\"", "\"/prod/a/\""},
        {"", "\"/\"", "\"/prod\""},
        {"/", "\"/\"", "\"/prod/\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct setup s;
        struct route_param params[] = {{STR("id"), STR("a%20b")}, {STR("rest"), STR("x/y")}};
        set_up(&s, NULL, 0);
        s.x.path = str_of(cases[i].path);
        s.x.params = params;
        s.x.param_count = 2;
        struct json *root = event(&s);
        same(&s, json_at(root, "path"), cases[i].clean);
        same(&s, json_at(json_at(root, "requestContext"), "path"), cases[i].full);
        same(&s, json_at(root, "pathParameters"), "{\"id\":\"a%20b\",\"rest\":\"x/y\"}");
        arena_free(s.arena);
    }
}

static void body_and_variables(void **state)
{
    (void)state;
    struct setup s;
    set_up(&s, NULL, 0);
    s.request.body = STR("{\"a\": \"b\\n\"}\t\x01");
    s.stage.variables = STR("{\"env\":\"test\"}");
    struct json *root = event(&s);
    assert_true(str_eq(json_str(root, "body"), s.request.body));
    same(&s, json_at(root, "stageVariables"), "{\"env\":\"test\"}");
    arena_free(s.arena);
}

static void limits(void **state)
{
    (void)state;
    struct setup s;
    struct str text;
    set_up(&s, NULL, 0);
    char *body = malloc(EVENT_PAYLOAD_BYTES_MAX);
    memset(body, 'x', EVENT_PAYLOAD_BYTES_MAX);
    s.request.body = (struct str){body, EVENT_PAYLOAD_BYTES_MAX - 4096};
    assert_true(gateway__event(&s.x, s.arena, &text));
    s.request.body.n = EVENT_PAYLOAD_BYTES_MAX;
    assert_false(gateway__event(&s.x, s.arena, &text));
    free(body);

    struct buf query;                       /* as many names as a target can hold, and all of them the same */
    buf_init(&query, s.arena, 100000);
    for (int i = 0; i < 4000; i++)
        buf_printf(&query, "%s&", i & 1 ? "a" : "b=1");
    s.request.body = STR_NONE;
    s.request.query = buf_str(&query);
    assert_true(gateway__event(&s.x, s.arena, &text));
    arena_free(s.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(least_request),      cmocka_unit_test(context),
                                       cmocka_unit_test(headers_grouped),    cmocka_unit_test(authorization_spelled),
                                       cmocka_unit_test(query_decoded),      cmocka_unit_test(paths),
                                       cmocka_unit_test(body_and_variables), cmocka_unit_test(limits)};
    return RUN(tests);
}
