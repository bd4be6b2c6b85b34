/* app.c -- @NAME@: a REST API in C. */
#include <cloudless/http.h>
#include <cloudless/log.h>

static void hello(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)arg;
    cl_str name = cl_path_parameter(request, "name");
    cl_log(CL_INFO, "hello to " CL_FMT, CL_ARG(name));
    cl_json *body = cl_json_object(ctx->arena);
    cl_json_set(body, "hello", cl_json_string(ctx->arena, name));
    cl_body_json(response, body);
}

static const cl_route routes[] = {
    {"GET", "/hello/{name}", hello},
    {0},
};

static const cl_app app = {.routes = routes};

int main(void)
{
    return cl_run_app(&app, NULL);
}
