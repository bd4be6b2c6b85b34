/* validate_test.c -- tests/corpus/validation: requests and what AWS answers to them, each with its source.
 * A case has a service, a target (operation, or method and path), a body (JSON) or text (raw), and what is expected: a
 * code with a message, with its beginning and end, or with a set of errors in any order; without a code it is accepted. */
#include "../wire/offline.h"
#include "../base/files.h"
#include <stdlib.h>

/* Each error is a part of the message, and there are as many as it says. */
static bool has_all(struct str message, const struct json *errors, struct arena *arena)
{
    struct str head = arena_printf(arena, "%zu validation error%s detected: ", errors->count, errors->count > 1 ? "s" : "");
    if (!str_starts(message, head)) return false;
    for JSON_EACH (error, errors) {
        if (!memmem(message.p, message.n, error->text.p, error->text.n)) return false;
    }
    return true;
}

static bool as_expected(struct offline *o, const struct json *test)
{
    struct str code = json_str(test, "code"), message = o->call.error_message;
    if (!code.n) return !o->call.failed;
    if (!o->call.failed || !str_eq(code, str_of(o->call.error_code)) || o->call.error_status != 400) return false;
    if (json_at(test, "errors")) return has_all(message, json_at(test, "errors"), o->arena);
    if (json_at(test, "begins"))
        return str_starts(message, json_str(test, "begins")) && str_ends(message, json_str(test, "ends"));
    if (json_at(test, "message")) return str_eq(message, json_str(test, "message"));
    return true;
}

static size_t run_cases(const char *path)
{
    struct arena *arena = arena_new();
    struct json *file = NULL;
    size_t count = 0, bad = 0;
    assert_int_equal(json_parse(files_read(path, arena), arena, &file), ERR_OK);
    for JSON_EACH (test, json_at(file, "cases")) {
        struct str service = json_str(json_at(test, "service") ? test : file, "service");
        struct offline o;
        struct str body = json_at(test, "body") ? json_text(arena, json_at(test, "body")) : json_str(test, "text");
        offline_request(&o, offline_model(service), json_str(test, "target"), body);
        offline_read(&o);
        count++;
        assert_true(json_str(test, "source").n > 0);
        if (!as_expected(&o, test)) {
            print_error(STR_FMT ", " STR_FMT ": %s " STR_FMT "\n", STR_ARG(service), STR_ARG(json_str(test, "name")),
                        o.call.failed ? o.call.error_code : "accepted", STR_ARG(o.call.error_message));
            bad++;
        }
        offline_end(&o);
    }
    arena_free(arena);
    assert_int_equal(bad, 0);
    return count;
}

static void dynamodb_answers_as_recorded(void **state)
{
    (void)state;
    assert_true(run_cases("tests/corpus/validation/dynamodb.json") > 40);
}

static void other_services_answer_as_recorded(void **state)
{
    (void)state;
    assert_true(run_cases("tests/corpus/validation/others.json") > 30);
}

/* Ten errors are named, no more; a long value is cut, and so is the path to it. */
static void answers_are_bounded(void **state)
{
    (void)state;
    struct offline o;
    struct buf body;
    struct arena *arena = arena_new();
    buf_init(&body, arena, 1 << 20);
    buf_lit(&body, "{\"TableName\":\"abc\",\"AttributeDefinitions\":[],\"KeySchema\":[");
    for (int i = 0; i < 500; i++) buf_printf(&body, "%s{\"AttributeName\":\"\",\"KeyType\":\"%0*d\"}", i ? "," : "", 1000, i);
    buf_lit(&body, "]}");
    offline_request(&o, &model_dynamodb, STR("CreateTable"), buf_str(&body));
    assert_false(offline_read(&o));
    assert_true(str_starts(o.call.error_message, STR("10 validation errors detected: ")));
    assert_true(o.call.error_message.n < 100000);
    offline_end(&o);
    buf_reset(&body);
    buf_lit(&body, "{\"RequestItems\":{\"");
    for (int i = 0; i < 1000; i++)
        buf_lit(&body, "a-long-name");
    buf_lit(&body, "\":{\"Keys\":[]}}}");
    offline_request(&o, &model_dynamodb, STR("BatchGetItem"), buf_str(&body));
    assert_false(offline_read(&o));
    assert_int_equal(o.call.error_status, 400);
    assert_true(o.call.error_message.n > 20 && o.call.error_message.n < 10000);
    offline_end(&o);
    arena_free(arena);
}

