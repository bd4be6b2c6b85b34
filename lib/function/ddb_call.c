/* ddb_call.c -- the client of DynamoDB, and the one path that every call takes: cl_ddb_call.
 *
 * A call is tried at most CL__DDB_TRIES_MAX times: its request is signed anew, sent over the kept connection, its answer
 * looked up in one of three tables (what the connection came to, DynamoDB's types of errors, HTTP statuses), each of which
 * says what the error is and whether another try may mend it. All of it ends before the invocation's deadline. A try has
 * half of the time that is left, so that a connection gone silent, which a function thawed after a while may have, leaves
 * time for a new one. A write that broke off may have happened; it is sent again all the same, as AWS's own SDKs do.
 * Sources: Amazon DynamoDB developer guide, "DynamoDB low-level API", "Error handling with DynamoDB"; AWS Architecture
 * blog, "Exponential Backoff And Jitter". */
#include "ddb.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRY_MS_MAX    10000 /* an answer that takes longer counts as a broken connection */
#define TRY_MS_MIN    250   /* less is not worth dividing: then a try has all the time that is left */
#define RESERVE_MS    100   /* of the invocation's time, for its own answer */
#define BACK_OFF_MS   25
#define PAUSE_MS_MAX  1000
#define SETTINGS_MAX  65536 /* bytes of credentials and region */
#define HEAD_MAX      32768
#define TARGET_PREFIX "DynamoDB_20120810."

#define ERROR_NAME(name) [name] = #name
static const char *const error_names[] = {ERROR_NAME(CL_DDB_OK),
                                          ERROR_NAME(CL_DDB_CONDITION_FAILED),
                                          ERROR_NAME(CL_DDB_TABLE_NOT_FOUND),
                                          ERROR_NAME(CL_DDB_VALIDATION),
                                          ERROR_NAME(CL_DDB_ACCESS_DENIED),
                                          ERROR_NAME(CL_DDB_THROTTLED),
                                          ERROR_NAME(CL_DDB_TRANSACTION_CANCELED),
                                          ERROR_NAME(CL_DDB_TRANSACTION_CONFLICT),
                                          ERROR_NAME(CL_DDB_TOO_LARGE),
                                          ERROR_NAME(CL_DDB_SERVER),
                                          ERROR_NAME(CL_DDB_UNREACHABLE),
                                          ERROR_NAME(CL_DDB_DEADLINE),
                                          ERROR_NAME(CL_DDB_NO_MEMORY),
                                          ERROR_NAME(CL_DDB_ANSWER),
                                          ERROR_NAME(CL_DDB_OTHER)};

/* DynamoDB's types of errors, and those that AWS's SDKs try again whatever the service. */
static const struct type {
    const char *name;
    cl_ddb_error error;
    bool retry;
} types[] = {
    {"ConditionalCheckFailedException", CL_DDB_CONDITION_FAILED, false},
    {"ResourceNotFoundException", CL_DDB_TABLE_NOT_FOUND, false},
    {"ValidationException", CL_DDB_VALIDATION, false},
    {"SerializationException", CL_DDB_VALIDATION, false},
    {"IdempotentParameterMismatchException", CL_DDB_VALIDATION, false},
    {"AccessDeniedException", CL_DDB_ACCESS_DENIED, false},
    {"UnrecognizedClientException", CL_DDB_ACCESS_DENIED, false},
    {"ExpiredTokenException", CL_DDB_ACCESS_DENIED, false},
    {"IncompleteSignatureException", CL_DDB_ACCESS_DENIED, false},
    {"InvalidSignatureException", CL_DDB_ACCESS_DENIED, false},
    {"InvalidClientTokenId", CL_DDB_ACCESS_DENIED, false},
    {"MissingAuthenticationToken", CL_DDB_ACCESS_DENIED, false},
    {"MissingAuthenticationTokenException", CL_DDB_ACCESS_DENIED, false},
    {"ProvisionedThroughputExceededException", CL_DDB_THROTTLED, true},
    {"RequestLimitExceeded", CL_DDB_THROTTLED, true},
    {"LimitExceededException", CL_DDB_THROTTLED, true},
    {"Throttling", CL_DDB_THROTTLED, true},
    {"ThrottlingException", CL_DDB_THROTTLED, true},
    {"ThrottledException", CL_DDB_THROTTLED, true},
    {"RequestThrottled", CL_DDB_THROTTLED, true},
    {"RequestThrottledException", CL_DDB_THROTTLED, true},
    {"TooManyRequestsException", CL_DDB_THROTTLED, true},
    {"BandwidthLimitExceeded", CL_DDB_THROTTLED, true},
    {"PriorRequestNotComplete", CL_DDB_THROTTLED, true},
    {"EC2ThrottledException", CL_DDB_THROTTLED, true},
    {"SlowDown", CL_DDB_THROTTLED, true},
    {"TransactionCanceledException", CL_DDB_TRANSACTION_CANCELED, false},
    {"TransactionConflictException", CL_DDB_TRANSACTION_CONFLICT, false},
    {"TransactionInProgressException", CL_DDB_TRANSACTION_CONFLICT, true},
    {"ReplicatedWriteConflictException", CL_DDB_TRANSACTION_CONFLICT, true},
    {"ItemCollectionSizeLimitExceededException", CL_DDB_TOO_LARGE, false},
    {"InternalServerError", CL_DDB_SERVER, true},
    {"RequestTimeout", CL_DDB_SERVER, true},
    {"RequestTimeoutException", CL_DDB_SERVER, true},
};

