/* inside.c -- the door without HTTP: input and output are trees, the caller is known, and nothing is copied.
 * The call begins on its loop, at once if that is the calling thread's. */
#include "call/inside.h"
#include "base/clock.h"
#include "base/panic.h"
#include "call/bind.h"
#include "call/internal.h"
#include "call/service_errors.h"

struct inside_call {
    struct call_start start;
    struct call *call;
    struct loop_task task;
    uint64_t begun_ns;
};

static struct inside_call *inside_of(const struct call *call)
{
    return call->door_state;
}

static bool inside_find(struct call *call)
{
    call->operation = model_operation_find(call->api->model, inside_of(call)->start.operation);
    if (!call->operation)
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    return call->operation != NULL;
}

static void inside_read(struct call *call)
{
    const struct call_start *start = &inside_of(call)->start;
    const struct model_shape *shape = model_input(call->api->model, call->operation);
    struct json *tree = start->input && shape ? start->input : json_new(call->arena, JSON_OBJECT);
    if (shape && !bind_named_tree(call, shape, tree))
        return;
    if ((call->operation->flags & (MODEL_OP_STREAM_OUT | MODEL_OP_EVENTS_OUT)) && !start->stream) {
        call_fail_not_implemented(call, "an answer that is gathered");
        return;
    }
    call->input = tree;
    call->payload = start->payload;
    if (call->row->streams)
        call->body =
            start->body ? start->body : body_of_bytes(arena_new_of(call->arena, struct body_bytes), call->loop, start->payload);
}

static struct body_writer *inside_stream(struct call *call, uint64_t length, struct body_producer *producer)
{
    const struct inside_call *inside = inside_of(call);
    call__watched(call, clock_mono_ns() - inside->begun_ns);
    return inside->start.stream(call, length, producer, inside->start.arg);
}

static struct str inside_header(const struct call *call, const char *name)
{
    return strcmp(name, "X-Amzn-Trace-Id") == 0 ? inside_of(call)->start.trace_id : STR_NONE;
}

static void inside_done(struct call *call)
{
    const struct inside_call *inside = inside_of(call);
    call__watched(call, clock_mono_ns() - inside->begun_ns);
    inside->start.done(call, inside->start.arg);
}

static const struct call_door inside_door = {.find = inside_find,
                                             .read = inside_read,
                                             .header = inside_header,
                                             .stream = inside_stream,
                                             .done = inside_done};

static void inside_begin(struct loop_task *task)
{
    const struct inside_call *inside = CONTAINER_OF(task, struct inside_call, task);
    call_begin(inside->call, inside->start.large);
}

enum err call_start(struct calls *calls, const struct call_start *start)
{
    const struct service_binding *of = calls_binding(calls, start->api);
    if (!of)
        return ERR_NOT_FOUND;
    ENSURE(start->principal && start->loop);
    struct inside_call *inside = arena_new_of(start->arena, struct inside_call);
    inside->start = *start;
    inside->begun_ns = clock_mono_ns();
    inside->call = call_new(calls, of, start->arena, start->loop, &inside_door, inside);
    inside->call->caller = start->principal;
    inside->call->account = start->account.n ? start->account : start->principal->account;
    if (start->region.n)
        inside->call->region = start->region;
    inside->task.run = inside_begin;
    if (loop_current() == start->loop)
        inside_begin(&inside->task);
    else
        loop_post(start->loop, &inside->task);
    return ERR_OK;
}
