/* expression_internal.h -- what the files of the expression language share: tokens, the syntax tree, and the checks.
 *
 *   text ─ lexer (expression_lex.c) ─ parser (expression_parse.c) ─ tree ─ checks (expression_check.c) ─┐
 *   evaluators: condition.c · update.c · projection.c · key_condition.c   ◄────────────────────────────┘
 *             (values at paths: expression_find.c)
 *
 * The parser knows syntax only. Everything else is a check over the finished tree, in DynamoDB's order, so that of
 * several faults the same one is reported. A checked tree has its placeholders resolved and is never changed again. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_INTERNAL_H
#define CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_INTERNAL_H
#include "services/dynamodb/expression.h"

enum grammar { GRAMMAR_CONDITION, GRAMMAR_UPDATE, GRAMMAR_PROJECTION };

enum token_kind {
    TOKEN_END, TOKEN_NAME, TOKEN_NAME_PLACEHOLDER, TOKEN_VALUE_PLACEHOLDER, TOKEN_NUMBER, TOKEN_COMPARATOR, TOKEN_PLUS, TOKEN_MINUS,
    TOKEN_COMMA, TOKEN_DOT, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_OPEN_INDEX, TOKEN_CLOSE_INDEX,
    TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_BETWEEN, TOKEN_IN,            /* keywords of conditions */
    TOKEN_SET, TOKEN_REMOVE, TOKEN_ADD, TOKEN_DELETE,                   /* keywords of updates */
    TOKEN_OTHER                                                         /* any other byte or character */
};
struct token { enum token_kind kind; struct str text; };

/* The token at *at of the source (behind white space); *at moves behind it. */
struct token expression__lex(struct str source, enum grammar grammar, size_t *at);
bool expression__reserved(struct str word);         /* any letter case */

struct path_step {
    struct str name;            /* resolved; STR_NONE for an index */
    struct str written;         /* "#n" for a placeholder */
    bool is_index;
    size_t index;
    struct path_step *next;
};
struct expression_path {
    struct path_step *first, *last;
    size_t count;
};

enum comparator { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum function {
    FUNCTION_UNKNOWN, FUNCTION_ATTRIBUTE_EXISTS, FUNCTION_ATTRIBUTE_NOT_EXISTS, FUNCTION_ATTRIBUTE_TYPE, FUNCTION_BEGINS_WITH,
    FUNCTION_CONTAINS, FUNCTION_SIZE, FUNCTION_IF_NOT_EXISTS, FUNCTION_LIST_APPEND
};

enum node_kind {
    NODE_PATH, NODE_VALUE, NODE_CALL, NODE_SUM,                         /* operands; a call may be a condition, too */
    NODE_COMPARE, NODE_BETWEEN, NODE_IN, NODE_NOT, NODE_AND, NODE_OR    /* conditions; AND and OR of two or more */
};
struct node {
    enum node_kind kind;
    struct str text;            /* VALUE: the placeholder; CALL: the name; SUM, COMPARE: the sign; BETWEEN, IN: that */
    enum comparator comparator;
    enum function function;
    struct expression_path path;
    const struct value *value;  /* VALUE, once resolved */
    bool grouped;               /* stands in parentheses of its own */
    struct node *first, *last, *next;
    size_t count;
};

/* One action of an update. `path` is a NODE_PATH; `operand` NULL for REMOVE. */
enum action_kind { ACTION_SET, ACTION_REMOVE, ACTION_ADD, ACTION_DELETE };
struct action {
    enum action_kind kind;
    struct node *path, *operand;
    struct action *next;
};
struct update {
    struct action *first, *last;
    size_t count;
    bool legacy;                /* AttributeUpdates: other words for a type mismatch, ADD appends to lists */
    bool section_again;         /* a section occurs twice; which one: */
    enum action_kind again;
};

struct parser {
    struct str source;
    const char *label;          /* "UpdateExpression" */
    enum grammar grammar;
    struct arena *arena;
    struct expression_params *params;
    struct token previous, current;
    size_t at;                  /* behind current */
    unsigned depth;
    size_t operators;
    bool redundant;             /* parentheses in parentheses */
    struct str message;         /* of the first failure, with "Invalid LABEL: " */
};

/* Reads the first token. False: empty or too long, message set. */
bool expression__open(struct parser *parser, struct str source, const char *label, enum grammar grammar,
                      struct expression_params *params, struct arena *arena);
void expression__fail(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct node *expression__parse_condition(struct parser *parser);        /* whole source; NULL: failed */
struct node *expression__parse_paths(struct parser *parser, size_t *ret_count);     /* list of NODE_PATH, linked by next */
bool expression__parse_update(struct parser *parser, struct update *ret);

bool expression__check_condition(struct parser *parser, struct node *root);
bool expression__check_paths(struct parser *parser, struct node *paths);
bool expression__check_update(struct parser *parser, struct update *update);

/* Calls visit for every node, children first; stops when it returns false. */
typedef bool expression_visit_fn(void *arg, struct node *node);
bool expression__visit(struct node *node, expression_visit_fn *visit, void *arg);
bool expression__mentions(const struct node *node, struct str attribute, bool inside);
void expression__attributes(const struct node *node, expression_attribute_fn *visit, void *arg);

/* NULL: not defined. Marks it used. */
const struct str *expression__name(struct expression_params *params, struct str placeholder);
const struct value *expression__value(struct expression_params *params, struct str placeholder);

/* Lookups of one evaluation; begins as {.arena}. The containers it saw may not change while it is used. */
struct finder_index;
struct finder { struct arena *arena; struct finder_index *first; };
/* The child that a step leads to, or NULL: no such child, or another kind of container. */
struct value *expression__child(struct finder *finder, const struct value *parent, const struct path_step *step);
struct value *expression__resolve(struct finder *finder, const struct expression_path *path,
                                  const struct value *item); /* or NULL */
/* The values at the paths, within the structure that leads to them. Paths must not overlap. */
struct value *expression__pick(const struct expression_path *const *sorted, size_t count, const struct value *item,
                               struct arena *arena);
/* An array of the paths in the order that expression__pick needs. */
const struct expression_path **expression__sorted_paths(const struct expression_path **paths, size_t count);

#endif
