/* package_test.c -- quotas of deployment packages, made small: zips just at each and just over it, and what AWS answers; what may
 * stand in a package beside files, and what becomes of modes. */
#include "stage.h"
#include "base/codec.h"
#include "services/lambda/control.h"
#include "services/lambda/package.h"
#include "zip.h"
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 1000 };

/* CreateFunction of a zip with one file of so many bytes, up to where it would be stored in a commit. */
static struct call create(size_t file_bytes)
{
    struct call call = {.arena = stage->arena,
                        .api = &lambda_api,
                        .operation = model_operation_find(&model_lambda, STR("CreateFunction")),
                        .service_state = stage->lambda,
                        .account = STR(ACCOUNT_TEXT),
                        .region = STR("us-east-1"),
                        .input = json_new(stage->arena, JSON_OBJECT)};
    struct buf zip;
    buf_init(&zip, stage->arena, 1 << 20);
    base64_write(&zip, zip_of(stage->arena, "f", file_bytes, 'x'));
    json_add_str(call.arena, call.input, "FunctionName", STR("f"));
    json_add_str(call.arena, call.input, "Runtime", STR("provided.al2023"));
    json_add_str(call.arena, call.input, "Handler", STR("a.b"));
    json_add_str(call.arena, call.input, "Role", STR("arn:aws:iam::" ACCOUNT_TEXT ":role/r"));
    json_add_str(call.arena, json_add_object(call.arena, call.input, "Code"), "ZipFile", buf_str(&zip));
    lambda__prepare_create(&call);
    return call;
}

static void assert_refused(const struct call *call, const char *code, int status, const char *message)
{
    assert_true(call->failed);
    assert_string_equal(call->error_code, code);
    assert_int_equal(call->error_status, status);
    assert_true(str_eq(call->error_message, str_of(message)));
}

static void test_bytes_of_a_zip(void **state)
{
    (void)state;
    struct lambda__limits limits = patient;
    stage_open(1, NULL, 0);
    limits.zip_bytes_max = zip_of(stage->arena, "f", FILE_BYTES, 'x').n;
    stage->lambda->limits = limits;
    assert_false(create(FILE_BYTES).failed);
    struct call over = create(FILE_BYTES + 1);
    assert_refused(&over, "RequestEntityTooLargeException", 413,
                   arena_printf(stage->arena, "Zipped size must be smaller than %zu bytes", limits.zip_bytes_max).p);
    stage->lambda->limits.request_bytes_max = 1000;
    over = create(FILE_BYTES + 1);
    assert_refused(&over, "RequestEntityTooLargeException", 413,
                   "Request must be smaller than 1000 bytes for the CreateFunction operation");
    stage_close();
}

static void test_bytes_of_its_files(void **state)
{
    (void)state;
    struct lambda__limits limits = patient;
    limits.unzipped_bytes_max = FILE_BYTES;
    stage_open(1, &limits, 0);
    assert_false(create(FILE_BYTES).failed);
    struct call over = create(FILE_BYTES + 1);
    assert_refused(&over, "InvalidParameterValueException", 400, "Unzipped size must be smaller than 262144000 bytes");
    stage_close();
}

/* ---- what may stand in a package ---- */

enum { MANY = 8 };
struct piece {
    const char *name, *content; /* content of a link: where it leads */
    unsigned mode;
};

/* Stored pieces up to the first without a name, as made on Unix. */
static struct str zip_of_pieces(struct arena *arena, const struct piece pieces[MANY])
{
    struct buf zip, directory;
    unsigned count = 0;
    buf_init(&zip, arena, 1 << 16);
    buf_init(&directory, arena, 1 << 16);
    for (; count < MANY && pieces[count].name; count++) {
        const struct piece *piece = &pieces[count];
        struct str name = str_of(piece->name), content = str_of(piece->content);
        char local[30] = "PK\3\4\24", central[46] = "PK\1\2\24\3\24";
        zip_put32(local + 14, crc32_of(content)), zip_put32(central + 16, crc32_of(content));
        zip_put32(local + 18, (uint32_t)content.n), zip_put32(central + 20, (uint32_t)content.n);
        zip_put32(local + 22, (uint32_t)content.n), zip_put32(central + 24, (uint32_t)content.n);
        zip_put16(local + 26, (unsigned)name.n), zip_put16(central + 28, (unsigned)name.n);
        zip_put32(central + 38, piece->mode << 16), zip_put32(central + 42, (uint32_t)buf_str(&zip).n);
        buf_add(&zip, (struct str){local, sizeof local});
        buf_add(&zip, name);
        buf_add(&zip, content);
        buf_add(&directory, (struct str){central, sizeof central});
        buf_add(&directory, name);
    }
    char end[22] = "PK\5\6";
    zip_put16(end + 8, count), zip_put16(end + 10, count);
    zip_put32(end + 12, (uint32_t)buf_str(&directory).n), zip_put32(end + 16, (uint32_t)buf_str(&zip).n);
    buf_add(&zip, buf_str(&directory));
    buf_add(&zip, (struct str){end, sizeof end});
    return buf_str(&zip);
}

