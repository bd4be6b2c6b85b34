/* function_name_test.c -- the forms in which a function is named. */
#include "services/lambda/function_name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_forms(void **state)
{
    static const struct {
        const char *text, *account, *region, *name, *qualifier;
    } forms[] = {
        {"f", "", "", "f", ""},
        {"f:$LATEST", "", "", "f", "$LATEST"},
        {"123456789012:function:f", "123456789012", "", "f", ""},
        {"123456789012:function:f:7", "123456789012", "", "f", "7"},
        {"arn:aws:lambda:eu-west-1:123456789012:function:my-f_1", "123456789012", "eu-west-1", "my-f_1", ""},
        {"function:f", "", "", "f", ""},
        {"function:f:7", "", "", "f", "7"},
        {"eu-west-1:123456789012:function:f", "123456789012", "eu-west-1", "f", ""},
        {"my-f-1:live", "", "", "my-f-1", "live"},
        {"function", "", "", "function", ""},
        {"arn:aws:lambda:eu-west-1:123456789012:function", "123456789012", "eu-west-1", "function", ""},
        {"arn:aws:lambda:eu-west-1:123456789012:function:f:prod", "123456789012", "eu-west-1", "f", "prod"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct str account, region, name, qualifier;
        assert_true(lambda__parse_name(str_of(forms[i].text), &account, &region, &name, &qualifier));
        assert_true(str_eq(account, str_of(forms[i].account)) && str_eq(region, str_of(forms[i].region)));
        assert_true(str_eq(name, str_of(forms[i].name)) && str_eq(qualifier, str_of(forms[i].qualifier)));
    }
}

static void test_malformed(void **state)
{
    static const char *const texts[] = {
        "", ":", "a b", "f/g", "f:1:2", "arn:aws:s3:::bucket", "arn:aws:lambda:eu-west-1:1:layer:f", "arn:aws:lambda:",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct str account, region, name, qualifier;
        assert_false(lambda__parse_name(str_of(texts[i]), &account, &region, &name, &qualifier));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_malformed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
