/* large_body_test.c -- what bodies cost that are made to cost much: trees ask the memory budget while they grow, and are refused as
 * the service refuses (503, later again; 413, never); maps with very many keys take time in proportion to them.
 * Where that were not so, the cases of maps would run for hours. */
#include "../base/unit.h"
#include "base/budget.h"
#include "base/log.h"
#include "test_models.h"
#include "wire/wire.h"

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
    struct http_header headers[2];
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

/* ---- requests ---- */

static const struct kind {
    const char *path, *type, *protocol;
    const struct model *model;
} cbor = {"/service/TestRpc/operation/Echo", "application/cbor", "rpc-v2-cbor", &model_test_rpc},
  xml = {"/echo", "application/xml", NULL, &model_test_restxml}, json = {"/echo", "application/json", NULL, &model_test_rest},
  query = {"/", "application/x-www-form-urlencoded", NULL, &model_test_rpc};

static void read_large(struct large *l, const struct kind *kind, void (*make)(void))
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
    l->request = (struct http_request){.arena = l->arena,
                                       .method = STR("POST"),
                                       .path = str_of(kind->path),
                                       .headers = l->headers,
                                       .header_count = kind->protocol ? 2 : 1,
                                       .body = buf_str(&body)};
    l->exchange =
        (struct wire_exchange){.request = &l->request, .body = l->request.body, .protocol = wire_protocol_of(api, &l->request)};
    l->call = (struct call){.arena = l->arena, .door_state = &l->exchange, .api = api, .request_id = STR("ID")};
    arena_count(l->arena, budget_peer(STR("client")), false);
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
    struct budget_limits full = tight;
    full.one = full.total;
    budget_set_limits(&full);
    budget_charge(&others, 2048 * KB);
    for (size_t i = 0; i < COUNT_OF(trees); i++)
        assert_refused(trees[i].kind, trees[i].make, 503);
    budget_credit(&others, others.held);
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

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(too_large_alone, set_default),
                                       cmocka_unit_test_teardown(too_large_at_the_moment, set_default),
                                       cmocka_unit_test_teardown(maps_of_many_keys, set_default)};
    return RUN(tests);
}
