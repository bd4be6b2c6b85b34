/* permission.c -- the resource policy of a function: AddPermission, RemovePermission, GetPolicy.
 * A statement is kept as it is answered (function_doc.c makes the policy of them); the whole is compiled with the function
 * (function.c). Source: Lambda API reference. */
#include "services/lambda/permission.h"
#include "auth/policy.h"
#include "base/arn.h"
#include "call/call_doc.h"
#include "services/iam/iam.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/function_name.h"
#include "services/lambda/lambda_call.h"

#define NO_SUCH_POLICY "The resource you requested does not exist."

static struct json *permission_principal(struct call *call, struct str principal)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);
    if (str_eq(principal, STR("*")))
        return json_new_str(call->arena, principal);
    if (arn_is_account(principal))
        json_add_str(call->arena, out, "AWS", arn_make(call->arena, "iam", STR_NONE, principal, "root"));
    else if (str_starts(principal, STR("arn:")))
        json_add_str(call->arena, out, "AWS", principal);
    else
        json_add_str(call->arena, out, "Service", principal);
    return out;
}

static void add_permission_condition(struct call *call, struct json *statement, const char *operator, const char * key,
                                     struct str value)
{
    if (value.n == 0)
        return;
    struct json *condition = json_at(statement, "Condition");
    if (!condition)
        condition = json_add_object(call->arena, statement, "Condition");
    json_add_str(call->arena, json_add_object(call->arena, condition, operator), key, value);
}

/* A policy belongs to the function; of its versions and aliases there are none. */
static bool whole_function(struct call *call, struct str *ret_name)
{
    struct lambda__named named;
    uint64_t number;
    if (!lambda__call_named(call, &named))
        return false;
    if (named.qualifier.n && !str_eq(named.qualifier, STR("$LATEST")) && !str_to_u64(named.qualifier, &number) &&
        str_find(named.qualifier, '$') == named.qualifier.n) {
        struct str arn = lambda__function_arn(call->arena, call->account, call->region, named.name);
        call_fail(call, "ResourceNotFoundException", "Cannot find alias arn: " STR_FMT ":" STR_FMT, STR_ARG(arn),
                  STR_ARG(named.qualifier));
        return false;
    }
    return lambda__call_name(call, ret_name);
}

void lambda__prepare_add_permission(struct call *call)
{
    struct str principal = call_str(call, "Principal"), name;
    struct lambda__named named;
    if (!lambda__call_named(call, &named))
        return;
    if (str_eq(named.qualifier, STR("$LATEST"))) {
        call_fail(call, "InvalidParameterValueException", "We currently do not support adding policies for $LATEST.");
        return;
    }
    if (!whole_function(call, &name))
        return;
    bool service = str_ends(principal, STR(".amazonaws.com"));
    if (!service && !str_eq(principal, STR("*")) && !arn_is_account(principal) && !str_starts(principal, STR("arn:aws:")))
        call_fail(call, "InvalidParameterValueException",
                  "The provided principal was invalid. Please check the principal and try again.");
    struct json *statement = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, statement, "Sid", call_str(call, "StatementId"));
    json_add_str(call->arena, statement, "Effect", STR("Allow"));
    json_add(statement, "Principal", permission_principal(call, principal));
    json_add_str(call->arena, statement, "Action", call_str(call, "Action"));
    json_add_str(call->arena, statement, "Resource", lambda__function_arn(call->arena, call->account, call->region, name));
    add_permission_condition(call, statement, "StringEquals", "AWS:SourceAccount", call_str(call, "SourceAccount"));
    add_permission_condition(call, statement, "ArnLike", "AWS:SourceArn", call_str(call, "SourceArn"));
    call->state = statement;
}

static struct json *find_statement(struct json *doc, struct str id)
{
    for JSON_EACH (statement, json_at(doc, "statements"))
        if (str_eq(json_str(statement, "Sid"), id))
            return statement;
    return NULL;
}

/* A user or role of the account must be there, and is remembered by its unique id. */
static bool remember_bearer(struct call *call, struct store_txn *txn, struct json *doc, struct str sid, struct str arn)
{
    struct arn part;
    struct str id;
    if (!arn_parse_of(arn, "iam", &part) || part.region.n || !str_eq(part.account, call->account) ||
        !(str_starts(part.resource, STR("user/")) || str_starts(part.resource, STR("role/"))))
        return true;
    enum err err = iam_bearer_id(txn, call->account, arn, call->arena, &id);
    if (err == ERR_NOT_FOUND)
        call_fail(call, "InvalidParameterValueException",
                  "The provided principal was invalid. Please check the principal and try again.");
    else if (err != ERR_OK)
        call_fail_err(call, err);
    if (call->failed)
        return false;
    struct json *bearers = json_at(doc, "bearers");
    json_put(bearers ? bearers : json_add_object(call->arena, doc, "bearers"), arena_dup(call->arena, sid),
             json_new_str(call->arena, id));
    return true;
}

