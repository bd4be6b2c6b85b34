/* command_event.c -- `cloudless event apigw-proxy` and `event http-api-proxy`: prints, on one line, the event of a request that is
 * described by options. */
#include "gateway/gateway.h"
#include "main/command.h"
#include <errno.h>
#include <stdio.h>

#define BODY_BYTES_MAX (6u << 20)       /* no event has more */

static const struct kind {
    const char *name, *stage;           /* stage: the default */
    const char *resource;               /* that takes every path but /; NULL: the route $default */
    gateway_sample_fn *make;
} kinds[] = {
    {"apigw-proxy", "prod", "/{proxy+}", gateway_sample_event},
    {"http-api-proxy", "$default", NULL, gateway_sample_http_event},
};

static const struct kind *find_kind(const struct options *options)
{
    if (options->word_count > 1) {
        fprintf(stderr, "cloudless: event takes one name; '%s' is one too many (options begin with --)\n", options->words[1]);
        return NULL;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(options->words[0], kinds[i].name) == 0)
            return &kinds[i];
    fprintf(stderr, "cloudless: there is no event '%s'; there are apigw-proxy (REST API) and http-api-proxy (HTTP API)\n",
            options->words[0]);
    return NULL;
}

static struct str text_or(const char *value, const char *otherwise)
{
    return str_of(value ? value : otherwise);
}

/* What --body or --body-file says. */
static bool event_body(const struct options *options, struct arena *arena, struct str *ret)
{
    *ret = text_or(options->body, "");
    if (!options->body_file)
        return true;
    bool standard = strcmp(options->body_file, "-") == 0;
    FILE *file = standard ? stdin : fopen(options->body_file, "rb");
    char *bytes = arena_alloc(arena, BODY_BYTES_MAX + 1);
    size_t n = file ? fread(bytes, 1, BODY_BYTES_MAX + 1, file) : 0;
    bool fine = file && !ferror(file) && n <= BODY_BYTES_MAX;
    if (!fine)
        fprintf(stderr, "cloudless: %s: %s\n", options->body_file,
                n > BODY_BYTES_MAX ? "more than the 6 MB of an event" : strerror(errno));
    if (file && !standard)
        fclose(file);
    *ret = (struct str){bytes, n};
    return fine;
}

int command_event(const struct options *options, struct arena *arena)
{
    const struct kind *kind = find_kind(options);
    struct http_header headers[COMMAND_HEADERS_MAX + 1];
    size_t count = 0;
    struct str body, event;
    bool typed = false;
    if (!kind)
        return EXIT_USAGE;
    if (!event_body(options, arena, &body))
        return EXIT_FAILED;
    for (; count < options->header_count; count++) {
        struct str value = str_of(options->headers[count]), name = str_cut(&value, ':');
        headers[count] = (struct http_header){name, str_trim(value)};
        typed = typed || str_eq_nocase(name, STR("Content-Type"));
    }
    if (body.n && !typed)
        headers[count++] = (struct http_header){STR("Content-Type"), STR("application/json")};
    struct gateway_sample sample = {.method = text_or(options->method, "GET"),
                                    .path = text_or(options->path, "/"),
                                    .stage = text_or(options->stage, kind->stage),
                                    .query = text_or(options->query, ""),
                                    .body = body,
                                    .headers = headers,
                                    .header_count = count};
    bool root = kind->resource && str_eq(sample.path, STR("/"));
    sample.resource = text_or(options->resource, root ? "/" : kind->resource);
    if (kind->resource && str_eq(sample.stage, STR("$default"))) {
        fprintf(stderr, "cloudless: a REST API has no stage $default; http-api-proxy has\n");
        return EXIT_USAGE;
    }
    if (!kind->make(&sample, arena, &event)) {
        fprintf(stderr,
                "cloudless: resource " STR_FMT " does not take path " STR_FMT
                ", or the event has more than 6 MB; see cloudless event --help\n",
                STR_ARG(sample.resource), STR_ARG(sample.path));
        return EXIT_FAILED;
    }
    printf(STR_FMT "\n", STR_ARG(event));
    return EXIT_FINE;
}
