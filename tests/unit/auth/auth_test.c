/* auth_test.c -- keys, session tokens, caches and decisions through auth.h, with a source made of variables and a store in
 * a temporary directory. */
#include "auth/auth.h"
#include "auth/auth_internal.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "../base/files.h"

#define ALLOW_GET "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"dynamodb:GetItem\",\"Resource\":\"*\"}}"
#define TABLE STR("arn:aws:dynamodb:us-east-1:000000000000:table/t")

static const struct sigv4_rules rules = {.service = "dynamodb"};

struct fixture {
    char dir[64];
    struct store *store;
    struct auth *auth;
    struct arena *arena;
    struct str policy, tag;
    bool active, secure;
    uint64_t generation;
    int key_reads, policy_reads;
    size_t policy_copies; /* of `policy`, if there is one */
};

static enum err find_key(void *arg, struct str id, struct arena *arena, struct auth_key *ret)
{
    struct fixture *f = arg;

    f->key_reads++;
    if (!str_eq(id, STR("AKIAUSER")))
        return ERR_NOT_FOUND;
    *ret = (struct auth_key){.secret = arena_dup(arena, STR("secret")), .active = f->active};
    ret->principal = (struct principal){.type = PRINCIPAL_USER,
                                        .account = STR("000000000000"),
                                        .arn = arena_dup(arena, STR("arn:aws:iam::000000000000:user/alice")),
                                        .id = STR("AIDAALICE"),
                                        .name = STR("alice")};
    return ERR_OK;
}

static enum err identity(void *arg, const struct principal *principal, struct arena *arena, struct auth_identity *ret)
{
    struct fixture *f = arg;

    (void)principal;
    f->policy_reads++;
    *ret = (struct auth_identity){.policies = arena_array(arena, struct str, f->policy_copies),
                                  .policy_count = f->policy.n ? f->policy_copies : 0,
                                  .tags = arena_array(arena, struct auth_tag, 1),
                                  .tag_count = f->tag.n ? 1 : 0};
    for (size_t i = 0; i < f->policy_copies; i++)
        ret->policies[i] = f->policy;
    ret->tags[0] = (struct auth_tag){STR("team"), f->tag};
    return ERR_OK;
}

static uint64_t generation(void *arg)
{
    return ((struct fixture *)arg)->generation;
}

static void open_auth(struct fixture *f)
{
    const struct store_options options = {.dir = f->dir};
    const struct auth_source source = {f, find_key, identity, NULL, generation};
    struct str message;

    assert_int_equal(store_open(&options, f->arena, &f->store, &message), ERR_OK);
    assert_int_equal(auth_new(f->store, 1, &f->auth), ERR_OK);
    auth_set_source(f->auth, &source);
}

