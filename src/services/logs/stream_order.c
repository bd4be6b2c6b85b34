/* stream_order.c -- the streams of a group in the order of their last events (DescribeLogStreams by LastEventTime).
 * A stream stands in the collection "order" under the second of its last event, and its document says where, so that a write moves
 * it once a second at most, however many events come, and few places of the past lie between those that are read. Whoever reads
 * puts the streams of one second in order by their events' milliseconds.
 *
 * Streams of earlier releases have documents without a place. A write gives them one; the first who asks for the order gives it to
 * all others, ORDER_STEP in a commit, and "ordered" in "meta" remembers how far that came. */
#include "base/codec.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"

#define ORDER_STEP 200
#define SECOND_MS 1000
#define SECOND_LAST (UINT64_MAX / SECOND_MS - 1)

struct place {
    uint64_t second;            /* of the last event */
    struct str name;
};

static struct store_key place_key(uint64_t space, struct place place, struct arena *arena)
{
    char *key = arena_alloc(arena, 8 + place.name.n), *at = key + 8;
    put_u64((uint8_t *)key, place.second);
    str_pack(&at, place.name);
    return (struct store_key){space, STR("order"), {key, 8 + place.name.n}};
}

static uint64_t second_of(int64_t time_ms)
{
    return time_ms > 0 ? (uint64_t)time_ms / SECOND_MS : 0;
}

