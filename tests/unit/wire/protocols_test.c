/* protocols_test.c -- the cases of tests/corpus/protocols, a file a protocol: what a request becomes, and what becomes of an answer.
 *
 * A case has a name, an API, an operation and either
 *   "request": method, path, query, headers and a body (text, or bytes in hex), with "input" (the whole tree), "payload"
 *              (the body itself as the input), or "fails" (code, status); or
 *   "output", "payload" or "error" (code, message, fields), with "answer": status, headers, and a body.
 * Which of Smithy's public protocol tests a case stands for is in coverage.json, which tests/protocols_test.py holds against it. */
#include "../base/unit.h"
#include "base/codec.h"
#include "call/pattern.h"
#include "call/validate.h"
#include "test_models.h"
#include "wire/request_body.h"
#include "wire/wire.h"

#define HEADERS_MAX 24

struct one {
    struct arena *arena;
    const struct json *json;
    struct service_api api;
    struct http_header headers[HEADERS_MAX];
    struct http_request request;
    struct wire_exchange exchange;
    struct call call;
};

static bool complain(const struct one *o, const char *what, struct str actual, struct str expected)
{
    print_error(STR_FMT ": %s\n  actual:   " STR_FMT "\n  expected: " STR_FMT "\n", STR_ARG(json_str(o->json, "name")), what, STR_ARG(actual),
                STR_ARG(expected));
    return false;
}

static bool check_text(const struct one *o, const char *what, struct str actual, struct str expected)
{
    return str_eq(actual, expected) || complain(o, what, actual, expected);
}

static struct str hex_of(struct arena *arena, struct str bytes)
{
    struct buf buf;
    buf_init(&buf, arena, bytes.n * 2 + 1);
    hex_write(&buf, bytes);
    return buf_str(&buf);
}

static struct str body_of(struct arena *arena, const struct json *of)
{
    struct str hex = json_str(of, "hex");
    if (!hex.n)
        return json_str(of, "body");
    uint8_t *bytes = arena_alloc(arena, hex.n / 2);
    assert_true(hex_decode(hex, bytes));
    return (struct str){(const char *)bytes, hex.n / 2};
}

static void set_up(struct one *o, struct arena *arena, const struct json *json)
{
    const struct json *request = json_at(json, "request");
    struct str api = json_str(json, "api"), method = json_str(request, "method"), path = json_str(request, "path");
    struct str payload = STR_NONE;
    *o = (struct one){.arena = arena, .json = json};
    for (size_t i = 0; i < COUNT_OF(test_apis); i++)
        if (str_eq(api, str_of(test_apis[i].model->service)))
            o->api = test_apis[i];
    assert_non_null(o->api.model);
    o->request = (struct http_request){.arena = arena, .method = method.p ? method : STR("POST"), .path = path.p ? path : STR("/"),
                                       .query = json_str(request, "query"), .headers = o->headers, .body = body_of(arena, request)};
    for JSON_EACH (header, json_at(request, "headers")) {
        assert_true(o->request.header_count < HEADERS_MAX);
        o->headers[o->request.header_count++] = (struct http_header){header->key, header->text};
        if (str_eq_nocase(header->key, STR("x-amz-content-sha256")))
            payload = header->text;
    }
    o->exchange = (struct wire_exchange){.request = &o->request, .body = o->request.body, .payload = payload, .protocol = wire_protocol_of(&o->api, &o->request)};
    o->call = (struct call){.arena = arena, .door_state = &o->exchange, .api = &o->api, .request_id = STR("ID")};
}

static bool check_failure(struct one *o, const struct json *fails)
{
    if (!o->call.failed)
        return complain(o, "failure", STR("none"), json_str(fails, "code"));
    return check_text(o, "code", str_of(o->call.error_code), json_str(fails, "code")) &&
           (o->call.error_status == json_i64(fails, "status", 0) || complain(o, "status", STR("another"), STR_NONE));
}

