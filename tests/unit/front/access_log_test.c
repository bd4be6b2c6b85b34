/* access_log_test.c -- what is stripped from a query, and a queue that is full: lines are dropped and counted, nobody waits. */
#include "../base/unit.h"
#include "../base/files.h"
#include "front/access_log.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_query(void **state)
{
    (void)state;
    static const struct { const char *query, *wanted; } cases[] = {
        {"a=1&b", "a=1&b"},
        {"X-Amz-Signature=abc&X-Amz-Date=20260101T000000Z", "X-Amz-Signature=-&X-Amz-Date=20260101T000000Z"},
        {"API_KEY=1&accessToken=2&passWORD=3&clientsecret=4", "API_KEY=-&accessToken=-&passWORD=-&clientsecret=-"},
        {"%74oken=1", "%74oken=-"},
        {"a==b&&c=", "a==b&&c="},
        {"", ""},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_str(access_log_query(str_of(cases[i].query), arena), cases[i].wanted);
    arena_free(arena);
}

/* A pipe that nobody reads holds the writer; what comes then fits into the queue or is dropped. */
static void test_full_queue(void **state)
{
    (void)state;
    char dir[] = "/tmp/cloudless-access-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) >= 4096);
    struct access_log *log;
    assert_int_equal(access_log_open(path, 1000, &log), ERR_OK);
    size_t added = 0;
    while (access_log_dropped(log) < 3) {
        struct http_request request = {
            .arena = arena_new(), .method = STR("GET"), .path = STR("/a b"), .peer_ip = STR("127.0.0.1")};
        access_log_add(log, &request, &(struct http_served){.status = 200, .bytes_out = 10, .ns = 1500000});
        arena_free(request.arena);
        added++;
    }
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    FILE *file = fdopen(reader, "r");
    char line[4096];
    size_t lines = 0, dropped = 0;
    while (lines + dropped < added) {
        assert_non_null(fgets(line, sizeof line, file));
        unsigned n = 0;
        if (sscanf(line, "dropped=%u", &n) == 1)
            dropped += n;
        else
            lines += strstr(line, " path=\"/a b\" status=200 in=0 out=10 ms=1.500\n") != NULL;
    }
    assert_true(dropped >= 3);
    access_log_close(log);
    access_log_close(NULL);
    fclose(file);
    files_remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_query), cmocka_unit_test(test_full_queue)};
    return RUN(tests);
}
