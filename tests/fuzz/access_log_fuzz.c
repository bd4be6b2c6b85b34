/* access_log_fuzz.c -- front/access_log.h: a query string without its secrets. Properties: it has the same parameters in the same
 * order, but for empty ones; each has its own value, or "-"; those that are called signature or token, in any case, have "-"; and
 * taken again it stays. */
#include "base/panic.h"
#include "front/access_log.h"

static bool says_secret(struct str name)
{
    static const struct str words[] = {STR("x-amz-signature"), STR("X-Amz-Security-Token"), STR("PASSWORD"), STR("Access%4bey")};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq_nocase(name, words[i]))
            return true;
    return false;
}

static bool next_parameter(struct str *query, struct str *ret_name, struct str *ret_value)
{
    while (query->p) {
        *ret_value = str_cut(query, '&');
        *ret_name = str_cut(ret_value, '=');
        if (ret_name->n || ret_value->p)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str query = {(const char *)data, size}, shown = access_log_query(query, arena), rest = shown;
    ENSURE(str_eq(access_log_query(shown, arena), shown));
    struct str name, value, shown_name, shown_value;
    while (next_parameter(&query, &name, &value)) {
        ENSURE(next_parameter(&rest, &shown_name, &shown_value));
        ENSURE(str_eq(name, shown_name) && !value.p == !shown_value.p);
        ENSURE(!value.p || str_eq(shown_value, STR("-")) || (str_eq(shown_value, value) && !says_secret(name)));
    }
    ENSURE(!next_parameter(&rest, &shown_name, &shown_value));
    arena_free(arena);
    return 0;
}
