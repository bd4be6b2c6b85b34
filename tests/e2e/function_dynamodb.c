/* function_dynamodb.c -- a client of DynamoDB in C for function_library_test.py: does what its first argument says with the
 * table that its second one names, and prints what came of it as one line of JSON. */
#include "cloudless/dynamodb.h"
#include <stdio.h>
#include <stdlib.h>

#define MANY 130 /* items: more than a batch takes, and several pages of 30 */

static cl_arena *arena;
static cl_context ctx;
static cl_dynamodb *db;
static cl_str table;
static cl_json *out;

/* ---- what is printed ---- */

static void tell(const char *name, cl_json *value)
{
    cl_json_set(out, name, value ? value : cl_json_null(arena));
}

static void tell_error(const char *name, cl_ddb_error error)
{
    tell(name, cl_json_string(arena, cl_str_of(cl_ddb_error_name(error))));
}

static void tell_item(const char *name, const cl_item *item)
{
    tell(name, cl_item_to_json(arena, item));
}

/* ---- items: pk is text, sk a number ---- */

static cl_item *key_of(const char *pk, int64_t sk)
{
    cl_item *key = cl_item_new(arena);
    cl_item_s(arena, key, "pk", cl_str_of(pk));
    cl_item_i(arena, key, "sk", sk);
    return key;
}

static cl_item *whole_item(void)
{
    cl_item *item = key_of("one", 1);
    cl_json *plain = NULL;
    cl_json_parse(arena, cl_str_of("{\"lines\":[{\"item\":\"\\u00e4\",\"price\":12.10},null,true],\"empty\":{}}"), &plain, NULL);
    cl_item_n(arena, item, "price", cl_str_of("12345678901234567890.12345678901234567"));
    cl_item_bool(arena, item, "done", false);
    cl_item_null(arena, item, "nothing");
    cl_item_b(arena, item, "bytes", (cl_str){"\0\1\xff", 3});
    cl_item_json(arena, item, "order", plain);
    cl_item_ss(arena, item, "tags", (const cl_str[]){CL_STR_LIT("a"), CL_STR_LIT("b")}, 2);
    cl_item_ns(arena, item, "numbers", (const cl_str[]){CL_STR_LIT("1"), CL_STR_LIT("2.5")}, 2);
    return item;
}

static void put_and_get(void)
{
    cl_item *item = NULL;
    tell_error("put", cl_ddb_put(db, &ctx, table, whole_item(), NULL, NULL));
    tell_error("get", cl_ddb_get(db, &ctx, table, key_of("one", 1), &(cl_ddb_options){.consistent = true}, &item));
    tell_item("item", item);
    tell("bytes", cl_json_copy(arena, cl_json_path(item, "bytes.B")));
    tell_error("get_absent", cl_ddb_get(db, &ctx, table, key_of("none", 1), NULL, &item));
    tell_item("absent", item);
    cl_expr e;
    cl_ddb_options options = {0};
    cl_expr_init(&e, arena);
    cl_expr_project(&e, "done");
    cl_expr_project(&e, "order");
    tell_error("get_projected", cl_ddb_get(db, &ctx, table, key_of("one", 1), cl_expr_options(&e, &options), &item));
    tell_item("projected", item);
}

static void update_and_delete(void)
{
    cl_item *item = NULL;
    cl_expr e;
    cl_ddb_options options = {.return_values = "ALL_NEW"};
    cl_ddb_put(db, &ctx, table, whole_item(), NULL, NULL);
    cl_expr_init(&e, arena);
    cl_expr_set(&e, "size", cl_value_of(arena, cl_json_string(arena, cl_str_of("large")))); /* a reserved word */
    cl_expr_set(&e, "a.b", cl_value_of(arena, cl_json_int(arena, 7)));
    cl_expr_set_if_absent(&e, "done", cl_value_of(arena, cl_json_bool(arena, true)));
    cl_expr_set_if_absent(&e, "made", cl_value_of(arena, cl_json_int(arena, 5)));
    cl_expr_add_number(&e, "count", cl_str_of("2"));
    cl_expr_remove(&e, "order");
    cl_expr_remove(&e, "bytes");
    cl_expr_remove(&e, "tags");
    cl_expr_remove(&e, "numbers");
    cl_expr_condition(&e, "done", "=", cl_value_of(arena, cl_json_bool(arena, false)));
    cl_expr_condition(&e, "nothing", "exists", NULL);
    tell_error("update",
               cl_ddb_update(db, &ctx, table, key_of("one", 1), cl_expr_update(&e), cl_expr_options(&e, &options), &item));
    tell_item("new", item);
    cl_expr_init(&e, arena);
    options = (cl_ddb_options){0};
    cl_expr_condition(&e, "pk", "not_exists", NULL);
    tell_error("put_again", cl_ddb_put(db, &ctx, table, key_of("one", 1), cl_expr_options(&e, &options), NULL));
    tell("message", cl_json_string(arena, cl_dup(arena, cl_dynamodb_message(db))));
    options = (cl_ddb_options){.return_values = "ALL_OLD"};
    tell_error("delete", cl_ddb_delete(db, &ctx, table, key_of("one", 1), &options, &item));
    tell_item("old", item);
    tell_error("delete_again", cl_ddb_delete(db, &ctx, table, key_of("one", 1), &options, &item));
    tell_item("old_again", item);
}

