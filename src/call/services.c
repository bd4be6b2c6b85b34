/* services.c -- the list of services: checked once, opened in the order of their uses, closed in the opposite one.
 * Threads: everything but services_bindings and services_page runs on the main thread, while no other uses the list. */
#include "base/panic.h"
#include "call/service.h"
#include "jobs/jobs.h"
#include <stdlib.h>

#define SERVICES_MAX 128
#define SERVICE_APIS_MAX 8

struct services {
    const struct service *order[SERVICES_MAX];      /* each behind those that it uses */
    void *state[SERVICES_MAX];
    size_t count, opened;
    bool started;
    struct service_binding bindings[SERVICES_MAX * SERVICE_APIS_MAX + 1];
};

static size_t services_index(const struct services *services, const char *name)
{
    for (size_t i = 0; i < services->count; i++) {
        if (strcmp(services->order[i]->name, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

static bool uses_are_ordered(const struct services *services, const struct service *service)
{
    for (size_t i = 0; service->uses && service->uses[i]; i++) {
        if (services_index(services, service->uses[i]) == SIZE_MAX)
            return false;
    }
    return true;
}

bool row_agrees(const struct row *row, const struct model_operation *operation)
{
    bool signs = (operation->auth & (MODEL_AUTH_SIGV4 | MODEL_AUTH_SIGV4A)) != 0;
    switch (row->caller) {
    case CALLER_SIGNED:
        return signs && !row->authenticate;
    case CALLER_ANYBODY:
        return (operation->auth & MODEL_AUTH_NONE) && !row->authenticate && !row->needs;
    case CALLER_SIGNED_OR_ANONYMOUS:
        return signs && !row->authenticate && row->needs;
    case CALLER_OWN:
        return (operation->auth & (MODEL_AUTH_NONE | MODEL_AUTH_BEARER)) && row->authenticate;
    }
    return false;
}

static bool targets_are_whole(const struct service *service)
{
    for (const struct event_target *target = service->targets; target && target->service; target++) {
        if (!target->resource || !target->read_name || !target->permits || !target->deliver)
            return false;
    }
    return true;
}

static void check_service(const struct services *services, const struct service *service)
{
    ENSURE(services->count < SERVICES_MAX);
    ENSURE(service->space < STORE_SPACE_FIRST && service->space != STORE_SPACE_SYSTEM && service->space != STORE_SPACE_JOBS);
    ENSURE(targets_are_whole(service));
    for (size_t i = 0; i < services->count; i++) {
        ENSURE(strcmp(services->order[i]->name, service->name) != 0);
        ENSURE(!service->space || services->order[i]->space != service->space);
    }
    for (size_t i = 0; service->apis[i]; i++) {
        const struct service_api *api = service->apis[i];
        ENSURE(i < SERVICE_APIS_MAX);
        ENSURE(!api->model->signs_as_s3 || api->errors->faults[FAULT_BODY_MISMATCH].code);
        for (size_t j = 0; j < api->row_count; j++) {
            ENSURE(j == 0 || strcmp(api->rows[j - 1].name, api->rows[j].name) < 0);
            ENSURE(!api->rows[j].streams || api->streams);
            const struct model_operation *operation = model_operation_find(api->model, str_of(api->rows[j].name));
            ENSURE(operation && row_agrees(&api->rows[j], operation));
        }
    }
}

/* Takes those whose uses are there already, again and again, until all are; a round that takes none is a circle. */
static void order_services(struct services *services, const struct service *const *list)
{
    size_t wanted = 0;
    while (list[wanted])
        wanted++;
    while (services->count < wanted) {
        size_t before = services->count;
        for (size_t i = 0; i < wanted; i++) {
            if (services_index(services, list[i]->name) != SIZE_MAX || !uses_are_ordered(services, list[i]))
                continue;
            check_service(services, list[i]);
            services->order[services->count++] = list[i];
        }
        ENSURE(services->count > before);
    }
}

static void set_states(struct services *services)
{
    for (struct service_binding *b = services->bindings; b->api; b++)
        b->state = services->state[services_index(services, b->service->name)];
}

struct services *services_new(const struct service *const *list)
{
    struct services *services = mem_zalloc(sizeof *services);
    order_services(services, list);
    size_t n = 0;
    for (size_t i = 0; i < services->count; i++) {
        for (size_t j = 0; services->order[i]->apis[j]; j++)
            services->bindings[n++] = (struct service_binding){.service = services->order[i], .api = services->order[i]->apis[j]};
    }
    return services;
}

void services_free(struct services *services)
{
    free(services);
}

enum err services_open(struct services *services, const struct platform *platform, const char **ret_failed)
{
    for (; services->opened < services->count; services->opened++) {
        const struct service *service = services->order[services->opened];
        enum err err = service->open(platform, &services->state[services->opened]);
        if (err != ERR_OK) {
            *ret_failed = service->name;
            return err;
        }
    }
    set_states(services);
    return ERR_OK;
}

void services_start(struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        if (services->order[i]->start)
            services->order[i]->start(services->state[i]);
    }
    services->started = true;
}

void services_stop(struct services *services)
{
    for (size_t i = services->started ? services->count : 0; i > 0; i--) {
        if (services->order[i - 1]->stop)
            services->order[i - 1]->stop(services->state[i - 1]);
    }
    services->started = false;
}

void services_close(struct services *services)
{
    while (services->opened > 0) {
        size_t last = --services->opened;
        if (services->order[last]->close)
            services->order[last]->close(services->state[last]);
        services->state[last] = NULL;
    }
    set_states(services);
}

size_t services_jobs(const struct services *services, struct jobs_kind *ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < services->opened; i++) {
        for (const struct jobs_kind *kind = services->order[i]->jobs; kind && kind->name; kind++) {
            ENSURE(n < max);
            ret[n] = *kind;
            ret[n++].arg = services->state[i];
        }
    }
    return n;
}

const struct service_binding *services_bindings(const struct services *services)
{
    return services->bindings;
}

void *services_state(const struct services *services, const char *name)
{
    size_t i = services_index(services, name);
    ENSURE(i < services->opened);
    return services->state[i];
}

bool services_target(const struct services *services, struct str arn, struct event_address *ret)
{
    for (size_t i = 0; i < services->count; i++) {
        for (const struct event_target *target = services->order[i]->targets; target && target->service; target++) {
            if (!event_target_match(target, arn, ret))
                continue;
            ret->state = services->state[i];
            return true;
        }
    }
    return false;
}

const struct service_page *services_page(const struct services *services, struct str path, void **ret_state)
{
    for (size_t i = 0; i < services->count; i++) {
        for (const struct service_page *page = services->order[i]->pages; page && page->prefix; page++) {
            if (!str_starts(path, str_of(page->prefix)))
                continue;
            *ret_state = services->state[i];
            return page;
        }
    }
    return NULL;
}