static void close_auth(struct fixture *f)
{
    auth_free(f->auth);
    store_close(f->store);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    strcpy(f->dir, "/tmp/cloudless-auth-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    f->policy = STR(ALLOW_GET);
    f->active = true;
    f->generation = 1;
    f->policy_copies = 1;
    open_auth(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close_auth(f);
    arena_free(f->arena);
    files_remove_tree(f->dir);
    free(f);
    return 0;
}

/* A signed request, by a signer of the test's own. */
static struct http_request sign_body(struct arena *arena, struct str id, struct str secret, struct str token, int64_t now_ms, struct str body)
{
    struct http_request request = {
        .arena = arena, .method = STR("GET"), .path = STR("/"), .target = STR("/"), .peer_ip = STR("127.0.0.1"), .body = body};
    struct str date = clock_sigv4(arena, now_ms), day = str_slice(date, 0, 8);
    const char *names = token.n ? "host;x-amz-date;x-amz-security-token" : "host;x-amz-date";
    struct str extra = token.n ? arena_printf(arena, "x-amz-security-token:" STR_FMT "\n", STR_ARG(token)) : STR("");
    struct str canonical = arena_printf(arena, "GET\n/\n\nhost:localhost\nx-amz-date:" STR_FMT "\n" STR_FMT "\n%s\n" STR_FMT, STR_ARG(date),
                                        STR_ARG(extra), names, STR_ARG(sha256_hex(arena, body)));
    struct str scope = arena_printf(arena, STR_FMT "/eu-west-1/dynamodb/aws4_request", STR_ARG(day));
    struct str text = arena_printf(arena, "AWS4-HMAC-SHA256\n" STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(date), STR_ARG(scope),
                                   STR_ARG(sha256_hex(arena, canonical)));
    struct str steps[] = {day, STR("eu-west-1"), STR("dynamodb"), STR("aws4_request"), text};
    struct str by = arena_printf(arena, "AWS4" STR_FMT, STR_ARG(secret));
    uint8_t mac[SHA256_BYTES];
    struct buf hex;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        hmac_sha256(by, steps[i], mac);
        by = (struct str){(const char *)mac, sizeof mac};
    }
    buf_init(&hex, arena, 64);
    hex_write(&hex, by);
    request.headers = arena_array(arena, struct http_header, 4);
    request.headers[request.header_count++] = (struct http_header){STR("Host"), STR("localhost")};
    request.headers[request.header_count++] = (struct http_header){STR("X-Amz-Date"), date};
    if (token.n)
        request.headers[request.header_count++] = (struct http_header){STR("X-Amz-Security-Token"), token};
    request.headers[request.header_count++] = (struct http_header){
        STR("Authorization"), arena_printf(arena, "AWS4-HMAC-SHA256 Credential=" STR_FMT "/" STR_FMT ", SignedHeaders=%s, Signature=" STR_FMT,
                                           STR_ARG(id), STR_ARG(scope), names, STR_ARG(buf_str(&hex)))};
    return request;
}

static struct http_request sign_request(struct arena *arena, struct str id, struct str secret, struct str token, int64_t now_ms)
{
    return sign_body(arena, id, secret, token, now_ms, STR(""));
}

static enum auth_failure authenticate(struct fixture *f, struct str id, struct str secret, struct str token, struct principal **ret)
{
    struct http_request request = sign_request(f->arena, id, secret, token, clock_epoch_ms());
    request.secure = f->secure;
    struct str region, message;
    struct sigv4 sig;

    assert_int_equal(sigv4_parse(&request, &rules, f->arena, &sig), SIGV4_OK);
    enum auth_failure failure = auth_authenticate(f->auth, &request, &sig, f->arena, ret, &region, &message);
    if (failure == AUTH_OK)
        assert_true(str_eq(region, STR("eu-west-1")));
    return failure;
}

static void test_long_term_key(void **state)
{
    struct fixture *f = *state;
    struct principal *principal = NULL;

    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &principal), AUTH_OK);
    assert_true(str_eq(principal->name, STR("alice")));
    assert_true(str_eq(principal->access_key_id, STR("AKIAUSER")));
    assert_true(str_eq(principal->source_ip, STR("127.0.0.1")));
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("other"), STR_NONE, &principal), AUTH_SIGNATURE_MISMATCH);
    assert_int_equal(authenticate(f, STR("AKIANOBODY"), STR("secret"), STR_NONE, &principal), AUTH_UNKNOWN_KEY);
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR("token"), &principal), AUTH_BAD_SESSION_TOKEN);
    assert_int_equal(f->key_reads, 2);
    f->active = false;
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &principal), AUTH_OK);
    f->generation++;
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &principal), AUTH_UNKNOWN_KEY);
}

static void test_scope(void **state)
{
    struct fixture *f = *state;
    struct http_request request = sign_request(f->arena, STR("AKIAUSER"), STR("secret"), STR_NONE, clock_epoch_ms());
    struct sigv4 sig;

    const struct sigv4_rules lambda = {.service = "lambda"};
    assert_int_equal(sigv4_parse(&request, &lambda, f->arena, &sig), SIGV4_BAD_SCOPE);
    assert_true(str_eq(sig.message, STR("Credential should be scoped to correct service: 'lambda'. ")));
}

static const struct principal worker = {.type = PRINCIPAL_ROLE_SESSION,
                                        .account = {"000000000000", 12},
                                        .arn = {"arn:aws:sts::000000000000:assumed-role/Worker/s1", 48},
                                        .id = {"AROAWORKER:s1", 13},
                                        .name = {"Worker", 6},
                                        .role_arn = {"arn:aws:iam::000000000000:role/Worker", 37},
                                        .issued_ms = 1234567};

