/* lambda_invoke.c -- the doors for the gateway: how invocations come in and reach their function's home loop, and whether a
 * service may invoke. Counted from lambda_invoke to done; above the bound they are refused with 429 as AWS's account concurrency.
 */
#include "auth/policy.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/panic.h"
#include "services/lambda/invocation.h"
#include "services/lambda/lambda_parts.h"
#include "services/lambda/pool.h"
#include <stdatomic.h>

struct invoke_door {                    /* invocation->internal begins with its flight */
    struct lambda__flight flight;
    struct lambda *lambda;
};

/* On the home loop. */
static void arrive(struct lambda *lambda, struct lambda_invocation *i)
{
    struct lambda__function *function = NULL;
    enum err err = i->qualifier.n && !str_eq(i->qualifier, STR("$LATEST"))
                       ? ERR_NOT_FOUND
                       : lambda__functions_get(lambda->functions, i->account, i->region, i->function, &function);
    if (err == ERR_NOT_FOUND)
        lambda__invocation_not_found(i);
    else if (err != ERR_OK)
        lambda__invocation_refuse(i, "ServiceException", 500, str_of(err_text(err)));
    else
        lambda__pools_submit(lambda->pools, i, function);
}

static void run_arrival(struct loop_task *task)
{
    struct lambda_invocation *invocation = CONTAINER_OF(task, struct lambda_invocation, task);
    struct invoke_door *door = CONTAINER_OF(lambda__flight(invocation), struct invoke_door, flight);
    arrive(door->lambda, invocation);
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

void lambda_invoke(struct lambda *lambda, struct lambda_invocation *invocation)
{
    struct loop *home = lambda__pools_home(lambda->pools, invocation->account, invocation->region, invocation->function);
    struct invoke_door *door = arena_new_of(invocation->arena, struct invoke_door);
    *door = (struct invoke_door){.flight = {.in_flight = &lambda->in_flight}, .lambda = lambda};
    invocation->internal = &door->flight;
    if (invocation->request_id.n == 0)
        invocation->request_id = uuid4(invocation->arena);
    invocation->trace_id = complete_trace(invocation->arena, invocation->trace_id);
    size_t running = atomic_fetch_add(&lambda->in_flight, 1);
    if (running >= lambda->concurrency_max) {
        lambda__invocation_refuse(invocation, "TooManyRequestsException", 429, STR("Rate Exceeded."));
        return;
    }
    if (invocation->payload.n > LAMBDA_PAYLOAD_BYTES_MAX) {
        lambda__invocation_refuse(
            invocation, "RequestTooLargeException", 413,
            arena_printf(invocation->arena,
                         "%zu byte payload is too large for the RequestResponse invocation type (limit %d bytes)",
                         invocation->payload.n, LAMBDA_PAYLOAD_BYTES_MAX));
        return;
    }
    if (home == loop_current()) {
        arrive(lambda, invocation);
        return;
    }
    invocation->task.run = run_arrival;
    loop_post(home, &invocation->task);
}

bool lambda_permits(struct lambda *lambda, struct str account, struct str region, struct str function,
                    const char *service_principal, struct str source_arn, struct arena *arena)
{
    struct lambda__function *f = NULL;
    if (lambda__functions_get(lambda->functions, account, region, function, &f) != ERR_OK)
        return false;
    struct principal principal = {.type = PRINCIPAL_SERVICE, .arn = str_of(service_principal)};
    struct policy_context context[] = {{"aws:SourceArn", source_arn}, {"aws:SourceAccount", arn_account(source_arn)}};
    struct policy_request request = {.action = STR("lambda:InvokeFunction"),
                                     .resource = arena_dup(arena, f->arn),
                                     .principal = &principal,
                                     .context = context,
                                     .context_count = COUNT_OF(context)};
    bool by_account;
    bool permitted = f->policy && policy_match(f->policy, &request, &by_account) == POLICY_ALLOW;
    lambda__function_unref(&f);
    return permitted;
}
