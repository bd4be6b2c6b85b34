/* door_test.c -- the life of a call through a real server: authentication first, then each way to run; with an
 * authentication of its own (the four functions of auth that dispatch calls), a store in a temporary directory, and
 * rows of DynamoDB, Lambda and STS that are made for the test. */
#include "offline.h"
#include "auth/auth.h"
#include "base/codec.h"
#include "base/hash.h"
#include "net/limits.h"
#include "site.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- authentication: the header "x-who" says everything ---- */

enum sigv4_status sigv4_parse(const struct http_request *request, const struct sigv4_rules *rules, struct arena *arena, struct sigv4 *ret)
{
    (void)arena;
    *ret = (struct sigv4){.rules = *rules, .payload = http_header(request, "x-amz-content-sha256")};
    ret->payload_kind = sigv4_payload(ret->payload);
    struct str who = http_header(request, "x-who");
    if (!who.n) return SIGV4_MISSING;
    if (str_eq(who, STR("malformed"))) {
        ret->message = STR("Authorization header requires 'Credential' parameter. ");
        return SIGV4_INCOMPLETE;
    }
    return SIGV4_OK;
}

enum sigv4_payload sigv4_payload(struct str header)
{
    return str_eq(header, STR("UNSIGNED-PAYLOAD")) ? SIGV4_PAYLOAD_UNSIGNED
           : str_eq(header, STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER")) ? SIGV4_PAYLOAD_UNSIGNED_TRAILER : SIGV4_PAYLOAD_HASHED;
}

/* No body here is in signed chunks. */
void sigv4_chain_chunk(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES])
{
    (void)chain, (void)digest, (void)ret;
    UNREACHABLE();
}

void sigv4_chain_trailer(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES])
{
    (void)chain, (void)digest, (void)ret;
    UNREACHABLE();
}

enum auth_failure auth_failure_of(enum sigv4_status status)
{
    return status == SIGV4_OK ? AUTH_OK : status == SIGV4_MISSING ? AUTH_MISSING_TOKEN : AUTH_INCOMPLETE_SIGNATURE;
}

enum auth_failure auth_authenticate(struct auth *auth, const struct http_request *request, const struct sigv4 *sig,
                                    struct arena *arena, struct principal **ret, struct str *ret_region, struct str *ret_message)
{
    (void)auth, (void)sig, (void)ret_message;
    struct str who = http_header(request, "x-who");
    if (str_eq(who, STR("stranger"))) return AUTH_UNKNOWN_KEY;
    *ret = arena_new_of(arena, struct principal);
    (*ret)->account = STR("123456789012");
    (*ret)->name = who;
    *ret_region = STR("eu-west-1");
    return AUTH_OK;
}

struct principal *auth_anonymous(const struct http_request *request, struct arena *arena)
{
    (void)request;
    struct principal *caller = arena_new_of(arena, struct principal);
    caller->type = PRINCIPAL_ANONYMOUS;
    caller->name = STR("anonymous");
    return caller;
}

static atomic_int authorized;

enum err auth_authorize(struct auth *auth, const struct policy_request *request, struct str resource_policy, struct arena *arena,
                        struct str *ret_message)
{
    (void)auth, (void)arena;
    atomic_fetch_add(&authorized, 1);
    if (request->principal->type == PRINCIPAL_ANONYMOUS) {
        *ret_message = STR("User: anonymous is not authorized");
        return str_eq(resource_policy, STR("{\"public\"}")) ? ERR_OK : ERR_DENIED;
    }
    if (str_eq(request->principal->name, STR("nobody"))) {
        *ret_message = STR("User: nobody is not authorized to perform: dynamodb:GetItem");
        return ERR_DENIED;
    }
    if (request->context_count != 3 && str_eq(request->action, STR("dynamodb:GetItem"))) return ERR_DENIED;
    return str_eq(resource_policy, STR("{\"deny\"}")) ? ERR_DENIED : ERR_OK;
}

/* ---- a service ---- */

#define KEY ((struct store_key){3, STR("test"), STR("counter")})
static atomic_int committed, prepared;

static void need_table(struct call *call, struct needs *needs)
{
    need_add(needs, "dynamodb:GetItem", call_arn(call, "dynamodb", "table/" STR_FMT, STR_ARG(call_str(call, "TableName"))));
    need_context(needs, "a", STR("1"));
    need_context(needs, "b", STR("2"));
    need_context(needs, "c", STR("3"));
}