/* A valid input comes out as it went in, under the model's names. */
static void input_is_bound(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_dynamodb, "Query",
                            "{\"Limit\":5.9,\"TableName\":\"abc\",\"X\":1,\"ScanIndexForward\":false,\"IndexName\":null}"));
    assert_str(json_text(o.arena, o.call.input), "{\"Limit\":5,\"TableName\":\"abc\",\"ScanIndexForward\":false}");
    offline_end(&o);
    assert_true(offline_run(&o, &model_apigateway, "PUT /restapis/a%2Fb/resources/r/methods/GET/integration",
                            "{\"type\":\"AWS\",\"httpMethod\":\"POST\",\"uri\":\"x\"}"));
    assert_str(json_text(o.arena, o.call.input),
               "{\"type\":\"AWS\",\"integrationHttpMethod\":\"POST\",\"uri\":\"x\",\"restApiId\":\"a/b\",\"resourceId\":\"r\",\"httpMethod\":\"GET\"}");
    offline_end(&o);
    assert_true(offline_run(&o, &model_apigateway, "GET /restapis/a/resources?embed=methods&embed=x%20y&limit=7", ""));
    assert_str(json_text(o.arena, o.call.input), "{\"restApiId\":\"a\",\"limit\":7,\"embed\":[\"methods\",\"x y\"]}");
    offline_end(&o);
    assert_true(offline_run(&o, &model_lambda, "POST /2015-03-31/functions/f/invocations?Qualifier=1", "any bytes"));
    assert_str(json_text(o.arena, o.call.input), "{\"FunctionName\":\"f\",\"Qualifier\":\"1\"}");
    assert_str(o.call.payload, "any bytes");
    offline_end(&o);
    assert_true(offline_run(&o, &model_iam, "",
                            "Action=CreateUser&Version=2010-05-08&Tags.member.10.Key=b&Tags.member.10.Value=&Tags.member.9.Key=a"
                            "&Tags.member.9.Value=x+y&UserName=u%2B1&UserName=second"));
    assert_str(json_text(o.arena, o.call.input),
               "{\"UserName\":\"u+1\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"x y\"},{\"Key\":\"b\",\"Value\":\"\"}]}");
    offline_end(&o);
    assert_true(offline_run(&o, &model_sts, "",
                            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fr"
                            "&RoleSessionName=s-1&DurationSeconds=900"));
    assert_int_equal(json_i64(o.call.input, "DurationSeconds", 0), 900);
    offline_end(&o);
}

static void forms_are_bounded(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Tags.member.1.Key=a&Tags=x", "Tags.member.x.Key=a", "Tags.member.0.Key=a", "Tags.member.01.Key=a", "Tags.member.1=a",
        "UserName.x=a",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h=1",
    };
    struct offline o;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct arena *arena = arena_new();
        struct str form = arena_printf(arena, "Action=CreateUser&Version=2010-05-08&UserName=u&%s", bad[i]);
        offline_request(&o, &model_iam, STR(""), form);
        bool accepted = offline_read(&o);
        if (accepted && strcmp(bad[i], "UserName.x=a") != 0) fail_msg("%s", bad[i]);
        if (!accepted) assert_string_equal(o.call.error_code, "MalformedInput");
        offline_end(&o);
        arena_free(arena);
    }
    struct buf many;
    buf_init(&many, NULL, 1 << 20);
    buf_lit(&many, "Action=CreateUser&Version=2010-05-08");
    for (int i = 0; i < 5000; i++) buf_printf(&many, "&p%d=", i);
    offline_request(&o, &model_iam, STR(""), buf_str(&many));
    assert_false(offline_read(&o));
    assert_string_equal(o.call.error_code, "MalformedInput");
    offline_end(&o);
    buf_clear(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dynamodb_answers_as_recorded), cmocka_unit_test(other_services_answer_as_recorded),
        cmocka_unit_test(answers_are_bounded),          cmocka_unit_test(input_is_bound),
        cmocka_unit_test(forms_are_bounded),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pattern_free_all();
    return failed;
}
