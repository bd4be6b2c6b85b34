/* large_body_test.c -- what bodies cost that are made to cost much: trees ask the memory budget while they grow, and are refused as
 * the service refuses (503, later again; 413, never); maps with very many keys take time in proportion to them (where that were not
 * so, their cases would run for hours); and each reader has bounds, just before and just behind which is tried. */
#include "../base/unit.h"
#include "base/budget.h"
#include "base/log.h"
#include "test_models.h"
#include "wire/cbor_tree.h"
#include "wire/request_body.h"
#include "wire/xml.h"
#include <sys/mman.h>

#define KB ((size_t)1024)
#define BODY_BYTES_MAX (16u << 20)
#define KEYS 100000
#define ENTRIES 40000 /* of XML: three elements each, twice: below XML_NODES_MAX */

static const struct budget_limits tight = {.total = 4096 * KB,
                                           .early = 4096 * KB,
                                           .inside = 4096 * KB,
                                           .peer = 2048 * KB,
                                           .sandbox = 2048 * KB,
                                           .one = 128 * KB,
                                           .small = 32 * KB};

struct large {
    struct arena *arena;
    struct http_header headers[3];
    struct http_request request;
    struct wire_exchange exchange;
    struct call call;
    struct http_response response;
};

static struct buf body;

static void begin_body(void)
{
    buf_init(&body, NULL, BODY_BYTES_MAX);
}

static int set_default(void **state)
{
    (void)state;
    struct budget_figures figures;
    budget_share(0);
    budget_stats(&figures);
    return figures.total != 0; /* all was given back */
}

/* ---- bodies ---- */

/* The head of CBOR's items: major type and number. */
static void cbor_head(unsigned major, uint32_t number)
{
    buf_add_char(&body, (char)(major << 5 | 26));
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_char(&body, (char)(number >> shift));
}

static void cbor_text(struct str text)
{
    cbor_head(3, (uint32_t)text.n);
    buf_add(&body, text);
}

static void cbor_list_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Texts"));
    cbor_head(4, KEYS);
    for (int i = 0; i < KEYS; i++)
        buf_add(&body, (struct str){"\x60", 1});
}

static void cbor_skipped_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Unknown"));
    cbor_head(4, KEYS);
    for (int i = 0; i < KEYS; i++)
        buf_add(&body, (struct str){"\x7f\x61x\xff", 4});
}

static void cbor_blob_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Blob"));
    cbor_head(2, 1024 * KB);
    for (size_t i = 0; i < 1024 * KB; i++)
        buf_add_char(&body, 'b');
}

static void cbor_pieces_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Text"));
    buf_add_char(&body, '\x7f');
    for (size_t i = 0; i < 64; i++) {
        cbor_head(3, 16 * KB);
        for (size_t at = 0; at < 16 * KB; at++)
            buf_add_char(&body, 't');
    }
    buf_add_char(&body, '\xff');
}

static void cbor_map_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Numbers"));
    cbor_head(5, 2 * KEYS);
    for (int i = 0; i < 2 * KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i % KEYS);
        cbor_text(str_of(key));
        cbor_head(0, (uint32_t)i);
    }
}

static void xml_list_body(void)
{
    buf_lit(&body, "<Everything><Texts>");
    for (int i = 0; i < KEYS; i++)
        buf_lit(&body, "<member/>");
    buf_lit(&body, "</Texts></Everything>");
}

static void xml_attributes_body(void)
{
    buf_lit(&body, "<Everything><Text");
    for (int i = 0; i < KEYS; i++)
        buf_printf(&body, " a%d='%d'", i, i);
    buf_lit(&body, "/></Everything>");
}

static void xml_map_body(void)
{
    buf_lit(&body, "<Everything><Numbers>");
    for (int i = 0; i < 2 * ENTRIES; i++)
        buf_printf(&body, "<entry><key>%d</key><value>%d</value></entry>", i % ENTRIES, i);
    buf_lit(&body, "</Numbers></Everything>");
}

static void json_list_body(void)
{
    buf_lit(&body, "{\"Texts\":[\"\"");
    for (int i = 0; i < KEYS; i++)
        buf_lit(&body, ",\"\"");
    buf_lit(&body, "]}");
}

