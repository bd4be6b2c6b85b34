/* package_test.c -- quotas of deployment packages, made small: zips just at each and just over it, and what AWS answers. */
#include "stage.h"
#include "base/codec.h"
#include "services/lambda/control.h"
#include "services/lambda/package.h"
#include "zip.h"

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
                   "Request must be smaller than 70167211 bytes for the CreateFunction operation");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_a_zip),
        cmocka_unit_test(test_bytes_of_its_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
