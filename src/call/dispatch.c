/* dispatch.c -- the life of a call:
 *
 *   admit           find the operation → its row → authenticate → read the input → validate → authorise → refuse
 *   prepare         on the loop, or on a worker if it may block
 *   run             inline: handle on the loop
 *                   worker: handle, and the door's answer, on a worker
 *                   mutation: mutate on the committer; once durable, committed on the loop
 *                   async: handle returns; call_complete comes later from any thread
 *   end             the door's answer; done on the call's loop
 *
 * A large call goes through admit and prepare on a worker, whatever its row says; and with a store whose reads may block,
 * every call does, and runs there too. The operation is found first, because it
 * says how to authenticate; but nothing is said about operations, input or resources before the caller is authenticated.
 * A call is always in the hands of exactly one thread; it changes hands through the store's mutation, the worker's item or
 * the loop's task that are embedded in it. */
#include "call/dispatch.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/panic.h"
#include "call/internal.h"
#include "call/pattern.h"
#include "call/service_errors.h"
#include "call/validate.h"
#include "net/worker.h"
#include <stdatomic.h>
#include <stdlib.h>

#define DRAWN_BY_MUTATE ((uint64_t)1 << 32)         /* where its random letters begin, however many prepare took */

struct calls {
    struct calls_options options;
};

/* A call and what moves it. */
struct call_frame {
    struct call call;                   /* first: the outside holds this address */
    struct calls *calls;
    struct needs needs;
    struct store_mutation mutation;
    struct work work;
    struct loop_task task;
    enum err err;                       /* of the mutation */
    atomic_bool completed;              /* RUN_ASYNC */
};

struct calls *calls_new(const struct calls_options *options)
{
    struct calls *calls = mem_zalloc(sizeof *calls);
    calls->options = *options;
    return calls;
}

void calls_free(struct calls *calls)
{
    free(calls);
    pattern_free_all();
}

struct auth *calls_auth(const struct calls *calls)
{
    return calls->options.auth;
}

struct str calls_default_region(const struct calls *calls)
{
    return calls->options.default_region;
}

const struct service_binding *calls_binding(const struct calls *calls, const char *api)
{
    for (const struct service_binding *b = calls->options.bindings; b && b->api; b++) {
        if (strcmp(b->api->model->service, api) == 0)
            return b;
    }
    return NULL;
}

void call__watched(const struct call *call, uint64_t ns)
{
    const struct calls_options *options = &call_calls(call)->options;
    if (options->watch)
        options->watch(call, ns, options->watch_arg);
}

struct call *call_new(struct calls *calls, const struct service_binding *of, struct arena *arena, struct loop *loop,
                      const struct call_door *door, void *door_state)
{
    struct call_frame *f = arena_new_of(arena, struct call_frame);
    f->calls = calls;
    f->call.arena = arena;
    f->call.loop = loop;
    f->call.door = door;
    f->call.door_state = door_state;
    f->call.service = of->service;
    f->call.api = of->api;
    f->call.service_state = of->state;
    f->call.account = calls->options.default_account;
    f->call.region = calls->options.default_region;
    f->call.request_id = call_request_id(arena, of->api->errors);
    return &f->call;
}

struct calls *call_calls(const struct call *call)
{
    return ((const struct call_frame *)(const void *)call)->calls;
}

/* ---- ending ---- */

static void call_ended(struct call *call)
{
    if (call->door->ended)
        call->door->ended(call);
}

static void call_end(struct call *call)
{
    call_ended(call);
    call->door->done(call);
}

static struct call_frame *frame_of_task(struct loop_task *task)
{
    return (struct call_frame *)(void *)((char *)task - offsetof(struct call_frame, task));
}

static void call_end_task(struct loop_task *task)
{
    call_end(&frame_of_task(task)->call);
}

void call_complete(struct call *call)
{
    struct call_frame *f = (struct call_frame *)call;
    ENSURE(call->run == RUN_ASYNC);
    ENSURE(!atomic_exchange(&f->completed, true));
    if (loop_current() == call->loop) {
        call_end(call);
        return;
    }
    f->task.run = call_end_task;
    loop_post(call->loop, &f->task);
}

