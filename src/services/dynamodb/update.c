/* update.c -- changes an item: UpdateExpression, and AttributeUpdates once update_legacy.c has made actions of it.
 *
 * Every operand reads the item as it was. So: the operands are computed first; then the targets are found in a copy of
 * the item, whose structure does not change meanwhile; then values are put in place; last, elements behind a list's end
 * are appended in the order of their indexes, and what is to go is taken out, in one walk of each container that loses
 * something. Targets never overlap (checked).
 * Source: developer guide, "Using update expressions". */
#include "base/panic.h"
#include "services/dynamodb/expression_internal.h"
#include <stdlib.h>

struct update *update_parse(struct str text, struct expression_params *params, struct arena *arena, struct str *ret_message)
{
    struct parser parser;
    struct update *update = arena_new_of(arena, struct update);
    if (!expression__open(&parser, text, "UpdateExpression", GRAMMAR_UPDATE, params, arena) ||
        !expression__parse_update(&parser, update) || !expression__check_update(&parser, update)) {
        *ret_message = parser.message;
        return NULL;
    }
    return update;
}

bool update_mentions(const struct update *update, struct str attribute)
{
    for (const struct action *action = update->first; action; action = action->next)
        if (expression__mentions(action->path, attribute, false))
            return true;
    return false;
}

bool update_only_removes(const struct update *update)
{
    for (const struct action *action = update->first; action; action = action->next)
        if (action->kind == ACTION_SET || action->kind == ACTION_ADD)
            return false;
    return update->count > 0;
}

void update_attributes(const struct update *update, expression_attribute_fn *visit, void *arg)
{
    for (const struct action *action = update ? update->first : NULL; action; action = action->next) {
        expression__attributes(action->path, visit, arg);
        if (action->operand)
            expression__attributes(action->operand, visit, arg);
    }
}

bool update_enters(const struct update *update, struct str attribute)
{
    for (const struct action *action = update->first; action; action = action->next)
        if (expression__mentions(action->path, attribute, true) ||
            (action->operand && expression__mentions(action->operand, attribute, true)))
            return true;
    return false;
}

/* ---- one application ---- */

struct update_target {
    const struct action *action;
    struct value *parent;           /* map or list in the copy */
    const struct path_step *step;   /* within parent */
    struct value *slot;             /* what is there now; NULL: nothing */
    const struct value *operand;
};
struct applying {
    const struct update *update;
    const struct value *item;       /* as it was */
    struct arena *arena;
    struct str message;
    struct update_target *targets;
    struct finder finder;           /* in the item and, until anything changes, in its copy */
};

#define WRONG_TYPE "An operand in the update expression has an incorrect data type"
#define NO_ATTRIBUTE "The provided expression refers to an attribute that does not exist in the item"
#define BAD_PATH "The document path provided in the update expression is invalid for update"

static void *update_fail(struct applying *a, struct str message)
{
    a->message = message;
    return NULL;
}

static bool update_refuse(struct applying *a, struct str message)
{
    a->message = message;
    return false;
}

static struct str wrong_type(const struct applying *a)
{
    return a->update->legacy ? STR("Type mismatch for attribute to update") : STR(WRONG_TYPE);
}

/* ---- operands ---- */

static const struct value *operand(struct applying *a, const struct node *node);

static const struct value *update_number(struct applying *a, const struct value *x, bool minus, const struct value *y)
{
    struct value *sum = value_new(a->arena, VALUE_N);
    enum decimal_status status = (minus ? decimal_sub : decimal_add)(&x->number, &y->number, &sum->number);
    switch (status) {
    case DECIMAL_OK:
        return sum;
    case DECIMAL_OVERFLOW:
        return update_fail(a, STR("Number overflow. Attempting to store a number with magnitude larger than supported range"));
    case DECIMAL_UNDERFLOW:
        return update_fail(a, STR("Number underflow. Attempting to store a number with magnitude smaller than supported range"));
    default:
        return update_fail(a, STR("Attempting to store more than 38 significant digits in a Number"));
    }
}