static void test_sessions(void **state)
{
    struct fixture *f = *state;
    struct principal *p = NULL;
    struct auth_session session, expired;
    int64_t now = clock_epoch_ms();

    auth_session_issue(f->auth, &worker, now + 60000, f->arena, &session);
    assert_true(str_starts(session.access_key_id, STR("ASIA")) && session.access_key_id.n == 20);
    assert_int_equal(session.secret.n, 40);
    assert_int_equal(authenticate(f, session.access_key_id, session.secret, session.token, &p), AUTH_OK);
    assert_true(str_eq(p->arn, worker.arn) && str_eq(p->role_arn, worker.role_arn) && str_eq(p->id, worker.id));
    assert_true(str_eq(p->access_key_id, session.access_key_id));
    assert_int_equal(p->issued_ms, 1234567);
    assert_int_equal(authenticate(f, session.access_key_id, STR("wrong"), session.token, &p), AUTH_SIGNATURE_MISMATCH);
    assert_int_equal(authenticate(f, session.access_key_id, session.secret, STR_NONE, &p), AUTH_UNKNOWN_KEY);
    assert_int_equal(authenticate(f, STR("ASIAOTHER"), session.secret, session.token, &p), AUTH_BAD_SESSION_TOKEN);
    for (size_t i = 0; i < session.token.n; i += 7) {
        struct str changed = arena_dup(f->arena, session.token);
        ((char *)changed.p)[i] = changed.p[i] == 'A' ? 'B' : 'A';
        if (!str_eq(changed, session.token))
            assert_int_equal(authenticate(f, session.access_key_id, session.secret, changed, &p), AUTH_BAD_SESSION_TOKEN);
    }
    assert_int_equal(authenticate(f, session.access_key_id, session.secret, STR("AAAA"), &p), AUTH_BAD_SESSION_TOKEN);
    auth_session_issue(f->auth, &worker, now - 1, f->arena, &expired);
    assert_int_equal(authenticate(f, expired.access_key_id, expired.secret, expired.token, &p), AUTH_EXPIRED_TOKEN);
    close_auth(f);      /* tokens outlive a restart */
    open_auth(f);
    assert_int_equal(authenticate(f, session.access_key_id, session.secret, session.token, &p), AUTH_OK);
}

/* A session's token in the query string is a session's token; its end ends the URL too. */
static void test_presigned_sessions(void **state)
{
    struct fixture *f = *state;
    struct auth_session session, expired;
    int64_t now = clock_epoch_ms();
    struct str date = clock_sigv4(f->arena, now);
    const struct {
        const struct auth_session *session;
        bool token;
        enum auth_failure expected;
    } rows[] = {{&session, true, AUTH_SIGNATURE_MISMATCH}, {&session, false, AUTH_UNKNOWN_KEY}, {&expired, true, AUTH_EXPIRED_TOKEN}};

    auth_session_issue(f->auth, &worker, now + 60000, f->arena, &session);
    auth_session_issue(f->auth, &worker, now - 1, f->arena, &expired);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf query;
        buf_init(&query, f->arena, 8192);
        buf_printf(&query, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" STR_FMT "/" STR_FMT "/eu-west-1/dynamodb/aws4_request&X-Amz-Date=" STR_FMT
                           "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=%064d",
                   STR_ARG(rows[i].session->access_key_id), STR_ARG(str_slice(date, 0, 8)), STR_ARG(date), 0);
        if (rows[i].token) {
            buf_lit(&query, "&X-Amz-Security-Token=");
            percent_write(&query, rows[i].session->token, false);
        }
        struct http_header host = {STR("Host"), STR("localhost")};
        const struct http_request request = {.arena = f->arena, .method = STR("GET"), .path = STR("/"), .query = buf_str(&query),
                                             .headers = &host, .header_count = 1};
        struct principal *principal;
        struct str region, message;
        struct sigv4 sig;
        assert_int_equal(sigv4_parse(&request, &rules, f->arena, &sig), SIGV4_OK);
        assert_int_equal(auth_authenticate(f->auth, &request, &sig, f->arena, &principal, &region, &message), rows[i].expected);
    }
}

static enum err authorize(struct fixture *f, const struct principal *principal, const char *action, struct str resource_policy,
                          struct str *message)
{
    const struct policy_request request = {.action = str_of(action), .resource = TABLE, .principal = principal};

    return auth_authorize(f->auth, &request, resource_policy, f->arena, message);
}

/* More policies than a principal can have on AWS are no decision, and not kept as one. */
static void test_policies_of_a_principal(void **state)
{
    static const struct {
        size_t count;
        enum err expected;
    } rows[] = {{256, ERR_OK}, {257, ERR_TOO_LARGE}, {256, ERR_OK}};
    struct fixture *f = *state;
    struct str message;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f->policy_copies = rows[i].count;
        f->generation++;
        assert_int_equal(authorize(f, &worker, "dynamodb:GetItem", STR_NONE, &message), rows[i].expected);
    }
}

