/* json.h -- the tree in which requests, answers and documents are handled, RFC 8259.
 * Parsed by simdjson On-Demand (json_parse.cc, the only C++ of the program); numbers keep their text.
 * A tree lives in the arena it was made in; strings are decoded UTF-8 and may hold NUL bytes.
 * JSON_RAW is output only: text that is JSON already (an item straight from the store). */
#ifndef CLOUDLESS_BASE_JSON_H
#define CLOUDLESS_BASE_JSON_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 512      /* nesting; deeper input is ERR_INVALID. DynamoDB checks its own 32 above this */

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_RAW };

struct json {
    enum json_type type;
    struct str key;             /* within an object */
    struct str text;            /* number text, decoded string, or raw JSON */
    struct json *first, *last;  /* children of an array or object, in order */
    size_t count;               /* children */
    struct json *next;          /* sibling */
};

/* Parses exactly one value, surrounded by white space at most. `text` need not be padded. Invalid UTF-8, lone
 * surrogates, trailing bytes and depth are ERR_INVALID; an arena over its budget is ERR_BUSY or ERR_TOO_LARGE (budget.h). *ret is
 * untouched on failure. A repeated key: the last one wins. */
enum err json_parse(struct str text, struct arena *arena, struct json **ret);
/* The same, but a repeated key at any depth is ERR_INVALID: where two readers of one text may not see two things. */
enum err json_parse_unique(struct str text, struct arena *arena, struct json **ret);
/* The same verdict without the tree; takes the arena for one copy of the text. Some 200 MB/s on the smallest values. */
enum err json_check(struct str text, struct arena *arena);

/* Lookups. NULL (or the default) if `json` is NULL, not an object, or has no such key. */
struct json *json_get(const struct json *json, struct str key);
static inline struct json *json_at(const struct json *json, const char *key)    /* key as a C string */
{
    return json_get(json, str_of(key));
}
struct str json_str(const struct json *json, const char *key);              /* STR_NONE if not a string */
bool json_bool(const struct json *json, const char *key, bool otherwise);
int64_t json_i64(const struct json *json, const char *key, int64_t otherwise);
double json_double(const struct json *json, double otherwise);              /* of a number node itself */
bool json_is(const struct json *json, enum json_type type);                 /* NULL-safe */
bool json_is_integer(const struct json *json, int64_t *ret);                /* a number node without fraction, in range */
bool json_equal(const struct json *a, const struct json *b);                /* objects without order, numbers by text */

/* Builders; all borrow the strings they are given. The adders append to an object (key) or, with key NULL, an array,
 * and return the node added. */
struct json *json_new(struct arena *arena, enum json_type type);
struct json *json_new_str(struct arena *arena, struct str text);
struct json *json_new_number(struct arena *arena, struct str text);
struct json *json_new_i64(struct arena *arena, int64_t value);
struct json *json_new_raw(struct arena *arena, struct str text);
struct json *json_clone(struct arena *arena, const struct json *json);      /* a deep copy, strings too */
struct json *json_add(struct json *parent, const char *key, struct json *child);
struct json *json_add_key(struct json *parent, struct str key, struct json *child);
struct json *json_put(struct json *object, struct str key, struct json *child);   /* replaces an equal key */
bool json_remove(struct json *object, struct str key);
/* For who adds what outside bytes name with json_add_key: takes out repeated keys, linear in the members. The first place stays,
 * with the last value. */
void json_keep_last(struct json *object);
void json_join_lists(struct json *object);                 /* the same of lists, and those of a repeated key become one */
void json_unlink(struct json *parent, struct json *child); /* a child of its, out of a list or object */
struct json *json_add_str(struct arena *arena, struct json *parent, const char *key, struct str text);
struct json *json_add_i64(struct arena *arena, struct json *parent, const char *key, int64_t value);
struct json *json_add_bool(struct arena *arena, struct json *parent, const char *key, bool value);
struct json *json_add_epoch_ms(struct arena *arena, struct json *parent, const char *key, int64_t epoch_ms); /* seconds.millis */
struct json *json_add_object(struct arena *arena, struct json *parent, const char *key);
struct json *json_add_array(struct arena *arena, struct json *parent, const char *key);

#define JSON_EACH(child, parent) (struct json *child = (parent) ? (parent)->first : NULL; child; child = child->next)
/* usage: JSON_EACH (member, object) { … } */

/* Compact text, escapes only what RFC 8259 demands; non-ASCII stays UTF-8. */
void json_write(struct buf *buf, const struct json *json);
void json_write_str(struct buf *buf, struct str text);                      /* with its quotes */
struct str json_text(struct arena *arena, const struct json *json);
#endif
