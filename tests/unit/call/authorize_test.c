/* authorize_test.c -- the list of what a call needs to be allowed, at its bound. */
#include "call/internal.h"
#include "services/sts/sts.h"
#include "../base/unit.h"

#define CONTEXT_MAX (1u << 21)

static void context_is_bounded(void **state)
{
    static const struct service_api api = {.model = &model_sts, .errors = &sts_errors};
    struct call call = {.arena = arena_new(), .api = &api};
    struct needs needs = {.call = &call, .items = needs.first, .cap = COUNT_OF(needs.first)};
    (void)state;
    need_add(&needs, "sts:AssumeRole", STR("*"));
    for (size_t i = 0; i < CONTEXT_MAX; i++)
        need_context(&needs, "aws:TagKeys", STR("k"));
    assert_false(call.failed);
    assert_int_equal(needs.items[0].context_count, CONTEXT_MAX);
    need_context(&needs, "aws:TagKeys", STR("k"));
    assert_true(call.failed);
    assert_int_equal(call.error_status, 413);
    assert_int_equal(needs.items[0].context_count, CONTEXT_MAX);
    arena_free(call.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(context_is_bounded)};
    return RUN(tests);
}