/* A policy of the resource that was compiled before counts as its text does, and stays the caller's. */
static void test_authorize_with_a_compiled_policy(void **state)
{
    struct fixture *f = *state;
    struct principal *alice = NULL;
    struct policy *allow, *deny;
    struct str message;
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &alice), AUTH_OK);
    assert_int_equal(policy_compile(STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"dynamodb:*\",\"Resource\":\"*\"}}"),
                                    POLICY_RESOURCE, &allow, f->arena, &message), ERR_OK);
    assert_int_equal(policy_compile(STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"dynamodb:*\",\"Resource\":\"*\"}}"),
                                    POLICY_RESOURCE, &deny, f->arena, &message), ERR_OK);
    static const char *const actions[] = {"dynamodb:GetItem", "dynamodb:DeleteTable"};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < COUNT_OF(actions); i++) {
            struct policy_request request = {.action = str_of(actions[i]), .resource = TABLE, .principal = alice, .resource_policy = allow};
            assert_int_equal(auth_authorize(f->auth, &request, STR_NONE, f->arena, &message), ERR_OK);
            request.resource_policy = deny;
            assert_int_equal(auth_authorize(f->auth, &request, STR_NONE, f->arena, &message), ERR_DENIED);
        }
    policy_free(allow);
    policy_free(deny);
}

static void test_authorize(void **state)
{
    struct fixture *f = *state;
    struct principal *alice = NULL, other;
    struct str message = STR_NONE;

    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &alice), AUTH_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(authorize(f, alice, "dynamodb:GetItem", STR_NONE, &message), ERR_OK);
        assert_int_equal(authorize(f, alice, "dynamodb:PutItem", STR_NONE, &message), ERR_DENIED);
        assert_true(str_eq(message, STR("User: arn:aws:iam::000000000000:user/alice is not authorized to perform: dynamodb:PutItem on resource: "
                                        "arn:aws:dynamodb:us-east-1:000000000000:table/t because no identity-based policy allows the "
                                        "dynamodb:PutItem action")));
    }
    assert_int_equal(f->policy_reads, 1);
    f->policy = STR_NONE;
    f->generation++;
    assert_int_equal(authorize(f, alice, "dynamodb:GetItem", STR_NONE, &message), ERR_DENIED);
    assert_int_equal(f->policy_reads, 2);
    struct str deny = STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}}");
    other = (struct principal){.type = PRINCIPAL_ROOT, .account = STR("000000000000"), .arn = STR("arn:aws:iam::000000000000:root"),
                               .access_key_id = STR("AKIAROOT")};
    assert_int_equal(authorize(f, &other, "dynamodb:DeleteTable", STR_NONE, &message), ERR_OK);
    assert_int_equal(authorize(f, &other, "dynamodb:DeleteTable", deny, &message), ERR_DENIED);
    assert_int_equal(f->policy_reads, 2);
    f->policy = STR("{damaged");
    f->generation++;
    assert_int_equal(authorize(f, alice, "dynamodb:GetItem", STR_NONE, &message), ERR_CORRUPT);
}