static void json_map_body(void)
{
    buf_lit(&body, "{\"Numbers\":{\"0\":0");
    for (int i = 0; i < 2 * KEYS; i++)
        buf_printf(&body, ",\"%d\":%d", i % KEYS, i);
    buf_lit(&body, "}}");
}

static void query_list_body(void)
{
    buf_lit(&body, "Action=Echo&Version=2026-01-01");
    for (int i = 1; i <= 1000; i++)
        buf_printf(&body, "&Leaves.member.%d.Name=x", i);
}

static void query_map_body(void)
{
    buf_lit(&body, "Action=Echo&Version=2026-01-01");
    for (int i = 0; i < 500; i++)
        buf_printf(&body, "&Numbers.entry.%d.key=%d&Numbers.entry.%d.value=%d", i + 1, i % 250, i + 1, i);
}

static void no_body(void)
{
}

/* ---- requests ---- */

static const struct kind {
    const char *path, *type, *protocol;
    const struct model *model;
    const char *header, *value; /* one more; or NULL */
} cbor = {.path = "/service/TestRpc/operation/Echo",
          .type = "application/cbor",
          .protocol = "rpc-v2-cbor",
          .model = &model_test_rpc},
  xml = {.path = "/echo", .type = "application/xml", .model = &model_test_restxml},
  json = {.path = "/echo", .type = "application/json", .model = &model_test_rest},
  query = {.path = "/", .type = "application/x-www-form-urlencoded", .model = &model_test_rpc};

static void set_up_large(struct large *l, const struct kind *kind, void (*make)(void))
{
    begin_body();
    make();
    assert_false(body.failed);
    *l = (struct large){.arena = arena_new()};
    const struct service_api *api = test_apis;
    while (api->model != kind->model)
        api++;
    l->headers[0] = (struct http_header){STR("Content-Type"), str_of(kind->type)};
    l->headers[1] = (struct http_header){STR("Smithy-Protocol"), str_of(kind->protocol)};
    if (kind->header)
        l->headers[1] = (struct http_header){str_of(kind->header), str_of(kind->value)};
    l->request = (struct http_request){.arena = l->arena,
                                       .method = STR("POST"),
                                       .path = str_of(kind->path),
                                       .headers = l->headers,
                                       .header_count = kind->protocol || kind->header ? 2 : 1,
                                       .body = buf_str(&body)};
    l->exchange =
        (struct wire_exchange){.request = &l->request, .body = l->request.body, .protocol = wire_protocol_of(api, &l->request)};
    l->call = (struct call){.arena = l->arena, .door_state = &l->exchange, .api = api, .request_id = STR("ID")};
    arena_count(l->arena, budget_peer(STR("client")), false);
}

static void read_large(struct large *l, const struct kind *kind, void (*make)(void))
{
    set_up_large(l, kind, make);
    assert_true(l->exchange.protocol->find(&l->call));
    l->exchange.protocol->read(&l->call);
}

static void end_large(struct large *l)
{
    arena_free(l->arena);
    buf_clear(&body);
}

static bool says_retry(const struct http_response *response)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_eq_nocase(response->headers[i].name, STR("Retry-After")))
            return true;
    return false;
}

static void assert_refused(const struct kind *kind, void (*make)(void), int status)
{
    struct large l;
    read_large(&l, kind, make);
    if (!l.call.failed || l.call.error_status != status || arena_bytes(l.arena) > body.n + 512 * KB)
        fail_msg("%s: status %d, %zu bytes for a body of %zu", kind->type, l.call.error_status, arena_bytes(l.arena), body.n);
    wire_answer(&l.call, &l.response);
    assert_int_equal(l.response.status, status);
    assert_int_equal(says_retry(&l.response), status == 503);
    end_large(&l);
}

static const struct {
    const struct kind *kind;
    void (*make)(void);
} trees[] = {{&cbor, cbor_list_body}, {&cbor, cbor_skipped_body}, {&cbor, cbor_blob_body},     {&cbor, cbor_pieces_body},
             {&cbor, cbor_map_body},  {&xml, xml_list_body},      {&xml, xml_attributes_body}, {&xml, xml_map_body},
             {&json, json_list_body}, {&json, json_map_body},     {&query, query_list_body},   {&query, query_map_body}};

static void too_large_alone(void **state)
{
    (void)state;
    budget_set_limits(&tight);
    for (size_t i = 0; i < COUNT_OF(trees); i++)
        assert_refused(trees[i].kind, trees[i].make, 413);
}

