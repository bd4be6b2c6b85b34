/* descriptors_test.c -- shares of every limit fit into it, and none is empty. */
#include "../base/unit.h"
#include "main/descriptors.h"
#include "net/limits.h"

static void test_shares(void **state)
{
    (void)state;
    struct descriptors d;
    for (size_t limit = 0; limit < 200000; limit = limit + 1 + limit / 50) {
        descriptors_share(limit, &d);
        assert_true(d.store_files && d.environments && d.inside && d.inside_each && d.connections);
        size_t sum = 64 + 32 + d.store_files + 8 * d.environments + d.inside + d.connections;
        if (limit >= DESCRIPTORS_MIN)
            assert_true(sum <= limit);
        assert_true(d.inside_each <= d.inside);
    }
    descriptors_share(1024, &d);
    assert_int_equal(d.store_files, 256);
    assert_int_equal(d.connections, 336);
    assert_int_equal(d.environments, 14);
    descriptors_share(20000, &d);
    assert_int_equal(d.connections, NET_CONNECTIONS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares)};
    return RUN(tests);
}