void lambda__add_permission(struct call *call, struct store_txn *txn)
{
    struct json *doc, *statement = json_clone(call->arena, call->state);
    struct str id = call_str(call, "StatementId"), message;
    if (!lambda__call_doc(call, txn, &doc) || !lambda__revision_fits(call, doc, "GetPolicy"))
        return;
    if (find_statement(doc, id)) {
        call_fail(call, "ResourceConflictException",
                  "The statement id (" STR_FMT ") provided already exists. Please provide a new statement id, or remove "
                  "the existing statement.",
                  STR_ARG(id));
        return;
    }
    json_add(json_at(doc, "statements"), NULL, statement);
    if (!remember_bearer(call, txn, doc, id, json_str(json_at(statement, "Principal"), "AWS")))
        return;
    struct str text = lambda__policy_text(doc, txn, call->arena);
    if (text.n > LAMBDA_POLICY_BYTES_MAX) {
        call_fail(call, "PolicyLengthExceededException", "The final policy size (%zu) is bigger than the limit (%d).", text.n,
                  LAMBDA_POLICY_BYTES_MAX);
        return;
    }
    struct policy *policy;
    if (policy_compile(text, POLICY_RESOURCE, &policy, call->arena, &message) != ERR_OK) {
        call_fail(call, "InvalidParameterValueException", STR_FMT, STR_ARG(message));
        return;
    }
    policy_free(policy);
    lambda__put_doc(call, txn, json_str(json_at(doc, "config"), "FunctionName"), doc);
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "Statement", json_text(call->arena, statement));
}

void lambda__prepare_remove_permission(struct call *call)
{
    struct str name;
    whole_function(call, &name);
}

/* Here what is missing is the policy. False after call_fail with `message` and, if it ends with a blank, the function's ARN. */
static bool policy_doc(struct call *call, struct store_txn *txn, const char *message, struct json **ret)
{
    struct lambda__named named;
    if (!lambda__call_named(call, &named))
        return false;
    struct str arn = lambda__function_arn(call->arena, call->account, call->region, named.name);
    bool there = named.qualifier.n == 0 || str_eq(named.qualifier, STR("$LATEST"));
    enum err err = call_doc_get(call, txn, lambda__key(call->arena, call->account, call->region, named.name), ret);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !there))
        call_fail(call, "ResourceNotFoundException", "%s" STR_FMT, message,
                  STR_ARG(str_ends(str_of(message), STR(" ")) ? arn : STR_NONE));
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK && there;
}

void lambda__remove_permission(struct call *call, struct store_txn *txn)
{
    struct json *doc, *kept = json_new(call->arena, JSON_ARRAY);
    struct str id = call_str(call, "StatementId");
    if (!policy_doc(call, txn, "No policy found for: ", &doc) || !lambda__revision_fits(call, doc, "GetPolicy"))
        return;
    if (!find_statement(doc, id)) {
        struct json *statements = json_at(doc, "statements");
        if (statements->count == 0)
            call_fail(call, "ResourceNotFoundException", "No policy is associated with the given resource.");
        else
            call_fail(call, "ResourceNotFoundException", "Statement " STR_FMT " is not found in resource policy.", STR_ARG(id));
        return;
    }
    for JSON_EACH (statement, json_at(doc, "statements"))
        if (!str_eq(json_str(statement, "Sid"), id))
            json_add(kept, NULL, json_clone(call->arena, statement));
    json_put(doc, STR("statements"), kept);
    if (json_at(doc, "bearers"))
        json_remove(json_at(doc, "bearers"), id);
    lambda__put_doc(call, txn, json_str(json_at(doc, "config"), "FunctionName"), doc);
}

void lambda__get_policy(struct call *call)
{
    struct json *doc;
    struct store_txn *reader = lambda__reader(call);
    if (!policy_doc(call, reader, NO_SUCH_POLICY, &doc))
        return;
    struct str text = lambda__policy_text(doc, reader, call->arena);
    if (text.n == 0) {
        call_fail(call, "ResourceNotFoundException", NO_SUCH_POLICY);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "Policy", text);
    json_add_str(call->arena, call->output, "RevisionId", json_str(json_at(doc, "config"), "RevisionId"));
}