static void too_large_at_the_moment(void **state)
{
    (void)state;
    struct budget_account others = {.peer = budget_peer(STR("client")), .counted = true};
    const size_t all = 64 * 1024 * KB; /* more than any of these needs */
    budget_set_limits(&(struct budget_limits){
        .total = all, .early = all, .inside = all, .peer = all, .sandbox = all, .one = all, .small = tight.small});
    budget_charge(&others, all);
    for (size_t i = 0; i < COUNT_OF(trees); i++)
        assert_refused(trees[i].kind, trees[i].make, 503);
    budget_credit(&others, others.held);
}

/* Many chunks are put together, and gzip comes off, where there is room for it. */
static void bodies_of_encodings(void **state)
{
    static const struct kind put = {.path = "/maycheck",
                                    .type = "text/plain",
                                    .model = &model_test_rest,
                                    .header = "x-amz-decoded-content-length",
                                    .value = "1048576"};
    static const struct kind squeezed = {.path = "/service/TestRpc/operation/Squeeze",
                                         .type = "application/cbor",
                                         .protocol = "rpc-v2-cbor",
                                         .model = &model_test_rpc};
    static const char says_1mb[18] = {[16] = 0x10}; /* a gzip file's last four bytes */
    struct large l;
    (void)state;
    budget_set_limits(&tight);
    set_up_large(&l, &put, no_body);
    for (int i = 0; i < 32; i++)
        buf_printf(&body, "8000\r\n%*d\r\n", 0x8000, 0);
    buf_lit(&body, "0\r\n\r\n");
    l.request.method = STR("PUT");
    l.exchange.body = buf_str(&body);
    l.exchange.payload = STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert_true(l.exchange.protocol->find(&l.call));
    assert_false(request_body_open(&l.call));
    assert_int_equal(l.call.error_status, 413);
    assert_true(arena_bytes(l.arena) < 1024 * KB);
    end_large(&l);

    set_up_large(&l, &squeezed, no_body);
    l.headers[2] = (struct http_header){STR("Content-Encoding"), STR("gzip")};
    l.request.header_count = 3;
    l.exchange.body = (struct str){says_1mb, sizeof says_1mb};
    assert_true(l.exchange.protocol->find(&l.call));
    assert_false(request_body_open(&l.call));
    assert_int_equal(l.call.error_status, 413);
    assert_true(arena_bytes(l.arena) < 1024 * KB);
    end_large(&l);
}

/* ---- many keys ---- */

static void assert_map(const struct kind *kind, void (*make)(void), size_t keys)
{
    struct large l;
    read_large(&l, kind, make);
    assert_false(l.call.failed);
    const struct json *map = json_at(l.call.input, "Numbers");
    int64_t value, wanted = (int64_t)keys;
    assert_int_equal(map->count, keys);
    for JSON_EACH (child, map) {
        assert_true(json_is_integer(child, &value));
        assert_int_equal(value, wanted++); /* the first place, and the last value */
    }
    end_large(&l);
}

static void maps_of_many_keys(void **state)
{
    (void)state;
    assert_map(&cbor, cbor_map_body, KEYS);
    assert_map(&json, json_map_body, KEYS);
    assert_map(&xml, xml_map_body, ENTRIES);
    assert_map(&query, query_map_body, 250);
}

/* ---- bounds ---- */

static unsigned many; /* of what the next bodies are made of */

static void cbor_nulls_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Texts"));
    cbor_head(4, many - 3); /* the map, the key and the list are values, too */
    for (unsigned i = 0; i < many - 3; i++)
        buf_add_char(&body, '\xf6');
}

static void cbor_deep_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Text"));
    for (unsigned i = 0; i < many - 2; i++) /* the map is one level, the value another */
        buf_add_char(&body, '\xc5');
    cbor_text(STR("t"));
}

static void cbor_skipped_deep_body(void)
{
    cbor_head(5, 1);
    cbor_text(STR("Unknown"));
    for (unsigned i = 0; i < many - 1; i++)
        buf_add_char(&body, '\x81');
    buf_add_char(&body, '\xf6');
}

static void xml_nodes_body(void)
{
    buf_lit(&body, "<Everything a=''>");
    for (unsigned i = 0; i < many - 2; i++)
        buf_lit(&body, "<x/>");
    buf_lit(&body, "</Everything>");
}

