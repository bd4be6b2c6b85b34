/* policy_parse.c -- from the text of a policy to its compiled form, with AWS's refusals.
 * Source: "Grammar of the IAM JSON policy language"; the wordings and their order are those of IAM's
 * MalformedPolicyDocumentException.
 *
 * Phases, each over all statements, as IAM answers the first failure of the earliest phase: (1) syntax: elements known and
 * of the right type; (2) version; (3) details that IAM calls legacy parsing; (4) Sid; (5) actions present; (6) resources'
 * form; (7) actions' form; (8) what the kind of policy asks for. Only then is it compiled: the tree is not looked at again
 * after that. */
#include "auth/policy_internal.h"
#include "base/arn.h"
#include "base/json.h"
#include "base/panic.h"
#include <stdlib.h>

#define STATEMENTS_MAX 1024

struct parse {
    enum policy_kind kind;
    struct arena *arena;            /* of the policy */
    struct arena *message_arena;
    struct str message;             /* set: refused */
    const struct json *statement[STATEMENTS_MAX];
    size_t count;
    bool variables;                 /* Version 2012-10-17 */
};

static const char policy_syntax_error[] = "Syntax errors in policy.";
static const char legacy_error[] = "The policy failed legacy parsing";

static bool policy_refuse(struct parse *parse, const char *message)
{
    parse->message = str_of(message);
    return false;
}

__attribute__((format(printf, 2, 3))) static bool refuse_with(struct parse *parse, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    parse->message = arena_vprintf(parse->message_arena, format, args);
    va_end(args);
    return false;
}

/* ---- values that are a string or a list of strings: visited one by one ---- */

static const struct json *first_of(const struct json *value)
{
    return json_is(value, JSON_ARRAY) ? value->first : value;
}

static const struct json *next_of(const struct json *value, const struct json *item)
{
    return item == value ? NULL : item->next;
}

#define EACH_OF(item, value) (const struct json *item = first_of(value); item; item = next_of(value, item))

static bool is_strings(const struct json *value)
{
    for EACH_OF (item, value)
        if (!json_is(item, JSON_STRING))
            return false;
    return true;
}

static bool is_scalar(const struct json *item)
{
    return json_is(item, JSON_STRING) || json_is(item, JSON_TRUE) || json_is(item, JSON_FALSE) || json_is(item, JSON_NUMBER);
}

static struct str policy_scalar(const struct json *item)
{
    return json_is(item, JSON_TRUE) ? STR("true") : json_is(item, JSON_FALSE) ? STR("false") : item->text;
}

/* ---- (1) syntax ---- */

static bool member_known(const struct json *object, const char *const *names)
{
    for JSON_EACH (member, object) {
        size_t i = 0;
        while (names[i] && !str_eq(member->key, str_of(names[i])))
            i++;
        if (!names[i])
            return false;
    }
    return true;
}

static bool conditions_ok(const struct json *condition)
{
    const struct condition_operator *op;
    int flags;

    if (!condition)
        return true;
    if (!json_is(condition, JSON_OBJECT))
        return false;
    for JSON_EACH (by_op, condition) {
        if (!json_is(by_op, JSON_OBJECT) || (by_op->count && !condition__find(by_op->key, &op, &flags)))
            return false;
        for JSON_EACH (key, by_op)
            for EACH_OF (item, key)
                if (!is_scalar(item))
                    return false;
    }
    return true;
}

static bool principal_ok(const struct json *principal)
{
    static const char *const kinds[] = {"AWS", "Service", "Federated", "CanonicalUser", NULL};

    if (!principal)
        return true;
    if (json_is(principal, JSON_STRING))
        return str_eq(principal->text, STR("*"));
    if (!json_is(principal, JSON_OBJECT) || !principal->count || !member_known(principal, kinds))
        return false;
    for JSON_EACH (kind, principal)
        if (!is_strings(kind))
            return false;
    return true;
}

static bool statement_syntax_ok(const struct json *statement)
{
    static const char *const elements[] = {"Sid",      "Effect",    "Action",       "NotAction", "Resource", "NotResource",
                                           "Principal", "NotPrincipal", "Condition", NULL};
    static const char *const pairs[][2] = {{"Action", "NotAction"}, {"Resource", "NotResource"}, {"Principal", "NotPrincipal"}};
    const struct json *sid = json_at(statement, "Sid");

    if (!json_is(statement, JSON_OBJECT) || !member_known(statement, elements) || (sid && !json_is(sid, JSON_STRING)))
        return false;
    if (!str_eq_nocase(json_str(statement, "Effect"), STR("Allow")) && !str_eq_nocase(json_str(statement, "Effect"), STR("Deny")))
        return false;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (json_at(statement, pairs[i][0]) && json_at(statement, pairs[i][1]))
            return false;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++)
            if (json_at(statement, pairs[i][k]) && !is_strings(json_at(statement, pairs[i][k])))
                return false;
    return principal_ok(json_at(statement, "Principal")) && principal_ok(json_at(statement, "NotPrincipal")) &&
           conditions_ok(json_at(statement, "Condition"));
}

