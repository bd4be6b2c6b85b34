/* policy_fuzz.c -- the first byte chooses the kind of policy, the rest is its text.
 * Properties: compiling ends with a policy or with a message; matching ends, gives the same answer twice, and an identity
 * policy whose text has no "Allow" never allows. */
#include "auth/policy.h"
#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool contains(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (memcmp(text.p + i, part.p, part.n) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum policy_kind kinds[] = {POLICY_IDENTITY, POLICY_RESOURCE, POLICY_TRUST};
    const struct principal caller = {.type = PRINCIPAL_ROLE_SESSION,
                                     .account = STR("111122223333"),
                                     .arn = STR("arn:aws:sts::111122223333:assumed-role/Worker/s1"),
                                     .id = STR("AROA1:s1"),
                                     .role_arn = STR("arn:aws:iam::111122223333:role/Worker")};
    struct policy_context context[] = {{"aws:username", STR("alice")},  {"aws:SourceIp", STR("127.0.0.1")}, {"k:a", STR("b")},
                                       {"k:a", STR("c")},               {"k:n", STR("12.5")},               {"k:t", STR("true")},
                                       {"aws:CurrentTime", STR("2026-01-31T09:00:00Z")}};
    const struct policy_request request = {.action = STR("dynamodb:GetItem"),
                                           .resource = STR("arn:aws:dynamodb:us-east-1:111122223333:table/Books"),
                                           .principal = &caller,
                                           .context = context,
                                           .context_count = COUNT_OF(context)};
    struct arena *arena;
    struct policy *policy = NULL;
    struct str message = STR_NONE;
    bool by_account, again;

    if (size == 0)
        return 0;
    enum policy_kind kind = kinds[data[0] % COUNT_OF(kinds)];
    struct str text = {(const char *)data + 1, size - 1};
    arena = arena_new();
    if (policy_compile(text, kind, &policy, arena, &message) == ERR_OK) {
        enum policy_effect effect = policy_match(policy, &request, &by_account);
        ENSURE(effect == policy_match(policy, &request, &again) && by_account == again);
        if (effect == POLICY_ALLOW && !contains(text, STR("\\u")))
            ENSURE(contains(text, STR("Allow")));
    } else {
        ENSURE(message.n && !policy);
    }
    policy_free(policy);
    arena_free(arena);
    return 0;
}