static void xml_deep_body(void)
{
    for (unsigned i = 0; i < many; i++)
        buf_lit(&body, "<x>");
    for (unsigned i = 0; i < many; i++)
        buf_lit(&body, "</x>");
}

static void json_deep_body(void)
{
    buf_lit(&body, "{\"Unknown\":");
    for (unsigned i = 0; i < many - 1; i++)
        buf_add_char(&body, '[');
    for (unsigned i = 0; i < many - 1; i++)
        buf_add_char(&body, ']');
    buf_add_char(&body, '}');
}

static void query_parameters_body(void)
{
    buf_lit(&body, "Action=Echo&Version=2026-01-01");
    for (unsigned i = 2; i < many; i++)
        buf_lit(&body, "&Unknown=");
}

static void query_deep_body(void)
{
    buf_lit(&body, "Action=Echo&Version=2026-01-01&a");
    for (unsigned i = 1; i < many; i++)
        buf_lit(&body, ".a");
    buf_add_char(&body, '=');
}

static void bounds_of_readers(void **state)
{
    static const struct {
        const struct kind *kind;
        void (*make)(void);
        unsigned max;
    } bounds[] = {{&cbor, cbor_nulls_body, CBOR_TREE_NODES_MAX},
                  {&cbor, cbor_deep_body, CBOR_TREE_DEPTH_MAX},
                  {&cbor, cbor_skipped_deep_body, CBOR_TREE_DEPTH_MAX},
                  {&xml, xml_nodes_body, XML_NODES_MAX},
                  {&xml, xml_deep_body, XML_DEPTH_MAX},
                  {&json, json_deep_body, JSON_DEPTH_MAX},
                  {&query, query_parameters_body, 1024},
                  {&query, query_deep_body, 32}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        for (unsigned over = 0; over <= 1; over++) {
            struct large l;
            many = bounds[i].max + over;
            read_large(&l, bounds[i].kind, bounds[i].make);
            if (l.call.failed != over || (over && l.call.error_status != 400))
                fail_msg("bound %zu, %u over: " STR_FMT, i, over, STR_ARG(l.call.error_message));
            end_large(&l);
        }
    }
}

static void bounds_of_headers(void **state)
{
    static char list[2 * 257];
    static const struct kind head = {
        .path = "/headers", .type = "application/json", .model = &model_test_rest, .header = "X-Texts", .value = list};
    struct large l;
    (void)state;
    for (size_t n = 256; n <= 257; n++) {
        for (size_t i = 0; i < n; i++)
            memcpy(list + 2 * i, "a,", 2);
        list[2 * n - 1] = '\0';
        read_large(&l, &head, no_body);
        assert_int_equal(l.call.failed, n == 257);
        assert_true(n == 257 || json_at(l.call.input, "Texts")->count == n);
        end_large(&l);
    }
}

/* An answer that no handler may make, and a message that none may say. */
static void bounds_of_answers(void **state)
{
    struct large l;
    size_t n = WIRE_ANSWER_BYTES_MAX + 1;
    char *text = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* nobody looks at it */
    (void)state;
    assert_true(text != MAP_FAILED);
    read_large(&l, &json, no_body);
    l.call.output = json_new(l.arena, JSON_OBJECT);
    json_add(l.call.output, "Unknown", json_new_raw(l.arena, (struct str){text, n}));
    wire_answer(&l.call, &l.response);
    assert_int_equal(l.response.status, 500);
    assert_true(l.response.body.n < KB);
    end_large(&l);
    munmap(text, n);
    read_large(&l, &json, no_body);
    call_fail(&l.call, "ValidationException", "%*d", 300 * 1024, 1);
    assert_int_equal(l.call.error_message.n, 256 * KB);
    end_large(&l);
}

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(too_large_alone, set_default),
                                       cmocka_unit_test_teardown(too_large_at_the_moment, set_default),
                                       cmocka_unit_test_teardown(bodies_of_encodings, set_default),
                                       cmocka_unit_test_teardown(maps_of_many_keys, set_default),
                                       cmocka_unit_test_teardown(bounds_of_readers, set_default),
                                       cmocka_unit_test_teardown(bounds_of_headers, set_default),
                                       cmocka_unit_test_teardown(bounds_of_answers, set_default)};
    return RUN(tests);
}
