/* record.c -- a table a loop, from the address of a series to its counts. Only its loop writes; whoever renders reads. A series is
 * made when it is first seen, written in full, then published by a store-release of its pointer; it is never moved or freed
 * before the end. Reading merges the loops' series of one name. */
#include "front/record.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "net/loop.h"
#include <stdio.h>
#include <stdlib.h>

#define SLOTS        (2 * RECORD_SERIES_MAX) /* a power of two */
#define STATUSES_MAX 24                      /* of one series; further ones are counted as 0 */
#define SERIES_NAME_BYTES    64

struct record_status {
    _Atomic int status;
    metric_count count;
};

struct series {
    const void *key;
    char service[SERIES_NAME_BYTES], operation[SERIES_NAME_BYTES];
    metric_count count, cut, bytes_in, bytes_out;
    struct record_status status[STATUSES_MAX + 1]; /* the last one is of those that have none */
    struct histogram us;
};

struct record_table {
    size_t count;
    _Atomic(struct series *) slot[SLOTS];
    _Atomic(struct series *) other;
};

struct record {
    struct access_log *log;
    size_t loops;
    struct record_table table[];
};

struct record *record_new(size_t loops, struct access_log *log)
{
    struct record *record = mem_zalloc(sizeof *record + loops * sizeof record->table[0]);
    record->log = log;
    record->loops = loops;
    return record;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    for (size_t i = 0; i < record->loops; i++) {
        for (size_t s = 0; s < SLOTS; s++)
            free(record->table[i].slot[s]);
        free(record->table[i].other);
    }
    free(record);
}

/* ---- counting ---- */

static void copy_name(char to[SERIES_NAME_BYTES], struct str name)
{
    size_t n = name.n < SERIES_NAME_BYTES - 1 ? name.n : SERIES_NAME_BYTES - 1;
    if (n)
        memcpy(to, name.p, n);
}

static struct series *series_new(const void *key, struct str service, struct str operation)
{
    struct series *series = mem_zalloc(sizeof *series);
    series->key = key;
    if (key) {
        copy_name(series->service, service);
        copy_name(series->operation, operation);
    }
    return series;
}

static struct series *series_of(struct record_table *table, const struct http_about *about)
{
    size_t at = (size_t)(((uintptr_t)about->series >> 3) * 0x9E3779B97F4A7C15u >> 40);
    for (size_t i = 0; i < SLOTS; i++, at++) {
        _Atomic(struct series *) *slot = &table->slot[at % SLOTS];
        struct series *series = atomic_load_explicit(slot, memory_order_relaxed);
        if (series && series->key == about->series)
            return series;
        if (series)
            continue;
        if (table->count == RECORD_SERIES_MAX)
            break;
        table->count++;
        series = series_new(about->series, about->service, about->operation);
        atomic_store_explicit(slot, series, memory_order_release);
        return series;
    }
    struct series *other = atomic_load_explicit(&table->other, memory_order_relaxed);
    if (!other) {
        other = series_new(&table->other, STR("other"), STR(""));
        atomic_store_explicit(&table->other, other, memory_order_release);
    }
    return other;
}

static void count_status(struct series *series, int status)
{
    struct record_status *at = series->status;
    for (size_t i = 0; i < STATUSES_MAX; i++, at++) {
        int seen = atomic_load_explicit(&at->status, memory_order_relaxed);
        if (seen == status && status)
            break;
        if (seen == 0 && status) {
            atomic_store_explicit(&at->status, status, memory_order_relaxed);
            break;
        }
    }
    metric_add(&at->count, 1);
}

/* On the loop. */
static void record_count(struct record *record, const struct loop *loop, const struct http_about *about,
                         const struct http_served *served)
{
    struct series *series = series_of(&record->table[loop_index(loop)], about);
    metric_add(&series->count, 1);
    metric_add(&series->cut, served->cut);
    metric_add(&series->bytes_in, served->bytes_in);
    metric_add(&series->bytes_out, served->bytes_out);
    count_status(series, served->status);
    histogram_add(&series->us, (served->ns + 999) / 1000);
}

/* On its way from another thread: without what is the call's, which may be over before its loop gets to it. */
struct counted_call {
    struct loop_task task;
    struct record *record;
    const struct loop *loop;
    struct http_about about;
    struct http_served served;
};

static void count_on_loop(struct loop_task *task)
{
    struct counted_call *counted = CONTAINER_OF(task, struct counted_call, task);
    record_count(counted->record, counted->loop, &counted->about, &counted->served);
    free(counted);
}

void record_call(const struct call *call, uint64_t ns, void *arg)
{
    struct http_about about = {0};
    call_about(call, &about);
    const struct http_served served = {.status = call->failed   ? call->error_status
                                                 : call->status ? call->status
                                                                : call->operation->status,
                                       .ns = ns};
    if (loop_current() == call->loop) {
        record_count(arg, call->loop, &about, &served);
        return;
    }
    struct counted_call *counted = mem_alloc(sizeof *counted);
    *counted = (struct counted_call){
        .task = {.run = count_on_loop},
        .record = arg,
        .loop = call->loop,
        .about = {.series = about.series, .service = about.service, .operation = about.operation}, /* the model's */
        .served = served,
    };
    loop_post(call->loop, &counted->task);
}