static const struct value *joined(struct applying *a, const struct value *head, const struct value *tail)
{
    struct value *list = value_clone(a->arena, head);
    for (const struct value *element = tail->first; element; element = element->next)
        value_append(list, value_clone(a->arena, element));
    return list;
}

static const struct value *of_two(struct applying *a, const struct node *node, enum value_type wanted)
{
    const struct value *x = operand(a, node->first);
    if (!x)
        return NULL;
    if (x->type != wanted)
        return update_fail(a, STR(WRONG_TYPE));
    const struct value *y = operand(a, node->last);
    if (!y)
        return NULL;
    if (y->type != wanted)
        return update_fail(a, STR(WRONG_TYPE));
    return wanted == VALUE_L ? joined(a, x, y) : update_number(a, x, str_eq(node->text, STR("-")), y);
}

static const struct value *operand(struct applying *a, const struct node *node)
{
    if (node->kind == NODE_VALUE)
        return node->value;
    if (node->kind == NODE_SUM)
        return of_two(a, node, VALUE_N);
    if (node->kind == NODE_CALL && node->function == FUNCTION_LIST_APPEND)
        return of_two(a, node, VALUE_L);
    const struct expression_path *path = node->kind == NODE_PATH ? &node->path : &node->first->path;
    const struct value *found = expression__resolve(&a->finder, path, a->item);
    if (found)
        return found;
    return node->kind == NODE_PATH ? update_fail(a, STR(NO_ATTRIBUTE)) : operand(a, node->last);
}

/* ---- what becomes of a target ---- */

static const struct value *set_union(struct applying *a, const struct value *set, const struct value *more)
{
    struct value *all = value_clone(a->arena, set);
    const struct value **sorted = value_sorted(set, a->arena);
    for (const struct value *element = more->first; element; element = element->next)
        if (!value_sorted_find(sorted, set->count, element))
            value_append(all, value_clone(a->arena, element));
    return all;
}

static const struct value *set_difference(struct applying *a, const struct value *set, const struct value *less)
{
    struct value *rest = value_new(a->arena, set->type);
    const struct value **sorted = value_sorted(less, a->arena);
    for (const struct value *element = set->first; element; element = element->next)
        if (!value_sorted_find(sorted, less->count, element))
            value_append(rest, value_clone(a->arena, element));
    return rest;
}

static const struct value *added(struct applying *a, const struct update_target *t)
{
    if (!t->slot)
        return t->operand;
    if (t->slot->type != t->operand->type)
        return update_fail(a, wrong_type(a));
    if (t->slot->type == VALUE_N)
        return update_number(a, t->slot, false, t->operand);
    if (t->slot->type == VALUE_L)
        return joined(a, t->slot, t->operand);
    return set_union(a, t->slot, t->operand);
}

static bool put_in_place(struct applying *a, struct update_target *t, const struct value *value)
{
    struct value *copy = value_clone(a->arena, value);
    copy->name = t->step->name;
    if (t->slot) {                              /* takes over the place of what was there */
        copy->next = t->slot->next;
        *t->slot = *copy;
    } else if (t->step->is_index) {
        t->slot = copy;                         /* append_beyond links it */
    } else {
        value_append(t->parent, copy);
    }
    return true;
}

static bool change(struct applying *a, struct update_target *t)
{
    const struct value *value;
    switch (t->action->kind) {
    case ACTION_SET:
        return put_in_place(a, t, t->operand);
    case ACTION_ADD:
        value = added(a, t);
        return value && put_in_place(a, t, value);
    case ACTION_DELETE:
        if (!t->slot)
            return true;
        if (t->slot->type != t->operand->type)
            return update_refuse(a, wrong_type(a));
        value = set_difference(a, t->slot, t->operand);
        if (value->count > 0)
            return put_in_place(a, t, value);
        t->slot->removed = true;
        return true;
    case ACTION_REMOVE:
        if (t->slot)
            t->slot->removed = true;
        return true;
    default:
        UNREACHABLE();
    }
}

