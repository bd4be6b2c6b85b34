/* http.h -- requests of API Gateway behind one view, and their answers: format 1.0 (REST APIs, and HTTP APIs that ask for
 * it) and 2.0 (HTTP APIs and function URLs). Source: API Gateway developer guide, "Input format of a Lambda function for
 * proxy integration" and "Working with AWS Lambda proxy integrations for HTTP APIs".
 *
 *     static void read_todo(cl_context *ctx, const cl_request *request, cl_response *response, void *arg) { … }
 *     static const cl_route routes[] = { {"GET", "/todos/{id}", read_todo}, {0} };
 *     static const cl_app app = {.routes = routes};
 *     int main(void) { return cl_run_app(&app, NULL); }
 */
#ifndef CLOUDLESS_HTTP_H
#define CLOUDLESS_HTTP_H
#include "cloudless/function.h"
CL_BEGIN

typedef struct cl_pair {
    cl_str name, value;
} cl_pair;

typedef struct cl_pairs {
    cl_pair *items;
    size_t count;
} cl_pairs;

/* Everything lives in the invocation's arena. */
typedef struct cl_request {
    int version;                /* 1 or 2 */
    cl_str method;
    cl_str path;                /* without the stage, otherwise as it came: percent-encoded as the client sent it, unless .. */
    bool path_decoded;          /* .. it is of an HTTP API, which decodes it (in both formats). A %2F has become a '/' then, which
                                   ends a segment like any other. REST APIs and function URLs do not */
    cl_str stage;
    cl_str source_ip;
    cl_str request_id;          /* API Gateway's */
    cl_pairs headers;           /* names as they came; several values are several pairs */
    cl_pairs query;             /* decoded */
    cl_pairs cookies;
    cl_pairs path_parameters;   /* those of the route in this program (cl_route), decoded once; or else API Gateway's, as given */
    cl_pairs stage_variables;
    cl_str body;                /* decoded from base64 if it came so */
    const cl_json *claims;      /* of an authorizer: JWT claims, or a Lambda authorizer's context; NULL: none */
    const cl_json *event;       /* the whole of it */
} cl_request;

/* CL_INVALID and a sentence with the path of what is wrong when it is no such event. */
CL_API cl_result cl_request_of(cl_arena *arena, const cl_json *event, cl_request *ret, cl_str *message);
/* The first value, or empty. Header names without regard to case. */
CL_API cl_str cl_header(const cl_request *request, const char *name);
CL_API cl_str cl_query(const cl_request *request, const char *name);
/* The query parameter as an integer from min to max; *ret untouched and true when it is absent, false when it is no such number. */
CL_API bool cl_query_int(const cl_request *request, const char *name, int64_t min, int64_t max, int64_t *ret);
CL_API cl_str cl_cookie(const cl_request *request, const char *name);
CL_API cl_str cl_path_parameter(const cl_request *request, const char *name);
/* The body parsed and bound by a table (json.h), unknown members refused. CL_INVALID with a sentence for the client, also for a
 * body that would take more than half of the memory that is left. */
CL_API cl_result cl_request_bind(cl_context *ctx, const cl_request *request, const cl_field *fields, void *into, cl_str *message);

/* Answers: status 200 without a body until said otherwise. Strings are borrowed until the answer is sent, after the handler
 * has returned: of the arena, or literals, never of the handler's stack. Header names and values with control characters,
 * and a status outside of 100 to 599, are refused: the answer becomes 500. One that is too large for Lambda becomes the error
 * Function.ResponseSizeTooLarge (function.h). */
typedef struct cl_response cl_response;
CL_API void cl_status(cl_response *response, int status);
CL_API void cl_set_header(cl_response *response, const char *name, cl_str value);   /* replaces */
CL_API void cl_add_header(cl_response *response, const char *name, cl_str value);
CL_API void cl_set_cookie(cl_response *response, const char *cookie);               /* "name=value; HttpOnly; …" */
CL_API void cl_body_json(cl_response *response, const cl_json *json);               /* with its content type */
CL_API void cl_body_text(cl_response *response, const char *content_type, cl_str text);     /* UTF-8 */
CL_API void cl_body_bytes(cl_response *response, const char *content_type, cl_str bytes);   /* base64 on the wire */
/* {"error": "…"} with that status. */
CL_API void cl_fail(cl_response *response, int status, const char *format, ...) CL_PRINTF(3, 4);
/* A function error instead of an answer: API Gateway turns it into 502. */
CL_API void cl_crash(cl_response *response, const char *type, const char *format, ...) CL_PRINTF(3, 4);

typedef void cl_route_handler(cl_context *ctx, const cl_request *request, cl_response *response, void *arg);

typedef struct cl_route {
    const char *method;         /* of those that API Gateway has, or "ANY": every method for which the path has no route of its own.
                                   HEAD without one is answered by GET's, without the body. NULL ends the table */
    const char *path;           /* "/todos/{id}"; a last "{name+}" takes the rest. Literals before parameters, whatever the order.
                                   A '/' at the end does not count. */
    cl_route_handler *handle;
} cl_route;

typedef struct cl_cors {
    const char *origin;         /* "*" or one origin; NULL: no CORS at all */
    const char *headers;        /* allowed, "Content-Type,Authorization" */
    int max_age;                /* seconds; 0: not said */
} cl_cors;

typedef struct cl_app {
    const cl_route *routes;
    cl_cors cors;               /* answers OPTIONS of known paths with 204 (unless a route is for OPTIONS) and marks every answer */
    /* Before each routed request, e.g. authentication; what it finds out goes to ctx->user. False: its answer stands, and if it
     * has made none, 500. NULL: none. */
    bool (*before)(cl_context *ctx, const cl_request *request, cl_response *response, void *arg);
} cl_app;

/* A request no route has the path of gets 404, a known path without the method 405 with Allow, a malformed event 400. */
CL_API void cl_app_handle(const cl_app *app, cl_context *ctx, cl_str event, cl_answer *answer);
/* cl_run with cl_app_handle. A table with a row that is wrong is an initialisation error that names the row. */
CL_API int cl_run_app(const cl_app *app, const cl_options *options);

CL_END
#endif
