/* sts.c -- who am I, and temporary credentials of a role.
 * AssumeRole is authorised like any call, with the role's trust policy as the resource policy: a trust that names the caller
 * suffices, one that names the account needs an Allow of the caller's own policies as well. A role that does not exist is
 * answered as one that may not be assumed. Nothing is stored: the credentials carry their session (auth/session.c).
 * Session tags, managed session policies, MFA and source identities are refused by name. */
#include "services/sts/sts.h"
#include "call/service_errors.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/codec.h"
#include "services/iam/iam.h"

#define STS_BODY_BYTES_MAX (64u << 10)     /* of a request; a session policy of 2,048 characters */

/* API reference, AssumeRole: session policies together. The model has no character above U+00FF in them: 4 KB at most, which the
 * token has to hold. */
#define POLICY_CHARS_MAX 2048
#define CHAINED_SECONDS_MAX 3600        /* a session that assumes a role */
#define DEFAULT_SECONDS 3600

static struct sts *sts_of(const struct call *call)
{
    return call->service_state;
}

/* ---- GetCallerIdentity ---- */

static void get_caller_identity(struct call *call)
{
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "UserId", call->caller->id);
    json_add_str(call->arena, call->output, "Account", call->caller->account);
    json_add_str(call->arena, call->output, "Arn", call->caller->arn);
}

/* ---- AssumeRole ---- */

static bool is_role_arn(struct str text)
{
    struct arn arn;

    return arn_parse(text, &arn) && arn.partition.n && arn.service.n && arn.resource.n;
}

static void assume_role_needs(struct call *call, struct needs *needs)
{
    struct iam_role *role = arena_new_of(call->arena, struct iam_role);
    struct str arn = call_str(call, "RoleArn");

    if (!is_role_arn(arn)) {
        call_fail(call, "ValidationError", STR_FMT " is invalid", STR_ARG(arn));
        return;
    }
    enum err err = iam_role_find(store_reader(sts_of(call)->store), arn, call->arena, role);

    if (call->caller->type == PRINCIPAL_ROOT) {
        call_fail(call, "AccessDenied", "Roles may not be assumed by root accounts.");
    } else if (err == ERR_NOT_FOUND) {
        call_fail(call, "AccessDenied", "User: " STR_FMT " is not authorized to perform: sts:AssumeRole on resource: " STR_FMT,
                  STR_ARG(call->caller->arn), STR_ARG(arn));
    } else if (err != ERR_OK) {
        call_fail_err(call, err);
    }
    if (call->failed)
        return;
    need_add(needs, "sts:AssumeRole", role->arn);
    need_resource_policy(needs, role->trust_policy);
    need_context(needs, "sts:RoleSessionName", call_str(call, "RoleSessionName"));
    if (call_has(call, "ExternalId"))
        need_context(needs, "sts:ExternalId", call_str(call, "ExternalId"));
    call->state = role;
}

static bool duration_ok(struct call *call, const struct iam_role *role, int64_t seconds)
{
    bool chained = call->caller->type == PRINCIPAL_ROLE_SESSION;

    if (chained && seconds > CHAINED_SECONDS_MAX)
        call_fail(call, "ValidationError",
                  "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.");
    else if (seconds > role->max_session_s)
        call_fail(call, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    return !call->failed;
}

static bool session_policy_ok(struct call *call, struct str text)
{
    struct policy *policy = NULL;
    struct str message;

    if (utf8_count(text) > POLICY_CHARS_MAX) {
        call_fail(call, "ValidationError",
                  "1 validation error detected: Value '" STR_FMT "' at 'policy' failed to satisfy constraint: "
                  "Member must have length less than or equal to %d",
                  STR_ARG(text), POLICY_CHARS_MAX);
        return false;
    }
    if (text.n && policy_compile(text, POLICY_IDENTITY, &policy, call->arena, &message) != ERR_OK)
        call_fail(call, "MalformedPolicyDocument", STR_FMT, STR_ARG(message));
    policy_free(policy);
    return !call->failed;
}

static void add_credentials(struct call *call, const struct auth_session *session)
{
    struct json *out = json_add_object(call->arena, call->output, "Credentials");

    json_add_str(call->arena, out, "AccessKeyId", session->access_key_id);
    json_add_str(call->arena, out, "SecretAccessKey", session->secret);
    json_add_str(call->arena, out, "SessionToken", session->token);
    json_add_epoch_ms(call->arena, out, "Expiration", session->expires_ms);
}

static void assume_role(struct call *call)
{
    const struct iam_role *role = call->state;
    struct str policy = call_str(call, "Policy");
    int64_t seconds = json_i64(call->input, "DurationSeconds", DEFAULT_SECONDS), now_ms = clock_epoch_ms() / 1000 * 1000;
    struct auth_session session;
    struct principal principal;

    if (!duration_ok(call, role, seconds) || !session_policy_ok(call, policy))
        return;
    iam_role_session(role, call_str(call, "RoleSessionName"), now_ms, call->arena, &principal);
    principal.session_policy = policy;
    auth_session_issue(sts_of(call)->auth, &principal, now_ms + seconds * 1000, call->arena, &session);
    call->output = json_new(call->arena, JSON_OBJECT);
    add_credentials(call, &session);
    struct json *user = json_add_object(call->arena, call->output, "AssumedRoleUser");
    json_add_str(call->arena, user, "AssumedRoleId", principal.id);
    json_add_str(call->arena, user, "Arn", principal.arn);
    if (policy.n)
        json_add_i64(call->arena, call->output, "PackedPolicySize",
                     (int64_t)(utf8_count(policy) * 100 + POLICY_CHARS_MAX - 1) / POLICY_CHARS_MAX);
}

/* ---- the service ---- */

static const char *const assume_role_refused[] = {"PolicyArns", "Tags",           "TransitiveTagKeys", "SerialNumber",
                                                  "TokenCode",  "SourceIdentity", "ProvidedContexts",  "MinimumSessionTokenSize",
                                                  NULL};

static const struct row sts_rows[] = {
    {.name = "AssumeRole", .run = RUN_INLINE, .needs = assume_role_needs, .handle = assume_role, .refused = assume_role_refused},
    /* Needs no permission, not even against an explicit deny: the API reference says so. */
    {.name = "GetCallerIdentity", .run = RUN_INLINE, .handle = get_caller_identity},
};

const struct service_api sts_api = {
    .model = &model_sts,
    .global = true,
    .errors = &sts_errors,
    .rows = sts_rows,
    .row_count = COUNT_OF(sts_rows),
    .body_max = STS_BODY_BYTES_MAX,
};
