/* function_item_fuzz.c -- what the DynamoDB client of functions reads. The first byte chooses: plain JSON as an item and back,
 * an item as plain JSON, an answer of any status, a URL of an endpoint. */
#include "ddb.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Plain JSON is the same after the way there and back. */
static void plain_and_back(cl_arena *arena, cl_str text)
{
    cl_json *plain = NULL;
    if (cl_json_parse(arena, text, &plain, NULL) != CL_OK)
        return;
    cl_json *back = cl_value_to_json(arena, cl_value_of(arena, plain));
    check(!cl_arena_failed(arena) && cl_str_eq(cl_json_text(arena, back), cl_json_text(arena, plain)));
    if (cl_json_is(plain, CL_OBJECT))
        check(cl_str_eq(cl_json_text(arena, cl_item_to_json(arena, cl_item_from_json(arena, plain))), cl_json_text(arena, plain)));
}

/* Whatever stands where an item should: it becomes JSON that parses. */
static void item_to_plain(cl_arena *arena, cl_str text)
{
    cl_json *item = NULL, *again = NULL;
    int64_t number;
    if (cl_json_parse(arena, text, &item, NULL) != CL_OK)
        return;
    cl_item_get_s(item, "id");
    cl_item_get_i(item, "id", &number);
    cl_json *plain = cl_item_to_json(arena, item), *value = cl_value_to_json(arena, item);
    check(cl_json_is(item, CL_OBJECT) == (plain != NULL) && value);
    check(cl_json_parse(arena, cl_json_text(arena, value), &again, NULL) == CL_OK);
}

static void answer(cl_arena *arena, unsigned char selector, cl_str text)
{
    static const int statuses[] = {200, 400, 500, 413};
    static cl_dynamodb db;
    cl_json *ret = NULL;
    bool retry;
    db.connection.answer.status = statuses[selector & 3];
    db.connection.answer.body = text;
    cl_ddb_error error = cl__ddb_read_answer(&db, arena, "GetItem", &ret, &retry);
    check((error == CL_DDB_OK) == (ret != NULL) && (ret == NULL || db.connection.answer.status == 200));
    check(cl_dynamodb_message(&db).n < CL__DDB_MESSAGE_MAX && cl_utf8_valid(cl_dynamodb_message(&db)));
    check((cl_dynamodb_message(&db).n == 0) == (error == CL_DDB_OK));
}

/* What is accepted names the same place when it is written again. */
static void endpoint(cl_str text)
{
    struct cl__endpoint first, second;
    cl_str message;
    char url[512];
    if (cl__endpoint_parse("URL", text, &first, &message) != CL_OK)
        return;
    snprintf(url, sizeof url, "%s://%s", first.tls ? "https" : "http", first.authority);
    check(cl__endpoint_parse("URL", cl_str_of(url), &second, &message) == CL_OK);
    check(strcmp(first.host, second.host) == 0 && strcmp(first.port, second.port) == 0 &&
          strcmp(first.authority, second.authority) == 0);
    check(strpbrk(first.authority, " \r\n\t/@") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    cl_str text = {(const char *)data + 1, size - 1};
    cl_arena *arena = cl_arena_new(64u << 20);
    switch (data[0] % 4) {
    case 0:
        plain_and_back(arena, text);
        break;
    case 1:
        item_to_plain(arena, text);
        break;
    case 2:
        answer(arena, data[0] >> 2, text);
        break;
    default:
        endpoint(text);
    }
    cl_arena_free(arena);
    return 0;
}