/* Statuses of answers whose type is not among those; the last row is for all others. `named`: with a type they are that. */
static const struct status {
    int first, last;
    cl_ddb_error error;
    bool retry, named;
} statuses[] = {
    {429, 429, CL_DDB_THROTTLED, true, false}, {500, 500, CL_DDB_SERVER, true, false}, {502, 504, CL_DDB_SERVER, true, false},
    {509, 509, CL_DDB_THROTTLED, true, false}, {501, 599, CL_DDB_SERVER, false, false}, {400, 499, CL_DDB_ANSWER, false, true},
    {0, 999, CL_DDB_ANSWER, false, false},
};

/* What an exchange came to that brought no answer, by cl_result. */
static const struct broken {
    cl_ddb_error error;
    bool retry;
} broken[] = {
    [CL_NO_MEMORY] = {CL_DDB_TOO_LARGE, false}, [CL_INVALID] = {CL_DDB_ANSWER, false},
    [CL_REFUSED] = {CL_DDB_UNREACHABLE, false}, [CL_UNREACHABLE] = {CL_DDB_UNREACHABLE, true},
    [CL_DEADLINE] = {CL_DDB_UNREACHABLE, true},
};

const char *cl_ddb_error_name(cl_ddb_error error)
{
    return (size_t)error < CL__COUNT(error_names) ? error_names[error] : "unknown";
}

/* ---- the client ---- */

/* Fit for a header and a signature: printable, without spaces. */
static bool fit(cl_str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    return s.n <= max;
}

static cl_result read_settings(cl_dynamodb *db, cl_str *message)
{
    const struct setting {
        const char *names[2];
        cl_str *into;
        size_t max;
        bool required;
    } settings[] = {{{"AWS_REGION", "AWS_DEFAULT_REGION"}, &db->signer.region, 64, true},
                    {{"AWS_ACCESS_KEY_ID"}, &db->signer.key_id, 256, true},
                    {{"AWS_SECRET_ACCESS_KEY"}, &db->signer.secret, CL__SIGV4_SECRET_MAX, true},
                    {{"AWS_SESSION_TOKEN"}, &db->token, 16384, false}};
    for (size_t i = 0; i < CL__COUNT(settings); i++) {
        const struct setting *setting = &settings[i];
        const char *value = NULL;
        for (size_t j = 0; j < 2 && setting->names[j] && !(value && *value); j++)
            value = getenv(setting->names[j]);
        cl_str s = cl_str_of(value);
        if (s.n == 0 && setting->required) {
            *message = cl__sentence("%s is not set", setting->names[0]);
            return CL_CONFIG;
        }
        if (!fit(s, setting->max)) {
            *message = cl__sentence("%s has characters that it cannot have, or too many", setting->names[0]);
            return CL_CONFIG;
        }
        *setting->into = cl_dup(db->settings, s);
    }
    db->signer.service = cl_str_of("dynamodb");
    return CL_OK;
}

