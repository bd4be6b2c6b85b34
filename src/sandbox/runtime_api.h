/* runtime_api.h -- the Lambda Runtime API of one environment, on its own listener inside the sandbox.
 * GET /2018-06-01/runtime/invocation/next waits for an invocation; POST …/{id}/response, …/{id}/error, /runtime/init/error.
 * Source: "Using the Lambda runtime API". All on the environment's loop. */
#ifndef CLOUDLESS_SANDBOX_RUNTIME_API_H
#define CLOUDLESS_SANDBOX_RUNTIME_API_H
#include "net/http.h"

#define RUNTIME_IDLE_MS (16 * 60 * 1000)        /* of a connection without a request: longer than any handler may take */
#define RUNTIME_RESPONSE_BYTES_MAX 6291556      /* Lambda quota: 6 MB and a little, synchronous answer */

struct runtime_api;
struct runtime_api_hooks {              /* on the loop */
    void (*ready)(void *arg);                                               /* GET next waits, no invocation running */
    void (*response)(void *arg, struct str request_id, struct str body);    /* bytes valid during the call */
    void (*error)(void *arg, struct str request_id, struct str error_type, struct str body);
    void (*init_error)(void *arg, struct str error_type, struct str body);
    void (*too_large)(void *arg, struct str request_id, size_t bytes);      /* the answer was over the maximum, not read */
    void (*closed)(void *arg);                                              /* after runtime_api_close */
    /* Before each GET next; may be NULL. True: the program was started anew, so that `ready` follows, whatever the one before
     * had asked for or left open. False: a GET while an invocation runs is refused. */
    bool (*asked)(void *arg, uint16_t peer_port);
    void *arg;
};
/* tenant: see net/http.h; may be NULL. */
enum err runtime_api_open(struct http_server *server, struct loop *loop, int listener_fd, struct http_tenant *tenant,
                          const struct runtime_api_hooks *hooks, struct runtime_api **ret);
struct runtime_event {
    struct str request_id, function_arn, trace_id, client_context, cognito_identity, payload;
    int64_t deadline_ms;                /* epoch */
};
/* Gives the waiting GET its invocation. ERR_BUSY: none is waiting. */
enum err runtime_api_send(struct runtime_api *api, const struct runtime_event *event);
/* Tells the GET that waits that there is no invocation for it: 410, as every GET next after runtime_api_close. */
void runtime_api_dismiss(struct runtime_api *api);
void runtime_api_close(struct runtime_api *api);    /* frees it once `closed` ran */
#endif
