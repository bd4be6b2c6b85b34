/* wire.c -- what all protocols share when they answer: request ids, error members, headers, output trees as JSON.
 *
 * Request ids come from a generator of each thread's own with a random start: unique, no secret, no system call. */
#include "api/wire.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include <math.h>
#include <stdlib.h>

#define LONG_ID_CHARS 52
#define LONG_ID_WORDS 7         /* of eight characters: the last four are not used */
#define ANSWER_BYTES_FIRST 1500     /* reserved at once: an item of 1 KB and what stands around it */

const struct wire_protocol *wire_protocol_of(const struct model *m)
{
    static const struct wire_protocol *const protocols[] = {
        [MODEL_JSON] = &wire_json, [MODEL_REST_JSON] = &wire_rest_json, [MODEL_QUERY] = &wire_query};
    return protocols[m->protocol];
}

/* ---- request ids ---- */

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static uint64_t next_random(void)
{
    static _Thread_local uint64_t state;
    if (state == 0) random_bytes(&state, sizeof state);
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Base 32 of 0-9A-V, as DynamoDB's are; five bits of each byte of a random word make a character. */
static struct str long_id(struct arena *arena)
{
    const uint64_t ones = 0x0101010101010101u;
    char *id = arena_alloc(arena, LONG_ID_WORDS * sizeof(uint64_t));
    for (size_t i = 0; i < LONG_ID_WORDS; i++) {
        uint64_t digits = next_random() & 31 * ones;
        uint64_t letters = (digits + (0x80 - 10) * ones) >> 7 & ones;      /* 1 where a digit is 10 or more */
        uint64_t text = digits + '0' * ones + letters * ('A' - '9' - 1);
        memcpy(id + i * sizeof text, &text, sizeof text);
    }
    return (struct str){id, LONG_ID_CHARS};
}

static struct str uuid(struct arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t random[2] = {next_random(), next_random()};
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    char *id = arena_alloc(arena, 36), *p = id;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }
    return (struct str){id, 36};
}

struct str wire_request_id(struct arena *arena, const struct service_errors *errors)
{
    return errors->long_request_id ? long_id(arena) : uuid(arena);
}

/* ---- trees to text ---- */

struct str wire_time_text(struct arena *arena, const struct json *seconds, enum model_time time)
{
    double value = json_double(seconds, 0);
    int64_t epoch_ms = fabs(value) < 9e15 ? llround(value * 1000) : 0;
    switch (time) {
    case MODEL_TIME_ISO8601: return clock_iso8601(arena, epoch_ms);
    case MODEL_TIME_RFC822: return clock_http(arena, epoch_ms);
    case MODEL_TIME_DEFAULT:
    case MODEL_TIME_EPOCH: return seconds->text;
    }
    UNREACHABLE();
}

static void write_members(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool comma = false;
    buf_add_char(buf, '{');
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (member && member->location != MODEL_IN_BODY) continue;
        if (comma) buf_add_char(buf, ',');
        comma = true;
        json_write_str(buf, member ? model_member_wire(m, member) : child->key);
        buf_add_char(buf, ':');
        if (member) wire_json_write(buf, m, &m->shapes[member->shape], child);
        else json_write(buf, child);
    }
    buf_add_char(buf, '}');
}

static void write_elements(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *element = &m->shapes[model_element(m, shape, map)->shape];
    buf_add_char(buf, map ? '{' : '[');
    for JSON_EACH (child, tree) {
        if (child != tree->first) buf_add_char(buf, ',');
        if (map) {
            json_write_str(buf, child->key);
            buf_add_char(buf, ':');
        }
        wire_json_write(buf, m, element, child);
    }
    buf_add_char(buf, map ? '}' : ']');
}

void wire_json_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    if (tree->type == JSON_OBJECT && shape->type == MODEL_STRUCTURE) write_members(buf, m, shape, tree);
    else if (tree->type == (shape->type == MODEL_MAP ? JSON_OBJECT : JSON_ARRAY) &&
             (shape->type == MODEL_MAP || shape->type == MODEL_LIST))
        write_elements(buf, m, shape, tree);
    else if (tree->type == JSON_NUMBER && shape->time == MODEL_TIME_ISO8601 && shape->type == MODEL_TIMESTAMP)
        json_write_str(buf, wire_time_text(buf->arena, tree, MODEL_TIME_ISO8601));
    else json_write(buf, tree);
}

/* ---- answers ---- */

void wire_write_unknown(struct buf *body)
{
    buf_lit(body, "<UnknownOperationException/>\n");
}

static int success_status(const struct call *call)
{
    return call->status ? call->status : call->operation->status;
}

void wire_answer(struct call *call, struct http_response *ret)
{
    const struct wire_protocol *protocol = wire_protocol_of(call->service->model);
    struct buf body;
    buf_init(&body, call->arena, WIRE_ANSWER_BYTES_MAX);
    buf_reserve(&body, ANSWER_BYTES_FIRST);
    *ret = (struct http_response){.status = call->failed ? call->error_status : success_status(call)};
    call_header(call, ret, "x-amzn-RequestId", call->request_id);
    if (call->failed) protocol->write_error(call, &body, ret);
    else protocol->write(call, &body, ret);
    if (body.failed) {      /* nothing that a client may ask for is so large: a handler forgot its page size */
        call_fail_err(call, ERR_TOO_LARGE);
        wire_answer(call, ret);
        return;
    }
    if (!ret->body.n) ret->body = buf_str(&body);
    if (ret->status == 503) call_header(call, ret, "Retry-After", STR("1"));
    if (call->service->errors->crc32) {
        struct buf crc;
        buf_init(&crc, call->arena, 16);
        buf_add_u64(&crc, crc32_of(ret->body));
        call_header(call, ret, "x-amz-crc32", buf_str(&crc));
    }
    if (call->service->answer_headers) call->service->answer_headers(call, ret);
}
