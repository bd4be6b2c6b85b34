/* stream_order_test.c -- streams by their last events against a sorted array: more of them than any page or bound, written,
 * expired and removed by chance, across a restart, and of an earlier release, whose documents have no places. */
#include "../../store/store_test.h"
#include "base/codec.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"

enum { STREAMS_MANY = 10500, STREAMS_FEW = 450, STEP = 500, PAGE = 51, ROUNDS = 40 };
#define ACCOUNT STR("000000000000")
#define REGION STR("us-east-1")
#define GROUP STR("a/group")
#define START ((int64_t)1700000000 * 1000)

struct model_stream { char name[24]; int64_t last_ms; bool there; };

struct world {
    struct fixture *f;
    uint64_t space, sequence;
    struct model_stream *streams;
    size_t count, from;         /* from: of the step that is written now */
    bool old;                   /* made as an earlier release made it */
    uint32_t random;
};

/* A mutation may be run again: each run begins with the world as it was, and what the last one made of it counts. */
struct turn {
    void (*write)(struct store_txn *txn, struct world *w, struct arena *arena);
    const struct world *before;
    struct world after;
};

static enum err run_turn(struct store_txn *txn, void *arg)
{
    struct turn *turn = arg;
    struct model_stream *streams = turn->after.streams;
    struct arena *arena = arena_new();
    turn->after = *turn->before;
    turn->after.streams = streams;
    memcpy(streams, turn->before->streams, turn->before->count * sizeof *streams);
    turn->write(txn, &turn->after, arena);
    arena_free(arena);
    return ERR_OK;
}

static void take_turn(struct world *w, void (*write)(struct store_txn *txn, struct world *w, struct arena *arena))
{
    struct turn turn = {.write = write, .before = w, .after.streams = arena_array(w->f->arena, struct model_stream, w->count)};
    assert_int_equal(store_mutate(w->f->store, run_turn, &turn), ERR_OK);
    *w = turn.after;
}

static uint32_t next_random(struct world *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 8;
}

static void make_group(struct store_txn *txn, struct world *w, struct arena *arena)
{
    struct logs__group group;
    logs__group_make(txn, ACCOUNT, REGION, GROUP, NULL, START, arena, &group);
    w->space = group.space;
    if (w->old)
        store_delete(txn, (struct store_key){group.space, STR("meta"), STR("ordered")});
}

static void put_event(struct store_txn *txn, struct world *w, struct model_stream *stream, int64_t at, struct arena *arena)
{
    logs__event_put(txn, w->space, str_of(stream->name), at, ++w->sequence, at, STR("text"), arena);
    stream->last_ms = at > stream->last_ms ? at : stream->last_ms;
}

/* A third have no event; the others' are in 2,000 seconds, several with the same millisecond. */
static void make_streams(struct store_txn *txn, struct world *w, struct arena *arena)
{
    for (size_t i = w->from; i < w->from + STEP && i < w->count; i++) {
        struct model_stream *s = &w->streams[i];
        struct str name = str_of(s->name);
        s->there = true;
        if (w->old) {
            struct json *doc = json_new(arena, JSON_OBJECT);
            json_add_i64(arena, doc, "createdMs", START);
            doc_put(txn, logs__stream_key(w->space, name), doc, arena);
        } else {
            logs__stream_make(txn, w->space, name, START, arena);
        }
        if (i % 3 == 0)
            continue;
        for (int n = 0; n < 2; n++)
            put_event(txn, w, s, START + (next_random(w) % 2000) * 1000 + next_random(w) % 4, arena);
        if (!w->old)
            logs__order_written(txn, w->space, name, s->last_ms, arena);
    }
}

static struct world make_world(struct fixture *f, size_t count, bool old)
{
    struct world w = {.f = f, .count = count, .old = old, .random = 7, .streams = arena_array(f->arena, struct model_stream, count)};
    for (size_t i = 0; i < count; i++)
        snprintf(w.streams[i].name, sizeof w.streams[i].name, "s%05zu", i * 7919 % count);
    take_turn(&w, make_group);
    for (w.from = 0; w.from < count; w.from += STEP)
        take_turn(&w, make_streams);
    return w;
}

static int by_time(const void *a, const void *b)
{
    const struct model_stream *x = a, *y = b;
    return x->last_ms != y->last_ms ? (x->last_ms > y->last_ms) - (x->last_ms < y->last_ms) : strcmp(x->name, y->name);
}

