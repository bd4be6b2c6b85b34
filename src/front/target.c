/* target.c -- the URL forms, each a small matcher; the first that matches wins.
 *   http://{apiId}.execute-api.{region}.{anything}[:port]/{stage}/…
 *   /_aws/execute-api/{apiId}/{stage}/…
 *   /restapis/{apiId}/{stage}/_user_request_/…      (the form of other local stacks; no AWS path has that segment)
 *   /_aws/NAME/…            a page of a service's own (struct service_page)
 *   /_cloudless/health, /_cloudless/metrics
 * Everything else is an AWS API call or nothing. Slashes before a stage may be repeated, as on AWS (recorded in 2024). */
#include "front/target.h"

/* "name.execute-api.region.rest": the labels before and after. False when the host has another form. */
static bool host_names_api(struct str host, struct str *ret_api, struct str *ret_domain)
{
    struct str rest = host, api = str_cut(&rest, '.'), kind = str_cut(&rest, '.'), region = str_cut(&rest, '.');
    if (api.n == 0 || region.n == 0 || rest.n == 0 || !str_eq_nocase(kind, STR("execute-api")))
        return false;
    *ret_api = api;
    *ret_domain = host;
    return true;
}

static struct str host_without_port(struct str host)
{
    if (host.n && host.p[0] == '[')
        return str_slice(host, 0, str_find(host, ']') + 1);
    return str_slice(host, 0, str_find(host, ':'));
}

/* Takes the segment that follows the slashes at the head of *path; *path keeps its next '/'. */
static struct str take_segment(struct str *path)
{
    struct str body = str_slice(*path, 1, path->n);
    while (body.n && body.p[0] == '/')
        body = str_slice(body, 1, body.n);
    size_t n = str_find(body, '/');
    *path = str_slice(body, n, body.n);
    return str_slice(body, 0, n);
}

static struct str default_domain(const struct http_request *request, struct str api_id, struct str region)
{
    return arena_printf(request->arena, STR_FMT ".execute-api." STR_FMT ".localhost", STR_ARG(api_id), STR_ARG(region));
}

struct front_target front_target_of(const struct http_request *request, struct str default_region)
{
    struct front_target target = {.kind = FRONT_AWS};
    struct str path = request->path;

    if (host_names_api(host_without_port(request->host), &target.api_id, &target.domain)) {
        target.kind = FRONT_GATEWAY;
        target.stage = take_segment(&path);
        target.path = path;
        return target;
    }
    if (str_starts(path, STR("/_aws/execute-api/"))) {
        path = str_slice(path, STR("/_aws/execute-api").n, path.n);
        target.kind = FRONT_GATEWAY;
        target.api_id = take_segment(&path);
        target.stage = take_segment(&path);
        target.path = path;
    } else if (str_starts(path, STR("/restapis/"))) {
        path = str_slice(path, STR("/restapis").n, path.n);
        struct str api_id = take_segment(&path), stage = take_segment(&path);
        if (str_eq(take_segment(&path), STR("_user_request_")))
            target = (struct front_target){.kind = FRONT_GATEWAY, .api_id = api_id, .stage = stage, .path = path};
    } else if (str_starts(path, STR("/_aws/"))) {
        target.kind = FRONT_PAGE;
    } else if (str_starts(path, STR("/_cloudless/"))) {
        target.kind = str_eq(path, STR("/_cloudless/health"))    ? FRONT_HEALTH
                      : str_eq(path, STR("/_cloudless/metrics")) ? FRONT_METRICS
                                                                 : FRONT_OWN_UNKNOWN;
    }
    if (target.kind == FRONT_GATEWAY)
        target.domain = default_domain(request, target.api_id, default_region);
    return target;
}