static void need_nothing(struct call *call, struct needs *needs)
{
    (void)call, (void)needs;
}

static void need_many(struct call *call, struct needs *needs)
{
    for (int i = 0; i < 20; i++) {
        need_add(needs, "dynamodb:PutItem", call->region);
        if (i == 17 && json_bool(call->input, "ConsistentRead", false)) need_resource_policy(needs, STR("{\"deny\"}"));
    }
}

static void answer_thread(struct call *call)
{
    call_header(call, "x-extra", STR("yes"));
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "Thread", loop_current() ? STR("loop") : STR("worker"));
    json_add_str(call->arena, call->output, "Caller", call->caller ? call->caller->name : STR("anybody"));
    json_add_str(call->arena, call->output, "Region", call->region);
}

static void prepare(struct call *call)
{
    atomic_fetch_add(&prepared, 1);
    static char on_loop[] = "loop", on_worker[] = "worker";
    call->state = loop_current() ? on_loop : on_worker;
    if (str_eq(call_str(call, "TableName"), STR("unprepared"))) call_fail(call, "ResourceNotFoundException", "not prepared");
    if (str_eq(call_str(call, "TableName"), STR("long"))) call->run = RUN_WORKER;
}

static void count(struct call *call, struct store_txn *txn)
{
    struct str value;
    uint64_t n = 0;
    if (store_get(txn, KEY, call->arena, &value) == ERR_OK) str_to_u64(value, &n);
    store_put(txn, KEY, arena_printf(call->arena, "%llu", (unsigned long long)n + 1));
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_i64(call->arena, call->output, "Count", (int64_t)n + 1);
    if (json_bool(call->input, "DeletionProtectionEnabled", false)) {
        call->error_fields = json_new(call->arena, JSON_OBJECT);
        call_fail(call, "ConditionalCheckFailedException", "The conditional request failed");
    }
}

static void after_commit(struct call *call)
{
    ENSURE(loop_current() == call->loop);
    atomic_fetch_add(&committed, 1);
    if (call->state) json_add_str(call->arena, call->output, "Prepared", str_of(call->state));
}

static void *complete_later(void *arg)
{
    usleep(2000);
    call_complete(arg);
    return NULL;
}

static void start_async(struct call *call)
{
    call->has_output_payload = true;
    call->output_payload = call->payload;
    if (str_eq(call_str(call, "FunctionName"), STR("now"))) {
        call_complete(call);
        return;
    }
    pthread_t thread;
    ENSURE(pthread_create(&thread, NULL, complete_later, call) == 0);
    pthread_detach(thread);
}

static void fail_internally(struct call *call)
{
    call_fail_err(call, ERR_IO);
}

/* Counts and hashes what arrives, and answers that in three pieces. */
struct stream_echo {
    struct body_sink sink;
    struct call *call;
    size_t n, pieces;
    struct loop_task task;
};

static atomic_bool echo_keeps;       /* each piece, until the loop's next task */

static void echo_give_back(struct loop_task *task)
{
    body_next(CONTAINER_OF(task, struct stream_echo, task)->call->body);
}

static enum body_want echo_piece(struct body_sink *sink, struct str piece)
{
    struct stream_echo *echo = CONTAINER_OF(sink, struct stream_echo, sink);
    ENSURE(piece.n <= NET_PIECE_LARGE_BYTES || !echo->n);     /* only what was gathered comes in one */
    echo->n += piece.n;
    echo->pieces++;
    if (!atomic_load(&echo_keeps))
        return BODY_MORE;
    echo->task.run = echo_give_back;
    loop_post(echo->call->loop, &echo->task);
    return BODY_KEEP;
}

static void echo_end(struct body_sink *sink, enum body_end how)
{
    struct stream_echo *echo = CONTAINER_OF(sink, struct stream_echo, sink);
    struct call *call = echo->call;
    if (how != BODY_WHOLE) {
        call_fail_body(call, how);
        call_complete(call);
        return;
    }
    char digest[2 * SHA256_BYTES];
    hex_put(digest, sink->sha256, sizeof sink->sha256);
    struct body_writer *writer = call_stream(call, HTTP_LENGTH_UNKNOWN, NULL);
    struct str parts[] = {arena_printf(call->arena, "%zu bytes, ", echo->n), {digest, sizeof digest}, STR(" end")};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        ENSURE(body_write(writer, &parts[i]) == ERR_OK);
    body_finish(writer);
}

