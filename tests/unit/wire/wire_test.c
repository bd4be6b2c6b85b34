/* wire_test.c -- answers and failures as bytes, for each protocol and each service's table of errors.
 * The CRC-32 values of DynamoDB's failures are those that DynamoDB itself sent (recorded in the tests of dynalite). */
#include "offline.h"
#include "base/hash.h"

static const struct model *const models[] = {&model_dynamodb, &model_lambda, &model_iam, &model_sts, &model_logs, &model_apigateway};

/* ---- answers ---- */

static void json_answer(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_dynamodb, "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}"));
    assert_str(offline_answer(&o), "{}");
    assert_int_equal(o.response.status, 200);
    assert_str(offline_header(&o, "x-amzn-RequestId"), "ID");
    assert_str(offline_header(&o, "Content-Type"), "application/x-amz-json-1.0");
    assert_str(offline_header(&o, "x-amz-crc32"), "2745614147");
    offline_end(&o);

    assert_true(offline_run(&o, &model_dynamodb, "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}"));
    o.headers[0].value = STR("application/json; charset=x");
    o.call.output = json_new(o.arena, JSON_OBJECT);
    json_add(o.call.output, "Item", json_new_raw(o.arena, STR("{\"a\":{\"S\":\"\xc3\xa9\"}}")));
    assert_str(offline_answer(&o), "{\"Item\":{\"a\":{\"S\":\"\xc3\xa9\"}}}");
    assert_str(offline_header(&o, "Content-Type"), "application/json");
    offline_end(&o);

    assert_true(offline_run(&o, &model_logs, "CreateLogGroup", "{\"logGroupName\":\"g\"}"));
    assert_str(offline_answer(&o), "");     /* the operation has no output */
    assert_str(offline_header(&o, "x-amz-crc32"), "");
    offline_end(&o);
}

static void rest_answer(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_apigateway, "GET /restapis", ""));
    o.call.output = json_new(o.arena, JSON_OBJECT);
    struct json *api = json_add_object(o.arena, json_add(json_add_array(o.arena, o.call.output, "items"), NULL, json_new(o.arena, JSON_OBJECT)), "tags");
    json_add_str(o.arena, api, "item", STR("items"));
    json_add_str(o.arena, o.call.output, "position", STR("p"));
    assert_str(offline_answer(&o), "{\"item\":[{\"tags\":{\"item\":\"items\"}}],\"position\":\"p\"}");
    assert_int_equal(o.response.status, 200);
    assert_str(offline_header(&o, "Content-Type"), "application/json");
    offline_end(&o);

    assert_true(offline_run(&o, &model_apigateway, "POST /restapis", "{\"name\":\"n\"}"));
    assert_str(offline_answer(&o), "{}");
    assert_int_equal(o.response.status, 201);
    offline_end(&o);

    assert_true(offline_run(&o, &model_lambda, "POST /2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af", "{\"Tags\":{}}"));
    assert_str(offline_answer(&o), "");
    assert_int_equal(o.response.status, 204);
    offline_end(&o);
}

static void invoke_answer(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_lambda, "POST /2015-03-31/functions/f/invocations", "{}"));
    o.call.output = json_new(o.arena, JSON_OBJECT);
    json_add_i64(o.arena, o.call.output, "StatusCode", 202);
    json_add_str(o.arena, o.call.output, "FunctionError", STR("Unhandled"));
    json_add_str(o.arena, o.call.output, "ExecutedVersion", STR("$LATEST"));
    o.call.has_output_payload = true;
    o.call.output_payload = STR("{\"errorMessage\":\"x\"}");
    assert_str(offline_answer(&o), "{\"errorMessage\":\"x\"}");
    assert_int_equal(o.response.status, 202);
    assert_str(offline_header(&o, "X-Amz-Function-Error"), "Unhandled");
    assert_str(offline_header(&o, "X-Amz-Executed-Version"), "$LATEST");
    offline_end(&o);
}

