/* http_client_test.c -- answers of HTTP/1.1 from a scripted transport, in pieces of every size, and over real sockets. */
#include "walk.h"
#include "http_client.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Gives `text` in pieces of `piece` bytes, then says `end`. */
struct script {
    cl_str text;
    size_t at, piece;
    ssize_t end;
};

static ssize_t script_read(void *arg, void *to, size_t n, int64_t deadline_ms)
{
    struct script *s = arg;
    size_t left = s->text.n - s->at, give = s->piece < n ? s->piece : n;
    (void)deadline_ms;
    assert_true(n > 0);
    if (left == 0)
        return s->end;
    give = give < left ? give : left;
    memcpy(to, s->text.p + s->at, give);
    s->at += give;
    return (ssize_t)give;
}

static struct cl__http_answer answer;

static cl_result read_script(cl_arena *arena, cl_str text, size_t piece, ssize_t end, size_t body_max)
{
    struct script script = {text, 0, piece, end};
    struct cl__transport transport = {script_read, NULL, &script};
    return cl__http_read(&transport, arena, body_max, CL__NO_DEADLINE, &answer);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *body;
        bool keep;
    } rows[] = {
        {OK_HEAD "Content-Length: 5\r\n\r\nhello", 200, "hello", true},
        {OK_HEAD "Content-Length: 0\r\n\r\n", 200, "", true},
        {OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nab", 200, "ab", false},
        {OK_HEAD "Content-Length: 2\r\n\r\nabc", 200, "ab", false},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200, "abcde", true},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", 200, "a", true},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 200, "", false},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304, "", false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "", true},
        {"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n", 202, "{\"status\":\"OK\"}\n", true},
        {"HTTP/1.1 500 \r\nContent-Length: 1\r\n\r\nx", 500, "x", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false},
        {OK_HEAD "\r\nuntil the end", 200, "until the end", false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD "Content-Length: 1\r\n\r\nz", 200, "z", true},
    };
    cl_arena *arena = cl_arena_new(0);
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        for (size_t piece = 1; piece < 200; piece += piece < 8 ? 1 : 61) {
            cl_result result = read_script(arena, cl_str_of(rows[i].text), piece, CL__IO_END, 1000);
            if (result != CL_OK || answer.status != rows[i].status || (piece > 150 && answer.keep != rows[i].keep))
                fail_msg("row %zu, pieces of %zu: %s, %d, keep %d", i, piece, cl_result_name(result), answer.status, answer.keep);
            assert_str(answer.body, rows[i].body);
            assert_int_equal(strlen(answer.body.p), answer.body.n);
        }
    cl_arena_free(arena);
}

static void test_headers(void **state)
{
    (void)state;
    const char *text = OK_HEAD "Lambda-Runtime-Aws-Request-Id: 1-2\r\nEmpty:\r\nX-Long:   several words \t\r\nempty-too: \r\nx-long: second\r\n"
                               "Content-Length: 0\r\n\r\n";
    cl_arena *arena = cl_arena_new(0);
    for (size_t piece = 1; piece < 200; piece += 7) {
        assert_int_equal(read_script(arena, cl_str_of(text), piece, CL__IO_END, 10), CL_OK);
        assert_int_equal(answer.header_count, 6);
        assert_str(cl__http_header(&answer, "lambda-runtime-aws-request-id"), "1-2");
        assert_str(cl__http_header(&answer, "Empty"), "");
        assert_str(cl__http_header(&answer, "Empty-Too"), "");
        assert_str(cl__http_header(&answer, "X-LONG"), "several words");
        assert_str(cl__http_header(&answer, "absent"), "");
    }
    cl_arena_free(arena);
}

