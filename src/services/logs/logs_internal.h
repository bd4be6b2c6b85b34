/* logs_internal.h -- how log groups, streams and events lie in the store; shared by the files of this folder.
 *
 * A group is a document in LOGS_SPACE and a space of its own, so that deleting it is dropping a space:
 *   collection "streams"       stream name              → JSON {"createdMs": …, "lastSecond": where it stands in "order"}
 *   collection "order"         second 8 · stream name   → empty: streams by the second of their last event; 0: no event
 *   collection "time"          time 8 · sequence 8      → version 1 · ingestion time 8 · length 4 · stream name · message
 *   collection "stream/NAME"   time 8 · sequence 8      → empty; the event stands under the same key in "time"
 *   collection "meta"          "bytes"                  → 8 bytes: what the group's events count, for storedBytes
 *   collection "meta"          "sequence"               → 8 bytes: how many sequences were given: events of one millisecond
 *                                                         stand in the order of their commits
 *   collection "meta"          "ordered"                → 1: each stream stands in "order". 0 · name: those up to this one do, and
 * those written to since; none: a group of an earlier release (stream_order.c) */
#ifndef CLOUDLESS_SERVICES_LOGS_LOGS_INTERNAL_H
#define CLOUDLESS_SERVICES_LOGS_LOGS_INTERNAL_H
#include "jobs/jobs.h"
#include "services/logs/logs.h"

#define LOGS_EVENT_KEY_BYTES 16
#define LOGS_EVENT_OVERHEAD 26              /* bytes that each event counts beside its text. API reference, PutLogEvents */
#define LOGS_EVENT_BYTES_MAX (1u << 20)     /* quota: event size */
#define LOGS_BATCH_BYTES_MAX 1048576u       /* API reference, PutLogEvents */
#define LOGS_PAGE_BYTES_MAX (1u << 20)      /* API reference, GetLogEvents and FilterLogEvents */
#define LOGS_PAGE_EVENTS_MAX 10000

struct logs__group {
    uint64_t space;
    int64_t created_ms, retention_days;     /* 0: never expires */
    struct json *doc;
};
struct logs__event {
    uint8_t key[LOGS_EVENT_KEY_BYTES];
    int64_t time_ms, ingested_ms;
    struct str stream, message;
};

struct logs {                               /* the service's state: call->service_state */
    struct store *store;
    struct logs__writer *writer;
};
struct logs *logs__of(const struct call *call);
struct store_txn *logs__reader(const struct call *call);

/* Of listing_docs: false when it is an error, which the call then has. */
bool logs__page(struct call *call, enum err err);
void logs__page_bad_token(struct call *call);
struct store_key logs__group_key(struct str account, struct str region, struct str name, struct arena *arena);
/* ERR_NOT_FOUND: no such group. */
enum err logs__group_find(struct store_txn *txn, struct str account, struct str region, struct str name, struct arena *arena,
                          struct logs__group *ret);
/* The call's group by logGroupName, logGroupIdentifier (a name or an ARN) or resourceArn; call_fail if it is missing. `txn` is a
 * reader or the mutation's. */
bool logs__call_group(struct call *call, struct store_txn *txn, struct logs__group *ret);
struct str logs__call_group_name(struct call *call);
/* Mutation: makes the group when it is not there. */
void logs__group_make(struct store_txn *txn, struct str account, struct str region, struct str name, struct json *tags,
                      int64_t now_ms, struct arena *arena, struct logs__group *ret);
bool logs__stream_exists(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena);
void logs__stream_make(struct store_txn *txn, uint64_t space, struct str stream, int64_t now_ms, struct arena *arena);
struct str logs__stream_collection(struct arena *arena, struct str stream);
/* The first or last event of a stream, before the time `before` (none: of all). ERR_NOT_FOUND: there is none. */
enum err logs__stream_edge(struct store_txn *txn, uint64_t space, struct str stream, bool last, struct str before,
                           struct arena *arena, struct str *ret_key);
struct store_key logs__stream_key(uint64_t space, struct str stream);