static void test_global_keys(void **state)
{
    static const struct {
        const char *condition;
        enum err expected;
    } cases[] = {
        {"\"StringEquals\":{\"aws:username\":\"alice\",\"aws:PrincipalAccount\":\"000000000000\",\"aws:PrincipalType\":\"User\"}", ERR_OK},
        {"\"StringEquals\":{\"aws:userid\":\"AIDAALICE\",\"aws:RequestedRegion\":\"eu-west-1\",\"aws:ResourceAccount\":\"000000000000\"}", ERR_OK},
        {"\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::000000000000:user/*\"}", ERR_OK},
        {"\"IpAddress\":{\"aws:SourceIp\":\"127.0.0.0/8\"}", ERR_OK},
        {"\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}", ERR_DENIED},
        {"\"Bool\":{\"aws:SecureTransport\":\"true\"}", ERR_DENIED},
        {"\"Bool\":{\"aws:SecureTransport\":\"false\"}", ERR_OK},
        {"\"DateGreaterThan\":{\"aws:CurrentTime\":\"2024-01-01T00:00:00Z\"}", ERR_OK},
        {"\"NumericGreaterThan\":{\"aws:EpochTime\":\"1700000000\"}", ERR_OK},
        {"\"Null\":{\"aws:TokenIssueTime\":\"true\"}", ERR_OK},
        {"\"StringEquals\":{\"aws:PrincipalTag/team\":\"blue\"}", ERR_OK},
        {"\"StringEquals\":{\"aws:PrincipalTag/other\":\"blue\"}", ERR_DENIED},
    };
    struct fixture *f = *state;
    struct principal *alice = NULL;
    struct str message;

    f->tag = STR("blue");
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &alice), AUTH_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        f->policy = arena_printf(f->arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
                                           "\"Condition\":{%s}}}", cases[i].condition);
        f->generation++;
        if (authorize(f, alice, "dynamodb:GetItem", STR_NONE, &message) != cases[i].expected)
            fail_msg("%s", cases[i].condition);
    }
    f->secure = true;
    assert_int_equal(authenticate(f, STR("AKIAUSER"), STR("secret"), STR_NONE, &alice), AUTH_OK);
    f->policy = STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
                    "\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"true\"}}}}");
    f->generation++;
    assert_int_equal(authorize(f, alice, "dynamodb:GetItem", STR_NONE, &message), ERR_OK);
}

static void test_trust(void **state)
{
    struct fixture *f = *state;
    const struct principal lambda = {.type = PRINCIPAL_SERVICE, .arn = STR("lambda.amazonaws.com")};
    struct str trust = STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},"
                           "\"Action\":\"sts:AssumeRole\"}}"), message;
    const struct policy_request request = {.action = STR("sts:AssumeRole"), .resource = worker.role_arn, .principal = &lambda};
    struct principal root = {.type = PRINCIPAL_ROOT, .account = STR("000000000000"), .arn = STR("arn:aws:iam::000000000000:root")};
    struct policy_request by_root = request;

    by_root.principal = &root;
    assert_int_equal(auth_authorize(f->auth, &request, trust, f->arena, &message), ERR_OK);
    assert_int_equal(auth_authorize(f->auth, &by_root, trust, f->arena, &message), ERR_DENIED);
}

/* ---- nobody in particular ---- */

#define FOR(who, more) "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\"," who ",\"Action\":\"dynamodb:*\",\"Resource\":\"*\"" more "}]}"
#define EVERYBODY "\"Principal\":\"*\""
#define WHEN(condition) ",\"Condition\":{" condition "}"

static void test_anonymous(void **state)
{
    static const struct {
        const char *policy;
        enum err expected;
    } cases[] = {
        {NULL, ERR_DENIED},
        {FOR(EVERYBODY, ""), ERR_OK},
        {FOR("\"Principal\":{\"AWS\":\"*\"}", ""), ERR_OK},
        {FOR("\"Principal\":{\"AWS\":\"000000000000\"}", ""), ERR_DENIED},
        {FOR("\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:user/alice\"}", ""), ERR_DENIED},
        {FOR("\"Principal\":{\"Service\":\"lambda.amazonaws.com\"}", ""), ERR_DENIED},
        {FOR(EVERYBODY, WHEN("\"StringEquals\":{\"aws:PrincipalType\":\"Anonymous\",\"aws:userid\":\"anonymous\"}")), ERR_OK},
        {FOR(EVERYBODY, WHEN("\"IpAddress\":{\"aws:SourceIp\":\"127.0.0.0/8\"}")), ERR_OK},
        {FOR(EVERYBODY, WHEN("\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}")), ERR_DENIED},
        {FOR(EVERYBODY, WHEN("\"StringLike\":{\"aws:UserAgent\":\"curl*\"}")), ERR_OK},
        {FOR(EVERYBODY, WHEN("\"Null\":{\"aws:PrincipalAccount\":\"true\",\"aws:PrincipalArn\":\"true\",\"aws:username\":\"true\","
                             "\"aws:PrincipalTag/team\":\"true\",\"aws:PrincipalIsAWSService\":\"true\"}")), ERR_OK},
        {FOR(EVERYBODY, WHEN("\"StringEquals\":{\"aws:PrincipalAccount\":\"000000000000\"}")), ERR_DENIED},
        {FOR(EVERYBODY, "},{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"arn:aws:iam::000000000000:user/alice\"},\"Action\":\"*\","
                        "\"Resource\":\"*\""), ERR_DENIED},
        {FOR(EVERYBODY, "},{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"000000000000\"},\"Action\":\"*\",\"Resource\":\"*\""), ERR_OK},
    };
    struct fixture *f = *state;
    struct http_header agent = {STR("User-Agent"), STR("curl/8")};
    const struct http_request request = {.arena = f->arena, .peer_ip = STR("127.0.0.1"), .headers = &agent, .header_count = 1};
    struct principal *nobody = auth_anonymous(&request, f->arena);
    struct str message;

    f->tag = STR("blue");
    f->policy = STR("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}");
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (authorize(f, nobody, "dynamodb:GetItem", str_of(cases[i].policy), &message) != cases[i].expected)
            fail_msg("%s", cases[i].policy ? cases[i].policy : "no policy");
    assert_int_equal(authorize(f, nobody, "dynamodb:GetItem", STR_NONE, &message), ERR_DENIED);
    assert_true(str_eq(message, STR("User: anonymous is not authorized to perform: dynamodb:GetItem on resource: "
                                    "arn:aws:dynamodb:us-east-1:000000000000:table/t because no resource-based policy allows the "
                                    "dynamodb:GetItem action")));
    assert_int_equal(f->policy_reads, 0);
}

