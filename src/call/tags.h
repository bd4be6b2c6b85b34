/* tags.h -- tags of resources: read, checked, merged, removed, listed and made condition keys in one place for all services.
 *
 * Two forms, on the wire and in documents: an object {"KEY": "VALUE"}, or a list [{"Key": …, "Value": …}]. Every function takes
 * either. Keys differ by letter case, but in IAM. The services word what is wrong themselves.
 * Sources: "Tag naming limits and requirements", Tagging AWS resources user guide; "Global condition keys", IAM user guide. */
#ifndef CLOUDLESS_CALL_TAGS_H
#define CLOUDLESS_CALL_TAGS_H
#include "call/call.h"

#define TAGS_MAX 50                     /* quota of a resource, in all services served */
#define TAG_KEY_CHARS_MAX 128
#define TAG_VALUE_CHARS_MAX 256

struct tag {
    struct str key, value;
};
/* For loops: for (const struct json *at = tags_first(tags); at; at = at->next) … tag_of(at). NULL is an empty list. */
const struct json *tags_first(const struct json *tags);
struct tag tag_of(const struct json *at);

bool tags_find(const struct json *tags, struct str key, bool nocase, struct str *ret_value);

enum tags_fault {
    TAGS_FINE,
    TAGS_RESERVED,      /* a key begins with "aws:" in any letter case */
    TAGS_BAD_KEY,       /* empty or too long */
    TAGS_BAD_VALUE,     /* too long */
    TAGS_TWICE,         /* a key stands twice; seen only without letter case */
    TAGS_TOO_MANY
};
/* The first fault of the tags that a call brings; *ret_tag is the one, if it is one. */
enum tags_fault tags_check(const struct json *given, bool nocase, struct tag *ret_tag);
/* Puts the given tags among those of a document. TAGS_TOO_MANY: there are more than TAGS_MAX then, or were given at once. */
enum tags_fault tags_merge(struct arena *arena, struct json *tags, const struct json *given, bool nocase);
void tags_remove(struct json *tags, const struct json *keys, bool nocase);      /* `keys`: a list of texts */
/* Copies in one form; the strings are borrowed; never NULL. */
struct json *tags_object(struct arena *arena, const struct json *tags);
struct json *tags_list(struct arena *arena, const struct json *tags);

/* Condition keys of the need added last: aws:RequestTag/KEY and aws:TagKeys of what the call brings (`given`, and the `keys` of
 * an Untag operation); PREFIX/KEY of the resource's own ("aws:ResourceTag"). All may be NULL. */
void tags_need_request(struct call *call, struct needs *needs, const struct json *given, const struct json *keys);
void tags_need_resource(struct call *call, struct needs *needs, const struct json *tags, const char *prefix);
#endif
