/* function_doc.c -- where a function's document stands, and the resource policy that its statements make. */
#include "services/lambda/function_doc.h"
#include "base/arn.h"
#include "services/iam/iam.h"
#include "store/doc.h"

struct store_key lambda__key(struct arena *arena, struct str account, struct str region, struct str name)
{
    return (struct store_key){LAMBDA_SPACE, doc_collection(arena, account, region, "function"), name};
}

/* Shows the ARN as long as the one who was meant bears it. */
static void name_by_id(struct json *statement, struct str id, struct store_txn *txn, struct arena *arena)
{
    struct json *principal = json_at(statement, "Principal");
    struct str arn = json_str(principal, "AWS"), now;
    if (!txn || iam_bearer_id(txn, arn_account(arn), arn, arena, &now) != ERR_OK || !str_eq(now, id))
        json_put(principal, STR("AWS"), json_new_str(arena, id));
}

struct str lambda__policy_text(struct json *doc, struct store_txn *txn, struct arena *arena)
{
    struct json *statements = json_at(doc, "statements"), *bearers = json_at(doc, "bearers");
    if (!statements || statements->count == 0)
        return STR_NONE;
    struct json *policy = json_new(arena, JSON_OBJECT), *list = json_clone(arena, statements);
    for JSON_EACH (statement, list) {
        struct str id = STR_NONE;
        for JSON_EACH (bearer, bearers)
            if (str_eq(bearer->key, json_str(statement, "Sid")))
                id = bearer->text;
        if (id.n)
            name_by_id(statement, id, txn, arena);
    }
    json_add_str(arena, policy, "Version", STR("2012-10-17"));
    json_add_str(arena, policy, "Id", STR("default"));
    json_add(policy, "Statement", list);
    return json_text(arena, policy);
}