static void query_answer(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_sts, "", "Action=GetCallerIdentity&Version=2011-06-15"));
    o.call.output = json_new(o.arena, JSON_OBJECT);
    json_add_str(o.arena, o.call.output, "Account", STR("000000000000"));
    json_add_str(o.arena, o.call.output, "Arn", STR("arn:aws:iam::000000000000:user/a&b<c>\"\x01"));
    assert_str(offline_answer(&o), "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
                                   "  <GetCallerIdentityResult>\n"
                                   "    <Account>000000000000</Account>\n"
                                   "    <Arn>arn:aws:iam::000000000000:user/a&amp;b&lt;c&gt;&quot;\xef\xbf\xbd</Arn>\n"
                                   "  </GetCallerIdentityResult>\n"
                                   "  <ResponseMetadata>\n"
                                   "    <RequestId>ID</RequestId>\n"
                                   "  </ResponseMetadata>\n"
                                   "</GetCallerIdentityResponse>\n");
    assert_str(offline_header(&o, "Content-Type"), "text/xml");
    offline_end(&o);

    assert_true(offline_run(&o, &model_iam, "", "Action=ListUsers&Version=2010-05-08"));
    o.call.output = json_new(o.arena, JSON_OBJECT);
    struct json *user = json_add(json_add_array(o.arena, o.call.output, "Users"), NULL, json_new(o.arena, JSON_OBJECT));
    json_add_str(o.arena, user, "UserName", STR("u"));
    json_add_epoch_ms(o.arena, user, "CreateDate", 1769850307123);
    json_add_array(o.arena, user, "Tags");
    json_add_bool(o.arena, o.call.output, "IsTruncated", false);
    assert_str(offline_answer(&o), "<ListUsersResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n"
                                   "  <ListUsersResult>\n"
                                   "    <Users>\n"
                                   "      <member>\n"
                                   "        <UserName>u</UserName>\n"
                                   "        <CreateDate>2026-01-31T09:05:07Z</CreateDate>\n"
                                   "        <Tags/>\n"
                                   "      </member>\n"
                                   "    </Users>\n"
                                   "    <IsTruncated>false</IsTruncated>\n"
                                   "  </ListUsersResult>\n"
                                   "  <ResponseMetadata>\n"
                                   "    <RequestId>ID</RequestId>\n"
                                   "  </ResponseMetadata>\n"
                                   "</ListUsersResponse>\n");
    offline_end(&o);

    assert_true(offline_run(&o, &model_iam, "", "Action=DeleteUser&Version=2010-05-08&UserName=u"));
    assert_str(offline_answer(&o), "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n"
                                   "  <ResponseMetadata>\n"
                                   "    <RequestId>ID</RequestId>\n"
                                   "  </ResponseMetadata>\n"
                                   "</DeleteUserResponse>\n");
    offline_end(&o);

    assert_true(offline_run(&o, &model_iam, "", "Action=GetAccountSummary&Version=2010-05-08"));
    o.call.output = json_new(o.arena, JSON_OBJECT);
    json_add_i64(o.arena, json_add_object(o.arena, o.call.output, "SummaryMap"), "Users", 3);
    struct str xml = offline_answer(&o);
    static const char entry[] = "    <SummaryMap>\n      <entry>\n        <key>Users</key>\n        <value>3</value>\n      </entry>\n    </SummaryMap>\n";
    assert_non_null(memmem(xml.p, xml.n, entry, sizeof entry - 1));
    offline_end(&o);
}

/* ---- failures ---- */

static void check_fault(const struct model *m, enum fault fault, struct str message, int status, const char *body)
{
    struct offline o;
    offline_request(&o, m, m->protocol == MODEL_REST_JSON ? STR("GET /x") : STR("X"), STR_NONE);
    call_fault(&o.call, fault, message);
    assert_str(offline_answer(&o), body);
    assert_int_equal(o.response.status, status);
    assert_str(offline_header(&o, "x-amzn-RequestId"), "ID");
    assert_true(offline_header(&o, "x-amz-crc32").n == 0 || m == &model_dynamodb);
    offline_end(&o);
}