static void echo_stream(struct call *call)
{
    struct stream_echo *echo = arena_new_of(call->arena, struct stream_echo);
    *echo = (struct stream_echo){.sink = {.piece = echo_piece, .end = echo_end, .hashed = true}, .call = call};
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "ExecutedVersion", STR("7"));
    body_read(call->body, &echo->sink);
}

static void need_policy(struct call *call, struct needs *needs)
{
    need_add(needs, "dynamodb:PutItem", call_arn(call, "dynamodb", "backup/" STR_FMT, STR_ARG(call_str(call, "BackupArn"))));
    need_resource_policy(needs, str_eq(call_request_header(call, "x-policy"), STR("public")) ? STR("{\"public\"}") : STR("{}"));
}

/* A token instead of a signature. */
static bool by_token(struct call *call)
{
    struct str header = call_request_header(call, "Authorization");
    if (!str_eq(header, STR("Bearer of-the-ring"))) {
        call_fault(call, header.n ? FAULT_BAD_SESSION_TOKEN : FAULT_MISSING_TOKEN, STR_NONE);
        return false;
    }
    call->caller = arena_new_of(call->arena, struct principal);
    call->caller->name = STR("frodo");
    call->account = STR("111122223333");
    return true;
}

static const char *const refused[] = {"AttributesToGet", NULL};
static const struct row dynamodb_rows[] = {
    {.name = "CreateTable", .run = RUN_MUTATION, .needs = need_many, .prepare = prepare, .prepare_blocks = true, .mutate = count, .committed = after_commit},
    {.name = "DescribeBackup", .run = RUN_INLINE, .caller = CALLER_SIGNED_OR_ANONYMOUS, .needs = need_policy, .handle = answer_thread},
    {.name = "DescribeTable", .run = RUN_INLINE, .needs = need_nothing, .handle = answer_thread},
    {.name = "GetItem", .run = RUN_INLINE, .needs = need_table, .handle = answer_thread, .refused = refused},
    {.name = "ListBackups", .run = RUN_INLINE, .caller = CALLER_OWN, .authenticate = by_token, .needs = need_many, .handle = answer_thread},
    {.name = "ListTables", .run = RUN_INLINE, .needs = need_many, .handle = fail_internally},
    {.name = "Query", .run = RUN_INLINE, .needs = need_many, .prepare = prepare, .handle = answer_thread},
    {.name = "Scan", .run = RUN_WORKER, .needs = need_many, .handle = answer_thread},
    {.name = "UpdateTable", .run = RUN_MUTATION, .needs = need_many, .mutate = count, .committed = after_commit},
};
static const struct row lambda_rows[] = {{.name = "Invoke", .run = RUN_ASYNC, .needs = need_many, .handle = start_async}};
static const struct row echo_rows[] = {{.name = "Invoke", .run = RUN_ASYNC, .needs = need_many, .handle = echo_stream, .streams = true}};
static const struct row sts_rows[] = {{.name = "DecodeAuthorizationMessage", .caller = CALLER_ANYBODY, .run = RUN_INLINE, .handle = answer_thread},
                                      {.name = "GetCallerIdentity", .run = RUN_INLINE, .handle = answer_thread}};

static const struct service_api dynamodb = {.model = &model_dynamodb, .rows = dynamodb_rows, .row_count = COUNT_OF(dynamodb_rows),
                                            .errors = &dynamodb_errors, .body_max = 4096};
static const struct service_api lambda = {.model = &model_lambda, .rows = lambda_rows, .row_count = 1, .errors = &lambda_errors, .body_max = 1 << 20};
static const struct service_api sts = {.model = &model_sts, .rows = sts_rows, .row_count = COUNT_OF(sts_rows), .errors = &sts_errors, .body_max = 65536};
/* Shares DynamoDB's signing name; only its target differs. */
static struct model streams_model;
static struct service_api streams = {.model = &streams_model, .rows = dynamodb_rows, .row_count = COUNT_OF(dynamodb_rows), .errors = &dynamodb_errors, .body_max = 100};
static struct model echo_model;     /* Lambda's, signed as "echo" */
static const struct service_api echo = {.model = &echo_model, .rows = echo_rows, .row_count = 1, .errors = &lambda_errors, .body_max = 8192, .streams = true};
static const struct service_binding bindings[] = {{.api = &streams}, {.api = &dynamodb}, {.api = &lambda}, {.api = &sts}, {.api = &echo}, {0}};