/* The keys of what an iterator gives, as a list. */
static void tell_pages(const char *name, cl_ddb_pages *pages)
{
    cl_json *keys = cl_json_array(arena);
    cl_item *item = NULL;
    while (cl_ddb_next(pages, &item))
        cl_json_append(keys, cl_json_copy(arena, cl_value_to_json(arena, cl_json_get(item, "sk"))));
    tell(name, keys);
    if (pages->error)
        tell_error("error", pages->error);
}

static void pages_of(void)
{
    cl_ddb_pages pages;
    cl_expr e;
    cl_ddb_options options = {.limit = 30};
    const cl_item *puts[MANY];
    for (int i = 0; i < MANY; i++)
        puts[i] = key_of("many", i);
    tell_error("batch_write", cl_ddb_batch_write(db, &ctx, table, puts, MANY, NULL, 0));
    cl_expr_init(&e, arena);
    cl_expr_condition(&e, "pk", "=", cl_value_of(arena, cl_json_string(arena, cl_str_of("many"))));
    cl_expr_condition(&e, "sk", "<", cl_value_of(arena, cl_json_int(arena, 100)));
    cl_ddb_query(&pages, db, &ctx, table, cl_expr_options(&e, &options));
    tell_pages("query", &pages);
    options.descending = true;
    options.limit = 100;
    options.start = key_of("many", 10);
    cl_ddb_query(&pages, db, &ctx, table, &options);
    tell_pages("query_down", &pages);
    cl_expr_init(&e, arena);
    options = (cl_ddb_options){.limit = 3};
    cl_expr_condition(&e, "pk", "=", cl_value_of(arena, cl_json_string(arena, cl_str_of("many"))));
    cl_expr_between(&e, "sk", cl_value_of(arena, cl_json_int(arena, 20)), cl_value_of(arena, cl_json_int(arena, 29)));
    cl_ddb_query(&pages, db, &ctx, table, cl_expr_options(&e, &options));
    tell_pages("query_between", &pages);
    cl_expr_init(&e, arena);
    options = (cl_ddb_options){.limit = 7, .page_arena = cl_arena_new(0)};
    cl_expr_filter(&e, "sk", ">=", cl_value_of(arena, cl_json_int(arena, 127)));
    cl_ddb_scan(&pages, db, &ctx, table, cl_expr_options(&e, &options));
    tell_pages("scan", &pages);
    tell("scanned", cl_json_int(arena, pages.scanned));
    cl_arena_free(options.page_arena);
}

static void batches(void)
{
    const cl_item *keys[MANY + 1];
    cl_json *items = NULL;
    for (int i = 0; i < MANY; i++)
        keys[i] = key_of("batch", i);
    keys[MANY] = key_of("absent", 0);
    tell_error("write", cl_ddb_batch_write(db, &ctx, table, keys, MANY, NULL, 0));
    tell_error("get", cl_ddb_batch_get(db, &ctx, table, keys, MANY + 1, NULL, &items));
    tell("found", cl_json_int(arena, (int64_t)items->count));
    tell_error("remove", cl_ddb_batch_write(db, &ctx, table, NULL, 0, keys, 100));
    tell_error("get_again", cl_ddb_batch_get(db, &ctx, table, keys, MANY + 1, NULL, &items));
    tell("left", cl_json_int(arena, (int64_t)items->count));
}

static void errors(void)
{
    cl_item *item = NULL;
    cl_json *tables = NULL;
    cl_context late = ctx;
    late.deadline_ms = cl_now_ms() - 1;
    tell_error("no_table", cl_ddb_get(db, &ctx, cl_str_of("no-such-table"), key_of("a", 1), NULL, &item));
    tell("no_table_message", cl_json_string(arena, cl_dup(arena, cl_dynamodb_message(db))));
    tell_error("wrong_key", cl_ddb_get(db, &ctx, table, cl_item_new(arena), NULL, &item));
    tell_error("bad_expression", cl_ddb_update(db, &ctx, table, key_of("a", 1), "SET", NULL, &item));
    tell_error("late", cl_ddb_get(db, &late, table, key_of("a", 1), NULL, &item));
    tell_error("call", cl_ddb_call(db, &ctx, "ListTables", cl_json_object(arena), &tables));
    tell("is_list", cl_json_bool(arena, cl_json_is(cl_json_get(tables, "TableNames"), CL_ARRAY)));
    tell_error("no_operation", cl_ddb_call(db, &ctx, "NoSuchOperation", NULL, NULL));
}

/* One GetItem, and what memory the process has needed at most, in KiB. */
static void memory(void)
{
    char line[256];
    cl_item *item = NULL;
    tell_error("get", cl_ddb_get(db, &ctx, table, key_of("one", 1), NULL, &item));
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            tell("peak", cl_json_int(arena, atoll(line + 6)));
    if (status)
        fclose(status);
}

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {{"put_and_get", put_and_get}, {"update_and_delete", update_and_delete},
                 {"pages", pages_of},          {"batches", batches},
                 {"errors", errors},           {"memory", memory}};

int main(int argc, char **argv)
{
    cl_str message = {0};
    arena = cl_arena_new(0);
    ctx = (cl_context){.arena = arena, .deadline_ms = cl_now_ms() + 60000};
    if (argc != 3 || cl_dynamodb_open(&db, &message) != CL_OK) {
        fprintf(stderr, CL_FMT "\n", CL_ARG(message));
        return 2;
    }
    table = cl_str_of(argv[2]);
    out = cl_json_object(arena);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0)
            scenarios[i].run();
    puts(cl_json_text(arena, out).p);
    cl_dynamodb_close(db);
    cl_arena_free(arena);
    return 0;
}