static void each_service_has_its_own_words(void **state)
{
    (void)state;
    check_fault(&model_dynamodb, FAULT_MISSING_TOKEN, STR_NONE, 400,
                "{\"__type\":\"com.amazon.coral.service#MissingAuthenticationTokenException\",\"message\":\"Request is missing Authentication Token\"}");
    check_fault(&model_dynamodb, FAULT_UNKNOWN_KEY, STR_NONE, 400,
                "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\",\"message\":\"The security token included in the request is invalid.\"}");
    check_fault(&model_dynamodb, FAULT_SERIALIZATION, STR("Expected null"), 400,
                "{\"__type\":\"com.amazon.coral.service#SerializationException\",\"Message\":\"Expected null\"}");
    check_fault(&model_dynamodb, FAULT_VALIDATION, STR("x"), 400,
                "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"x\"}");
    check_fault(&model_dynamodb, FAULT_DENIED, STR("User: x is not authorized"), 400,
                "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"User: x is not authorized\"}");
    check_fault(&model_dynamodb, FAULT_TOO_LARGE, STR_NONE, 413, "{\"__type\":\"com.amazon.coral.service#RequestEntityTooLargeException\"}");
    check_fault(&model_dynamodb, FAULT_INTERNAL, STR("x"), 500, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\",\"message\":\"x\"}");
    check_fault(&model_logs, FAULT_UNKNOWN_KEY, STR_NONE, 400,
                "{\"__type\":\"UnrecognizedClientException\",\"message\":\"The security token included in the request is invalid.\"}");
    check_fault(&model_logs, FAULT_VALIDATION, STR("x"), 400, "{\"__type\":\"InvalidParameterException\",\"message\":\"x\"}");
    check_fault(&model_lambda, FAULT_UNKNOWN_KEY, STR_NONE, 403, "{\"message\":\"The security token included in the request is invalid.\"}");
    check_fault(&model_lambda, FAULT_MISSING_TOKEN, STR_NONE, 403, "{\"message\":\"Missing Authentication Token\"}");
    check_fault(&model_lambda, FAULT_DENIED, STR("User: x"), 403, "{\"Message\":\"User: x\"}");
    check_fault(&model_lambda, FAULT_UNKNOWN_OPERATION, STR_NONE, 404, "<UnknownOperationException/>\n");
    check_fault(&model_apigateway, FAULT_MISSING_TOKEN, STR_NONE, 403, "{\"message\":\"Missing Authentication Token\"}");
    check_fault(&model_iam, FAULT_UNKNOWN_KEY, STR_NONE, 403,
                "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n"
                "  <Error>\n"
                "    <Type>Sender</Type>\n"
                "    <Code>InvalidClientTokenId</Code>\n"
                "    <Message>The security token included in the request is invalid.</Message>\n"
                "  </Error>\n"
                "  <RequestId>ID</RequestId>\n"
                "</ErrorResponse>\n");
    check_fault(&model_sts, FAULT_INTERNAL, STR("x"), 500,
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
                "  <Error>\n"
                "    <Type>Receiver</Type>\n"
                "    <Code>InternalFailure</Code>\n"
                "    <Message>x</Message>\n"
                "  </Error>\n"
                "  <RequestId>ID</RequestId>\n"
                "</ErrorResponse>\n");
    check_fault(&model_sts, FAULT_UNKNOWN_OPERATION, STR("Could not find operation a for version b"), 400,
                "<ErrorResponse xmlns=\"http://webservices.amazon.com/AWSFault/2005-15-09\">\n"
                "  <Error>\n"
                "    <Type>Sender</Type>\n"
                "    <Code>InvalidAction</Code>\n"
                "    <Message>Could not find operation a for version b</Message>\n"
                "  </Error>\n"
                "  <RequestId>ID</RequestId>\n"
                "</ErrorResponse>\n");
}