/* All pages of one direction are the model's order, with the model's times. */
static void check_order(struct world *w, bool descending)
{
    struct model_stream *sorted = arena_array(w->f->arena, struct model_stream, w->count);
    size_t count = 0, seen = 0, got = PAGE;
    for (size_t i = 0; i < w->count; i++)
        if (w->streams[i].there)
            sorted[count++] = w->streams[i];
    qsort(sorted, count, sizeof *sorted, by_time);
    struct logs__stream_row rows[PAGE], after;
    while (got == PAGE) {
        struct arena *arena = arena_new();
        assert_int_equal(logs__order_page(store_reader(w->f->store), w->space, seen ? &after : NULL, descending, arena, rows, PAGE, &got),
                         ERR_OK);
        for (size_t i = 0; i < got; i++, seen++) {
            assert_true(seen < count);
            const struct model_stream *want = &sorted[descending ? count - 1 - seen : seen];
            assert_true(str_eq(rows[i].name, str_of(want->name)));
            assert_int_equal(rows[i].last_ms, want->last_ms);
        }
        if (got) {
            after = rows[got - 1];
            after.name = arena_dup(w->f->arena, after.name);
        }
        arena_free(arena);
    }
    assert_int_equal(seen, count);
}

static void check_both(struct world *w)
{
    check_order(w, false);
    check_order(w, true);
}

static void test_more_than_ten_thousand(void **state)
{
    struct world w = make_world(*state, STREAMS_MANY, false);
    check_both(&w);
    if (w.f->engine)
        return;                 /* in memory: nothing of it outlives its process */
    fixture_reopen(w.f);
    check_both(&w);
}

/* What DeleteLogStream, retention and writers do, to one stream each. */
static void change_streams(struct store_txn *txn, struct world *w, struct arena *arena)
{
    for (int i = 0; i < 20; i++) {
        struct model_stream *s = &w->streams[next_random(w) % w->count];
        struct str name = str_of(s->name);
        struct store_range all = {.space = w->space, .collection = logs__stream_collection(arena, name)};
        uint32_t what = next_random(w) % 4;
        if (!s->there) {
            logs__stream_make(txn, w->space, name, START, arena);
            s->there = true;
        } else if (what == 0) {
            store_delete_range(txn, &all);
            assert_int_equal(logs__stream_remove(txn, w->space, name, arena), ERR_OK);
            s->there = false;
            s->last_ms = 0;
        } else if (what == 1) {
            store_delete_range(txn, &all);
            assert_int_equal(logs__order_expired(txn, w->space, name, arena), ERR_OK);
            s->last_ms = 0;
        } else {
            int64_t at = START + next_random(w) % 2000000;      /* an earlier time than the last moves nothing */
            put_event(txn, w, s, at, arena);
            logs__order_written(txn, w->space, name, at, arena);
        }
    }
}

static void test_changes(void **state)
{
    struct world w = make_world(*state, STREAMS_FEW, false);
    for (int round = 0; round < ROUNDS; round++) {
        take_turn(&w, change_streams);
        check_order(&w, round % 2);
    }
}

static void complete(struct world *w)
{
    assert_int_equal(logs__order_complete(w->f->store, ACCOUNT, REGION, GROUP, w->space), ERR_OK);
}

static void write_one(struct store_txn *txn, struct world *w, struct arena *arena)
{
    struct model_stream *s = &w->streams[4];                    /* has events */
    put_event(txn, w, s, START + 5, arena);                     /* earlier than its last one */
    logs__order_written(txn, w->space, str_of(s->name), START + 5, arena);
}

static void test_a_group_of_an_earlier_release(void **state)
{
    struct world w = make_world(*state, STREAMS_FEW, true);
    take_turn(&w, write_one);
    take_turn(&w, change_streams);
    complete(&w);
    check_both(&w);
    complete(&w);               /* nothing more to do */
    take_turn(&w, change_streams);
    check_both(&w);
}

static void damage_place(struct store_txn *txn, struct world *w, struct arena *arena)
{
    (void)arena;
    store_put(txn, (struct store_key){w->space, STR("order"), STR("short")}, STR_NONE);
}

static void test_a_damaged_place(void **state)
{
    struct world w = make_world(*state, 3, false);
    struct logs__stream_row rows[PAGE];
    size_t count;
    take_turn(&w, damage_place);
    assert_int_equal(logs__order_page(store_reader(w.f->store), w.space, NULL, false, w.f->arena, rows, PAGE, &count), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST_ENGINES(test_more_than_ten_thousand), TEST_ENGINES(test_changes),
                                       TEST_ENGINES(test_a_group_of_an_earlier_release), TEST_ENGINES(test_a_damaged_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