/* ---- the steps ---- */

static bool compute_operands(struct applying *a)
{
    struct update_target *t = a->targets;
    for (const struct action *action = a->update->first; action; action = action->next, t++) {
        t->action = action;
        if (action->operand && !(t->operand = operand(a, action->operand)))
            return false;
    }
    return true;
}

static bool find_targets(struct applying *a, struct value *copy)
{
    for (size_t i = 0; i < a->update->count; i++) {
        struct update_target *t = &a->targets[i];
        struct expression_path parent = t->action->path->path; /* all steps but the last */
        struct value *at = copy;
        for (t->step = parent.first; t->step->next && at; t->step = t->step->next)
            at = expression__child(&a->finder, at, t->step);
        if (!at || at->type != (t->step->is_index ? VALUE_L : VALUE_M))
            return update_refuse(a, STR(BAD_PATH));
        t->parent = at;
        t->slot = expression__child(&a->finder, at, t->step);
    }
    return true;
}

struct beyond { struct value *list, *value; size_t index, order; };

static int by_index(const void *a, const void *b)
{
    const struct beyond *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void append_beyond(struct applying *a, const bool *was_empty)
{
    size_t count = 0;
    struct beyond *beyond = arena_array(a->arena, struct beyond, a->update->count + 1);
    for (size_t i = 0; i < a->update->count; i++) {
        const struct update_target *t = &a->targets[i];
        if (was_empty[i] && t->step->is_index && t->slot)
            beyond[count] = (struct beyond){t->parent, t->slot, t->step->index, i}, count++;
    }
    if (count)
        qsort(beyond, count, sizeof *beyond, by_index);
    for (size_t i = 0; i < count; i++)
        value_append(beyond[i].list, beyond[i].value);
}

/* Takes the children out that are marked. */
static void update_sweep(struct value *parent)
{
    struct value *child = parent->first, *next;
    parent->first = parent->last = NULL;
    parent->count = 0;
    for (; child; child = next) {
        next = child->next;
        if (child->removed)
            child->removed = false;
        else
            value_append(parent, child);
    }
}

struct value *update_apply(const struct update *update, const struct value *item, struct arena *arena, struct str *ret_message)
{
    struct value *copy = value_clone(arena, item);
    struct applying a = {.update = update, .item = item, .arena = arena, .finder.arena = arena};
    bool *was_empty = arena_array(arena, bool, update->count + 1), fine;
    a.targets = arena_array(arena, struct update_target, update->count + 1);
    fine = compute_operands(&a) && find_targets(&a, copy);
    for (size_t i = 0; i < update->count && fine; i++) {
        was_empty[i] = !a.targets[i].slot;
        fine = change(&a, &a.targets[i]);
    }
    if (!fine) {
        *ret_message = a.message;
        return NULL;
    }
    append_beyond(&a, was_empty);
    for (size_t i = 0; i < update->count; i++)
        if (a.targets[i].slot && a.targets[i].slot->removed)
            update_sweep(a.targets[i].parent);
    for (const struct value *attribute = copy->first; attribute; attribute = attribute->next) {
        if (!value_too_deep(attribute))
            continue;
        *ret_message = STR(VALUE_DEPTH_MESSAGE);
        return NULL;
    }
    return copy;
}

struct value *update_touched(const struct update *update, const struct value *item, struct arena *arena)
{
    const struct expression_path **paths = arena_alloc(arena, sizeof *paths * (update->count + 1));
    size_t count = 0;
    for (const struct action *action = update->first; action; action = action->next)
        paths[count++] = &action->path->path;
    return expression__pick(expression__sorted_paths(paths, count), count, item, arena);
}
