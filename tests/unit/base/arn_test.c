/* arn_test.c -- base/arn.h: ARNs of the services' pages, what is none, accounts, and that what is made is read back. */
#include "base/arn.h"
#include "unit.h"
#include "with_arena.h"

static void reads(void **state)
{
    (void)state;
    struct arn arn;
    assert_true(arn_parse(STR("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f:*"), &arn));
    assert_str(arn.partition, "aws");
    assert_str(arn.service, "logs");
    assert_str(arn.region, "eu-west-1");
    assert_str(arn.account, "123456789012");
    assert_str(arn.resource, "log-group:/aws/lambda/f:*");
    assert_true(arn_parse(STR("arn:aws:iam::123456789012:user/a/b"), &arn));
    assert_int_equal(arn.region.n, 0);
    assert_str(arn.resource, "user/a/b");
    assert_true(arn_parse(STR("arn:aws:s3:::"), &arn));
    assert_int_equal(arn.account.n + arn.resource.n, 0);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const none[] = {
        "", "arn", "arn:", "*", "arn:aws", "arn:aws:iam", "arn:aws:iam::123456789012", "ARN:aws:iam::1:x", " arn:aws:iam::1:x"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        struct arn arn = {.service = STR("kept")};
        assert_false(arn_parse(str_of(none[i]), &arn));
        assert_str(arn.service, "kept");
        assert_int_equal(arn_account(str_of(none[i])).n, 0);
    }
    struct arn arn;
    assert_false(arn_parse_of(STR("arn:aws-cn:iam::1:x"), "iam", &arn));
    assert_false(arn_parse_of(STR("arn:aws:iam::1:x"), "sts", &arn));
    assert_true(arn_parse_of(STR("arn:aws:iam::1:x"), "iam", &arn));
}

static void accounts(void **state)
{
    (void)state;
    assert_true(arn_is_account(STR("000000000000")));
    assert_false(arn_is_account(STR("00000000000")));
    assert_false(arn_is_account(STR("0000000000000")));
    assert_false(arn_is_account(STR("00000000000a")));
    assert_str(arn_account(STR("arn:aws:sqs:us-east-1:111122223333:q")), "111122223333");
    assert_str(arn_last_part(STR("role/a/b/name")), "name");
    assert_str(arn_last_part(STR("name")), "name");
    assert_str(arn_last_part(STR("path/")), "");
}

static void makes(void **state)
{
    (void)state;
    struct str text = arn_make(arena, "lambda", STR("us-east-1"), STR("000000000000"), "function:%s", "f");
    struct arn arn;
    assert_str(text, "arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_int_equal(text.p[text.n], 0);
    assert_true(arn_parse_of(text, "lambda", &arn));
    assert_str(arn.resource, "function:f");
    assert_str(arn_make(arena, "iam", STR_NONE, STR("000000000000"), "root"), "arn:aws:iam::000000000000:root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses), cmocka_unit_test(accounts),
                                       cmocka_unit_test(makes)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
