/* iam.h -- what other parts may ask of IAM. Users, roles, policies: documents in IAM_SPACE, region aws-global. */
#ifndef CLOUDLESS_SERVICES_IAM_IAM_H
#define CLOUDLESS_SERVICES_IAM_IAM_H
#include "call/call.h"
#include "auth/auth.h"

#define IAM_SPACE 2                     /* of its documents in the store; on disk, so never another */
extern const struct model model_iam;         /* generated */
extern const struct service_errors iam_errors;
extern const struct service_api iam_api;
extern const struct service iam_service;
extern const struct validate_overrides iam_overrides;

struct iam_role { struct str arn, id, name, path, trust_policy, account; int64_t max_session_s; };
/* By full role ARN. ERR_NOT_FOUND. Reader or mutation. */
enum err iam_role_find(struct store_txn *txn, struct str role_arn, struct arena *arena, struct iam_role *ret);
/* The principal of a session of the role, for auth_session_issue. */
void iam_role_session(const struct iam_role *role, struct str session_name, int64_t now_ms, struct arena *arena,
                      struct principal *ret);
/* The unique id of the user or role of `account` with exactly that ARN; a policy that names an ARN means who bears it when it is
 * written, not who is made under that name later. ERR_NOT_FOUND: none, or no such ARN. Reader or mutation. */
enum err iam_bearer_id(struct store_txn *txn, struct str account, struct str arn, struct arena *arena, struct str *ret_id);
/* Does the trust policy let this service principal (lambda.amazonaws.com) assume the role? */
bool iam_role_trusts_service(const struct iam_role *role, const char *service_principal, struct arena *arena);
#endif
