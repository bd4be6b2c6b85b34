/* tags.c -- see tags.h. Documents have at most TAGS_MAX tags and no more are merged into them, so what is searched is short.
 * A call may bring more, which counts for its permissions before it is refused. */
#include "call/tags.h"
#include "base/codec.h"

const struct json *tags_first(const struct json *tags)
{
    return tags ? tags->first : NULL;
}

struct tag tag_of(const struct json *at)
{
    if (at->type == JSON_OBJECT)
        return (struct tag){json_str(at, "Key"), json_str(at, "Value")};
    return (struct tag){at->key, at->text};
}

static bool tag_keys_equal(struct str a, struct str b, bool nocase)
{
    return nocase ? str_eq_nocase(a, b) : str_eq(a, b);
}

bool tags_find(const struct json *tags, struct str key, bool nocase, struct str *ret_value)
{
    for (const struct json *at = tags_first(tags); at; at = at->next) {
        if (!tag_keys_equal(tag_of(at).key, key, nocase))
            continue;
        *ret_value = tag_of(at).value;
        return true;
    }
    return false;
}

static enum tags_fault tag_check(const struct json *at, bool nocase)
{
    struct tag tag = tag_of(at);
    if (str_eq_nocase(str_slice(tag.key, 0, 4), STR("aws:")))
        return TAGS_RESERVED;
    if (tag.key.n == 0 || utf8_count(tag.key) > TAG_KEY_CHARS_MAX)
        return TAGS_BAD_KEY;
    if (utf8_count(tag.value) > TAG_VALUE_CHARS_MAX)
        return TAGS_BAD_VALUE;
    for (const struct json *other = at->next; nocase && other; other = other->next)
        if (str_eq_nocase(tag_of(other).key, tag.key))
            return TAGS_TWICE;
    return TAGS_FINE;
}

enum tags_fault tags_check(const struct json *given, bool nocase, struct tag *ret_tag)
{
    if (given && given->count > TAGS_MAX)
        return TAGS_TOO_MANY;
    for (const struct json *at = tags_first(given); at; at = at->next) {
        enum tags_fault fault = tag_check(at, nocase);
        if (fault == TAGS_FINE)
            continue;
        *ret_tag = tag_of(at);
        return fault;
    }
    return TAGS_FINE;
}

static struct json *tag_in_list(const struct json *list, struct str key, bool nocase)
{
    for JSON_EACH (at, list)
        if (tag_keys_equal(json_str(at, "Key"), key, nocase))
            return at;
    return NULL;
}

static void tag_put(struct arena *arena, struct json *tags, struct tag tag, bool nocase)
{
    if (tags->type == JSON_OBJECT) {
        json_put(tags, tag.key, json_new_str(arena, tag.value));
        return;
    }
    struct json *known = tag_in_list(tags, tag.key, nocase);
    if (!known)
        known = json_add(tags, NULL, json_new(arena, JSON_OBJECT));
    json_put(known, STR("Key"), json_new_str(arena, tag.key));
    json_put(known, STR("Value"), json_new_str(arena, tag.value));
}

enum tags_fault tags_merge(struct arena *arena, struct json *tags, const struct json *given, bool nocase)
{
    if (given && given->count > TAGS_MAX)
        return TAGS_TOO_MANY;
    for (const struct json *at = tags_first(given); at; at = at->next)
        tag_put(arena, tags, tag_of(at), nocase);
    return tags->count > TAGS_MAX ? TAGS_TOO_MANY : TAGS_FINE;
}

void tags_remove(struct json *tags, const struct json *keys, bool nocase)
{
    if (!tags)
        return;
    for JSON_EACH (key, keys) {
        struct json *known = NULL;
        if (tags->type == JSON_OBJECT)
            json_remove(tags, key->text);
        else if ((known = tag_in_list(tags, key->text, nocase)) != NULL)
            json_unlink(tags, known);
    }
}

struct json *tags_object(struct arena *arena, const struct json *tags)
{
    struct json *out = json_new(arena, JSON_OBJECT);
    for (const struct json *at = tags_first(tags); at; at = at->next)
        json_add_key(out, tag_of(at).key, json_new_str(arena, tag_of(at).value));
    return out;
}

struct json *tags_list(struct arena *arena, const struct json *tags)
{
    struct json *out = json_new(arena, JSON_ARRAY);
    for (const struct json *at = tags_first(tags); at; at = at->next) {
        struct json *shown = json_add(out, NULL, json_new(arena, JSON_OBJECT));
        json_add_str(arena, shown, "Key", tag_of(at).key);
        json_add_str(arena, shown, "Value", tag_of(at).value);
    }
    return out;
}

/* ---- condition keys ---- */

void tags_need_resource(struct call *call, struct needs *needs, const struct json *tags, const char *prefix)
{
    for (const struct json *at = tags_first(tags); at; at = at->next) {
        struct tag tag = tag_of(at);
        need_context(needs, arena_printf(call->arena, "%s/" STR_FMT, prefix, STR_ARG(tag.key)).p, tag.value);
    }
}

void tags_need_request(struct call *call, struct needs *needs, const struct json *given, const struct json *keys)
{
    tags_need_resource(call, needs, given, "aws:RequestTag");
    for (const struct json *at = tags_first(given); at; at = at->next)
        need_context(needs, "aws:TagKeys", tag_of(at).key);
    for JSON_EACH (key, keys)
        need_context(needs, "aws:TagKeys", key->text);
}