static const char *check(const struct piece pieces[MANY])
{
    struct arena *arena = arena_new();
    const char *wrong = lambda__package_check(zip_of_pieces(arena, pieces), LAMBDA_UNZIPPED_BYTES_MAX);
    arena_free(arena);
    return wrong;
}

#define LINK 0120777
#define A_FILE                                                                                                                     \
    {                                                                                                                              \
        "f", "x", 0100644                                                                                                          \
    }

static void test_links_that_stay_inside(void **state)
{
    static const struct piece packages[][MANY] = {
        {A_FILE, {"l", "f", LINK}},
        {A_FILE, {"d/e/l", "../../f", LINK}},
        {A_FILE, {"l", "not/there", LINK}},
        {A_FILE, {"l", "l", LINK}},
        {A_FILE, {"a/b/f", "x", 0100644}, {"s", "a/b", LINK}, {"t", "s/../b/f", LINK}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(packages); i++)
        assert_null(check(packages[i]));
}

static void test_what_is_refused(void **state)
{
    char long_name[257];
    memset(long_name, 'n', 256);
    long_name[256] = '\0';
    const struct piece packages[][MANY] = {
        {A_FILE, {"l", "/etc/passwd", LINK}},
        {A_FILE, {"l", "../f", LINK}},
        {A_FILE, {"d/l", "../../f", LINK}},
        {A_FILE, {"l", "", LINK}},
        /* s leads to the root, so that what reads as a/b/.. is above it */
        {A_FILE, {"a/b/s", "../..", LINK}, {"l", "a/b/s/..", LINK}},
        /* nothing is written through a link */
        {A_FILE, {"l", "d", LINK}, {"l/f", "x", 0100644}},
        {A_FILE, {"l/f", "x", 0100644}, {"l", "d", LINK}},
        {A_FILE, {"l", "f", LINK}, {"l", "f", LINK}},
        /* one name, two things */
        {A_FILE, {"f/g", "x", 0100644}},
        {{"d/g", "x", 0100644}, {"d", "x", 0100644}},
        {A_FILE, {"f/", "", 040755}},
        {A_FILE, {long_name, "x", 0100644}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(packages); i++)
        assert_string_equal(check(packages[i]), "Could not unzip uploaded file. Please check your file, then try to upload again.");
}

static unsigned mode_of(const char *dir, const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_modes(void **state)
{
    static const struct piece pieces[MANY] = {{"open", "x", 0100644}, {"closed", "x", 0100600}, {"run", "x", 0100755},
                                              {"d/", "", 040700},     {"d/f", "x", 0100640},    {"l", "closed", LINK},
                                              {"bare", "x", 0},       {"./", "", 040700}};
    static const struct {
        const char *name;
        unsigned mode, owned; /* owned: the function is the owner */
    } expected[] = {{"open", 0644, 0644}, {"closed", 0600, 0200}, {"run", 0755, 0755}, {"d", 0700, 0700},
                    {"d/f", 0640, 0240},  {"bare", 0664, 0664},   {"", 0755, 0755}};
    (void)state;
    struct arena *arena = arena_new();
    struct str zip = zip_of_pieces(arena, pieces);
    assert_null(lambda__package_check(zip, LAMBDA_UNZIPPED_BYTES_MAX));
    for (int owns = 0; owns < 2; owns++) {
        char dir[] = "/tmp/package-XXXXXX", command[64], target[16] = {0}, link[64];
        assert_non_null(mkdtemp(dir));
        assert_int_equal(chmod(dir, 0755), 0);
        assert_true(lambda__package_unpack(zip, dir, owns));
        for (size_t i = 0; i < COUNT_OF(expected); i++)
            assert_int_equal(mode_of(dir, expected[i].name), owns ? expected[i].owned : expected[i].mode);
        snprintf(link, sizeof link, "%s/l", dir);
        assert_int_equal(readlink(link, target, sizeof target - 1), 6);
        assert_string_equal(target, "closed");
        snprintf(command, sizeof command, "rm -rf %s", dir);
        assert_int_equal(system(command), 0);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_a_zip),
        cmocka_unit_test(test_bytes_of_its_files),
        cmocka_unit_test(test_links_that_stay_inside),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