static void test_what_is_no_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        cl_result result;
    } rows[] = {
        {"", CL_UNREACHABLE}, {"HTTP/1.1 2", CL_UNREACHABLE}, {OK_HEAD, CL_UNREACHABLE}, {OK_HEAD "Content-Length: 5\r\n\r\nhell", CL_UNREACHABLE},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CL_UNREACHABLE}, {"SSH-2.0-x\r\n", CL_INVALID}, {"HTTP/2.0 200 OK\r\n\r\n", CL_INVALID},
        {"GET / HTTP/1.1\r\n\r\n", CL_INVALID}, {OK_HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", CL_INVALID},
        {OK_HEAD "Content-Length: -1\r\n\r\n", CL_INVALID}, {OK_HEAD "Content-Length: 99999999999999999999999\r\n\r\n", CL_INVALID},
        {OK_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CL_INVALID}, {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", CL_INVALID},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", CL_INVALID}, {OK_HEAD " x: y\r\n\r\n", CL_INVALID}, {OK_HEAD "a b: y\r\n\r\n", CL_INVALID}, {OK_HEAD ": y\r\n\r\n", CL_INVALID},
        {"HTTP/1.1 100 C\r\nContent-Length: 1\r\n\r\nx" OK_HEAD "Content-Length: 1\r\n\r\ny", CL_INVALID},
        {OK_HEAD "a: x\r\n y\r\nContent-Length: 0\r\n\r\n", CL_INVALID}, {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", CL_INVALID},
        {"HTTP/1.1 99 x\r\n\r\n", CL_INVALID}, {"HTTP/1.1 700 x\r\nContent-Length: 0\r\n\r\n", CL_INVALID}, {OK_HEAD "Content-Length: 1001\r\n\r\n", CL_NO_MEMORY},
        {OK_HEAD "Content-Length: 4000000000\r\n\r\n", CL_NO_MEMORY},
        {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n", CL_INVALID},
    };
    cl_arena *arena = cl_arena_new(0);
    for (size_t i = 0; i < CL__COUNT(rows); i++)
        for (size_t piece = 1; piece < 200; piece += 19) {
            cl_result result = read_script(arena, cl_str_of(rows[i].text), piece, CL__IO_END, 1000);
            if (result != rows[i].result || answer.keep)
                fail_msg("row %zu, pieces of %zu: %s", i, piece, cl_result_name(result));
            assert_int_equal(answer.began, rows[i].text[0] != 0);
        }
    assert_int_equal(read_script(arena, cl_str_of(OK_HEAD), 5, CL__IO_BROKEN, 10), CL_UNREACHABLE);
    assert_int_equal(read_script(arena, cl_str_of(OK_HEAD), 5, CL__IO_DEADLINE, 10), CL_DEADLINE);
    assert_int_equal(read_script(arena, cl_str_of(OK_HEAD "Content-Length: 3\r\n\r\na"), 5, CL__IO_DEADLINE, 10), CL_DEADLINE);
    assert_int_equal(answer.status, 200);
    cl_arena_free(arena);
}

static void test_bounds(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0), *texts = cl_arena_new(0);
    cl_buf buf;
    cl_buf_init(&buf, texts, 1 << 24);
    cl_buf_adds(&buf, OK_HEAD "X: ");
    for (int i = 0; i < 17000; i++)
        cl_buf_addc(&buf, 'x');
    assert_int_equal(read_script(arena, cl_buf_str(&buf), 1000, CL__IO_END, 10), CL_INVALID);
    cl_buf_init(&buf, texts, 1 << 24);
    cl_buf_adds(&buf, OK_HEAD);
    for (int i = 0; i < 65; i++)
        cl_buf_adds(&buf, "a: b\r\n");
    assert_int_equal(read_script(arena, cl_buf_str(&buf), 1000, CL__IO_END, 10), CL_INVALID);
    /* A large body of known length, and the same in chunks, each up to the bound and one byte over. */
    for (size_t over = 0; over < 2; over++)
        for (int chunked = 0; chunked < 2; chunked++) {
            size_t n = 3000000;
            cl_buf_init(&buf, texts, 1 << 24);
            cl_buf_printf(&buf, OK_HEAD "%s%s\r\n\r\n", chunked ? "Transfer-Encoding: " : "Content-Length: ", chunked ? "chunked" : "3000000");
            for (size_t i = 0; i < n; i += 50000) {
                if (chunked)
                    cl_buf_printf(&buf, "%x\r\n", 50000u);
                char *room = cl__buf_room(&buf, 50000);
                memset(room, 'a' + (int)(i / 50000 % 26), 50000);
                if (chunked)
                    cl_buf_adds(&buf, "\r\n");
            }
            if (chunked)
                cl_buf_adds(&buf, "0\r\n\r\n");
            assert_int_equal(read_script(arena, cl_buf_str(&buf), 70001, CL__IO_END, n - over), over ? CL_NO_MEMORY : CL_OK);
            if (!over) {
                assert_int_equal(answer.body.n, n);
                for (size_t i = 0; i < n; i += 999)
                    assert_int_equal(answer.body.p[i], 'a' + (int)(i / 50000 % 26));
            }
            cl_arena_reset(arena);
        }
    /* One byte in a chunk with a long extension, again and again. */
    cl_buf_init(&buf, texts, 1 << 24);
    cl_buf_adds(&buf, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 9000; i++)
        cl_buf_adds(&buf, "1;aaaaaaaaaaaaaaaaaaaaaaaaa=bbbbbbbbbbbbbbbbbbbbbbbb\r\nx\r\n");
    assert_int_equal(read_script(arena, cl_buf_str(&buf), 5000, CL__IO_END, 100000), CL_INVALID);
    cl_arena_free(arena);
    cl_arena_free(texts);
}