/* Of the events that are there. */
static enum err last_second(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena, uint64_t *ret)
{
    struct str last;
    enum err err = logs__stream_edge(txn, space, stream, true, STR_NONE, arena, &last);
    if (err == ERR_OK)
        *ret = second_of((int64_t)get_u64((const uint8_t *)last.p));
    else if (err == ERR_NOT_FOUND)
        *ret = 0;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static bool has_place(const struct json *doc)
{
    return json_at(doc, "lastSecond") != NULL;
}

static uint64_t place_of(const struct json *doc)
{
    return (uint64_t)json_i64(doc, "lastSecond", 0);
}

static void place_stream(struct store_txn *txn, uint64_t space, struct str stream, struct json *doc, uint64_t second,
                         struct arena *arena)
{
    if (has_place(doc) && place_of(doc) == second)
        return;
    if (has_place(doc))
        store_delete(txn, place_key(space, (struct place){place_of(doc), stream}, arena));
    json_put(doc, STR("lastSecond"), json_new_i64(arena, (int64_t)second));
    doc_put(txn, logs__stream_key(space, stream), doc, arena);
    store_put(txn, place_key(space, (struct place){second, stream}, arena), STR_NONE);
}

void logs__order_begin(struct store_txn *txn, uint64_t space)
{
    store_put(txn, (struct store_key){space, STR("meta"), STR("ordered")}, STR("1"));
}

void logs__stream_make(struct store_txn *txn, uint64_t space, struct str stream, int64_t now_ms, struct arena *arena)
{
    struct json *doc = json_new(arena, JSON_OBJECT);
    json_add_i64(arena, doc, "createdMs", now_ms);
    place_stream(txn, space, stream, doc, 0, arena);
}

void logs__order_written(struct store_txn *txn, uint64_t space, struct str stream, int64_t last_ms, struct arena *arena)
{
    struct json *doc;
    uint64_t second = second_of(last_ms), there = 0;
    enum err err = doc_get(txn, logs__stream_key(space, stream), arena, &doc);
    if (err == ERR_OK && !has_place(doc))
        err = last_second(txn, space, stream, arena, &there);
    else if (err == ERR_OK)
        there = place_of(doc);
    if (err != ERR_OK)
        store_fail(txn, err);
    else
        place_stream(txn, space, stream, doc, second > there ? second : there, arena);
}

enum err logs__order_expired(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena)
{
    struct json *doc;
    uint64_t second = 0;
    enum err err = doc_get(txn, logs__stream_key(space, stream), arena, &doc);
    if (err == ERR_OK)
        err = last_second(txn, space, stream, arena, &second);
    if (err == ERR_OK)
        place_stream(txn, space, stream, doc, second, arena);
    return err;
}

enum err logs__stream_remove(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena)
{
    struct json *doc;
    enum err err = doc_get(txn, logs__stream_key(space, stream), arena, &doc);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if (has_place(doc))
        store_delete(txn, place_key(space, (struct place){place_of(doc), stream}, arena));
    store_delete(txn, logs__stream_key(space, stream));
    return ERR_OK;
}

/* ---- groups of earlier releases ---- */

struct ordering {
    struct str account, region, group;
    uint64_t space;             /* of the group that was found: a later one of the same name is another */
    bool done;
};

/* ERR_NOT_FOUND: nothing was put in order yet. */
static enum err ordered_up_to(struct store_txn *txn, uint64_t space, struct arena *arena, bool *ret_all, struct str *ret_name)
{
    struct str value;
    enum err err = store_get(txn, (struct store_key){space, STR("meta"), STR("ordered")}, arena, &value);
    if (err != ERR_OK)
        return err;
    if (value.n == 0)
        return ERR_CORRUPT;
    *ret_all = value.p[0] == '1';
    *ret_name = str_slice(value, 1, value.n);
    return ERR_OK;
}

static enum err order_streams(struct store_txn *txn, struct ordering *ordering, struct str after, struct arena *arena)
{
    struct json *page;
    bool more = false;
    const struct store_key ordered = {ordering->space, STR("meta"), STR("ordered")};
    enum err err = doc_list(txn, ordering->space, STR("streams"), STR_NONE, after, ORDER_STEP, arena, &page, &more);
    if (err != ERR_OK)
        return err;
    for JSON_EACH (entry, page) {
        struct json *doc = json_at(entry, "d");
        struct str name = json_str(entry, "k");
        uint64_t second;
        if (!has_place(doc) && (err = last_second(txn, ordering->space, name, arena, &second)) != ERR_OK)
            return err;
        if (!has_place(doc))
            place_stream(txn, ordering->space, name, doc, second, arena);
    }
    if (more)
        store_put(txn, ordered, arena_printf(arena, "0" STR_FMT, STR_ARG(json_str(page->last, "k"))));
    else
        logs__order_begin(txn, ordering->space);
    ordering->done = !more;
    return ERR_OK;
}

static enum err order_some(struct store_txn *txn, void *arg)
{
    struct ordering *ordering = arg;
    struct arena *arena = arena_new();
    struct logs__group group;
    struct str after = STR_NONE;
    ordering->done = false;
    enum err err = logs__group_find(txn, ordering->account, ordering->region, ordering->group, arena, &group);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && group.space != ordering->space)) {    /* deleted meanwhile */
        ordering->done = true;
        err = ERR_OK;
    }
    if (err == ERR_OK && !ordering->done)
        err = ordered_up_to(txn, ordering->space, arena, &ordering->done, &after);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (err == ERR_OK && !ordering->done)
        err = order_streams(txn, ordering, after, arena);
    arena_free(arena);
    return err;
}

enum err logs__order_complete(struct store *store, struct str account, struct str region, struct str group, uint64_t space)
{
    struct ordering ordering = {.account = account, .region = region, .group = group, .space = space};
    struct arena *arena = arena_new();
    struct str after;
    enum err err = ordered_up_to(store_reader(store), space, arena, &ordering.done, &after);
    arena_free(arena);
    err = err == ERR_NOT_FOUND ? ERR_OK : err;
    while (err == ERR_OK && !ordering.done)
        err = store_mutate(store, order_some, &ordering);
    return err;
}

/* ---- reading ---- */

struct logs__stream_row logs__stream_row(struct store_txn *txn, uint64_t space, struct str name, const struct json *doc,
                                         struct str before, struct arena *arena)
{
    struct logs__stream_row row = {.name = name, .created_ms = json_i64(doc, "createdMs", 0)};
    struct logs__event event;
    struct str first, last, value;
    if (logs__stream_edge(txn, space, name, false, before, arena, &first) != ERR_OK ||
        logs__stream_edge(txn, space, name, true, before, arena, &last) != ERR_OK)
        return row;
    struct store_key at = {space, STR("time"), last};
    if (store_get(txn, at, arena, &value) == ERR_OK && logs__event_decode(last, value, &event)) {
        row.first_ms = (int64_t)get_u64((const uint8_t *)first.p);
        row.last_ms = event.time_ms;
        row.ingested_ms = event.ingested_ms;
    }
    return row;
}