struct body_writer *call_stream(struct call *call, uint64_t length, struct body_producer *producer)
{
    struct call_frame *f = (struct call_frame *)call;
    ENSURE(call->run == RUN_ASYNC && !call->failed);
    ENSURE(!atomic_exchange(&f->completed, true));
    return call->door->stream(call, length, producer);
}

/* ---- running ---- */

static struct call_frame *frame_of_work(struct work *work)
{
    return (struct call_frame *)(void *)((char *)work - offsetof(struct call_frame, work));
}

static void submit_call(struct call_frame *f, enum lane lane, void (*work)(struct work *), void (*done)(struct work *))
{
    f->work = (struct work){.run = work, .done = done, .loop = f->call.loop};
    enum err err = workers_submit(f->calls->options.workers, lane, &f->work);
    if (err == ERR_OK)
        return;
    call_fail_err(&f->call, err);
    call_end(&f->call);
}

static void handle_on_worker(struct work *work)
{
    struct call *call = &frame_of_work(work)->call;
    call->row->handle(call);
    call_ended(call);
}

static void handled_on_worker(struct work *work)
{
    struct call *call = &frame_of_work(work)->call;
    call->door->done(call);
}

static enum err mutate_call(struct store_txn *txn, void *arg)
{
    struct call *call = arg;
    call_forget_answer(call);           /* may be a second run */
    call->drawn = DRAWN_BY_MUTATE;
    call->row->mutate(call, txn);
    return call->failed ? ERR_ABORTED : ERR_OK;
}

/* What a run decided besides its writes: two runs must agree in it. */
static struct str mutate_result(struct store_mutation *mutation, struct arena *arena)
{
    const struct call *call = mutation->arg;
    struct buf buf;
    buf_init(&buf, arena, STORE_VALUE_MAX);
    buf_printf(&buf, "%d %d %s ", call->failed, call->status, call->failed ? call->error_code : "");
    buf_add(&buf, call->failed ? call->error_message : STR_NONE);
    if (call->error_fields)
        json_write(&buf, call->error_fields);
    if (call->output)
        json_write(&buf, call->output);
    return buf_str(&buf);
}

static void mutated_on_loop(struct loop_task *task)
{
    struct call_frame *f = frame_of_task(task);
    if (f->err == ERR_OK) {
        if (f->call.row->committed)
            f->call.row->committed(&f->call);
    } else if (f->err != ERR_ABORTED) {
        call_forget_answer(&f->call);       /* the store's failure is the truth, whatever mutate said in this run */
        call_fail_err(&f->call, f->err);
    }
    call_end(&f->call);
}

static void mutated_on_committer(struct store_mutation *mutation, enum err err)
{
    struct call_frame *f = (struct call_frame *)(void *)((char *)mutation - offsetof(struct call_frame, mutation));
    f->err = err;
    f->task.run = mutated_on_loop;
    loop_post(f->call.loop, &f->task);
}

static void submit_mutation(struct call_frame *f)
{
    if (store_queued(f->calls->options.store) > STORE_QUEUE_MAX) {
        call_fail_err(&f->call, ERR_BUSY);
        call_end(&f->call);
        return;
    }
    f->mutation = (struct store_mutation){.mutate = mutate_call, .done = mutated_on_committer, .arg = &f->call,
                                          .name = f->call.row->name, .result = mutate_result};
    store_submit(f->calls->options.store, &f->mutation);
}

static void run_call(struct call_frame *f)
{
    switch (f->call.run) {
    case RUN_INLINE:
        if (store_read_may_block(f->calls->options.store)) {
            submit_call(f, LANE_READ, handle_on_worker, handled_on_worker);
            return;
        }
        f->call.row->handle(&f->call);
        call_end(&f->call);
        return;
    case RUN_WORKER:
        ENSURE(f->call.row->handle);
        submit_call(f, LANE_SCAN, handle_on_worker, handled_on_worker);
        return;
    case RUN_MUTATION:
        submit_mutation(f);
        return;
    case RUN_ASYNC:
        ENSURE(!f->call.row->streams || f->call.body);
        f->call.row->handle(&f->call);
        return;
    }
    UNREACHABLE();
}