/* ---- two bodies at once ---- */

/* The body of one request cannot be read until `held` lets go: whoever hashes it waits in the handler of the fault. */
#define HELD_BYTES (256u << 10)

static char *held_page;
static int held_reached[2], held_go[2];

static void wait_for_go(int number)
{
    char byte = 0;
    (void)number;
    if (write(held_reached[1], &byte, 1) != 1 || read(held_go[0], &byte, 1) != 1 || mprotect(held_page, HELD_BYTES, PROT_READ) != 0)
        _exit(1);
}

struct one_body {
    struct fixture *f;
    struct str body;
    struct http_request request;
    enum auth_failure failure;
};

static void sign_one_body(struct one_body *one, struct fixture *f)
{
    one->f = f;
    one->request = sign_body(arena_new(), STR("AKIAUSER"), STR("secret"), STR_NONE, clock_epoch_ms(), one->body);
}

static void *authenticate_body(void *arg)
{
    struct one_body *one = arg;
    struct principal *principal;
    struct str region, message;
    struct sigv4 sig;

    one->failure = AUTH_INTERNAL;
    if (sigv4_parse(&one->request, &rules, one->request.arena, &sig) == SIGV4_OK)
        one->failure = auth_authenticate(one->f->auth, &one->request, &sig, one->request.arena, &principal, &region, &message);
    return NULL;
}

static void test_two_bodies(void **state)
{
    struct fixture *f = *state;
    struct sigaction on_fault = {.sa_handler = wait_for_go}, before;
    struct one_body held, other = {.body = STR("short")};
    pthread_t thread;
    char byte = 0;

    held_page = mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(held_page != MAP_FAILED);
    held.body = (struct str){held_page, HELD_BYTES};
    assert_int_equal(pipe(held_reached), 0);
    assert_int_equal(pipe(held_go), 0);
    assert_int_equal(sigaction(SIGSEGV, &on_fault, &before), 0);
    sign_one_body(&held, f);
    sign_one_body(&other, f);
    assert_int_equal(mprotect(held_page, HELD_BYTES, PROT_NONE), 0);

    assert_int_equal(pthread_create(&thread, NULL, authenticate_body, &held), 0);
    assert_int_equal(read(held_reached[0], &byte, 1), 1);
    alarm(60);                      /* one that waits for the other would wait for ever */
    authenticate_body(&other);
    alarm(0);
    assert_int_equal(other.failure, AUTH_OK);
    f->generation++;                /* the key is looked up again once the body is hashed */
    f->active = false;
    assert_int_equal(write(held_go[1], &byte, 1), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(held.failure, AUTH_UNKNOWN_KEY);

    sigaction(SIGSEGV, &before, NULL);
    munmap(held_page, HELD_BYTES);
    for (int i = 0; i < 2; i++) {
        close(held_reached[i]);
        close(held_go[i]);
    }
    arena_free(held.request.arena);
    arena_free(other.request.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_long_term_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_authorize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_authorize_with_a_compiled_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_global_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trust, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anonymous, setup, teardown),
        cmocka_unit_test_setup_teardown(test_presigned_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policies_of_a_principal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
