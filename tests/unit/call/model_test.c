/* model_test.c -- the generated tables are sound, and every REST operation is found by its own path. */
#include "../wire/offline.h"

static const struct model *const models[] = {&model_dynamodb, &model_lambda, &model_iam, &model_sts, &model_logs, &model_apigateway};

static void operations_are_sorted_and_found(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        const struct model *m = models[k];
        assert_true(m->operation_count > 0);
        for (size_t i = 0; i < m->operation_count; i++) {
            struct str name = str_of(model_text(m, m->operations[i].name));
            assert_ptr_equal(model_operation_find(m, name), &m->operations[i]);
            assert_true(m->operations[i].input <= m->shape_count && m->operations[i].output <= m->shape_count);
            assert_true(m->operations[i].status >= 200 && m->operations[i].status < 300);
        }
        assert_null(model_operation_find(m, STR("")));
        assert_null(model_operation_find(m, STR("zzz")));
    }
}

static size_t members_of(const struct model_shape *shape)
{
    return shape->member_count;
}

static void shapes_and_members_are_in_range(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        const struct model *m = models[k];
        for (size_t i = 0; i < m->shape_count; i++) {
            const struct model_shape *shape = &m->shapes[i];
            size_t required = 0;
            if (shape->type == MODEL_LIST) assert_int_equal(members_of(shape), 1);
            if (shape->type == MODEL_MAP) assert_int_equal(members_of(shape), 2);
            if (shape->type != MODEL_STRUCTURE && shape->type != MODEL_LIST && shape->type != MODEL_MAP)
                assert_int_equal(members_of(shape), 0);
            assert_true(shape->payload <= shape->member_count);
            for (size_t j = 0; j < shape->member_count; j++) {
                const struct model_member *member = &m->members[shape->members + j];
                assert_true(member->shape < m->shape_count);
                assert_int_equal(strlen(model_text(m, member->name)), member->name_n);
                assert_int_equal(strlen(model_text(m, member->wire)), member->wire_n);
                required += (member->flags & MODEL_MEMBER_REQUIRED) != 0;
                if (shape->type == MODEL_STRUCTURE)
                    assert_ptr_equal(model_member_find(m, shape, model_member_name(m, member)), member);
            }
            assert_int_equal(required, shape->required_count);
            for (size_t j = 0; j < shape->enum_count; j++) assert_true(model_text(m, m->enums[shape->enums + j])[0] != '\0');
        }
    }
}

/* What the adapters do not do must not be in a model. */
static void inputs_have_no_prefix_headers(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        const struct model *m = models[k];
        for (size_t i = 0; i < m->operation_count; i++) {
            const struct model_shape *input = model_input(m, &m->operations[i]);
            for (size_t j = 0; input && j < input->member_count; j++) {
                const struct model_member *member = &m->members[input->members + j];
                assert_int_not_equal(member->location, MODEL_IN_HEADERS);
                assert_false(member->flags & MODEL_MEMBER_JSONVALUE);
                if (m->protocol != MODEL_REST_JSON) assert_int_equal(member->location, MODEL_IN_BODY);
            }
        }
    }
}

static void every_pattern_compiles(void **state)
{
    (void)state;
    size_t count = 0, bad = 0;
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        for (size_t i = 0; i < models[k]->shape_count; i++) {
            const struct model_shape *shape = &models[k]->shapes[i];
            if (!shape->pattern) continue;
            count++;
            if (pattern_compiles(model_text(models[k], shape->pattern))) continue;
            print_error("%s: %s\n", models[k]->service, model_text(models[k], shape->pattern));
            bad++;
        }
    }
    assert_int_equal(bad, 0);
    assert_true(count > 100);
}