static void every_table_is_complete(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(models); k++) {
        const struct service_errors *errors = offline_api(models[k])->errors;
        for (int fault = FAULT_MISSING_TOKEN; fault < FAULT_COUNT; fault++) {
            if (fault >= FAULT_BAD_QUERY && fault <= FAULT_BODY_MISMATCH && !models[k]->signs_as_s3)
                continue;
            assert_non_null(errors->faults[fault].code);
            assert_true(errors->faults[fault].status >= 400 && errors->faults[fault].status < 600);
        }
    }
}

static void check_crc(struct offline *o, const char *crc)
{
    assert_false(offline_read(o));
    offline_answer(o);
    assert_str(offline_header(o, "x-amz-crc32"), crc);
    offline_end(o);
}

/* The same bytes as DynamoDB's, so the same checksums. */
static void dynamodb_failures_have_its_checksums(void **state)
{
    (void)state;
    struct offline o;
    offline_request(&o, &model_dynamodb, STR("GetItem"), STR("hi"));
    check_crc(&o, "3948637019");
    offline_request(&o, &model_dynamodb, STR("ListTable"), STR("{}"));
    check_crc(&o, "1368724161");
    offline_request(&o, &model_dynamodb, STR("GetItem"), STR("hi"));
    o.headers[0].value = STR("whatever");
    check_crc(&o, "3552371480");
    offline_request(&o, &model_dynamodb, STR("GetItem"), STR("hi"));
    o.request.method = STR("PUT");
    check_crc(&o, "3552371480");
    offline_request(&o, &model_dynamodb, STR("GetItem"), STR("{}"));
    call_fault(&o.call, FAULT_MISSING_TOKEN, STR_NONE);
    offline_answer(&o);
    assert_str(offline_header(&o, "x-amz-crc32"), "2088342776");
    offline_end(&o);
}

static void handlers_fail_with_the_models_errors(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_dynamodb, "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}"));
    call_fail(&o.call, "ConditionalCheckFailedException", "The conditional request %s", "failed");
    call_fail(&o.call, "ValidationException", "the second failure is forgotten");
    o.call.error_fields = json_new(o.arena, JSON_OBJECT);
    json_add_object(o.arena, o.call.error_fields, "Item");
    assert_str(offline_answer(&o), "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
                                   "\"message\":\"The conditional request failed\",\"Item\":{}}");
    assert_int_equal(o.response.status, 400);
    offline_end(&o);

    assert_true(offline_run(&o, &model_lambda, "GET /2015-03-31/functions/f", ""));
    call_fail(&o.call, "ResourceNotFoundException", "Function not found: arn");
    assert_str(offline_answer(&o), "{\"Type\":\"User\",\"Message\":\"Function not found: arn\"}");
    assert_int_equal(o.response.status, 404);
    assert_str(offline_header(&o, "x-amzn-ErrorType"), "ResourceNotFoundException");
    offline_end(&o);

    assert_true(offline_run(&o, &model_lambda, "GET /2015-03-31/functions/f", ""));
    call_fail(&o.call, "TooManyRequestsException", "Rate Exceeded.");
    o.call.error_fields = json_new(o.arena, JSON_OBJECT);
    json_add_str(o.arena, o.call.error_fields, "retryAfterSeconds", STR("3"));
    json_add_str(o.arena, o.call.error_fields, "Reason", STR("ConcurrentInvocationLimitExceeded"));
    assert_str(offline_answer(&o), "{\"Type\":\"User\",\"message\":\"Rate Exceeded.\",\"Reason\":\"ConcurrentInvocationLimitExceeded\"}");
    assert_int_equal(o.response.status, 429);
    assert_str(offline_header(&o, "Retry-After"), "3");
    offline_end(&o);

    assert_true(offline_run(&o, &model_iam, "", "Action=GetUser&Version=2010-05-08&UserName=u"));
    call_fail(&o.call, "NoSuchEntityException", "The user with name u cannot be found.");
    struct str xml = offline_answer(&o);
    assert_non_null(memmem(xml.p, xml.n, "<Code>NoSuchEntity</Code>", 25));
    assert_int_equal(o.response.status, 404);
    offline_end(&o);

    assert_true(offline_run(&o, &model_apigateway, "GET /restapis/a", ""));
    call_fail(&o.call, "NotFoundException", "Invalid API identifier specified");
    assert_str(offline_answer(&o), "{\"message\":\"Invalid API identifier specified\"}");
    assert_int_equal(o.response.status, 404);
    offline_end(&o);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"Expected", "ConditionalOperator", NULL};
    struct offline o;
    assert_true(offline_run(&o, &model_dynamodb, "PutItem", "{\"TableName\":\"abc\",\"Item\":{},\"Expected\":{}}"));
    assert_false(call_refuse_members(&o.call, names));
    assert_str(offline_answer(&o), "{\"__type\":\"com.amazon.coral.service#NotImplemented\","
                                   "\"message\":\"Cloudless does not implement the parameter Expected of dynamodb:PutItem.\"}");
    assert_int_equal(o.response.status, 501);
    offline_end(&o);
    assert_true(offline_run(&o, &model_dynamodb, "DescribeLimits", "{}"));
    call_fail_not_implemented(&o.call, "");
    assert_str(o.call.error_message, "Cloudless does not implement dynamodb:DescribeLimits.");
    offline_end(&o);
}

