/* empty.c -- a function that answers 200 and does nothing else: what the way to a function and back costs. */
#include "cloudless/http.h"

static void answer(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    (void)ctx, (void)request, (void)arg;
    cl_body_text(response, "text/plain", cl_str_of("answered"));
}

static const cl_route routes[] = {{"GET", "/{path+}", answer}, {0}};
static const cl_app app = {.routes = routes};

int main(void)
{
    return cl_run_app(&app, NULL);
}