static void prepare_call(struct call_frame *f)
{
    f->call.run = f->call.row->run;
    if (f->call.run == RUN_MUTATION) {
        f->call.now_ms = clock_epoch_ms();
        random_bytes(f->call.seed, sizeof f->call.seed);
    }
    if (f->call.row->prepare)
        f->call.row->prepare(&f->call);
}

static void run_or_end(struct call_frame *f)
{
    if (f->call.failed)
        call_end(&f->call);
    else
        run_call(f);
}

static void prepare_on_worker(struct work *work)
{
    prepare_call(frame_of_work(work));
}

static void prepared_on_loop(struct work *work)
{
    run_or_end(frame_of_work(work));
}

/* ---- before running ---- */

static const struct row *row_find(const struct service_api *api, const char *name)
{
    size_t low = 0, high = api->row_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = strcmp(name, api->rows[middle].name);
        if (c == 0)
            return &api->rows[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct row *call_row(const struct call *call)
{
    return row_find(call->api, model_text(call->api->model, call->operation->name));
}

/* As the row says; what is not served is asked for a signature too, unless the model says that nobody signs it. */
static bool authenticate_call(struct call *call)
{
    const struct row *row = call->row;
    bool anybody = row ? row->caller == CALLER_ANYBODY : call->operation->auth == MODEL_AUTH_NONE;
    if (anybody)
        return true;
    if (!row || row->caller != CALLER_OWN)
        return call->door->authenticate(call);
    if (!row->authenticate(call))
        return false;
    arena_known(call->arena);
    return true;
}

/* Finds operation and row, and says nothing of a failure before the caller is known. */
static bool find_and_authenticate(struct call *call)
{
    const struct call_door *door = call->door;
    if (door->find && !door->find(call)) {
        struct call held = *call;
        call->failed = false;
        if (!door->authenticate || door->authenticate(call))
            *call = held;
        return false;
    }
    call->row = call_row(call);
    if (door->authenticate && !authenticate_call(call))
        return false;
    if (!call->row)
        call_fail_not_implemented(call, "");
    return call->row != NULL;
}

/* Everything up to the row's own code. */
static bool admit_call(struct call_frame *f)
{
    struct call *call = &f->call;
    if (!find_and_authenticate(call))
        return false;
    store_watch_reads(call->arena);
    if (!arena_room(call->arena)) {
        call_fault(call, FAULT_BUSY, STR_NONE);
        return false;
    }
    if (call->door->read)
        call->door->read(call);
    if (call->failed || !validate_input(call))
        return false;
    if (!call__authorize(call, f->calls->options.auth, &f->needs))
        return false;
    return !call->row->refused || call_refuse_members(call, call->row->refused);
}

static void admit_on_worker(struct work *work)
{
    struct call_frame *f = frame_of_work(work);
    if (admit_call(f) && !f->call.row->prepare_blocks)
        prepare_call(f);
}

static void admitted_on_loop(struct work *work)
{
    struct call_frame *f = frame_of_work(work);
    if (!f->call.failed && f->call.row->prepare_blocks)
        submit_call(f, LANE_UNPACK, prepare_on_worker, prepared_on_loop);
    else
        run_or_end(f);
}

void call_begin(struct call *call, bool large)
{
    struct call_frame *f = (struct call_frame *)call;
    if (large || store_read_may_block(f->calls->options.store)) {
        submit_call(f, large ? LANE_BODY : LANE_READ, admit_on_worker, admitted_on_loop);
    } else if (!admit_call(f)) {
        call_end(call);
    } else if (call->row->prepare_blocks) {
        submit_call(f, LANE_UNPACK, prepare_on_worker, prepared_on_loop);
    } else {
        prepare_call(f);
        run_or_end(f);
    }
}
