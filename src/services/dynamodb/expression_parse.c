/* expression_parse.c -- tokens to a tree, by recursive descent with the priorities
 *   OR < AND < NOT < comparators, BETWEEN, IN < operands
 * One parser for the three grammars: paths and operands are the same everywhere. Parentheses may hold a condition or an
 * operand; which one shows when they close. Depth and number of operators are bounded.
 * A syntax error names the token and what stands next to it: `Syntax error; token: "c", near: "b c d"`. */
#include "services/dynamodb/expression_internal.h"
#include <stdarg.h>

#define LIST_INDEX_MAX 0x7fffffff

void expression__fail(struct parser *parser, const char *format, ...)
{
    if (parser->message.n)
        return;
    va_list args;
    va_start(args, format);
    struct str detail = arena_vprintf(parser->arena, format, args);
    va_end(args);
    parser->message = arena_printf(parser->arena, "Invalid %s: " STR_FMT, parser->label, STR_ARG(detail));
}

static struct node *expression_syntax_error(struct parser *parser)
{
    const struct token *token = &parser->current;
    size_t at = parser->at;
    struct token next = expression__lex(parser->source, parser->grammar, &at);
    const char *from = parser->previous.text.n ? parser->previous.text.p : token->text.p;
    const char *to = token->text.p + token->text.n;
    if (next.kind != TOKEN_END)
        to = next.text.p + next.text.n;
    if (token->kind == TOKEN_END)
        to = parser->previous.text.p + parser->previous.text.n;
    struct str near = to > from ? (struct str){from, (size_t)(to - from)} : STR_NONE;
    struct str shown = token->kind == TOKEN_END ? STR("<EOF>") : token->text;
    expression__fail(parser, "Syntax error; token: \"" STR_FMT "\", near: \"" STR_FMT "\"", STR_ARG(shown), STR_ARG(near));
    return NULL;
}

static void parser_advance(struct parser *parser)
{
    parser->previous = parser->current;
    parser->current = expression__lex(parser->source, parser->grammar, &parser->at);
}

static bool accept(struct parser *parser, enum token_kind kind)
{
    if (parser->current.kind != kind)
        return false;
    parser_advance(parser);
    return true;
}

static bool expect(struct parser *parser, enum token_kind kind)
{
    return accept(parser, kind) || expression_syntax_error(parser);
}

bool expression__open(struct parser *parser, struct str source, const char *label, enum grammar grammar,
                      struct expression_params *params, struct arena *arena)
{
    *parser = (struct parser){.source = source, .label = label, .grammar = grammar, .arena = arena, .params = params};
    if (source.n > EXPRESSION_BYTES_MAX)
        expression__fail(parser, "Expression size has exceeded the maximum allowed size; expression size: %zu", source.n);
    parser_advance(parser);
    parser->previous = (struct token){TOKEN_END, STR_NONE};
    if (parser->current.kind == TOKEN_END)
        expression__fail(parser, "The expression can not be empty;");
    return parser->message.n == 0;
}

/* ---- nodes ---- */

static struct node *node_new(struct parser *parser, enum node_kind kind, struct str text)
{
    struct node *node = arena_new_of(parser->arena, struct node);
    node->kind = kind;
    node->text = text;
    return node;
}