static void patterns_match_whole_values(void **state)
{
    (void)state;
    static const char name[] = "[a-zA-Z0-9_.-]+", wide[] = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", any[] = "[\\w+=,.@-]*";
    static const char evil[] = "(a+)+b";
    assert_true(pattern_match(name, STR("my-Table_1.x")));
    assert_false(pattern_match(name, STR("my table")));
    assert_false(pattern_match(name, STR("")));
    assert_false(pattern_match(name, STR("x\n")));
    assert_false(pattern_match(name, STR("\xc3\xa9")));
    assert_true(pattern_match(wide, STR("{\n\t\"a\": \"\xc3\xa9\"}")));
    assert_false(pattern_match(wide, STR("\xe2\x82\xac")));
    assert_true(pattern_match(any, STR("")));
    assert_true(pattern_match(any, STR("a+b=c@d")));
    assert_false(pattern_match(evil, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")));
    pattern_free_all();
}

static bool any_header(struct str name, const void *arg)
{
    (void)arg;
    assert_true(name.n > 0);
    return true;
}

/* Its constants, and every parameter that the route needs. */
static struct str sample_query(struct arena *arena, const struct model *m, const struct model_route *route)
{
    struct str needs = str_of(model_text(m, route->needs));
    struct buf query;
    buf_init(&query, arena, 4096);
    buf_add(&query, str_of(model_text(m, route->query)));
    while (needs.n) {
        struct str need = str_cut(&needs, ' ');
        if (need.p[0] == '?') buf_printf(&query, "&" STR_FMT "=1", STR_ARG(str_slice(need, 1, need.n)));
    }
    return buf_str(&query);
}

static const struct model_operation *route(const struct model *m, struct str method, struct str path, struct str query)
{
    struct model_request request = {.method = method, .path = path, .query = query};
    return model_operation_route(m, &request);
}

/* A path with a value for each label. */
static struct str sample_path(struct arena *arena, const struct model *m, const struct model_operation *op)
{
    struct str rest = str_of(model_text(m, op->uri));
    struct buf path;
    buf_init(&path, arena, 4096);
    while (rest.n) {
        size_t open = str_find(rest, '{');
        buf_add(&path, str_slice(rest, 0, open));
        if (open == rest.n) break;
        buf_lit(&path, "v%3Ax");
        rest = str_slice(rest, str_find(rest, '}') + 1, rest.n);
    }
    return buf_str(&path);
}

static void every_route_finds_its_operation(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        const struct model *m = models[k];
        for (size_t i = 0; i < m->route_count; i++) {
            const struct model_operation *op = &m->operations[m->routes[i].operation];
            struct str method = str_of(model_text(m, op->method)), path = sample_path(arena, m, op);
            struct model_request request = {method, path, sample_query(arena, m, &m->routes[i]), any_header, NULL};
            assert_ptr_equal(model_operation_route(m, &request), op);
            request.path = arena_printf(arena, STR_FMT "/", STR_ARG(path));
            assert_ptr_equal(model_operation_route(m, &request), op);
        }
    }
    arena_free(arena);
}

static void check_route(const struct model *m, const char *method, const char *path, const char *query, const char *expected)
{
    const struct model_operation *op = route(m, str_of(method), str_of(path), str_of(query));
    if (!expected) {
        assert_null(op);
        return;
    }
    assert_non_null(op);
    assert_string_equal(model_text(m, op->name), expected);
}

static void specific_routes_win(void **state)
{
    (void)state;
    check_route(&model_apigateway, "POST", "/restapis", "mode=import", "ImportRestApi");
    check_route(&model_apigateway, "POST", "/restapis", "a=b&mode=import", "ImportRestApi");
    check_route(&model_apigateway, "POST", "/restapis", "", "CreateRestApi");
    check_route(&model_apigateway, "GET", "/restapis/abc/resources/def/methods/GET", "", "GetMethod");
    check_route(&model_apigateway, "GET", "/restapis/abc/resources//methods/GET", "", NULL);
    check_route(&model_apigateway, "GET", "/tags/arn%3Aaws%3Aapigateway%3A%3A%3A%2Frestapis%2Fx", "", "GetTags");
    check_route(&model_lambda, "GET", "/2015-03-31/functions/", "", "ListFunctions");
    check_route(&model_lambda, "POST", "/2015-03-31/functions/f/invocations", "", "Invoke");
    check_route(&model_lambda, "PATCH", "/2015-03-31/functions/f/invocations", "", NULL);
    check_route(&model_lambda, "GET", "/2019-09-25/functions/f/event-invoke-config/list", "", "ListFunctionEventInvokeConfigs");
    check_route(&model_lambda, "GET", "/", "", NULL);
    check_route(&model_lambda, "GET", "", "", NULL);
}

static void labels_keep_their_encoding(void **state)
{
    (void)state;
    const struct model *m = &model_lambda;
    struct str path = STR("/2015-03-31/functions/arn%3Aaws%3Alambda/policy/s-1"), value;
    const struct model_operation *op = route(m, STR("DELETE"), path, STR_NONE);
    assert_non_null(op);
    assert_true(model_uri_value(m, op, path, STR("FunctionName"), &value));
    assert_str(value, "arn%3Aaws%3Alambda");
    assert_true(model_uri_value(m, op, path, STR("StatementId"), &value));
    assert_str(value, "s-1");
    assert_false(model_uri_value(m, op, path, STR("Statement"), &value));
}

static void errors_are_found_by_name_and_code(void **state)
{
    (void)state;
    const struct model_shape *shape = model_error_find(&model_iam, STR("NoSuchEntity"));
    assert_non_null(shape);
    assert_ptr_equal(shape, model_error_find(&model_iam, STR("NoSuchEntityException")));
    assert_int_equal(shape->http_status, 404);
    assert_non_null(model_error_find(&model_dynamodb, STR("ConditionalCheckFailedException")));
    assert_null(model_error_find(&model_dynamodb, STR("NoSuchEntity")));
    assert_true(model_error_find(&model_dynamodb, STR("InternalServerError"))->flags & MODEL_SHAPE_FAULT);
}

/* Every shape that the generator marks has bounds of its service's own, and every shape with bounds is marked. */
static void overridden_shapes_have_rows(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(offline_apis); k++) {
        const struct service_api *api = &offline_apis[k];
        for (size_t i = 0; i < api->model->shape_count; i++) {
            const struct model_shape *shape = &api->model->shapes[i];
            bool bound = false;
            for (size_t j = 0; api->overrides && j < api->overrides->bounds_count; j++)
                bound = bound || strcmp(api->overrides->bounds[j].shape, model_text(api->model, shape->name)) == 0;
            assert_int_equal(bound, (shape->flags & MODEL_SHAPE_OVERRIDDEN) != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_sorted_and_found), cmocka_unit_test(shapes_and_members_are_in_range),
        cmocka_unit_test(inputs_have_no_prefix_headers),   cmocka_unit_test(every_pattern_compiles),
        cmocka_unit_test(patterns_match_whole_values),     cmocka_unit_test(every_route_finds_its_operation),
        cmocka_unit_test(specific_routes_win),             cmocka_unit_test(labels_keep_their_encoding),
        cmocka_unit_test(errors_are_found_by_name_and_code), cmocka_unit_test(overridden_shapes_have_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