cl_result cl_dynamodb_open(cl_dynamodb **ret, cl_str *message)
{
    cl_str unread;
    message = message ? message : &unread;
    *message = cl__sentence("out of memory");
    cl_dynamodb *db = cl__malloc(sizeof *db);
    if (!db)
        return CL_NO_MEMORY;
    memset(db, 0, offsetof(struct cl_dynamodb, message));
    db->connection.fd = -1;
    db->settings = cl_arena_new(SETTINGS_MAX);
    cl_result result = db->settings ? read_settings(db, message) : CL_NO_MEMORY;
    if (result == CL_OK && cl_arena_failed(db->settings))
        result = CL_NO_MEMORY;
    if (result == CL_OK)
        result = cl__endpoint_of("dynamodb", "DYNAMODB", db->signer.region, &db->connection.endpoint, message);
    if (result == CL_OK)
        result = cl__connection_init(&db->connection, message);
    if (result != CL_OK) {
        cl_dynamodb_close(db);
        return result;
    }
    *message = (cl_str){"", 0};
    *ret = db;
    return CL_OK;
}

void cl_dynamodb_close(cl_dynamodb *db)
{
    if (!db)
        return;
    cl__connection_clear(&db->connection);
    if (db->signer.secret.p)
        cl__wipe((char *)db->signer.secret.p, db->signer.secret.n);
    cl_arena_free(db->settings);
    cl__wipe(&db->signer, sizeof db->signer);
    free(db);
}

/* ---- messages ---- */

static void say(cl_dynamodb *db, cl_str s)
{
    s = cl__utf8_cut(s, sizeof db->message - 1 - db->message_n);
    if (s.n > 0)
        memcpy(db->message + db->message_n, s.p, s.n);
    db->message_n += s.n;
    db->message[db->message_n] = 0;
}

static void says(cl_dynamodb *db, const char *text)
{
    say(db, cl_str_of(text));
}

cl_str cl_dynamodb_message(const cl_dynamodb *db)
{
    return (cl_str){db->message_n ? db->message : "", db->message_n};
}

cl_ddb_error cl__ddb_refuse(cl_dynamodb *db, cl_ddb_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(db->message, sizeof db->message, format, args);
    va_end(args);
    db->message_n = n < 0 ? 0 : (size_t)n < sizeof db->message ? (size_t)n : sizeof db->message - 1;
    return error;
}

cl_ddb_error cl__ddb_no_memory(cl_dynamodb *db, const char *operation)
{
    return cl__ddb_refuse(db, CL_DDB_NO_MEMORY, "%s: out of memory", operation);
}

/* ---- time ---- */

int64_t cl__ddb_deadline(const cl_context *ctx)
{
    if (ctx->deadline_ms <= 0)
        return CL__NO_DEADLINE;
    int64_t deadline = cl__deadline_of(ctx->deadline_ms), left = deadline - cl__mono_ms();
    if (deadline == CL__NO_DEADLINE || left <= 0)
        return deadline;
    return deadline - (left / 10 < RESERVE_MS ? left / 10 : RESERVE_MS);
}

bool cl__ddb_pause(int64_t deadline_ms, unsigned tries)
{
    uint32_t random = 0;
    if (!cl__random(&random, sizeof random))
        random = (uint32_t)cl__mono_ms();
    int64_t most = (int64_t)BACK_OFF_MS << (tries > 8 ? 8 : tries - 1), now = cl__mono_ms();
    int64_t until = now + random % ((most < PAUSE_MS_MAX ? most : PAUSE_MS_MAX) + 1);
    if (until >= deadline_ms)
        return false;
    for (; now < until; now = cl__mono_ms()) { /* a signal ends a sleep early */
        struct timespec wait = {.tv_sec = (until - now) / 1000, .tv_nsec = (until - now) % 1000 * 1000000};
        nanosleep(&wait, NULL);
    }
    return true;
}

/* ---- a call ---- */

struct call {
    cl_dynamodb *db;
    cl_arena *arena;
    const char *operation;
    cl_str table; /* for the message; may be empty */
    cl_str body;
    int64_t deadline_ms;
    bool retry; /* may another try mend what the last one came to? */
    cl_json *answer;
};

/* The message's beginning: which call. */
static void begin_message(const struct call *call)
{
    call->db->message_n = 0;
    says(call->db, call->operation);
    if (call->table.n > 0) {
        says(call->db, " on ");
        say(call->db, cl__utf8_cut(call->table, 255));
    }
    says(call->db, ": ");
}