static cl_result one_answer(void *arg)
{
    cl_arena *arena = cl_arena_new(0);
    if (!arena)
        return CL_NO_MEMORY;
    cl_result result = read_script(arena, cl_str_of(arg), 20, CL__IO_END, 1000);
    if (result == CL_NO_MEMORY)
        assert_int_equal(answer.status, 200);
    cl_arena_free(arena);
    return result;
}

static void test_without_memory(void **state)
{
    (void)state;
    char known[] = OK_HEAD "Content-Length: 5\r\n\r\nhello", chunked[] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_int_equal(walk(one_answer, known), 2);
    assert_int_equal(walk(one_answer, chunked), 2);
}

/* ---- sockets ---- */

static void *serve(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char bytes[65536];
    size_t got = 0;
    while (got < 2000000) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            break;
        got += (size_t)n;
        if (got < 300000)
            usleep(2000);
    }
    char text[] = OK_HEAD "Content-Length: 2\r\n\r\nok";
    (void)!write(fd, text, sizeof text - 1);
    (void)!read(fd, bytes, sizeof bytes);                       /* until the other side closes */
    close(fd);
    return (void *)(uintptr_t)got;
}

static int listening(char port[8])
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
    return fd;
}

static void test_sockets(void **state)
{
    (void)state;
    cl_arena *arena = cl_arena_new(0);
    static char large[1000000];
    for (int blocking = 0; blocking < 2; blocking++) {
        char port[8];
        int listener = listening(port), fd = -1;
        pthread_t thread;
        void *got = NULL;
        assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
        const char *why = NULL;
        assert_int_equal(cl__tcp_connect(blocking ? "localhost" : "127.0.0.1", port, cl__mono_ms() + 10000, &fd, &why), CL_OK);
        struct cl__transport t = cl__tcp_transport(&fd);
        cl_str pieces[] = {{large, sizeof large - 7}, {NULL, 0}, {large, 7}, {large, sizeof large}};
        int64_t deadline = blocking ? CL__NO_DEADLINE : cl__mono_ms() + 20000;
        assert_true(t.write(t.arg, pieces, 4, deadline) > 0);
        assert_int_equal(cl__http_read(&t, arena, 10, deadline, &answer), CL_OK);
        assert_str(answer.body, "ok");
        assert_true(answer.keep);
        char byte;
        assert_int_equal(t.read(t.arg, &byte, 1, cl__mono_ms() + 30), CL__IO_DEADLINE);
        assert_int_equal(t.write(t.arg, NULL, 0, deadline), 1);
        close(fd);
        pthread_join(thread, &got);
        assert_int_equal((uintptr_t)got, 2000000);
        close(listener);
        assert_int_equal(cl__tcp_connect("127.0.0.1", port, cl__mono_ms() + 1000, &fd, &why), CL_UNREACHABLE);
        assert_string_equal(why, "Connection refused");
    }
    int fd = -1;
    const char *why;
    static const char *const ports[] = {"", "0", "65536", "12a", "123456"};
    for (size_t i = 0; i < CL__COUNT(ports); i++)
        assert_int_equal(cl__tcp_connect("127.0.0.1", ports[i], CL__NO_DEADLINE, &fd, &why), CL_UNREACHABLE);
    assert_int_equal(fd, -1);
    cl_arena_free(arena);
}

/* ---- names: this program's getaddrinfo and pthread_create are called instead of the C library's ---- */

static const char *const *addresses;    /* of the name "several", ends with NULL */
static bool no_threads;