/* stream_order.c: a stream as it is described. */
struct logs__stream_row {
    struct str name;
    int64_t created_ms, first_ms, last_ms, ingested_ms; /* 0: no event */
    int64_t order_ms; /* logs__order_page: the last event's time, or what its place says when that one has just gone */
};
/* `before`: a time as in keys of events, as far as the last event goes; STR_NONE: all. */
struct logs__stream_row logs__stream_row(struct store_txn *txn, uint64_t space, struct str name, const struct json *doc,
                                         struct str before, struct arena *arena);
/* Mutations. The group is new: all its streams are in order. The stream has events up to this time now. It may have none any more:
 * it goes to where its last one says. The stream goes, its document and its place. */
void logs__order_begin(struct store_txn *txn, uint64_t space);
void logs__order_written(struct store_txn *txn, uint64_t space, struct str stream, int64_t last_ms, struct arena *arena);
enum err logs__order_expired(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena);
enum err logs__stream_remove(struct store_txn *txn, uint64_t space, struct str stream, struct arena *arena);
/* Puts streams of an earlier release in order, some in each commit; nothing to do after the first time. On a worker. */
enum err logs__order_complete(struct store *store, struct str account, struct str region, struct str group, uint64_t space);
/* The next `max` streams by the times of their last events and by their names, behind `after` (its order_ms and name; NULL: from
 * the beginning), oldest first or newest first. */
enum err logs__order_page(struct store_txn *reader, uint64_t space, const struct logs__stream_row *after, bool descending,
                          struct arena *arena, struct logs__stream_row *ret, size_t max, size_t *ret_count);

/* Mutation: one event and its place in its stream. Does not count bytes: logs__add_bytes once a batch. */
void logs__event_put(struct store_txn *txn, uint64_t space, struct str stream, int64_t time_ms, uint64_t sequence, int64_t now_ms,
                     struct str message, struct arena *arena);
/* Mutation: the number before `count` new ones, in the order of commits: the i-th event takes the answer + i, from 1 on. */
uint64_t logs__sequences(struct store_txn *txn, uint64_t space, size_t count, struct arena *arena);
void logs__add_bytes(struct store_txn *txn, uint64_t space, int64_t bytes, struct arena *arena);
int64_t logs__bytes(struct store_txn *txn, uint64_t space, struct arena *arena);
bool logs__event_decode(struct str key, struct str value, struct logs__event *ret);
/* Events before this are gone for readers, swept or not; 0: none. */
int64_t logs__oldest_ms(const struct logs__group *group, int64_t now_ms);

/* Filter patterns of plain terms: all terms, "phrases", -excluded, ?any. Source: "Filter pattern syntax". */
struct logs__pattern;
/* ERR_UNSUPPORTED: a kind that is not served (JSON, space-delimited, regular expressions), *ret_why names it. ERR_INVALID: no
 * pattern, *ret_why is a sentence. */
enum err logs__pattern_parse(struct str text, struct arena *arena, struct logs__pattern **ret, struct str *ret_why);
bool logs__pattern_match(const struct logs__pattern *pattern, struct str message);

/* writer.c: the queue behind logs_append. */
struct logs__writer;
struct logs__writer *logs__writer_new(struct store *store);
void logs__writer_free(struct logs__writer *writer);        /* writes what waits, then ends its thread; NULL is fine */
struct buf;
void logs__write_metrics(struct buf *out, void *logs);      /* a metrics_source */

/* retention.c: mutations: the group has a retention now, or another; it has none any more. */
extern const struct jobs_kind logs__job_kinds[];
void logs__retention_ask(struct call *call, struct store_txn *txn, struct str group);
void logs__retention_cancel(struct call *call, struct store_txn *txn, struct str group);

call_mutate_fn logs__create_group, logs__delete_group, logs__put_retention, logs__delete_retention, logs__tag, logs__untag;
call_mutate_fn logs__create_stream, logs__put_events;
call_run_fn logs__describe_groups, logs__list_tags, logs__prepare_create_group, logs__prepare_tags, logs__prepare_retention;
call_run_fn logs__describe_streams, logs__delete_stream, logs__prepare_create_stream;
call_run_fn logs__prepare_put_events, logs__get_events, logs__filter_events;
#endif