/* Places come in the order of seconds. Of each second the streams that come next are kept, as many as there is room for. */
struct order_page {
    struct store_txn *txn;
    uint64_t space;
    bool descending;
    const struct logs__stream_row *after;
    struct arena *arena;
    struct logs__stream_row *rows;      /* those of whole seconds, then what is kept of this one */
    size_t max, count, begin;           /* begin: of this second's */
};

static int by_last_event(const struct order_page *page, const struct logs__stream_row *x, const struct logs__stream_row *y)
{
    int order = x->order_ms != y->order_ms ? (x->order_ms > y->order_ms) - (x->order_ms < y->order_ms) : str_cmp(x->name, y->name);
    return page->descending ? -order : order;
}

static void keep_row(struct order_page *page, const struct logs__stream_row *row)
{
    if (page->after && by_last_event(page, row, page->after) <= 0)
        return;
    if (page->count == page->max && by_last_event(page, row, &page->rows[page->count - 1]) >= 0)
        return;
    size_t at = page->count < page->max ? page->count++ : page->count - 1;
    for (; at > page->begin && by_last_event(page, row, &page->rows[at - 1]) < 0; at--)
        page->rows[at] = page->rows[at - 1];
    page->rows[at] = *row;
    page->rows[at].name = arena_dup(page->arena, row->name);
}

/* Events that have come since the places were read, in later seconds, are not looked at: the stream stands elsewhere by now. */
static enum err keep_place(struct order_page *page, struct place place, struct arena *arena)
{
    struct json *doc;
    uint8_t end[8];
    enum err err = doc_get(page->txn, logs__stream_key(page->space, place.name), arena, &doc);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;         /* deleted meanwhile */
    put_u64(end, (place.second + 1) * SECOND_MS);
    struct logs__stream_row row =
        logs__stream_row(page->txn, page->space, place.name, doc, (struct str){(const char *)end, sizeof end}, arena);
    row.order_ms = row.last_ms ? row.last_ms : (int64_t)(place.second * SECOND_MS);
    keep_row(page, &row);
    return ERR_OK;
}

/* Streams without events are in order as they stand, those of one second are not. */
static struct store_range page_range_of(const struct order_page *page)
{
    struct place from = {.second = page->descending ? SECOND_LAST : 0};
    if (page->after)
        from.second = second_of(page->after->order_ms);
    if (page->after && from.second == 0)
        from.name = page->after->name;
    from.second += page->descending && !from.name.n;        /* its end */
    struct store_range range = {.space = page->space, .collection = STR("order"), .reverse = page->descending};
    *(page->descending ? &range.to : &range.from) = place_key(page->space, from, page->arena).key;
    return range;
}

enum err logs__order_page(struct store_txn *reader, uint64_t space, const struct logs__stream_row *after, bool descending,
                          struct arena *arena, struct logs__stream_row *ret, size_t max, size_t *ret_count)
{
    struct order_page page = {.txn = reader, .space = space, .descending = descending, .after = after, .arena = arena,
                              .rows = ret, .max = max};
    struct arena *scratch = arena_under(arena);
    struct store_range range = page_range_of(&page);
    struct store_iter *iter = store_range(reader, &range, arena);
    struct store_key key;
    struct str value;
    struct place place = {.second = UINT64_MAX};
    enum err err;
    while ((err = store_next(iter, &key, &value)) == ERR_OK) {
        uint64_t second = place.second;
        if (key.key.n <= 8) {
            err = ERR_CORRUPT;
            break;
        }
        place = (struct place){get_u64((const uint8_t *)key.key.p), str_slice(key.key, 8, key.key.n)};
        if (place.second != second || second == 0) {
            if (page.count == max)
                break;
            page.begin = page.count;
        }
        if ((err = keep_place(&page, place, scratch)) != ERR_OK)
            break;
        arena_reset(scratch);
    }
    store_iter_close(iter);
    *ret_count = page.count;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