/* ---- the server ---- */

static int open_site(void **state)
{
    (void)state;
    site_make();
    echo_model = model_lambda;
    echo_model.signing_name = "echo";
    streams_model = model_dynamodb;
    streams_model.target_prefix = "DynamoDBStreams_20120810";
    site_serve(bindings, NULL);
    return 0;
}

static const char *dynamo(const char *who, const char *operation, const char *body)
{
    char headers[512];
    snprintf(headers, sizeof headers,
             "%s%s%sX-Amz-Target: DynamoDB_20120810.%s\r\nContent-Type: application/x-amz-json-1.0\r\n", who[0] ? "x-who: " : "", who,
             who[0] ? "\r\n" : "", operation);
    exchange("POST", "/", headers, body);
    return answer;
}

static void nothing_is_told_to_strangers(void **state)
{
    (void)state;
    static const char *const operations[] = {"GetItem", "DescribeLimits", "Nonsense"};
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        dynamo("", operations[i], "not JSON");
        assert_has("HTTP/1.1 400 ");
        assert_has("{\"__type\":\"com.amazon.coral.service#MissingAuthenticationTokenException\",\"message\":\"Request is missing Authentication Token\"}");
        dynamo("stranger", operations[i], "not JSON");
        assert_has("com.amazon.coral.service#UnrecognizedClientException");
        dynamo("malformed", operations[i], "not JSON");
        assert_has("{\"__type\":\"com.amazon.coral.service#IncompleteSignatureException\",\"message\":\"Authorization header requires 'Credential' parameter. \"}");
    }
}

static void authenticated_callers_are_told(void **state)
{
    (void)state;
    dynamo("alice", "Nonsense", "{}");
    assert_has("{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}");
    dynamo("alice", "DescribeLimits", "{}");
    assert_has("HTTP/1.1 501 ");
    assert_has("Cloudless does not implement dynamodb:DescribeLimits.");
    dynamo("alice", "GetItem", "not JSON");
    assert_has("{\"__type\":\"com.amazon.coral.service#SerializationException\"}");
    dynamo("alice", "GetItem", "{\"Key\":{}}");
    assert_has("Value null at 'tableName' failed to satisfy constraint: Member must not be null");
}

static void permissions_come_before_refusals(void **state)
{
    (void)state;
    dynamo("nobody", "GetItem", "{\"TableName\":\"abc\",\"Key\":{},\"AttributesToGet\":[\"a\"]}");
    assert_has("com.amazon.coral.service#AccessDeniedException\",\"Message\":\"User: nobody is not authorized to perform: dynamodb:GetItem\"");
    dynamo("alice", "GetItem", "{\"TableName\":\"abc\",\"Key\":{},\"AttributesToGet\":[\"a\"]}");
    assert_has("HTTP/1.1 501 ");
    assert_has("the parameter AttributesToGet of dynamodb:GetItem");
    dynamo("alice", "DescribeTable", "{\"TableName\":\"abc\"}");
    assert_has("HTTP/1.1 500 ");        /* a row that asks for nothing is not run */
    dynamo("alice", "Query", "{\"TableName\":\"abc\",\"ConsistentRead\":true}");
    assert_has("AccessDeniedException");    /* the resource policy of one need of twenty */
    int before = atomic_load(&authorized);
    dynamo("alice", "Query", "{\"TableName\":\"abc\"}");
    assert_has("HTTP/1.1 200 ");
    assert_int_equal(atomic_load(&authorized) - before, 20);
}

static void rows_run_where_they_say(void **state)
{
    (void)state;
    dynamo("alice", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}");
    assert_has("{\"Thread\":\"loop\",\"Caller\":\"alice\",\"Region\":\"eu-west-1\"}");
    assert_has("x-extra: yes");
    assert_has("x-amz-crc32: ");
    dynamo("alice", "Scan", "{\"TableName\":\"abc\"}");
    assert_has("\"Thread\":\"worker\"");
    dynamo("alice", "Query", "{\"TableName\":\"long\"}");
    assert_has("\"Thread\":\"worker\"");
    dynamo("alice", "Query", "{\"TableName\":\"unprepared\"}");
    assert_has("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException");
    dynamo("alice", "ListTables", "{}");
    assert_has("HTTP/1.1 500 ");
    assert_has("InternalServerError");
}

