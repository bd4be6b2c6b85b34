/* function_http_client_fuzz.c -- answers of HTTP/1.1 made of any bytes, in pieces of any size (the first byte). Properties: it
 * ends; headers are within the head and end in NUL; the body keeps its bound; one piece or many, the answer is the same. */
#include "http_client.h"
#include <stdlib.h>

#define CHECK(what) ((what) ? (void)0 : abort())
#define BODY_MAX    4096

struct script {
    const char *p;
    size_t n, piece;
};

static ssize_t script_read(void *arg, void *to, size_t n, int64_t deadline_ms)
{
    struct script *s = arg;
    size_t give = s->n < s->piece ? s->n : s->piece;
    (void)deadline_ms;
    CHECK(n > 0);
    give = give < n ? give : n;
    if (give)
        memcpy(to, s->p, give);
    s->p += give, s->n -= give;
    return (ssize_t)give;
}

static struct cl__http_answer answers[2];

static cl_result read_one(struct script *script, cl_arena *arena, struct cl__http_answer *answer)
{
    struct cl__transport transport = {script_read, NULL, script};
    cl_result result = cl__http_read(&transport, arena, BODY_MAX, CL__NO_DEADLINE, answer);
    CHECK(result == CL_OK || !answer->keep);
    CHECK(answer->body.n <= BODY_MAX && answer->body.p[answer->body.n] == 0);
    if (result == CL_OK)
        for (size_t i = 0; i < answer->header_count; i++) {
            CHECK(answer->headers[i].name.p[answer->headers[i].name.n] == 0);
            CHECK(answer->headers[i].value.p[answer->headers[i].value.n] == 0);
        }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    cl_arena *arena = cl_arena_new(0);
    struct script whole = {(const char *)data + 1, size - 1, size}, pieces = {(const char *)data + 1, size - 1, data[0] % 64 + 1u};
    for (int i = 0; i < 2; i++)
        answers[i].pipelined = true, answers[i].ahead = 0;
    for (int i = 0; i < 4; i++) {
        cl_result one = read_one(&whole, arena, &answers[0]), many = read_one(&pieces, arena, &answers[1]);
        CHECK(one == many && answers[0].status == answers[1].status);
        if (one != CL_OK)
            break;
        CHECK(cl_str_eq(answers[0].body, answers[1].body));
        if (!answers[0].keep || !answers[1].keep)
            break;
    }
    struct script thrown = {(const char *)data + 1, size - 1, 7};
    answers[0].ahead = 0;
    CHECK(read_one(&thrown, NULL, &answers[0]) != CL_OK || answers[0].body.n == 0);
    cl_arena_free(arena);
    return 0;
}
