/* ids_test.c -- base/ids.h: the forms of identifiers, and that random ones differ. */
#include "base/ids.h"
#include "base/hash.h"
#include "unit.h"
#include "with_arena.h"
#include <regex.h>

static void has_form(struct str id, const char *pattern)
{
    regex_t form;
    assert_int_equal(regcomp(&form, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&form, arena_cstr(arena, id), 0, NULL, 0) != 0)
        fail_msg(STR_FMT " has not the form %s", STR_ARG(id), pattern);
    regfree(&form);
}

static void forms(void **state)
{
    (void)state;
    const uint8_t bytes[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0xff, 0x77, 0xff, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    char uuid[UUID_CHARS];
    id_uuid4(bytes, uuid);
    assert_str(((struct str){uuid, sizeof uuid}), "00112233-4455-4f77-bf99-aabbccddeeff");
    assert_str(id_trace_root(arena, 1700000000123, bytes), "Root=1-6553f100-001122334455ff77ff99aabb");
    has_form(uuid4(arena), "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$");
    has_form(id_access_key(arena, "ASIA"), "^ASIA[A-Z2-7]{16}$");
    has_form(id_entity(arena, "AROA"), "^AROA[A-Z2-7]{17}$");
    has_form(id_secret(arena), "^[A-Za-z0-9+/]{40}$");
}

static void differ(void **state)
{
    (void)state;
    assert_false(str_eq(uuid4(arena), uuid4(arena)));
    assert_false(str_eq(id_access_key(arena, "AKIA"), id_access_key(arena, "AKIA")));
    assert_false(str_eq(id_secret(arena), id_secret(arena)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(differ)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