static bool read_statements(struct parse *parse, const struct json *document)
{
    const struct json *list = json_at(document, "Statement");

    if (!json_is(list, JSON_OBJECT) && !json_is(list, JSON_ARRAY))
        return policy_refuse(parse, policy_syntax_error);
    for EACH_OF (statement, list) {
        if (parse->count == STATEMENTS_MAX || !statement_syntax_ok(statement))
            return policy_refuse(parse, policy_syntax_error);
        parse->statement[parse->count++] = statement;
    }
    return parse->count || policy_refuse(parse, policy_syntax_error);
}

static bool check_syntax(struct parse *parse, const struct json *document)
{
    static const char *const elements[] = {"Version", "Id", "Statement", NULL};
    struct str version = json_str(document, "Version");
    bool current = str_eq(version, STR("2012-10-17"));

    if (!json_is(document, JSON_OBJECT) || !member_known(document, elements))
        return policy_refuse(parse, policy_syntax_error);
    if (json_at(document, "Version") && !current && !str_eq(version, STR("2008-10-17")))
        return policy_refuse(parse, policy_syntax_error);
    if (json_at(document, "Id") && !json_is(json_at(document, "Id"), JSON_STRING))
        return policy_refuse(parse, policy_syntax_error);
    if (!read_statements(parse, document))
        return false;
    parse->variables = current;
    if (parse->kind == POLICY_IDENTITY && !current)
        return policy_refuse(parse, "Policy document must be version 2012-10-17 or greater.");
    return true;
}

/* ---- (3) ---- */

static bool has_variable(struct str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '$' && text.p[i + 1] == '{')
            return true;
    return false;
}