void record_watch(const struct http_request *request, const struct http_served *served, void *arg)
{
    struct record *record = arg;
    record_count(record, request->loop, &request->about, served);
    if (record->log)
        access_log_add(record->log, request, served);
}

/* ---- reading ---- */

struct gathered {
    struct series **list;
    size_t count;
};

static int series_order(const void *a, const void *b)
{
    const struct series *x = *(struct series *const *)a, *y = *(struct series *const *)b;
    int order = strcmp(x->service, y->service);
    return order ? order : strcmp(x->operation, y->operation);
}

static void gather_one(struct gathered *all, const _Atomic(struct series *) *slot)
{
    struct series *series = atomic_load_explicit(slot, memory_order_acquire);
    if (series)
        all->list[all->count++] = series;
}

static struct gathered gather_all(const struct record *record)
{
    struct gathered all = {mem_alloc(record->loops * (SLOTS + 1) * sizeof(struct series *)), 0};
    for (size_t i = 0; i < record->loops; i++) {
        for (size_t s = 0; s < SLOTS; s++)
            gather_one(&all, &record->table[i].slot[s]);
        gather_one(&all, &record->table[i].other);
    }
    qsort(all.list, all.count, sizeof *all.list, series_order);
    return all;
}

/* How many from `first` on are of the same name. */
static size_t same_names(const struct gathered *all, size_t first)
{
    size_t n = 1;
    while (first + n < all->count && series_order(&all->list[first], &all->list[first + n]) == 0)
        n++;
    return n;
}

#define LABELS(series) {{"service", str_of((series)->service)}, {"operation", str_of((series)->operation)}}

static void write_statuses(struct buf *out, const struct metric_family *family, struct series *const *same, size_t n)
{
    uint64_t counts[600] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s <= STATUSES_MAX; s++)
            counts[atomic_load_explicit(&same[i]->status[s].status, memory_order_relaxed)] +=
                metric_read(&same[i]->status[s].count);
    for (int status = 0; status < (int)COUNT_OF(counts); status++) {
        char text[8];
        snprintf(text, sizeof text, "%d", status);
        struct metric_label labels[] = {{"service", str_of(same[0]->service)}, {"operation", str_of(same[0]->operation)},
                                        {"status", str_of(text)}};
        if (counts[status])
            metrics_value(out, family, labels, COUNT_OF(labels), (double)counts[status]);
    }
}

static void write_latency(struct buf *out, const struct metric_family *family, struct series *const *same, size_t n)
{
    struct metric_label labels[] = LABELS(same[0]);
    struct histogram_sum sum = {0};
    for (size_t i = 0; i < n; i++)
        histogram_gather(&same[i]->us, &sum);
    metrics_histogram(out, family, labels, COUNT_OF(labels), &sum);
}

static void write_count(struct buf *out, const struct metric_family *family, struct series *const *same, size_t n, size_t offset)
{
    struct metric_label labels[] = LABELS(same[0]);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += metric_read((const metric_count *)(const void *)((const char *)same[i] + offset));
    metrics_value(out, family, labels, COUNT_OF(labels), (double)sum);
}

static const struct {
    struct metric_family family;
    void (*write)(struct buf *out, const struct metric_family *family, struct series *const *same, size_t n);
    size_t offset; /* of the count, where write is NULL */
} families[] = {
    {{"cloudless_requests_total", "Requests that are over, by HTTP status; 0: the client went before the answer.", METRIC_COUNTER,
      0, 0},
     write_statuses,
     0},
    {{"cloudless_request_duration_seconds", "From the first byte of the request to the last of the answer.", METRIC_HISTOGRAM, 1e-6,
      5},
     write_latency,
     0},
    {{"cloudless_request_bytes_total", "Bytes of bodies received.", METRIC_COUNTER, 0, 0}, NULL, offsetof(struct series, bytes_in)},
    {{"cloudless_response_bytes_total", "Bytes of answers sent, heads included.", METRIC_COUNTER, 0, 0},
     NULL,
     offsetof(struct series, bytes_out)},
    {{"cloudless_requests_cut_total", "Requests whose client did not get the whole answer.", METRIC_COUNTER, 0, 0},
     NULL,
     offsetof(struct series, cut)},
};

void record_write(struct buf *out, void *arg)
{
    const struct record *record = arg;
    struct gathered all = gather_all(record);
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        metrics_head(out, &families[f].family);
        for (size_t i = 0, n; i < all.count; i += n) {
            n = same_names(&all, i);
            if (families[f].write)
                families[f].write(out, &families[f].family, &all.list[i], n);
            else
                write_count(out, &families[f].family, &all.list[i], n, families[f].offset);
        }
    }
    free(all.list);
}

uint64_t record_total(const struct record *record)
{
    struct gathered all = gather_all(record);
    uint64_t total = 0;
    for (size_t i = 0; i < all.count; i++)
        total += metric_read(&all.list[i]->count);
    free(all.list);
    return total;
}
