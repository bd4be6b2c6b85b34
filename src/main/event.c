/* event.c -- `cloudless event apigw-proxy`: prints, on one line, the event of a request that is described by options. */
#include "gateway/gateway.h"
#include "main/command.h"
#include <stdio.h>

static struct str or(const char *value, const char *otherwise)
{
    return str_of(value ? value : otherwise);
}

int command_event(const struct options *options, struct arena *arena)
{
    if (options->word_count != 1 || strcmp(options->words[0], "apigw-proxy") != 0) {
        fprintf(stderr, "cloudless: there is no event '%s'; there is apigw-proxy\n", options->words[options->word_count - 1]);
        return EXIT_USAGE;
    }
    struct http_header headers[HEADERS_MAX + 1];
    size_t count = 0;
    struct str body = or(options->body, ""), event;
    bool typed = false;
    for (; count < options->header_count; count++) {
        struct str value = str_of(options->headers[count]), name = str_trim(str_cut(&value, ':'));
        headers[count] = (struct http_header){name, str_trim(value)};
        typed = typed || str_eq_nocase(name, STR("Content-Type"));
    }
    if (body.n && !typed)
        headers[count++] = (struct http_header){STR("Content-Type"), STR("application/json")};
    struct gateway_sample sample = {.method = or(options->method, "GET"), .path = or(options->path, "/"), .stage = or(options->stage, "prod"),
        .query = or(options->query, ""), .body = body, .headers = headers, .header_count = count};
    bool root = str_eq(sample.path, STR("/"));
    sample.resource = or(options->resource, root ? "/" : "/{proxy+}");
    if (!gateway_sample_event(&sample, arena, &event)) {
        fprintf(stderr, "cloudless: resource " STR_FMT " does not take path " STR_FMT "; see cloudless event --help\n",
                STR_ARG(sample.resource), STR_ARG(sample.path));
        return EXIT_FAILED;
    }
    printf(STR_FMT "\n", STR_ARG(event));
    return EXIT_FINE;
}
