/* service.h -- what a service says of itself, what it is given, and the list of all services.
 *
 * A service is a folder, src/services/NAME; its service.c makes the constant `NAME_service`, and the build collects these into
 * services_all. Nothing else names it. What the build has to know stands in the folder's service.mk, if it is not the usual:
 *   USES_NAME := services/iam sandbox      folders that it includes, beside wire and what lies below
 *   MODELS_NAME := apigateway apigatewayv2 botocore's names of its models; the folder's name without the line
 *   OVERRIDDEN_MODEL := TableArn           shapes with bounds of the service's own (validate.h)
 *   REQUIRED_MODEL := Shape.Member         members that are required although the model says otherwise
 *
 * Life: open, in the order of `uses` → start → (serving) → stop → close, in the opposite order. All that a service has hangs on
 * the state that its open gave: nothing is kept in the process, and a test may have two of a service. */
#ifndef CLOUDLESS_CALL_SERVICE_H
#define CLOUDLESS_CALL_SERVICE_H
#include "call/call.h"
#include "call/event_target.h"

struct auth;
struct blobs;
struct calls;
struct http_server;
struct jobs_kind;
struct loops;
struct metrics;
struct sandbox_driver;
struct sandbox_host;
struct services;
struct workers;

/* What the server was told; the strings live as long as it. */
struct platform_options {
    const char *account, *region;
    const char *cache_dir;                  /* what can be rebuilt at need; made by who uses it */
    const char *runtimes_dir;               /* build/runtimes or share/cloudless/runtimes */
    const char *const *runtimes;            /* --runtime python3.13=/path, NULL-terminated */
    size_t concurrency_max;                 /* invocations at the same time; 0: the default */
    size_t environments_max;                /* sandboxes that the process has descriptors for; 0: the default */
};

/* The parts that services stand on. It and all that is in it is borrowed and outlives them; a test fills in what its services
 * use. */
struct platform {
    const struct platform_options *options;
    struct store *store;
    struct blobs *blobs;
    struct auth *auth;
    struct loops *loops;
    struct workers *workers;
    struct http_server *http;
    struct calls *calls;                    /* for call_start (inside.h) */
    struct services *services;
    const struct sandbox_driver *sandbox_driver;
    struct sandbox_host *sandboxes;         /* the driver's. NULL: there are none, and sandboxes_missing says why */
    struct str sandboxes_missing;
    struct metrics *metrics;                /* for metrics_add_source in open; NULL: nobody asks */
    struct http_listener_options inside;    /* of the AWS endpoint within a sandbox, but for whose it is: fd, only, closed */
};

/* Requests below a path of our own (/_aws/NAME/…) that are no calls. */
struct service_page {
    const char *prefix;
    void (*handle)(void *state, struct http_request *request);      /* on its loop; answers, now or later */
    size_t body_max;
};

struct service {
    const char *name;                       /* the folder's */
    const struct service_api *const *apis;  /* NULL-terminated */
    unsigned space;                         /* of its documents (store.h): a number that no other service has or had; 0: none */
    const char *const *uses;                /* services that are opened before; NULL-terminated, or NULL */
    const struct service_page *pages;       /* ended by a row without a prefix; or NULL */
    const struct event_target *targets;     /* where others may send events; ended by a row without a service; or NULL */
    const struct jobs_kind *jobs;           /* its kinds (jobs.h), ended by a row without a name; each gets the state as its arg */
    /* The store can be read and written; loops do not run. *ret_state goes to every call (call->service_state). */
    enum err (*open)(const struct platform *platform, void **ret_state);
    void (*start)(void *state);             /* all services are open, loops run; no request comes yet. NULL: nothing */
    void (*stop)(void *state);              /* no request comes any more; loops, workers and store still run. NULL: nothing */
    void (*close)(void *state);             /* no thread but this one runs, the store's excepted. NULL: nothing */
};

/* The build's list, by name; NULL-terminated. */
extern const struct service *const services_all[];

/* An API as calls see it: whose it is. */
struct service_binding {
    const struct service *service;
    const struct service_api *api;
    void *state;                            /* from open to close */
};

/* ENSUREs that names and spaces stand once, that `uses` are there and go in no circle, and that rows are sorted. */
struct services *services_new(const struct service *const *list);
void services_free(struct services *services);
/* *ret_failed: the name of the one that could not be opened. Those that were are closed by services_close. */
enum err services_open(struct services *services, const struct platform *platform, const char **ret_failed);
void services_start(struct services *services);
void services_stop(struct services *services);
void services_close(struct services *services);
/* All kinds of jobs of the opened services, at most `max`: how many. */
size_t services_jobs(const struct services *services, struct jobs_kind *ret, size_t max);
/* All APIs of all services, ended by one without an API. */
const struct service_binding *services_bindings(const struct services *services);
/* Of whom an ARN is, as where to send an event; its strings are the ARN's. False: no service has such targets, or it is no ARN. */
bool services_target(const struct services *services, struct str arn, struct event_address *ret);
void *services_state(const struct services *services, const char *name);        /* of an opened service; ENSUREs that it is one */
/* The page that a path belongs to, or NULL; *ret_state is its service's. */
const struct service_page *services_page(const struct services *services, struct str path, void **ret_state);
#endif
