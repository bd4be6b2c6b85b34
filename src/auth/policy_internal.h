/* policy_internal.h -- the compiled form of a policy, shared by policy_*.c.
 *
 * A pattern is text whose wildcards and variables were recognised once. Without variables it is one run of codes: a byte,
 * or PATTERN_ANY for '*', or PATTERN_ONE for '?'. With variables it is a row of pieces that pattern__resolve puts together for
 * a request; what comes out of a variable is always taken literally. */
#ifndef CLOUDLESS_AUTH_POLICY_INTERNAL_H
#define CLOUDLESS_AUTH_POLICY_INTERNAL_H
#include "auth/policy.h"

enum { PATTERN_ANY = 256, PATTERN_ONE = 257 };
#define PATTERN_VALUE_MAX 8192          /* codes of a resolved pattern; longer ones match nothing */

struct codes {
    const uint16_t *p;
    size_t n;
};
struct pattern_piece {
    struct codes literal;               /* when variable.n is 0 */
    struct str variable, otherwise;
    bool has_otherwise;
};
struct pattern {
    struct pattern_piece *piece;        /* never NULL; an empty text is one empty literal */
    size_t count;
};
struct patterns {
    struct pattern *item;
    size_t count;
    bool present, negated;              /* element given; as Not… */
};

enum pattern_flags { PATTERN_WILDCARDS = 1, PATTERN_VARIABLES = 2 };
/* False: a variable without its end. */
bool pattern__compile(struct arena *arena, struct str text, int flags, struct pattern *ret);

struct match {
    const struct policy_request *request;
    struct arena *arena;                /* NULL until something needs it */
    struct arena *own;                  /* to free */
};
struct arena *match__arena(struct match *match);
/* All values of a context key, any letter case of the key. 0: the request has no such key. */
size_t match__values(struct match *match, struct str key, struct str **ret);
/* False: a variable has no value and no default. */
bool pattern__resolve(const struct pattern *pattern, struct match *match, struct codes *ret);
bool pattern__glob(struct codes codes, struct str text, bool nocase);   /* whole text; time is at most codes × text */
bool pattern__arn(struct codes codes, struct str arn);                  /* segment by segment */

enum principal_kind { NAMES_ANYONE, NAMES_ACCOUNT, NAMES_AWS, NAMES_SERVICE, NAMES_OTHER };
struct principal_name {
    enum principal_kind kind;
    struct str value;
};
struct principals {
    struct principal_name *item;
    size_t count;
    bool present, negated;
};

enum { CONDITION_IF_EXISTS = 1, CONDITION_FOR_ALL = 2, CONDITION_FOR_ANY = 4 };
struct condition_operator;
struct policy_condition {
    const struct condition_operator *op;
    int flags;
    struct str key;
    struct pattern *value;
    size_t count;
};
/* The operator of "ForAnyValue:StringLikeIfExists" and the like; false: there is none. */
bool condition__find(struct str name, const struct condition_operator **ret_op, int *ret_flags);
int condition__pattern_flags(const struct condition_operator *op);
/* Is a value without variables one that the operator can compare with? Dates have a message of their own. */
bool condition__value_ok(const struct condition_operator *op, struct str value);
bool condition__is_date(const struct condition_operator *op);
bool condition__holds(const struct policy_condition *condition, struct match *match);

struct statement {
    bool deny;
    struct patterns actions, resources;
    struct principals principals;
    struct policy_condition *condition;
    size_t condition_count;
};
struct policy {
    struct arena *arena;                /* everything of the policy */
    enum policy_kind kind;
    bool depends_on_request;
    struct statement *statement;
    size_t count;
};

/* How an Allow names the caller, weakest first. */
enum grant { GRANT_NONE, GRANT_ACCOUNT, GRANT_ROLE, GRANT_DIRECT };
enum policy_effect policy__match(const struct policy *policy, const struct policy_request *request, enum grant *ret_grant);
bool policy__key_is_stable(struct str key);
#endif
