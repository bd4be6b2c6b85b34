/* update_legacy.c -- AttributeUpdates, the older form of an update, as actions of the newer one: PUT sets, DELETE without
 * a value removes, DELETE and ADD with one are what they are there. Source: developer guide, "AttributeUpdates (legacy)". */
#include "services/dynamodb/expression_internal.h"

#define SETS (VALUE_BIT(VALUE_SS) | VALUE_BIT(VALUE_NS) | VALUE_BIT(VALUE_BS))

static const struct { const char *name; enum action_kind kind; unsigned types;
} legacy_actions[] = {
    {"PUT", ACTION_SET, 0x3ff},
    {"ADD", ACTION_ADD, SETS | VALUE_BIT(VALUE_N) | VALUE_BIT(VALUE_L)},
    {"DELETE", ACTION_DELETE, SETS},
};

static struct node *attribute_path(struct str name, struct arena *arena)
{
    struct node *node = arena_new_of(arena, struct node);
    struct path_step *step = arena_new_of(arena, struct path_step);
    node->kind = NODE_PATH;
    step->name = step->written = name;
    node->path = (struct expression_path){step, step, 1};
    return node;
}

static struct node *literal(const struct value *value, struct arena *arena)
{
    struct node *node = arena_new_of(arena, struct node);
    node->kind = NODE_VALUE;
    node->value = value;
    return node;
}

static struct action *read_action(const struct json *update, struct arena *arena, struct str *ret_message, bool *ret_serialization)
{
    size_t row = 0;
    struct str name = json_at(update, "Action") ? json_str(update, "Action") : STR("PUT");
    const struct json *json = json_at(update, "Value");
    struct action *action = arena_new_of(arena, struct action);
    while (row < COUNT_OF(legacy_actions) - 1 && !str_eq(name, str_of(legacy_actions[row].name)))
        row++;
    action->kind = legacy_actions[row].kind;
    action->path = attribute_path(update->key, arena);
    if (!json) {
        if (action->kind != ACTION_DELETE) {
            *ret_message = STR(DYNAMODB_INVALID "Only DELETE action is allowed when no attribute value is specified");
            return NULL;
        }
        action->kind = ACTION_REMOVE;
        return action;
    }
    const struct value *value = value_from_json(json, arena, ret_message, ret_serialization);
    if (!value)
        return NULL;
    if (!(legacy_actions[row].types & VALUE_BIT(value->type))) {
        *ret_message = arena_printf(arena, DYNAMODB_INVALID STR_FMT " action %sis not supported for the type %s", STR_ARG(name),
                                    action->kind == ACTION_DELETE ? "with value " : "", value_type_name(value->type));
        return NULL;
    }
    action->operand = literal(value, arena);
    return action;
}

struct update *update_from_legacy(const struct json *attribute_updates, struct arena *arena, struct str *ret_message,
                                  bool *ret_serialization)
{
    struct update *update = arena_new_of(arena, struct update);
    update->legacy = true;
    for JSON_EACH (member, attribute_updates) {
        if (!member->key.n) {
            *ret_message = STR(VALUE_NO_NAME_MESSAGE);
            return NULL;
        }
        struct action *action = read_action(member, arena, ret_message, ret_serialization);
        if (!action)
            return NULL;
        if (update->last)
            update->last->next = action;
        else
            update->first = action;
        update->last = action;
        update->count++;
    }
    return update;
}
