/* lambda_invoke.c -- how invocations come in and reach their function's home loop. Counted from lambda__invoke to done; above the
 * bound they are refused with 429 as AWS's account concurrency. */
#include "services/lambda/lambda_invoke.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/panic.h"
#include "services/lambda/function_name.h"
#include "services/lambda/lambda_parts.h"
#include "services/lambda/pool.h"
#include <stdatomic.h>

#define FUNCTION_READS_MAX 8            /* of a function that others change each time */

struct invoke_door {                    /* invocation->internal begins with its flight */
    struct lambda__flight flight;
    struct lambda *lambda;
    struct lambda__invocation *invocation;
    struct work work;                   /* of a function that no loop may read */
    unsigned reads;
    enum err err;
};

static void arrive(struct invoke_door *door);

/* On a worker: into the cache. */
static void read_function(struct work *work)
{
    struct invoke_door *door = CONTAINER_OF(work, struct invoke_door, work);
    const struct lambda__invocation *i = door->invocation;
    struct lambda__function *function = NULL;
    door->err = lambda__functions_get(door->lambda->functions, i->account, i->region, i->function, &function);
    lambda__function_unref(&function);
}

static void function_is_read(struct work *work)
{
    struct invoke_door *door = CONTAINER_OF(work, struct invoke_door, work);
    if (door->err == ERR_NOT_FOUND)
        lambda__invocation_not_found(door->invocation);
    else if (door->err != ERR_OK)
        lambda__invocation_refuse(door->invocation, "ServiceException", 500, str_of(err_text(door->err)));
    else
        arrive(door);
}

/* On the home loop. */
static void arrive(struct invoke_door *door)
{
    struct lambda__invocation *i = door->invocation;
    struct workers *workers = door->lambda->platform->workers;
    if (i->qualifier.n && !str_eq(i->qualifier, STR("$LATEST"))) {
        lambda__invocation_not_found(i);
        return;
    }
    if (lambda__pools_submit(door->lambda->pools, i))
        return;
    door->work = (struct work){.run = read_function, .done = function_is_read, .loop = loop_current()};
    if (++door->reads > FUNCTION_READS_MAX || workers_submit(workers, LANE_READ, &door->work) != ERR_OK)
        lambda__invocation_refuse(i, "ServiceException", 500, str_of(err_text(ERR_BUSY)));
}

static void run_arrival(struct loop_task *task)
{
    struct lambda__invocation *invocation = CONTAINER_OF(task, struct lambda__invocation, task);
    arrive(CONTAINER_OF(lambda__flight(invocation), struct invoke_door, flight));
}

/* The tracing header as Lambda hands it on: with a root (the caller's, if there is one), a parent and the decision not to sample.
 * Source: "Tracing header", X-Ray developer guide. */
static struct str complete_trace(struct arena *arena, struct str given)
{
    uint8_t random[ID_TRACE_BYTES + 8];
    struct buf out;
    if (!str_starts(given, STR("Root=1-")) || given.n > ID_TRACE_HEADER_MAX)
        given = STR_NONE;
    else if (str_contains(given, STR("Parent=")))
        return given;
    random_bytes(random, sizeof random);
    buf_init(&out, arena, ID_TRACE_HEADER_MAX + 128);
    buf_add(&out, given.n ? given : id_trace_root(arena, clock_epoch_ms(), random));
    buf_lit(&out, ";Parent=");
    hex_write(&out, (struct str){(const char *)random + ID_TRACE_BYTES, 8});
    if (!given.n || !str_contains(given, STR("Sampled=")))
        buf_lit(&out, ";Sampled=0");
    return buf_str(&out);
}

void lambda__invoke(struct lambda *lambda, struct lambda__invocation *invocation)
{
    struct loop *home = lambda__pools_home(lambda->pools, invocation->account, invocation->region, invocation->function);
    struct invoke_door *door = arena_new_of(invocation->arena, struct invoke_door);
    *door = (struct invoke_door){.flight = {.in_flight = &lambda->in_flight}, .lambda = lambda, .invocation = invocation};
    invocation->internal = &door->flight;
    if (invocation->request_id.n == 0)
        invocation->request_id = uuid4(invocation->arena);
    invocation->trace_id = complete_trace(invocation->arena, invocation->trace_id);
    size_t running = atomic_fetch_add(&lambda->in_flight, 1);
    if (running >= lambda->concurrency_max) {
        lambda__invocation_refuse(invocation, "TooManyRequestsException", 429, STR("Rate Exceeded."));
        return;
    }
    if (invocation->payload.n > EVENT_PAYLOAD_BYTES_MAX) {
        lambda__invocation_refuse(
            invocation, "RequestTooLargeException", 413,
            arena_printf(invocation->arena,
                         "%zu byte payload is too large for the RequestResponse invocation type (limit %d bytes)",
                         invocation->payload.n, EVENT_PAYLOAD_BYTES_MAX));
        return;
    }
    if (home == loop_current()) {
        arrive(door);
        return;
    }
    invocation->task.run = run_arrival;
    loop_post(home, &invocation->task);
}

/* ---- events by ARN ---- */

static bool read_function_name(struct str rest, struct event_address *ret)
{
    return lambda__split_name(rest, &ret->name, &ret->qualifier);
}

static enum err function_permits(const struct event_address *to, const struct event_source *source, struct arena *arena)
{
    struct lambda *lambda = to->state;
    struct lambda__function *function;
    enum err err = lambda__functions_get(lambda->functions, to->account, to->region, to->name, &function);
    if (err != ERR_OK)
        return err;
    bool allowed = event_source_allowed(source, function->policy, "lambda:InvokeFunction", function->arn, arena);
    lambda__function_unref(&function);
    return allowed ? ERR_OK : ERR_DENIED;
}

static void function_answered(struct lambda__invocation *i)
{
    struct event_delivery *delivery = i->arg;
    delivery->outcome = i->outcome;
    delivery->answer = i->answer;
    delivery->error_code = i->outcome == EVENT_FAILED ? i->function_error : i->error_code;
    delivery->error_status = i->error_status;
    delivery->error_message = i->error_message;
    delivery->done(delivery);
}

static void deliver_to_function(struct event_delivery *delivery)
{
    const struct event_address *to = &delivery->to;
    struct lambda__invocation *i = arena_new_of(delivery->arena, struct lambda__invocation);
    *i = (struct lambda__invocation){.loop = delivery->loop,
                                     .arena = delivery->arena,
                                     .account = to->account,
                                     .region = to->region,
                                     .function = to->name,
                                     .qualifier = to->qualifier,
                                     .payload = delivery->payload,
                                     .trace_id = delivery->trace_id,
                                     .done = function_answered,
                                     .arg = delivery};
    lambda__invoke(to->state, i);
}

const struct event_target lambda__targets[] = {{.service = "lambda",
                                                .resource = "function:",
                                                .read_name = read_function_name,
                                                .permits = function_permits,
                                                .deliver = deliver_to_function},
                                               {0}};