static cl_ddb_error failed(struct call *call, cl_ddb_error error, bool retry, cl_str why)
{
    begin_message(call);
    say(call->db, why);
    call->retry = retry;
    return error;
}

static cl_ddb_error no_memory(struct call *call)
{
    return failed(call, CL_DDB_NO_MEMORY, false, cl_str_of("out of memory"));
}

/* The request's head, with a signature of now. Empty without memory. */
static cl_str head_of(struct call *call)
{
    cl_dynamodb *db = call->db;
    char time[CL__SIGV4_TIME_BYTES], target[128];
    cl__sigv4_time(cl_now_ms(), time);
    snprintf(target, sizeof target, TARGET_PREFIX "%s", call->operation);
    struct cl__sign_header headers[5] = {{"content-type", CL_STR_LIT("application/x-amz-json-1.0")},
                                         {"host", cl_str_of(db->connection.endpoint.authority)},
                                         {"x-amz-date", cl_str_of(time)}};
    size_t count = 3;
    if (db->token.n > 0)
        headers[count++] = (struct cl__sign_header){"x-amz-security-token", db->token};
    headers[count++] = (struct cl__sign_header){"x-amz-target", cl_str_of(target)};
    struct cl__sign_request request = {"POST", "/", "", headers, count, call->body};
    cl_buf buf;
    cl_buf_init(&buf, call->arena, HEAD_MAX);
    cl_buf_adds(&buf, "POST / HTTP/1.1\r\n");
    for (size_t i = 0; i < count; i++) {
        cl_buf_adds(&buf, headers[i].name);
        cl_buf_adds(&buf, ": ");
        cl_buf_add(&buf, headers[i].value);
        cl_buf_adds(&buf, "\r\n");
    }
    cl_buf_adds(&buf, "authorization: ");
    cl__sigv4(&db->signer, &request, time, &buf);
    cl_buf_printf(&buf, "\r\nuser-agent: cloudless-function/" CLOUDLESS_VERSION "\r\ncontent-length: %zu\r\n\r\n", call->body.n);
    return cl_buf_str(&buf);
}

/* The type of an error's answer, without what stands around it: namespace#Type, or Type:address in the header. */
static cl_str type_of(const cl_json *body, const struct cl__http_answer *http)
{
    cl_str type = cl_json_str(cl_json_get(body, "__type"));
    if (type.n == 0)
        type = cl__http_header(http, "x-amzn-errortype");
    const char *mark = type.n ? memchr(type.p, '#', type.n) : NULL;
    if (mark)
        type = (cl_str){mark + 1, type.n - (size_t)(mark + 1 - type.p)};
    mark = type.n ? memchr(type.p, ':', type.n) : NULL;
    if (mark)
        type.n = (size_t)(mark - type.p);
    return cl__utf8_cut(type, 128);
}

/* The reasons of a cancelled transaction, each with the step it is about. */
static void say_reasons(cl_dynamodb *db, const cl_json *reasons)
{
    unsigned step = 0;
    for CL_JSON_EACH(reason, reasons) {
        cl_str code = cl_json_str(cl_json_get(reason, "Code")), text = cl_json_str(cl_json_get(reason, "Message"));
        char number[32];
        snprintf(number, sizeof number, "; step %u: ", ++step);
        if (code.n == 0 || cl_str_is(code, "None"))
            continue;
        says(db, number);
        say(db, code);
        if (text.n > 0)
            says(db, ": ");
        say(db, text);
    }
}

static cl_ddb_error read_error(struct call *call, const cl_json *body)
{
    const struct cl__http_answer *http = &call->db->connection.answer;
    cl_str name = type_of(body, http), text = cl_json_str(cl_json_get(body, "message"));
    if (text.n == 0)
        text = cl_json_str(cl_json_get(body, "Message"));
    char status_text[48];
    snprintf(status_text, sizeof status_text, "status %d", http->status);
    begin_message(call);
    say(call->db, name.n ? name : cl_str_of(status_text));
    if (text.n > 0)
        says(call->db, ": ");
    say(call->db, text);
    say_reasons(call->db, cl_json_get(body, "CancellationReasons"));
    for (size_t i = 0; i < CL__COUNT(types); i++)
        if (cl_str_is(name, types[i].name)) {
            call->retry = types[i].retry;
            return types[i].error;
        }
    const struct status *status = statuses;
    while (http->status < status->first || http->status > status->last)
        status++;
    call->retry = status->retry;
    return status->named && name.n > 0 ? CL_DDB_OTHER : status->error;
}