/* One node a call, chained: freeaddrinfo frees each by itself. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(host, "several") != 0)
        return real(host, port, hints, ret);
    for (size_t i = 0; addresses[i]; i++, ret = &(*ret)->ai_next) {
        int error = real(addresses[i], port, hints, ret);
        if (error != 0)
            return error;
    }
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return no_threads ? EAGAIN : real(thread, attributes, run, arg);
}

static void test_names(void **state)
{
    (void)state;
    char port[8], long_name[300];
    int listener = listening(port), fd = -1;
    const char *why = NULL;
    assert_int_equal(cl__tcp_connect("localhost", port, cl__mono_ms() - 1, &fd, &why), CL_DEADLINE);
    assert_string_equal(why, "the name's address was not found in time");
    assert_int_equal(fd, -1);
    for (int round = 0; round < 3; round++) {
        no_threads = round == 2;
        assert_int_equal(cl__tcp_connect("localhost", port, round == 0 ? CL__NO_DEADLINE : cl__mono_ms() + 10000, &fd, &why), CL_OK);
        close(fd);
    }
    no_threads = false;
    cl__malloc_countdown = 0;
    assert_int_equal(cl__tcp_connect("localhost", port, cl__mono_ms() + 10000, &fd, &why), CL_OK);
    cl__malloc_countdown = -1;
    close(fd);
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_int_equal(cl__tcp_connect(long_name, port, cl__mono_ms() + 10000, &fd, &why), CL_UNREACHABLE);
    assert_string_equal(why, "the name is too long");
    static const char *const not_one[] = {"not an address", NULL};
    addresses = not_one;
    assert_int_equal(cl__tcp_connect("several", port, cl__mono_ms() + 10000, &fd, &why), CL_UNREACHABLE);
    assert_string_equal(why, gai_strerror(EAI_NONAME));
    close(listener);
}

#define DEAD "127.0.0.2"                /* no answer: its queue of connections is full */
#define LIVE "127.0.0.3"
#define REFUSING "127.0.0.4"

static int bound(const char *address, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &in.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, n), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

/* An address that does not answer must not keep the client from the others, in whatever place it stands. */
static void test_dead_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *addresses[4];
        int64_t ms;
        cl_result result;
        const char *why;
    } rows[] = {{{LIVE, NULL}, 20000, CL_OK, NULL},
                {{DEAD, LIVE, NULL}, 2000, CL_OK, NULL},
                {{DEAD, REFUSING, LIVE, NULL}, 2000, CL_OK, NULL},
                {{LIVE, DEAD, NULL}, 20000, CL_OK, NULL},
                {{DEAD, REFUSING, NULL}, 200, CL_UNREACHABLE, "Connection refused"},
                {{REFUSING, DEAD, NULL}, 200, CL_DEADLINE, "Connection timed out"},
                {{DEAD, DEAD, NULL}, 200, CL_DEADLINE, "Connection timed out"}};
    uint16_t number = 0;
    int dead = bound(DEAD, &number), live = bound(LIVE, &number), waiting[4];
    char port[8];
    snprintf(port, sizeof port, "%u", number);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(number)};
    inet_pton(AF_INET, DEAD, &in.sin_addr);
    for (size_t i = 0; i < CL__COUNT(waiting); i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(waiting[i], (struct sockaddr *)&in, sizeof in) == 0 || errno == EINPROGRESS);
    }
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        int fd = -1;
        const char *why = NULL;
        addresses = rows[i].addresses;
        cl_result result = cl__tcp_connect("several", port, cl__mono_ms() + rows[i].ms, &fd, &why);
        if (result != rows[i].result || (rows[i].why && strcmp(why, rows[i].why) != 0))
            fail_msg("row %zu: %s, %s", i, cl_result_name(result), why);
        assert_int_equal(fd >= 0, result == CL_OK);
        if (fd >= 0) {
            close(fd);
            close(accept(live, NULL, NULL));
        }
    }
    for (size_t i = 0; i < CL__COUNT(waiting); i++)
        close(waiting[i]);
    close(dead);
    close(live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),        cmocka_unit_test(test_headers), cmocka_unit_test(test_what_is_no_answer), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_without_memory), cmocka_unit_test(test_sockets), cmocka_unit_test(test_names),
        cmocka_unit_test(test_dead_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
