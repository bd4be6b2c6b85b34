/* query_fuzz.c -- forms of the query protocol. The first byte chooses IAM or STS and whether the form is the body or the
 * query string; the rest is the form. */
#include "api_input.h"
#include "services/iam/iam.h"
#include "services/sts/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct service_api apis[] = {{.model = &model_iam, .errors = &iam_errors, .overrides = &iam_overrides},
                                              {.model = &model_sts, .errors = &sts_errors}};
    if (size < 1) return 0;
    struct str form = {(const char *)data + 1, size - 1};
    struct http_header type = {STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    struct arena *arena = arena_new();
    struct http_request request = {.arena = arena, .method = STR("POST"), .path = STR("/"), .headers = &type, .header_count = 1};
    if (data[0] & 2) request.query = form;
    else request.body = form;
    run_request(&apis[data[0] & 1], &request);
    arena_free(arena);
    return 0;
}