/* Is the body what x-amz-crc32 says? Without the header, yes. */
static bool is_undamaged(const struct cl__http_answer *http)
{
    cl_str said = cl__http_header(http, "x-amz-crc32");
    if (said.n == 0)
        return true;
    char crc[16];
    snprintf(crc, sizeof crc, "%lu", (unsigned long)cl__crc32(http->body));
    return cl_str_is(said, crc);
}

static cl_ddb_error read_answer(struct call *call)
{
    const struct cl__http_answer *http = &call->db->connection.answer;
    if (!is_undamaged(http))
        return failed(call, CL_DDB_UNREACHABLE, true, cl_str_of("the answer came damaged"));
    cl_json *body = NULL;
    cl_result parsed = cl_json_parse(call->arena, http->body, &body, NULL);
    if (parsed == CL_NO_MEMORY)
        return no_memory(call);
    if (http->status != 200)
        return read_error(call, body);
    if (!cl_json_is(body, CL_OBJECT))
        return failed(call, CL_DDB_ANSWER, false, cl_str_of("the answer is no JSON object"));
    call->answer = body;
    call->db->message_n = 0;
    return CL_DDB_OK;
}

cl_ddb_error cl__ddb_read_answer(cl_dynamodb *db, cl_arena *arena, const char *operation, cl_json **ret, bool *ret_retry)
{
    struct call call = {.db = db, .arena = arena, .operation = operation};
    cl_ddb_error error = read_answer(&call);
    *ret = call.answer;
    *ret_retry = call.retry;
    return error;
}

/* When a try that begins now must be over. */
static int64_t limit_of(int64_t now, int64_t deadline_ms)
{
    int64_t half = (deadline_ms - now) / 2;
    return half < TRY_MS_MIN ? deadline_ms : now + (half < TRY_MS_MAX ? half : TRY_MS_MAX);
}

static cl_ddb_error try_once(struct call *call)
{
    call->retry = false;
    int64_t now = cl__mono_ms(), limit = limit_of(now, call->deadline_ms);
    if (now >= call->deadline_ms)
        return failed(call, CL_DDB_DEADLINE, false, cl_str_of("no time left"));
    cl_str head = head_of(call), why = {0};
    if (head.n == 0)
        return no_memory(call);
    cl_result result =
        cl__connection_exchange(&call->db->connection, head, call->body, call->arena, CL__DDB_ANSWER_MAX, limit, &why);
    if (result == CL_OK)
        return read_answer(call);
    if (result == CL_NO_MEMORY && cl_arena_failed(call->arena))
        return no_memory(call);
    if (result == CL_DEADLINE && limit == call->deadline_ms)
        return failed(call, CL_DDB_DEADLINE, false, why);
    const struct broken *row = &broken[(size_t)result < CL__COUNT(broken) ? result : CL_UNREACHABLE];
    return failed(call, row->error, row->retry, why);
}

static bool is_name(const char *operation)
{
    size_t n = strspn(operation, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return n > 0 && n <= 64 && operation[n] == 0;
}

cl_ddb_error cl_ddb_call(cl_dynamodb *db, cl_context *ctx, const char *operation, const cl_json *input, cl_json **ret)
{
    if (!is_name(operation))
        return cl__ddb_refuse(db, CL_DDB_VALIDATION, "no name of an operation: %.64s", operation);
    struct call call = {.db = db, .arena = ctx->arena, .operation = operation, .deadline_ms = cl__ddb_deadline(ctx)};
    call.table = cl_json_str(cl_json_get(input, "TableName"));
    call.body = input ? cl_json_text(ctx->arena, input) : cl_str_of("{}");
    if (call.body.n == 0 || cl_arena_failed(ctx->arena))
        return no_memory(&call);
    for (unsigned tries = 1;; tries++) {
        cl_ddb_error error = try_once(&call);
        if (error == CL_DDB_OK && ret)
            *ret = call.answer;
        if (!call.retry || error == CL_DDB_OK)
            return error;
        if (tries == CL__DDB_TRIES_MAX) {
            says(db, " (after all tries)");
            return error;
        }
        if (!cl__ddb_pause(call.deadline_ms, tries)) {
            says(db, " (no time for another try)");
            return CL_DDB_DEADLINE;
        }
    }
}