static void mutations_are_answered_when_durable(void **state)
{
    (void)state;
    int before = atomic_load(&committed);
    dynamo("alice", "UpdateTable", "{\"TableName\":\"abc\"}");
    assert_has("{\"Count\":1}");
    dynamo("alice", "UpdateTable", "{\"TableName\":\"abc\",\"DeletionProtectionEnabled\":true}");
    assert_has("ConditionalCheckFailedException\",\"message\":\"The conditional request failed\"}");
    dynamo("alice", "CreateTable", "{\"TableName\":\"abc\",\"AttributeDefinitions\":[],\"KeySchema\":[{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"}]}");
    assert_has("{\"Count\":2,\"Prepared\":\"worker\"}");
    dynamo("alice", "CreateTable", "{\"TableName\":\"unprepared\",\"AttributeDefinitions\":[],\"KeySchema\":[{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"}]}");
    assert_has("ResourceNotFoundException");
    assert_int_equal(atomic_load(&committed) - before, 2);
}

static void async_calls_complete_once(void **state)
{
    (void)state;
    const char *who = "x-who: alice\r\n";
    exchange("POST", "/2015-03-31/functions/now/invocations", who, "payload 1");
    assert_has("HTTP/1.1 200 ");
    assert_has("\r\n\r\npayload 1");
    exchange("POST", "/2015-03-31/functions/later/invocations", who, "payload 2");
    assert_has("\r\n\r\npayload 2");
    exchange("GET", "/2015-03-31/nonsense", who, "");
    assert_has("HTTP/1.1 404 ");
    assert_has("<UnknownOperationException/>");
    exchange("GET", "/2015-03-31/functions/", who, "");
    assert_has("HTTP/1.1 501 ");
    assert_has("{\"message\":\"Cloudless does not implement lambda:ListFunctions.\"}");
}