static bool check_legacy(struct parse *parse, const struct json *statement)
{
    struct str effect = json_str(statement, "Effect");

    if (!str_eq(effect, STR("Allow")) && !str_eq(effect, STR("Deny")))
        return policy_refuse(parse, legacy_error);
    for JSON_EACH (by_op, json_at(statement, "Condition"))
        for JSON_EACH (key, by_op) {
            const struct condition_operator *op;
            int flags;
            ENSURE(condition__find(by_op->key, &op, &flags));
            if (str_find(key->key, ':') == key->key.n)
                return policy_refuse(parse, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
            for EACH_OF (item, key)
                if (!(parse->variables && has_variable(policy_scalar(item))) && !condition__value_ok(op, policy_scalar(item)))
                    return policy_refuse(parse, condition__is_date(op) ? legacy_error : policy_syntax_error);
        }
    return true;
}

/* ---- (4) ---- */

static bool check_sids(struct parse *parse)
{
    struct str *sids = arena_array(parse->message_arena, struct str, parse->count);

    for (size_t i = 0; i < parse->count; i++)
        sids[i] = json_str(parse->statement[i], "Sid");
    qsort(sids, parse->count, sizeof *sids, str_order);
    for (size_t i = 1; i < parse->count; i++)
        if (sids[i].n && str_eq(sids[i - 1], sids[i]))
            return policy_refuse(parse, "Statement IDs (SID) in a single policy must be unique.");
    for (size_t i = 0; i < parse->count && parse->kind != POLICY_RESOURCE; i++)
        if (!str_alnum_or(sids[i], ""))
            return policy_refuse(parse, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
                                        "expression [0-9A-Za-z]*");
    return true;
}

/* ---- (5), (7) ---- */

static const struct json *either(const struct json *statement, const char *name, const char *negated)
{
    const struct json *value = json_at(statement, name);
    return value ? value : json_at(statement, negated);
}

static bool check_actions_present(struct parse *parse, const struct json *statement)
{
    return first_of(either(statement, "Action", "NotAction")) || policy_refuse(parse, "Policy statement must contain actions.");
}

static bool check_action(struct parse *parse, struct str action)
{
    struct str rest = action, vendor = str_cut(&rest, ':');

    if (!rest.p)
        return str_eq(action, STR("*")) ||
               policy_refuse(parse, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    if (str_find(rest, ':') != rest.n)
        return policy_refuse(parse, "Actions/Condition can contain only one colon.");
    return str_eq(vendor, STR("*")) || str_alnum_or(vendor, "-.") ||
           refuse_with(parse, "Vendor " STR_FMT " is not valid", STR_ARG(vendor));
}

static bool check_actions(struct parse *parse, const struct json *statement)
{
    for EACH_OF (item, either(statement, "Action", "NotAction"))
        if (!check_action(parse, item->text))
            return false;
    return true;
}

/* ---- (6) ---- */

static const char *const iam_paths[] = {"user/",          "federated-user/", "role/",          "group/",       "instance-profile/",
                                        "mfa/",           "server-certificate/", "policy/",    "sms-mfa/",     "saml-provider/",
                                        "oidc-provider/", "report/",         "access-report/", NULL};

static bool starts_with_any(struct str text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (str_starts(text, str_of(*prefixes)))
            return true;
    return false;
}

static bool check_iam_resource(struct parse *parse, struct str resource, struct str region, struct str rest)
{
    if (region.n)
        return refuse_with(parse, "IAM resource " STR_FMT " cannot contain region information.", STR_ARG(resource));
    if (!starts_with_any(rest, iam_paths) && !str_eq(rest, STR("*")))
        return policy_refuse(parse,
                             "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, "
                             "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
                             "report/, access-report/.");
    return true;
}

static bool bad_partition(struct parse *parse, struct str partition, struct str rest)
{
    struct str part[3];

    for (size_t i = 0; i < COUNT_OF(part); i++) {
        part[i] = rest.p ? str_cut(&rest, ':') : STR("*");
        if (i == 0 && !part[0].n && !rest.p)
            part[0] = STR("*");
    }
    return refuse_with(parse,
                       "Partition \"" STR_FMT "\" is not valid for resource \"arn:" STR_FMT ":" STR_FMT ":" STR_FMT ":" STR_FMT
                       ":" STR_FMT "\".",
                       STR_ARG(partition), STR_ARG(partition), STR_ARG(part[0]), STR_ARG(part[1]), STR_ARG(part[2]),
                       STR_ARG(rest.p ? rest : STR("*")));
}

static bool check_resource(struct parse *parse, struct str resource)
{
    static const char *const partitions[] = {"aws",       "aws-cn",    "aws-us-gov", "aws-iso",    "aws-iso-b", "aws-iso-e",
                                             "aws-iso-f", "aws-eusc", NULL};
    struct str rest = resource;
    bool known = false;

    if (str_eq(resource, STR("*")))
        return true;
    str_cut(&rest, ':');
    if (!rest.p)
        return refuse_with(parse, "Resource " STR_FMT " must be in ARN format or \"*\".", STR_ARG(resource));
    struct str partition = str_cut(&rest, ':');
    for (size_t i = 0; partitions[i]; i++)
        known |= str_eq(partition, str_of(partitions[i]));
    if (!known && !str_eq(partition, STR("*")) && !has_variable(resource))
        return bad_partition(parse, partition, rest);
    if (!rest.p)
        return policy_refuse(parse, "Resource vendor must be fully qualified and cannot contain regexes.");
    struct str service = str_cut(&rest, ':'), region = str_cut(&rest, ':');
    str_cut(&rest, ':');
    if (!service.n)
        return policy_refuse(parse, legacy_error);
    if (str_eq(service, STR("iam")))
        return check_iam_resource(parse, resource, region, rest);
    if (str_eq(service, STR("s3")) && region.n && !str_starts(rest, STR("accesspoint/")))
        return refuse_with(parse, "Resource " STR_FMT " can not contain region information.", STR_ARG(resource));
    return true;
}

static bool check_resources(struct parse *parse, const struct json *statement)
{
    for EACH_OF (item, either(statement, "Resource", "NotResource"))
        if (!check_resource(parse, item->text))
            return false;
    return true;
}

/* ---- (8) ---- */

/* A unique id: AROA…, AIDA… and 17 characters more. */
static bool is_unique_id(struct str text)
{
    return text.n >= 16 && text.n <= 128 && str_find(text, ':') == text.n && text.p[0] == 'A' && text.p[1] >= 'A' &&
           text.p[1] <= 'Z' && text.p[2] >= 'A' && text.p[2] <= 'Z' && text.p[3] == 'A';
}

static bool read_aws_principal(struct str text, struct principal_name *ret)
{
    struct arn arn;

    ret->value = text;
    ret->kind = NAMES_AWS;
    if (str_eq(text, STR("*"))) {
        ret->kind = NAMES_ANYONE;
        return true;
    }
    if (arn_is_account(text)) {
        ret->kind = NAMES_ACCOUNT;
        return true;
    }
    if (is_unique_id(text))
        return true;
    if (!arn_parse(text, &arn) || arn.region.n || !arn_is_account(arn.account) || !arn.resource.n)
        return false;
    struct str service = arn.service, rest = arn.resource;
    if (str_find(rest, '*') != rest.n)
        return false;
    if (str_eq(service, STR("iam"))) {
        if (str_eq(rest, STR("root"))) {
            ret->kind = NAMES_ACCOUNT;
            ret->value = arn.account;
            return true;
        }
        return str_starts(rest, STR("user/")) || str_starts(rest, STR("role/"));
    }
    return str_eq(service, STR("sts")) && (str_starts(rest, STR("assumed-role/")) || str_starts(rest, STR("federated-user/")));
}

static bool check_trust_action(struct str action)
{
    static const char *const known[] = {"sts:AssumeRole",     "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity",
                                        "sts:TagSession",     "sts:SetSourceIdentity",  "sts:SetContext",
                                        "sts:*",              "sts:AssumeRole*"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_eq_nocase(action, str_of(known[i])))
            return true;
    return false;
}

static bool check_trust(struct parse *parse, const struct json *statement)
{
    for EACH_OF (item, either(statement, "Action", "NotAction"))
        if (!check_trust_action(item->text))
            return policy_refuse(parse, "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and "
                                        "sts:AssumeRoleWithWebIdentity");
    if (either(statement, "Resource", "NotResource"))
        return policy_refuse(parse, "Has prohibited field Resource.");
    return true;
}

static bool check_principals(struct parse *parse, const struct json *statement)
{
    const struct json *principal = either(statement, "Principal", "NotPrincipal");
    struct principal_name name;

    if (!principal)
        return policy_refuse(parse, "Missing required field Principal");
    if (parse->kind == POLICY_TRUST && json_at(statement, "NotPrincipal") && str_eq(json_str(statement, "Effect"), STR("Allow")))
        return policy_refuse(parse, "Allow with NotPrincipal is not allowed.");
    for JSON_EACH (kind, principal)
        for EACH_OF (item, kind)
            if (str_eq(kind->key, STR("AWS")) && !read_aws_principal(item->text, &name))
                return refuse_with(parse, "Invalid principal in policy: \"AWS\":\"" STR_FMT "\"", STR_ARG(item->text));
    return true;
}

static bool check_kind(struct parse *parse, const struct json *statement)
{
    if (parse->kind == POLICY_TRUST)
        return check_trust(parse, statement) && check_principals(parse, statement);
    if (parse->kind == POLICY_RESOURCE)
        return check_principals(parse, statement);
    if (either(statement, "Principal", "NotPrincipal"))
        return policy_refuse(parse, "Policy document should not specify a principal.");
    return first_of(either(statement, "Resource", "NotResource")) ||
           policy_refuse(parse, "Policy statement must contain resources.");
}

typedef bool check_fn(struct parse *parse, const struct json *statement);

static bool check_all(struct parse *parse, check_fn *check)
{
    for (size_t i = 0; i < parse->count; i++)
        if (!check(parse, parse->statement[i]))
            return false;
    return true;
}

static bool policy_check(struct parse *parse, const struct json *document)
{
    return check_syntax(parse, document) && check_all(parse, check_legacy) && check_sids(parse) &&
           check_all(parse, check_actions_present) && (parse->kind == POLICY_TRUST || check_all(parse, check_resources)) &&
           check_all(parse, check_actions) && check_all(parse, check_kind);
}

/* ---- compiling what was checked ---- */

static size_t count_of(const struct json *value)
{
    return !value ? 0 : json_is(value, JSON_ARRAY) ? value->count : 1;
}

static bool compile_list(struct parse *parse, const struct json *value, int flags, struct pattern **ret, size_t *ret_count)
{
    size_t i = 0;

    *ret = arena_array(parse->arena, struct pattern, count_of(value) + 1);
    for EACH_OF (item, value)
        if (!pattern__compile(parse->arena, policy_scalar(item), flags, &(*ret)[i++]))
            return policy_refuse(parse, policy_syntax_error);
    *ret_count = i;
    return true;
}

static bool compile_patterns(struct parse *parse, const struct json *statement, const char *name, const char *negated, int flags,
                             struct patterns *ret)
{
    ret->negated = json_at(statement, negated) != NULL;
    ret->present = ret->negated || json_at(statement, name);
    return compile_list(parse, either(statement, name, negated), flags, &ret->item, &ret->count);
}

static void compile_principals(struct parse *parse, const struct json *statement, struct principals *ret)
{
    const struct json *principal = either(statement, "Principal", "NotPrincipal");
    size_t bound = 1;

    ret->negated = json_at(statement, "NotPrincipal") != NULL;
    ret->present = principal != NULL;
    for JSON_EACH (kind, principal)
        bound += count_of(kind);
    ret->item = arena_array(parse->arena, struct principal_name, bound);
    if (json_is(principal, JSON_STRING)) {
        ret->item[ret->count++] = (struct principal_name){NAMES_ANYONE, principal->text};
        return;
    }
    for JSON_EACH (kind, principal)
        for EACH_OF (item, kind) {
            struct principal_name *name = &ret->item[ret->count++];
            *name = (struct principal_name){NAMES_OTHER, item->text};
            if (str_eq(kind->key, STR("AWS")))
                read_aws_principal(item->text, name);
            else if (str_eq(kind->key, STR("Service")))
                name->kind = NAMES_SERVICE;
        }
}

static bool compile_conditions(struct parse *parse, const struct json *statement, struct statement *ret)
{
    const struct json *conditions = json_at(statement, "Condition");
    size_t bound = 1;

    for JSON_EACH (by_op, conditions)
        bound += by_op->count;
    ret->condition = arena_array(parse->arena, struct policy_condition, bound);
    for JSON_EACH (by_op, conditions)
        for JSON_EACH (key, by_op) {
            struct policy_condition *condition = &ret->condition[ret->condition_count++];
            ENSURE(condition__find(by_op->key, &condition->op, &condition->flags));
            int flags = condition__pattern_flags(condition->op);
            condition->key = key->key;
            if (!compile_list(parse, key, parse->variables ? flags : flags & ~PATTERN_VARIABLES, &condition->value,
                              &condition->count))
                return false;
        }
    return true;
}

static bool compile_statement(struct parse *parse, const struct json *source, struct statement *ret)
{
    int variables = parse->variables ? PATTERN_VARIABLES : 0;

    ret->deny = str_eq(json_str(source, "Effect"), STR("Deny"));
    compile_principals(parse, source, &ret->principals);
    return compile_patterns(parse, source, "Action", "NotAction", PATTERN_WILDCARDS, &ret->actions) &&
           compile_patterns(parse, source, "Resource", "NotResource", PATTERN_WILDCARDS | variables, &ret->resources) &&
           compile_conditions(parse, source, ret);
}

static bool pattern_depends(const struct pattern *pattern, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < pattern[i].count; k++)
            if (pattern[i].piece[k].variable.n && !policy__key_is_stable(pattern[i].piece[k].variable))
                return true;
    return false;
}

static bool statement_depends(const struct statement *statement)
{
    for (size_t i = 0; i < statement->condition_count; i++) {
        const struct policy_condition *condition = &statement->condition[i];
        if (!policy__key_is_stable(condition->key) || pattern_depends(condition->value, condition->count))
            return true;
    }
    return pattern_depends(statement->resources.item, statement->resources.count);
}

static bool statements_compile(struct parse *parse, struct policy *policy)
{
    policy->count = parse->count;
    policy->statement = arena_array(parse->arena, struct statement, parse->count);
    for (size_t i = 0; i < parse->count; i++) {
        if (!compile_statement(parse, parse->statement[i], &policy->statement[i]))
            return false;
        policy->depends_on_request |= statement_depends(&policy->statement[i]);
    }
    return true;
}

enum err policy_compile(struct str text, enum policy_kind kind, struct policy **ret, struct arena *arena, struct str *ret_message)
{
    struct arena *own = arena_new();
    struct policy *policy = arena_new_of(own, struct policy);
    struct parse *parse = arena_new_of(arena, struct parse);
    struct json *document = NULL;
    bool fine = text.n <= POLICY_BYTES_MAX && json_parse_unique(text, own, &document) == ERR_OK;

    policy->arena = own;
    policy->kind = kind;
    *parse = (struct parse){.kind = kind, .arena = own, .message_arena = arena};
    if (!fine)
        policy_refuse(parse, kind == POLICY_TRUST ? "This policy contains invalid Json" : policy_syntax_error);
    if (!fine || !policy_check(parse, document) || !statements_compile(parse, policy)) {
        *ret_message = parse->message;
        arena_free(own);
        return ERR_INVALID;
    }
    *ret = policy;
    return ERR_OK;
}

void policy_free(struct policy *policy)
{
    if (policy)
        arena_free(policy->arena);
}

bool policy_depends_on_request(const struct policy *policy)
{
    return policy->depends_on_request;
}
