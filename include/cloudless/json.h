/* json.h -- JSON of RFC 8259: a tree to read, a builder to write, and a table that binds an object to a struct.
 *
 * Numbers keep their text, so a price of 12.10 stays 12.10. A repeated member: the last one wins. */
#ifndef CLOUDLESS_JSON_H
#define CLOUDLESS_JSON_H
#include "cloudless/base.h"
CL_BEGIN

#define CL_JSON_DEPTH_MAX 128       /* nesting; deeper is CL_INVALID. An item has at most 32 levels, each of two here */

typedef enum cl_json_type { CL_NULL, CL_FALSE, CL_TRUE, CL_NUMBER, CL_STRING, CL_ARRAY, CL_OBJECT, CL_RAW } cl_json_type;

typedef struct cl_json cl_json;
struct cl_json {
    cl_json_type type;
    cl_str key;                 /* within an object */
    cl_str text;                /* number's text, decoded string, or (CL_RAW, output only) JSON text */
    cl_json *first, *last;      /* children in order */
    cl_json *next;              /* sibling */
    cl_json *parent;            /* NULL: the root of a tree */
    size_t count;               /* children */
};

/* One value and white space around it. CL_INVALID sets *where (may be NULL) to the offset of the first wrong byte:
 * syntax, UTF-8, lone surrogates, depth, trailing bytes. *ret is untouched unless CL_OK. */
CL_API cl_result cl_json_parse(cl_arena *arena, cl_str text, cl_json **ret, size_t *where);

/* Reading; all take NULL for "absent". A path is member names and array indexes between dots: "items.0.price". */
CL_API const cl_json *cl_json_get(const cl_json *object, const char *member);
CL_API const cl_json *cl_json_path(const cl_json *json, const char *path);
CL_API cl_str cl_json_str(const cl_json *json);                              /* empty unless a string */
CL_API bool cl_json_is(const cl_json *json, cl_json_type type);
CL_API bool cl_json_i64(const cl_json *json, int64_t *ret);                  /* an integer in range, or false */
CL_API bool cl_json_double(const cl_json *json, double *ret);
#define CL_JSON_EACH(child, parent) \
    (const cl_json *child = (parent) ? (parent)->first : NULL; child; child = child->next)      /* for CL_JSON_EACH(c, p) { } */

/* Building. Strings are borrowed. Without memory they return NULL, and adding NULL (to anything, or anything to NULL)
 * is allowed and marks nothing: look at cl_arena_failed once at the end, as the answers' builders do.
 * A node stands in one place: added to another, it leaves the one it had; cl_json_copy makes it stand in both. */
CL_API cl_json *cl_json_object(cl_arena *arena);
CL_API cl_json *cl_json_array(cl_arena *arena);
CL_API cl_json *cl_json_string(cl_arena *arena, cl_str text);
/* Of text that is no JSON number ("12,10") it fails the arena: no answer without the member goes out, but a function error
 * (Runtime.MarshalError) that says so. */
CL_API cl_json *cl_json_number(cl_arena *arena, cl_str text);
CL_API cl_json *cl_json_int(cl_arena *arena, int64_t value);
CL_API cl_json *cl_json_bool(cl_arena *arena, bool value);
CL_API cl_json *cl_json_null(cl_arena *arena);
CL_API cl_json *cl_json_raw(cl_arena *arena, cl_str json_text);
CL_API cl_json *cl_json_copy(cl_arena *arena, const cl_json *json);          /* deep, strings too */
CL_API cl_json *cl_json_set(cl_json *object, const char *member, cl_json *child);   /* replaces; returns child */
CL_API cl_json *cl_json_append(cl_json *array, cl_json *child);              /* returns child */
/* Compact; NULL is written as null, bytes of strings that are no UTF-8 as U+FFFD. Nested deeper than 512 the builder and its
 * arena fail. */
CL_API void cl_json_write(cl_buf *buf, const cl_json *json);
CL_API cl_str cl_json_text(cl_arena *arena, const cl_json *json);            /* empty when the arena failed */

/* ---- binding: a struct, described by a table of its fields ----
 *
 *     struct line { cl_str item; int64_t quantity; cl_str price; };
 *     static const cl_field line_fields[] = {
 *         {"item_number", CL_F_STRING, offsetof(struct line, item), .required = true, .max = 64},
 *         {"qty",         CL_F_INT,    offsetof(struct line, quantity), .required = true, .min = 1, .max = 10000},
 *         {"price",       CL_F_DECIMAL, offsetof(struct line, price), .required = true},
 *         {0} };
 *
 * A list of up to 10 strings: static const cl_field tag = {.type = CL_F_STRING, .min = 1, .max = 20}; and in the table
 * {"tags", CL_F_LIST, offsetof(struct post, tags), .max = 10, .item = &tag}. Its sentences: "tags.2: expected a string of 1 to
 * 20 characters". */
typedef enum cl_field_type {
    CL_F_STRING,        /* cl_str; min and max count code points */
    CL_F_INT,           /* int64_t; min and max are its value */
    CL_F_BOOL,          /* bool */
    CL_F_DECIMAL,       /* cl_str: the text of a number, given as a JSON number or as a string that is one (38 digits at most) */
    CL_F_JSON,          /* const cl_json *: any value, as it is */
    CL_F_OBJECT,        /* a struct within, described by .fields */
    CL_F_LIST           /* cl_list; min and max count its elements: structs described by .fields, each .size bytes, or values of
                           the kind that .item describes, each as the type above says (of strings: cl_str) */
} cl_field_type;

typedef struct cl_list {
    void *items;        /* count structs or values, one after the other */
    size_t count;
} cl_list;

typedef struct cl_field cl_field;
struct cl_field {
    const char *name;           /* NULL ends the table */
    cl_field_type type;
    size_t offset;              /* offsetof */
    bool required;              /* present, and not null */
    int64_t min, max;           /* inclusive; both 0: no bounds; max below min: no upper one. Of a decimal: its value */
    const char *const *choices; /* of a string: NULL-terminated, or NULL for any */
    const cl_field *fields;     /* of CL_F_OBJECT, and of a CL_F_LIST of structs */
    size_t size;                /* of a CL_F_LIST of structs: sizeof one */
    const cl_field *item;       /* of any other CL_F_LIST: one element; only type, min, max, choices, item count (CL_F_LIST too) */
    size_t present;             /* offsetof a bool that says whether the member was there; 0: none */
};

/* Fills `into` (zero it first) from `object`; null is absent. Unknown members are an error if `strict`. Strings stay those
 * of `object`. What is not CL_OK writes one sentence to *message (may be NULL); of CL_INVALID it names the path and what was
 * expected, e.g. "items.0.qty: expected an integer from 1 to 10000"; names shown are cut to 64 bytes, their control characters
 * escaped. A table that is wrong (a list without .size) ends the program with a line on stderr, when such a list first comes. */
CL_API cl_result cl_json_bind(cl_arena *arena, const cl_json *object, const cl_field *fields, bool strict, void *into,
                              cl_str *message);
/* The reverse. Optional members whose `present` is false, or empty strings and NULL JSON without `present`, are left out.
 * Strings are borrowed. A decimal that is no number fails the arena, as in cl_json_number. */
CL_API cl_json *cl_json_unbind(cl_arena *arena, const cl_field *fields, const void *from);

CL_END
#endif