static void services_are_found(void **state)
{
    (void)state;
    exchange("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "x-who: alice\r\n", "");
    assert_has("<GetCallerIdentityResponse ");
    exchange("POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_has("<Code>MissingAuthenticationToken</Code>");
    exchange("POST", "/x", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260131/eu-west-1/sts/aws4_request, SignedHeaders=host\r\nx-who: a\r\n", "");
    assert_has("HTTP/1.1 302 ");
    exchange("POST", "/", "Authorization: AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260131/dynamodb/aws4_request, SignedHeaders=host\r\n", "");
    assert_has("com.amazon.coral.service#Missing");
    exchange("GET", "/?X-Amz-Credential=AKIA%2F20260131%2Feu-west-1%2Flambda%2Faws4_request", "", "");
    assert_has("{\"message\":\"Missing Authentication Token\"}");
    exchange("GET", "/", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260131/eu-west-1/s3/aws4_request, SignedHeaders=host\r\n", "");
    assert_has("nobody's");
    exchange("GET", "/index.html", "", "");
    assert_has("nobody's");
}

static void bodies_are_limited(void **state)
{
    (void)state;
    char body[6000];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    dynamo("alice", "GetItem", body);
    assert_has("HTTP/1.1 413 ");
    assert_has("{\"__type\":\"com.amazon.coral.service#RequestEntityTooLargeException\"}");
}

#define DYNAMODB_SCOPE "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260131/eu-west-1/dynamodb/aws4_request, SignedHeaders=host\r\n"

/* The target decides between the APIs of one signing name; a target of neither leaves the answer to one of them. */
static void a_signing_name_may_be_shared(void **state)
{
    (void)state;
    static const char *const targets[] = {"DynamoDB_20120810.DescribeLimits", "DynamoDBStreams_20120810.DescribeLimits", "Other.DescribeLimits"};
    static const char *const answers[] = {"HTTP/1.1 501 ", "HTTP/1.1 501 ", "UnknownOperationException"};
    char headers[512];
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        snprintf(headers, sizeof headers, DYNAMODB_SCOPE "x-who: alice\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: %s\r\n", targets[i]);
        exchange("POST", "/", headers, "{}");
        assert_has(answers[i]);
    }
    char body[200];
    memset(body, ' ', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    exchange("POST", "/", DYNAMODB_SCOPE "x-who: alice\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Type: application/x-amz-json-1.0\r\n", body);
    assert_has("SerializationException");
    exchange("POST", "/", DYNAMODB_SCOPE "x-who: alice\r\nX-Amz-Target: DynamoDBStreams_20120810.GetItem\r\nContent-Type: application/x-amz-json-1.0\r\n", body);
    assert_has("HTTP/1.1 413 ");
}

#define ECHO_SCOPE "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260131/eu-west-1/echo/aws4_request, SignedHeaders=host\r\nx-who: alice\r\n"
#define ECHO_PATH "/2015-03-31/functions/f/invocations"

static void echo_with(const char *headers, const char *body)
{
    char all[1024];
    snprintf(all, sizeof all, ECHO_SCOPE "%s", headers);
    exchange("POST", ECHO_PATH, all, body);
}

static char *hex_of(struct str text)
{
    struct arena *arena = arena_new();
    static char hex[2 * SHA256_BYTES + 1];
    memcpy(hex, sha256_hex(arena, text).p, 2 * SHA256_BYTES);
    arena_free(arena);
    return hex;
}

/* Bodies over the API's limit pass by, checked against what the request said of them. */
static void bodies_are_streamed(void **state)
{
    (void)state;
    enum { BYTES = 300000 };
    char *body = malloc(BYTES + 1), headers[256], expected[256];
    ENSURE(body != NULL);
    for (size_t i = 0; i < BYTES; i++)
        body[i] = (char)('a' + i % 26);
    body[BYTES] = '\0';
    const char *digest = hex_of((struct str){body, BYTES});
    snprintf(expected, sizeof expected, "300000 bytes, ");
    snprintf(headers, sizeof headers, "x-amz-content-sha256: %s\r\n", digest);
    echo_with(headers, body);
    assert_has("HTTP/1.1 200 ");
    assert_has("X-Amz-Executed-Version: 7");
    assert_has("Transfer-Encoding: chunked");
    assert_has(expected);
    assert_has(digest);
    assert_has(" end");
    echo_with("x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n", body);
    assert_has(digest);
    snprintf(headers, sizeof headers, "x-amz-content-sha256: %s\r\n", hex_of(STR("another")));
    echo_with(headers, body);
    assert_has("HTTP/1.1 403 ");
    assert_has("InvalidSignatureException");
    echo_with("", body);        /* says nothing of itself, so it is gathered, up to the limit */
    assert_has("HTTP/1.1 413 ");
    echo_with("", "little");
    assert_has("6 bytes, ");
    echo_with("x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n", "");
    assert_has("0 bytes, e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 end");
    free(body);
}

#define UNSIGNED "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
#define CHUNKED(length) "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-trailer: x-amz-checksum-crc32\r\n" \
                        "x-amz-decoded-content-length: " length "\r\n"

static void chunked_bodies_are_decoded(void **state)
{
    (void)state;
    static const struct { const char *headers, *body, *answers; } cases[] = {
        {CHUNKED("5"), "3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n",
         "5 bytes, 36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c end"},
        {CHUNKED("5"), "5\r\nabcdX\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n", "BadDigest"},
        {CHUNKED("6"), "5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n", "IncompleteBody"},
        {CHUNKED("5"), "5\r\nabcde\r\n", "IncompleteBody"},
        {CHUNKED("5"), "5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\nmore", "MalformedTrailerError"},
        {CHUNKED("5"), "not chunks\r\n", "MalformedTrailerError"},
        {CHUNKED("x"), "0\r\n\r\n", "MissingContentLength"},
        {UNSIGNED "x-amz-checksum-crc32: hYfYZQ==\r\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "abcde", "BadDigest"},
        {UNSIGNED "x-amz-checksum-crc32: hYfYZQ==\r\nContent-MD5: q1a02StAcTrMWviZhdS3hg==\r\n", "abcde", "5 bytes, "},
        {UNSIGNED "x-amz-checksum-crc32: hYfYZQ==\r\n", "abcde", "5 bytes, "},
        {UNSIGNED "x-amz-checksum-crc32: hYfYZQ==\r\n", "abcdX", "BadDigest"},
        {UNSIGNED "x-amz-checksum-crc32: hYfY\r\n", "abcde", "InvalidDigest"},
        {UNSIGNED "x-amz-checksum-xxhash3: hYfY\r\n", "abcde", "HTTP/1.1 501 "},
        {UNSIGNED "x-amz-checksum-crc32: hYfYZQ==\r\nx-amz-checksum-crc32c: hYfYZQ==\r\nx-amz-checksum-md5: q1a02StAcTrMWviZhdS3hg==\r\n",
         "abcde", "InvalidRequest"},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        atomic_store(&echo_keeps, i >= COUNT_OF(cases));
        echo_with(cases[i % COUNT_OF(cases)].headers, cases[i % COUNT_OF(cases)].body);
        assert_has(cases[i % COUNT_OF(cases)].answers);
    }
    atomic_store(&echo_keeps, false);
}

/* An operation that needs no signature is run without one, and with one that nobody has. */
static void open_operations_need_no_caller(void **state)
{
    (void)state;
    static const char *const callers[] = {"", "x-who: stranger\r\n", "x-who: alice\r\n"};
    for (size_t i = 0; i < COUNT_OF(callers); i++) {
        exchange("GET", "/?Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=x", callers[i], "");
        assert_has("<DecodeAuthorizationMessageResponse ");
    }
}

/* Who is nobody in particular comes as far as the resource policy; who signs, and badly, does not become nobody. */
static void anonymous_callers_are_let_in_by_policy(void **state)
{
    (void)state;
    static const char body[] = "{\"BackupArn\":\"arn:aws:dynamodb:us-east-1:000000000000:table/abc/backup/01\"}";
    static const char target[] = "X-Amz-Target: DynamoDB_20120810.DescribeBackup\r\nContent-Type: application/x-amz-json-1.0\r\n%s";
    static const struct { const char *headers, *answers; } cases[] = {
        {"x-policy: public\r\n", "\"Caller\":\"anonymous\",\"Region\":\"us-east-1\""},
        {"", "User: anonymous is not authorized"},
        {"x-who: alice\r\n", "\"Caller\":\"alice\",\"Region\":\"eu-west-1\""},
        {"x-policy: public\r\nx-who: stranger\r\n", "UnrecognizedClientException"},
        {"x-policy: public\r\nx-who: malformed\r\n", "IncompleteSignatureException"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char headers[512];
        snprintf(headers, sizeof headers, target, cases[i].headers);
        exchange("POST", "/", headers, body);
        assert_has(cases[i].answers);
    }
    exchange("POST", "/", "X-Amz-Target: DynamoDB_20120810.DescribeBackup\r\nContent-Type: application/x-amz-json-1.0\r\nx-policy: public\r\n", "{}");
    assert_has("ValidationException");
}

static void services_may_have_an_authentication_of_their_own(void **state)
{
    (void)state;
    static const char target[] = "X-Amz-Target: DynamoDB_20120810.ListBackups\r\nContent-Type: application/x-amz-json-1.0\r\n%s";
    static const struct { const char *headers, *answers; } cases[] = {
        {"Authorization: Bearer of-the-ring\r\n", "\"Caller\":\"frodo\""},
        {"Authorization: Bearer of-bad-news\r\n", "UnrecognizedClientException"},
        {"", "MissingAuthenticationTokenException"},
        {"x-who: alice\r\n", "MissingAuthenticationTokenException"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char headers[512];
        snprintf(headers, sizeof headers, target, cases[i].headers);
        exchange("POST", "/", headers, "{}");
        assert_has(cases[i].answers);
    }
}

/* What the model lets anybody call is not asked for a signature before it is said to be missing here; a name of nothing is. */
static void what_nobody_signs_is_told_to_be_missing(void **state)
{
    (void)state;
    exchange("GET", "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15", "", "");
    assert_has("HTTP/1.1 501 ");
    assert_has("sts:AssumeRoleWithWebIdentity");
    exchange("GET", "/?Action=GetAccessKeyInfo&Version=2011-06-15", "", "");
    assert_has("<Code>MissingAuthenticationToken</Code>");
    exchange("GET", "/?Action=Nonsense&Version=2011-06-15", "", "");
    assert_has("<Code>MissingAuthenticationToken</Code>");
}

/* A handler that does not stream gets the body out of its encoding, or not at all. */
static void gathered_bodies_are_decoded(void **state)
{
    (void)state;
    static const struct { const char *headers, *body, *answers; } cases[] = {
        {CHUNKED("5"), "3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n", "\r\n\r\nabcde"},
        {CHUNKED("0"), "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "HTTP/1.1 200 "},
        {CHUNKED("5"), "5\r\nabcdX\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n", "BadDigest"},
        {CHUNKED("5"), "5\r\nabcde\r\n", "IncompleteBody"},
        {CHUNKED("5"), "5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\nmore", "MalformedTrailerError"},
        {CHUNKED("x"), "0\r\n\r\n", "MissingContentLength"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char headers[512];
        snprintf(headers, sizeof headers, "x-who: alice\r\n%s", cases[i].headers);
        exchange("POST", "/2015-03-31/functions/now/invocations", headers, cases[i].body);
        assert_has(cases[i].answers);
    }
}

/* ---- full queues: while something holds the committer, or all threads of a lane ---- */

static atomic_bool gate_open;
static atomic_size_t passed;

/* Its bound is for a broken product: then the test fails and ends. */
static void wait_at_gate(void)
{
    for (int i = 0; i < 20000 && !atomic_load(&gate_open); i++)
        usleep(1000);
}

static void wait_passed(size_t count)
{
    for (int i = 0; i < 20000 && atomic_load(&passed) < count; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&passed), count);
}

static enum err mutate_at_gate(struct store_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    wait_at_gate();
    return ERR_OK;
}

static void count_passed(struct store_mutation *mutation, enum err err)
{
    (void)mutation;
    ENSURE(err == ERR_OK);
    atomic_fetch_add(&passed, 1);
}

static void assert_busy_503(void)
{
    assert_has("HTTP/1.1 503 ");
    assert_has("Retry-After: 1");
}

static void mutations_wait_in_a_bounded_queue(void **state)
{
    (void)state;
    static struct store_mutation waiting[STORE_QUEUE_MAX + 10000]; /* a batch of them leaves the queue, to the gate */
    size_t count = 0;
    atomic_store(&gate_open, false);
    atomic_store(&passed, 0);
    while (store_queued(site.store) <= STORE_QUEUE_MAX) {
        ENSURE(count < COUNT_OF(waiting));
        waiting[count] = (struct store_mutation){.mutate = mutate_at_gate, .done = count_passed, .name = "gate"};
        store_submit(site.store, &waiting[count++]);
    }
    dynamo("alice", "UpdateTable", "{\"TableName\":\"abc\"}");
    assert_busy_503();
    atomic_store(&gate_open, true);
    wait_passed(count);
    dynamo("alice", "UpdateTable", "{\"TableName\":\"abc\"}");
    assert_has("HTTP/1.1 200 ");
}

static void work_at_gate(struct work *work)
{
    (void)work;
    wait_at_gate();
    atomic_fetch_add(&passed, 1);
}

static void lanes_have_bounded_queues(void **state)
{
    (void)state;
    static struct work waiting[NET_LANE_QUEUE_MAX + NET_LANE_SCAN_THREADS + 1];
    struct lane_stats stats;
    size_t count = 0;
    atomic_store(&gate_open, false);
    atomic_store(&passed, 0);
    do {
        waiting[count] = (struct work){.run = work_at_gate};
        if (workers_submit(site.workers, LANE_SCAN, &waiting[count]) == ERR_OK)
            count++;
        workers_stats(site.workers, LANE_SCAN, &stats);
    } while (stats.queued < NET_LANE_QUEUE_MAX || stats.running < NET_LANE_SCAN_THREADS);
    dynamo("alice", "Scan", "{\"TableName\":\"abc\"}");
    assert_busy_503();
    dynamo("alice", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}");
    assert_has("HTTP/1.1 200 ");
    atomic_store(&gate_open, true);
    wait_passed(count);
    dynamo("alice", "Scan", "{\"TableName\":\"abc\"}");
    assert_has("HTTP/1.1 200 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_told_to_strangers),
        cmocka_unit_test(authenticated_callers_are_told),
        cmocka_unit_test(permissions_come_before_refusals),
        cmocka_unit_test(rows_run_where_they_say),
        cmocka_unit_test(mutations_are_answered_when_durable),
        cmocka_unit_test(async_calls_complete_once),
        cmocka_unit_test(services_are_found),
        cmocka_unit_test(bodies_are_limited),
        cmocka_unit_test(bodies_are_streamed),
        cmocka_unit_test(chunked_bodies_are_decoded),
        cmocka_unit_test(a_signing_name_may_be_shared),
        cmocka_unit_test(open_operations_need_no_caller),
        cmocka_unit_test(anonymous_callers_are_let_in_by_policy),
        cmocka_unit_test(services_may_have_an_authentication_of_their_own),
        cmocka_unit_test(what_nobody_signs_is_told_to_be_missing),
        cmocka_unit_test(gathered_bodies_are_decoded),
        cmocka_unit_test(mutations_wait_in_a_bounded_queue),
        cmocka_unit_test(lanes_have_bounded_queues),
    };
    return cmocka_run_group_tests(tests, open_site, close_site);
}