static bool run_request(struct one *o)
{
    const struct wire_protocol *protocol = o->exchange.protocol;
    const struct json *fails = json_at(o->json, "fails"), *input = json_at(o->json, "input");
    struct call *call = &o->call;
    if (protocol->find(call) && (!request_body_encoded(call) || request_body_open(call))) {
        protocol->read(call);
        if (!call->failed)
            validate_input(call);
    }
    if (fails)
        return check_failure(o, fails);
    if (call->failed)
        return complain(o, "failed", call->error_message, str_of(call->error_code));
    if (!check_text(o, "operation", str_of(model_text(o->api.model, call->operation->name)), json_str(o->json, "operation")))
        return false;
    if (json_at(o->json, "payload") && !check_text(o, "payload", call->payload, json_str(o->json, "payload")))
        return false;
    return !input || json_equal(call->input, input) || complain(o, "input", json_text(o->arena, call->input), json_text(o->arena, input));
}

static void set_outcome(struct one *o)
{
    const struct json *error = json_at(o->json, "error");
    struct str name = json_str(o->json, "operation");
    o->call.operation = model_operation_find(o->api.model, name);
    assert_non_null(o->call.operation);
    o->call.output = json_at(o->json, "output");
    o->call.output_payload = json_str(o->json, "payload");
    o->call.has_output_payload = json_at(o->json, "payload") != NULL;
    if (!error)
        return;
    call_fail(&o->call, arena_cstr(o->arena, json_str(error, "code")), "%s", arena_cstr(o->arena, json_str(error, "message")));
    o->call.error_fields = json_at(error, "fields");
}

static struct str answer_header(const struct http_response *response, struct str name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_eq_nocase(response->headers[i].name, name))
            return response->headers[i].value;
    return STR_NONE;
}

static bool check_body(struct one *o, const struct json *answer, struct str body)
{
    struct json *actual = NULL, *wanted = json_at(answer, "json");
    if (json_at(answer, "hex"))
        return check_text(o, "body", hex_of(o->arena, body), json_str(answer, "hex"));
    if (!wanted)
        return check_text(o, "body", body, json_str(answer, "body"));
    return (json_parse(body, o->arena, &actual) == ERR_OK && json_equal(actual, wanted)) ||
           complain(o, "body", body, json_text(o->arena, wanted));
}

static bool run_answer(struct one *o)
{
    const struct json *answer = json_at(o->json, "answer");
    struct http_response response;
    set_outcome(o);
    wire_answer(&o->call, &response);
    if (response.status != json_i64(answer, "status", 200))
        return complain(o, "status", arena_printf(o->arena, "%d", response.status), json_text(o->arena, json_at(answer, "status")));
    for JSON_EACH (header, json_at(answer, "headers")) {
        struct str value = answer_header(&response, header->key);
        if (header->type == JSON_NULL ? value.p != NULL : !str_eq(value, header->text))
            return complain(o, arena_cstr(o->arena, header->key), value, header->text);
    }
    return check_body(o, answer, response.body);
}

static void run_file(const char *name)
{
    struct arena *arena = arena_new();
    static char text[1 << 20];
    char path[256];
    snprintf(path, sizeof path, "tests/corpus/protocols/%s.json", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text, file), failed = 0, count = 0;
    fclose(file);
    struct json *json = NULL;
    assert_int_equal(json_parse((struct str){text, n}, arena, &json), ERR_OK);
    for JSON_EACH (one, json_at(json, "cases")) {
        struct arena *own = arena_new();
        struct one o;
        set_up(&o, own, json_clone(own, one));
        failed += !(json_at(one, "answer") ? run_answer(&o) : run_request(&o));
        count++;
        arena_free(own);
    }
    pattern_free_all();
    arena_free(arena);
    assert_true(count > 0);
    assert_int_equal(failed, 0);
}

#define FILE_TEST(name)                                                                                                            \
    static void name##_cases(void **state)                                                                                         \
    {                                                                                                                              \
        (void)state;                                                                                                               \
        run_file(#name);                                                                                                           \
    }
FILE_TEST(json)
FILE_TEST(rest_json)
FILE_TEST(rest_xml)
FILE_TEST(query)
FILE_TEST(cbor)
FILE_TEST(bodies)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_cases), cmocka_unit_test(rest_json_cases), cmocka_unit_test(rest_xml_cases),
                                       cmocka_unit_test(query_cases), cmocka_unit_test(cbor_cases),
                                       cmocka_unit_test(bodies_cases)};
    return RUN(tests);
}
