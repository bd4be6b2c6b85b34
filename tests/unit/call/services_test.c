/* services_test.c -- what all services say of their rows agrees with their models: who may call each operation. */
#include "call/service.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void nothing_needed(struct call *call, struct needs *needs)
{
    (void)call, (void)needs;
}

static bool nobody_found(struct call *call)
{
    (void)call;
    return false;
}

static void rows_agree_with_their_models(void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t s = 0; services_all[s]; s++) {
        for (size_t a = 0; services_all[s]->apis[a]; a++) {
            const struct service_api *api = services_all[s]->apis[a];
            for (size_t r = 0; r < api->row_count; r++, count++) {
                const struct model_operation *operation = model_operation_find(api->model, str_of(api->rows[r].name));
                if (!operation || !row_agrees(&api->rows[r], operation))
                    fail_msg("%s:%s", api->model->service, api->rows[r].name);
            }
        }
    }
    assert_true(count > 100);
}

static void disagreements_are_seen(void **state)
{
    enum { SIGNED = MODEL_AUTH_SIGV4, EITHER = MODEL_AUTH_SIGV4 | MODEL_AUTH_SIGV4A, BEARER = MODEL_AUTH_BEARER, NONE = MODEL_AUTH_NONE };
    static const struct {
        struct row row;
        uint8_t auth;
        bool agrees;
    } rows[] = {
        {{.needs = nothing_needed}, SIGNED, true},
        {{.needs = nothing_needed}, EITHER, true},
        {{.needs = NULL}, SIGNED, true},
        {{.needs = nothing_needed}, NONE, false},
        {{.needs = nothing_needed}, BEARER, false},
        {{.authenticate = nobody_found}, SIGNED, false},
        {{.caller = CALLER_ANYBODY}, NONE, true},
        {{.caller = CALLER_ANYBODY}, SIGNED, false},
        {{.caller = CALLER_ANYBODY, .needs = nothing_needed}, NONE, false},
        {{.caller = CALLER_SIGNED_OR_ANONYMOUS, .needs = nothing_needed}, EITHER, true},
        {{.caller = CALLER_SIGNED_OR_ANONYMOUS}, EITHER, false},
        {{.caller = CALLER_SIGNED_OR_ANONYMOUS, .needs = nothing_needed}, BEARER, false},
        {{.caller = CALLER_OWN, .authenticate = nobody_found}, BEARER, true},
        {{.caller = CALLER_OWN, .authenticate = nobody_found}, NONE, true},
        {{.caller = CALLER_OWN}, BEARER, false},
        {{.caller = CALLER_OWN, .authenticate = nobody_found}, SIGNED, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct model_operation operation = {.auth = rows[i].auth};
        if (row_agrees(&rows[i].row, &operation) != rows[i].agrees)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_agree_with_their_models),
        cmocka_unit_test(disagreements_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
