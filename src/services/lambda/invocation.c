/* invocation.c -- how an invocation ends: answered on the home loop, or refused; `done` where it began. */
#include "services/lambda/invocation.h"
#include "base/panic.h"
#include "services/lambda/function_name.h"
#include <stdatomic.h>

struct lambda__flight *lambda__flight(struct lambda__invocation *invocation)
{
    return invocation->internal;
}

static void run_invocation_done(struct loop_task *task)
{
    struct lambda__invocation *invocation = CONTAINER_OF(task, struct lambda__invocation, task);
    invocation->done(invocation);
}

static void end_invocation(struct lambda__invocation *invocation, bool at_once)
{
    struct lambda__flight *flight = lambda__flight(invocation);
    ENSURE(flight);                     /* it ended before */
    invocation->internal = NULL;
    lambda__function_unref(&flight->function);
    atomic_fetch_sub(flight->in_flight, 1);
    if (at_once && loop_current() == invocation->loop) {
        invocation->done(invocation);
        return;
    }
    invocation->task.run = run_invocation_done;
    loop_post(invocation->loop, &invocation->task);
}

void lambda__invocation_answer(struct lambda__invocation *invocation, struct str payload, const char *function_error)
{
    invocation->outcome = function_error ? EVENT_FAILED : EVENT_ANSWERED;
    invocation->answer = payload;
    invocation->function_error = function_error;
    end_invocation(invocation, true);
}

void lambda__invocation_refuse(struct lambda__invocation *invocation, const char *code, int status, struct str message)
{
    invocation->outcome = EVENT_REFUSED;
    invocation->error_code = code;
    invocation->error_status = status;
    invocation->error_message = message;
    end_invocation(invocation, false);
}

void lambda__invocation_not_found(struct lambda__invocation *i)
{
    struct str arn = lambda__function_arn(i->arena, i->account, i->region, i->function);
    struct str message =
        i->qualifier.n ? arena_printf(i->arena, "Function not found: " STR_FMT ":" STR_FMT, STR_ARG(arn), STR_ARG(i->qualifier))
                       : arena_printf(i->arena, "Function not found: " STR_FMT, STR_ARG(arn));
    lambda__invocation_refuse(i, "ResourceNotFoundException", 404, message);
}