static void a_request_without_action_is_sent_to_the_page(void **state)
{
    (void)state;
    struct offline o;
    offline_request(&o, &model_sts, STR_NONE, STR("Version=2011-06-15"));
    assert_false(offline_read(&o));
    assert_str(offline_answer(&o), "");
    assert_int_equal(o.response.status, 302);
    assert_str(offline_header(&o, "Location"), "https://aws.amazon.com/iam");
    offline_end(&o);
    offline_request(&o, &model_sts, STR_NONE, STR_NONE);
    o.request.query = STR("Version=2011-06-15");
    assert_false(offline_read(&o));
    offline_answer(&o);
    assert_str(offline_header(&o, "Location"), "https://aws.amazon.com/iam?Version=2011-06-15");
    offline_end(&o);
}

static void request_ids_differ(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct str a = call_request_id(arena, &dynamodb_errors), b = call_request_id(arena, &dynamodb_errors);
    assert_int_equal(a.n, 52);
    assert_false(str_eq(a, b));
    for (size_t i = 0; i < a.n; i++) assert_true((a.p[i] >= 'A' && a.p[i] <= 'Z') || (a.p[i] >= '0' && a.p[i] <= '9'));
    struct str id = call_request_id(arena, &iam_errors);
    assert_int_equal(id.n, 36);
    assert_int_equal(id.p[14], '4');
    arena_free(arena);
}

static void arns_are_of_the_call(void **state)
{
    (void)state;
    struct offline o;
    assert_true(offline_run(&o, &model_dynamodb, "ListTables", "{}"));
    o.call.account = STR("000000000000");
    o.call.region = STR("eu-west-1");
    assert_str(call_arn(&o.call, "dynamodb", "table/%s", "t"), "arn:aws:dynamodb:eu-west-1:000000000000:table/t");
    offline_end(&o);
    assert_true(offline_run(&o, &model_iam, "", "Action=ListUsers&Version=2010-05-08"));
    o.call.account = STR("000000000000");
    o.call.region = STR("us-east-1");
    o.api.global = true;
    assert_str(call_arn(&o.call, "iam", "role/%s", "r"), "arn:aws:iam::000000000000:role/r");
    offline_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_answer),
        cmocka_unit_test(rest_answer),
        cmocka_unit_test(invoke_answer),
        cmocka_unit_test(query_answer),
        cmocka_unit_test(each_service_has_its_own_words),
        cmocka_unit_test(every_table_is_complete),
        cmocka_unit_test(dynamodb_failures_have_its_checksums),
        cmocka_unit_test(handlers_fail_with_the_models_errors),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_request_without_action_is_sent_to_the_page),
        cmocka_unit_test(request_ids_differ),
        cmocka_unit_test(arns_are_of_the_call),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pattern_free_all();
    return failed;
}
