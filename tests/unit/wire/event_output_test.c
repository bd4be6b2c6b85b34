/* event_output_test.c -- outputs that are event streams, in each protocol: heads, events with headers and payloads, exceptions, errors, what
 * comes first and what is refused. Messages are read by this test's own reader and compared as text:
 * "name=value …|payload", values with the type's letter where it is no string. */
#include "../base/unit.h"
#include "base/codec.h"
#include "base/hash.h"
#include "test_models.h"
#include "wire/event_output.h"

struct watch {
    struct arena *arena;
    struct service_api api;
    struct http_header headers[2];
    struct http_request request;
    struct wire_exchange exchange;
    struct call call;
    struct buf sent;
};

static struct watch *watch_begin(const struct model *m, const char *output)
{
    struct arena *arena = arena_new();
    struct watch *w = arena_new_of(arena, struct watch);
    w->arena = arena;
    w->api = (struct service_api){.model = m, .errors = &test_errors};
    w->headers[0] = (struct http_header){STR("Smithy-Protocol"), STR("rpc-v2-cbor")};
    w->request = (struct http_request){.arena = arena, .method = STR("POST"), .path = STR("/"), .headers = w->headers, .header_count = 1};
    w->exchange = (struct wire_exchange){.request = &w->request, .protocol = wire_protocol_of(&w->api, &w->request)};
    w->call = (struct call){.arena = arena, .door_state = &w->exchange, .api = &w->api, .request_id = STR("ID"),
                            .operation = model_operation_find(m, STR("Watch"))};
    if (output)
        assert_int_equal(json_parse(str_of(output), arena, &w->call.output), ERR_OK);
    buf_init(&w->sent, arena, 32 << 20);
    return w;
}

static bool watch_send(struct watch *w, const char *event)
{
    struct json *tree = NULL;
    if (event)
        assert_int_equal(json_parse(str_of(event), w->arena, &tree), ERR_OK);
    return events_write(&w->call, tree, &w->sent);
}

static uint64_t number_of(struct str *rest, size_t n)
{
    uint64_t value = 0;
    assert_true(n <= rest->n);
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)rest->p[i];
    *rest = str_slice(*rest, n, rest->n);
    return value;
}

static struct str bytes_of(struct str *rest, size_t n)
{
    struct str bytes = str_slice(*rest, 0, n);
    assert_true(n <= rest->n);
    *rest = str_slice(*rest, n, rest->n);
    return bytes;
}

static void describe_header(struct buf *text, struct str *rest)
{
    static const uint8_t widths[] = {[2] = 1, [3] = 2, [4] = 4, [5] = 8, [8] = 8};
    struct str name = bytes_of(rest, (size_t)number_of(rest, 1));
    uint64_t type = number_of(rest, 1);
    buf_printf(text, STR_FMT "=", STR_ARG(name));
    if (type == 7 || type == 6) {
        struct str value = bytes_of(rest, (size_t)number_of(rest, 2));
        if (type == 6)
            buf_lit(text, "B:");
        buf_add(text, value);
    } else if (type < 2) {
        buf_add(text, type ? STR("false") : STR("true"));
    } else {
        buf_printf(text, "%d:%lld", (int)type, (long long)(int64_t)number_of(rest, widths[type]));
    }
    buf_add_char(text, ' ');
}

/* All messages, a line each. */
static struct str described(struct arena *arena, struct str rest)
{
    struct buf text;
    buf_init(&text, arena, 1 << 20);
    while (rest.n) {
        struct str all = rest, prelude = str_slice(rest, 0, 8);
        size_t total = (size_t)number_of(&rest, 4), headers_n = (size_t)number_of(&rest, 4);
        assert_int_equal(number_of(&rest, 4), crc32_of(prelude));
        struct str headers = bytes_of(&rest, headers_n), payload = bytes_of(&rest, total - headers_n - 16);
        assert_int_equal(number_of(&rest, 4), crc32_of(str_slice(all, 0, total - 4)));
        while (headers.n)
            describe_header(&text, &headers);
        buf_add_char(&text, '|');
        buf_add(&text, payload);
        buf_add_char(&text, '\n');
    }
    return buf_str(&text);
}

static void json_streams(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_json11, "{\"Header\":\"h\"}");
    struct http_response response;
    wire_answer(&w->call, &response);
    assert_int_equal(response.status, 200);
    static const char first[] = ":message-type=event :event-type=initial-response :content-type=application/x-amz-json-1.1 |{\"Header\":\"h\"}\n";
    assert_str(described(w->arena, response.body), first);
    assert_true(watch_send(w, "{\"Note\":{\"Text\":\"t\",\"Leaf\":{\"Number\":1}}}"));
    assert_true(watch_send(w, "{\"Line\":{\"Line\":\"plain\"}}"));
    assert_str(described(w->arena, buf_str(&w->sent)),
               ":message-type=event :event-type=initial-response :content-type=application/x-amz-json-1.1 |{\"Header\":\"h\"}\n"
               ":message-type=event :event-type=Note :content-type=application/x-amz-json-1.1 |{\"Text\":\"t\",\"Leaf\":{\"n\":1}}\n"
               ":message-type=event :event-type=Line :content-type=text/plain |plain\n");
    arena_free(w->arena);
}

