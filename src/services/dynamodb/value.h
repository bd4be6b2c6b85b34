/* value.h -- attribute values in memory: one typed tree for items, keys and the operands of expressions.
 * Made from the wire's JSON ({"S": "text"}), from the store's binary form (item.h), or by expressions.
 * Source: API reference, AttributeValue; "Limits": item 400 KB, nesting 32, key 2,048 / 1,024 bytes. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_VALUE_H
#define CLOUDLESS_SERVICES_DYNAMODB_VALUE_H
#include "base/decimal.h"
#include "base/json.h"

#define ITEM_BYTES_MAX (400u * 1024)
#define VALUE_DEPTH_MAX 32
#define KEY_HASH_BYTES_MAX 2048
#define KEY_RANGE_BYTES_MAX 1024

enum value_type { VALUE_S, VALUE_N, VALUE_B, VALUE_BOOL, VALUE_NULL, VALUE_M, VALUE_L, VALUE_SS, VALUE_NS, VALUE_BS };
#define VALUE_TYPES 10
#define VALUE_BIT(type) (1u << (type)) /* in sets of types */

struct value {
    enum value_type type;
    bool boolean;                       /* BOOL */
    bool removed;                       /* update.c: to be taken out of its container */
    struct str bytes;                   /* S: UTF-8; B: raw bytes (base64 decoded) */
    struct decimal number;              /* N */
    /* M: members with names, in no meaningful order. L, SS, NS, BS: elements in order. */
    struct value *first, *last, *next;
    size_t count;
    struct str name;                    /* as a member of M (or an attribute of an item) */
};
typedef struct value item_t;            /* an item is a value of type VALUE_M */

/* Wire JSON → value. Returns NULL and *ret_message (DynamoDB's ValidationException text) on a wrong value:
 * no or several types, bad number, empty or duplicate set members, depth. *ret_serialization is set as well when AWS
 * answers SerializationException (a member of the wrong JSON type). Strings are borrowed from the JSON. */
struct value *value_from_json(const struct json *json, struct arena *arena, struct str *ret_message, bool *ret_serialization);
struct value *item_from_json(const struct json *json, struct arena *arena, struct str *ret_message, bool *ret_serialization);
void value_write_json(struct buf *buf, const struct value *value);          /* {"S":"text"} */
void item_write_json(struct buf *buf, const struct value *item);            /* {"id":{"S":"1"},…} */

struct value *value_new(struct arena *arena, enum value_type type);
struct value *value_clone(struct arena *arena, const struct value *value);  /* deep; name too; bytes are borrowed */
struct value *value_member(const struct value *map, struct str name);       /* or NULL */
struct value *value_element(const struct value *list, size_t index);
void value_append(struct value *parent, struct value *child);
bool value_equal(const struct value *a, const struct value *b);             /* sets and maps without order */
/* Order within one type among S, N, B (bytes, number, bytes); *ret_comparable false otherwise. */
int value_cmp(const struct value *a, const struct value *b, bool *ret_comparable);
/* The elements of a set (or scalars of one type) in value_cmp's order, for searches by value_sorted_find. */
const struct value **value_sorted(const struct value *set, struct arena *arena);
bool value_sorted_find(const struct value *const *sorted, size_t count, const struct value *element);
size_t value_size(const struct value *value);           /* as "Item sizes and formats" counts, without the name */
size_t item_size(const struct value *item);                                 /* names included */
bool value_too_deep(const struct value *value);                             /* more than VALUE_DEPTH_MAX containers in each other */
const char *value_type_name(enum value_type type);                          /* "S" … */
bool value_type_parse(struct str name, enum value_type *ret);
bool value_is_set(enum value_type type);
enum value_type value_set_element(enum value_type set);                     /* SS → S, NS → N, BS → B */

/* How many of the sentences begin that DynamoDB answers to values that do not fit. */
#define DYNAMODB_INVALID "One or more parameter values were invalid: "
#define VALUE_NO_NAME_MESSAGE "Empty attribute name"
#define VALUE_DEPTH_MESSAGE \
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
#endif