static void add_child(struct node *parent, struct node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static struct node *operator_new(struct parser *parser, enum node_kind kind, struct str text, struct node *first)
{
    struct node *node = node_new(parser, kind, text);
    if (first)
        add_child(node, first);
    parser->operators++;
    return node;
}

static bool is_condition(const struct node *node)
{
    return node->kind >= NODE_COMPARE || node->kind == NODE_CALL;
}

static bool parser_enter(struct parser *parser)
{
    if (++parser->depth <= EXPRESSION_DEPTH_MAX)
        return true;
    expression__fail(parser, "The expression has too many nesting levels; nesting levels: %u", parser->depth);
    return false;
}

/* ---- paths ---- */

static struct path_step *add_step(struct parser *parser, struct expression_path *path)
{
    struct path_step *step = arena_new_of(parser->arena, struct path_step);
    if (path->last)
        path->last->next = step;
    else
        path->first = step;
    path->last = step;
    path->count++;
    return step;
}

static bool parse_step_name(struct parser *parser, struct expression_path *path)
{
    if (parser->current.kind != TOKEN_NAME && parser->current.kind != TOKEN_NAME_PLACEHOLDER)
        return expression_syntax_error(parser);
    struct path_step *step = add_step(parser, path);
    step->written = step->name = parser->current.text;
    parser_advance(parser);
    return true;
}

static bool parse_step_index(struct parser *parser, struct expression_path *path)
{
    uint64_t index;
    struct str text = parser->current.text;
    if (parser->current.kind != TOKEN_NUMBER)
        return expression_syntax_error(parser);
    if (!str_to_u64(text, &index) || index > LIST_INDEX_MAX) {
        expression__fail(parser, "List index is not within the allowable range; index: [" STR_FMT "]", STR_ARG(text));
        return false;
    }
    struct path_step *step = add_step(parser, path);
    step->is_index = true;
    step->index = index;
    parser_advance(parser);
    return expect(parser, TOKEN_CLOSE_INDEX);
}

/* What follows the head of a path: .name and [index], any number. */
static struct node *parse_path_tail(struct parser *parser, struct node *node)
{
    for (;;) {
        bool more = false;
        if (accept(parser, TOKEN_DOT))
            more = parse_step_name(parser, &node->path);
        else if (accept(parser, TOKEN_OPEN_INDEX))
            more = parse_step_index(parser, &node->path);
        else
            return node;
        if (!more)
            return NULL;
        if (node->path.count > EXPRESSION_PATH_MAX) {
            expression__fail(parser, "The document path has too many nesting elements; nesting levels: %zu", node->path.count);
            return NULL;
        }
    }
}

static struct node *parse_path(struct parser *parser)
{
    struct node *node = node_new(parser, NODE_PATH, STR_NONE);
    return parse_step_name(parser, &node->path) ? parse_path_tail(parser, node) : NULL;
}

/* ---- operands ---- */

static struct node *parse_operand(struct parser *parser);
static struct node *parse_or(struct parser *parser);
static struct node *parse_sum(struct parser *parser);

static struct node *parse_call(struct parser *parser, struct str name)
{
    struct node *call = operator_new(parser, NODE_CALL, name, NULL);
    do {
        struct node *argument = parse_operand(parser);
        if (!argument)
            return NULL;
        add_child(call, argument);
    } while (accept(parser, TOKEN_COMMA));
    return expect(parser, TOKEN_CLOSE) ? call : NULL;
}

static bool call_follows(struct parser *parser)
{
    size_t at = parser->at;
    return parser->current.kind == TOKEN_NAME && expression__lex(parser->source, parser->grammar, &at).kind == TOKEN_OPEN;
}

static struct node *parse_simple(struct parser *parser)
{
    if (call_follows(parser)) {
        struct str name = parser->current.text;
        parser_advance(parser);
        parser_advance(parser);
        if (!parser_enter(parser))
            return NULL;
        struct node *call = parse_call(parser, name);
        parser->depth--;
        return call;
    }
    if (parser->current.kind == TOKEN_VALUE_PLACEHOLDER) {
        struct node *node = node_new(parser, NODE_VALUE, parser->current.text);
        parser_advance(parser);
        return node;
    }
    return parse_path(parser);
}

/* Behind '('. What may stand inside depends on where the parentheses are. */
static struct node *parse_group(struct parser *parser, struct node *(*inside)(struct parser *))
{
    if (!parser_enter(parser))
        return NULL;
    struct node *node = inside(parser);
    parser->depth--;
    if (!node || !expect(parser, TOKEN_CLOSE))
        return NULL;
    if (node->grouped)
        parser->redundant = true;
    node->grouped = true;
    bool path_goes_on = parser->current.kind == TOKEN_DOT || parser->current.kind == TOKEN_OPEN_INDEX;
    if (node->kind == NODE_PATH && path_goes_on && parser->grammar == GRAMMAR_CONDITION) {
        node->grouped = false;
        return parse_path_tail(parser, node);
    }
    return node;
}

/* A path, a value or a call, perhaps in parentheses. */
static struct node *parse_operand(struct parser *parser)
{
    return accept(parser, TOKEN_OPEN) ? parse_group(parser, parse_operand) : parse_simple(parser);
}

/* ---- conditions ---- */

static enum comparator comparator_of(struct str sign)
{
    static const char *const signs[] = {"=", "<>", "<", "<=", ">", ">="};
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (str_eq(sign, str_of(signs[i])))
            return (enum comparator)i;
    return COMPARE_EQ;
}

static struct node *with_operand(struct parser *parser, struct node *node)
{
    struct node *operand = parse_operand(parser);
    if (!operand)
        return NULL;
    add_child(node, operand);
    return node;
}

static struct node *parse_between(struct parser *parser, struct node *subject)
{
    struct node *node = operator_new(parser, NODE_BETWEEN, STR("BETWEEN"), subject);
    if (!with_operand(parser, node) || !expect(parser, TOKEN_AND))
        return NULL;
    return with_operand(parser, node);
}

static struct node *parse_in(struct parser *parser, struct node *subject)
{
    struct node *node = operator_new(parser, NODE_IN, STR("IN"), subject);
    if (!expect(parser, TOKEN_OPEN))
        return NULL;
    do {
        if (!with_operand(parser, node))
            return NULL;
    } while (accept(parser, TOKEN_COMMA));
    return expect(parser, TOKEN_CLOSE) ? node : NULL;
}

/* What may follow an operand. A condition or the content of parentheses stays as it is. */
static struct node *parse_relation(struct parser *parser, struct node *subject)
{
    if (!subject || subject->kind >= NODE_COMPARE)
        return subject;
    struct token token = parser->current;
    if (accept(parser, TOKEN_BETWEEN))
        return parse_between(parser, subject);
    if (accept(parser, TOKEN_IN))
        return parse_in(parser, subject);
    if (!accept(parser, TOKEN_COMPARATOR))
        return subject;
    struct node *node = operator_new(parser, NODE_COMPARE, token.text, subject);
    node->comparator = comparator_of(token.text);
    return with_operand(parser, node);
}

static struct node *parse_not(struct parser *parser)
{
    if (parser->current.kind == TOKEN_NOT) {
        parser_advance(parser);
        if (!parser_enter(parser))
            return NULL;
        struct node *inner = parse_not(parser);
        parser->depth--;
        if (!inner)
            return NULL;
        if (!is_condition(inner))
            return expression_syntax_error(parser);
        return operator_new(parser, NODE_NOT, STR("NOT"), inner);
    }
    struct node *subject = accept(parser, TOKEN_OPEN) ? parse_group(parser, parse_or) : parse_simple(parser);
    return parse_relation(parser, subject);
}

static struct node *parse_chain(struct parser *parser, enum token_kind token, enum node_kind kind,
                                struct node *(*part)(struct parser *))
{
    struct node *first = part(parser), *chain = NULL;
    while (first && parser->current.kind == token) {
        if (!is_condition(first))
            return expression_syntax_error(parser);
        struct str text = parser->current.text;
        parser_advance(parser);
        struct node *next = part(parser);
        if (!next)
            return NULL;
        if (!is_condition(next))
            return expression_syntax_error(parser);
        if (chain)
            parser->operators++;
        else
            chain = operator_new(parser, kind, text, first);
        add_child(chain, next);
    }
    return chain ? chain : first;
}

static struct node *parse_and(struct parser *parser)
{
    return parse_chain(parser, TOKEN_AND, NODE_AND, parse_not);
}

static struct node *parse_or(struct parser *parser)
{
    return parse_chain(parser, TOKEN_OR, NODE_OR, parse_and);
}

static bool within_operators(struct parser *parser)
{
    if (parser->operators <= EXPRESSION_OPERATORS_MAX)
        return true;
    expression__fail(parser, "The expression contains too many operators; number of operators: %zu", parser->operators);
    return false;
}

struct node *expression__parse_condition(struct parser *parser)
{
    struct node *root = parse_or(parser);
    if (!root)
        return NULL;
    if (!is_condition(root) || parser->current.kind != TOKEN_END)
        return expression_syntax_error(parser);
    return within_operators(parser) ? root : NULL;
}

/* ---- lists of paths ---- */

struct node *expression__parse_paths(struct parser *parser, size_t *ret_count)
{
    struct node list = {0};
    do {
        struct node *path = parse_path(parser);
        if (!path)
            return NULL;
        add_child(&list, path);
    } while (accept(parser, TOKEN_COMMA));
    if (parser->current.kind != TOKEN_END)
        return expression_syntax_error(parser);
    *ret_count = list.count;
    return list.first;
}

/* ---- updates ---- */

static struct node *parse_sum(struct parser *parser)
{
    struct node *first = accept(parser, TOKEN_OPEN) ? parse_group(parser, parse_sum) : parse_simple(parser);
    bool more = parser->current.kind == TOKEN_PLUS || parser->current.kind == TOKEN_MINUS;
    if (!first || !more || first->kind == NODE_SUM)
        return first;
    struct node *sum = operator_new(parser, NODE_SUM, parser->current.text, first);
    parser_advance(parser);
    return with_operand(parser, sum);
}

static bool parse_action(struct parser *parser, struct action *action)
{
    action->path = parse_path(parser);
    if (!action->path || action->kind == ACTION_REMOVE)
        return action->path != NULL;
    if (action->kind == ACTION_SET) {
        if (parser->current.kind != TOKEN_COMPARATOR || !str_eq(parser->current.text, STR("=")))
            return expression_syntax_error(parser);
        parser_advance(parser);
        action->operand = parse_sum(parser);
    } else {
        if (parser->current.kind != TOKEN_VALUE_PLACEHOLDER)
            return expression_syntax_error(parser);
        action->operand = parse_simple(parser);
    }
    return action->operand != NULL;
}

static bool parse_section(struct parser *parser, enum action_kind kind, struct update *ret)
{
    do {
        struct action *action = arena_new_of(parser->arena, struct action);
        action->kind = kind;
        if (!parse_action(parser, action))
            return false;
        if (ret->last)
            ret->last->next = action;
        else
            ret->first = action;
        ret->last = action;
        ret->count++;
    } while (accept(parser, TOKEN_COMMA));
    return true;
}

bool expression__parse_update(struct parser *parser, struct update *ret)
{
    bool seen[ACTION_DELETE + 1] = {false};
    while (parser->current.kind != TOKEN_END) {
        if (parser->current.kind < TOKEN_SET || parser->current.kind > TOKEN_DELETE)
            return expression_syntax_error(parser);
        enum action_kind kind = (enum action_kind)(parser->current.kind - TOKEN_SET);
        parser_advance(parser);
        if (!parse_section(parser, kind, ret))
            return false;
        if (seen[kind] && !ret->section_again) {
            ret->section_again = true;
            ret->again = kind;
        }
        seen[kind] = true;
    }
    return within_operators(parser);
}