static void rest_streams(void **state)
{
    (void)state;
    static const struct { const struct model *m; const char *note, *failed; } rows[] = {
        {&model_test_rest, ":content-type=application/json |{\"Text\":\"t\"}\n", ":content-type=application/json |{\"message\":\"m\"}\n"},
        {&model_test_restxml, ":content-type=text/xml |<Note><Text>t</Text></Note>\n", ":content-type=text/xml |<Plain><message>m</message></Plain>\n"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct watch *w = watch_begin(rows[i].m, "{\"Header\":\"h\"}");
        struct http_response response;
        bool located = false, typed = false;
        wire_answer(&w->call, &response);
        for (size_t k = 0; k < response.header_count; k++) {
            located |= str_eq(response.headers[k].name, STR("X-Text")) && str_eq(response.headers[k].value, STR("h"));
            typed |= str_eq(response.headers[k].value, STR("application/vnd.amazon.eventstream"));
        }
        assert_true(located && typed && response.body.n == 0);
        assert_true(watch_send(w, "{\"Note\":{\"Text\":\"t\"}}"));
        assert_str(described(w->arena, buf_str(&w->sent)),
                   arena_printf(w->arena, ":message-type=event :event-type=Note %s", rows[i].note).p);
        w->sent.n = 0;
        assert_true(watch_send(w, "{\"Failed\":{\"message\":\"m\"}}"));
        assert_str(described(w->arena, buf_str(&w->sent)),
                   arena_printf(w->arena, ":message-type=exception :exception-type=Failed %s", rows[i].failed).p);
        arena_free(w->arena);
    }
}

static void headers_are_typed(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_rest, NULL);
    assert_true(watch_send(w, "{\"Bytes\":{\"Kind\":\"k\",\"Count\":-3,\"Large\":9007199254740993,\"Flag\":true,\"When\":1700000000.5,\"Raw\":\"eHk=\",\"Data\":\"cmF3\"}}"));
    assert_str(described(w->arena, buf_str(&w->sent)),
               ":message-type=event :event-type=Bytes Kind=k Count=4:4294967293 Large=5:9007199254740993 Flag=true When=8:1700000000500 Raw=B:xy "
               ":content-type=application/octet-stream |raw\n");
    w->sent.n = 0;
    assert_true(watch_send(w, "{\"Bytes\":{\"Flag\":false}}"));
    assert_str(described(w->arena, buf_str(&w->sent)), ":message-type=event :event-type=Bytes Flag=false |\n");
    arena_free(w->arena);
}

static void cbor_streams(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_rpc, "{\"Header\":\"h\"}");
    assert_ptr_equal(w->exchange.protocol, &wire_cbor);
    assert_true(watch_send(w, "{\"Note\":{\"Text\":\"t\"}}"));
    assert_str(described(w->arena, buf_str(&w->sent)),
               ":message-type=event :event-type=initial-response :content-type=application/cbor |\xa1\x66Header\x61h\n"
               ":message-type=event :event-type=Note :content-type=application/cbor |\xa1\x64Text\x61t\n");
    arena_free(w->arena);
}

static void failures_end_a_stream(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_rest, NULL);
    call_fail(&w->call, "Plain", "%s", "why");
    assert_true(watch_send(w, NULL));
    assert_str(described(w->arena, buf_str(&w->sent)),
               ":message-type=exception :exception-type=Failed :content-type=application/json |{\"message\":\"why\"}\n");
    arena_free(w->arena);
    w = watch_begin(&model_test_rest, NULL);
    call_fail(&w->call, "InternalFailure", "%s", "oh");
    assert_true(watch_send(w, NULL));
    assert_str(described(w->arena, buf_str(&w->sent)), ":message-type=error :error-code=InternalFailure :error-message=oh |\n");
    arena_free(w->arena);
}

static void what_is_no_event_is_refused(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_json11, NULL);
    assert_false(watch_send(w, "{\"Other\":{}}"));
    assert_false(watch_send(w, "{}"));
    assert_false(watch_send(w, "{\"Note\":{},\"Line\":{}}"));
    assert_int_equal(w->sent.n, 0);
    buf_init(&w->sent, w->arena, 20);
    assert_false(watch_send(w, "{\"Note\":{}}"));
    buf_init(&w->sent, w->arena, 1 << 20);
    assert_true(watch_send(w, "{\"Note\":{}}"));        /* and the first message comes now */
    assert_int_equal(strncmp(described(w->arena, buf_str(&w->sent)).p, ":message-type=event :event-type=initial-response", 48), 0);
    w->call.operation = model_operation_find(w->api.model, STR("Echo"));
    assert_false(watch_send(w, "{\"Note\":{}}"));
    arena_free(w->arena);
}

/* 32, of which a message has three of its own. */
static void headers_are_bounded(void **state)
{
    (void)state;
    struct watch *w = watch_begin(&model_test_json11, "{}");
    struct json *wide = json_new(w->arena, JSON_OBJECT), *event = json_add_object(w->arena, wide, "Wide");
    for (int i = 0; i < 29; i++)
        json_add_i64(w->arena, event, arena_printf(w->arena, "H%d", i).p, i);
    assert_true(events_write(&w->call, wide, &w->sent));
    struct str text = described(w->arena, buf_str(&w->sent));
    assert_true(str_contains(text, STR(":event-type=Wide H0=4:0 ")));
    assert_true(str_contains(text, STR(" H28=4:28 :content-type=")));
    size_t sent = w->sent.n;
    json_add_i64(w->arena, event, "H29", 29);
    assert_false(events_write(&w->call, wide, &w->sent));
    assert_int_equal(w->sent.n, sent);
    arena_free(w->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_streams),          cmocka_unit_test(rest_streams),
                                       cmocka_unit_test(headers_are_typed),     cmocka_unit_test(cbor_streams),
                                       cmocka_unit_test(failures_end_a_stream), cmocka_unit_test(what_is_no_event_is_refused),
                                       cmocka_unit_test(headers_are_bounded)};
    return RUN(tests);
}
