/* patch.h -- PATCH operations (op, path, value) against a document, by tables. Folder-internal.
 * Source: "PatchOperation" in the API Gateway REST API reference and its tables of supported paths. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_PATCH_H
#define CLOUDLESS_SERVICES_APIGATEWAY_PATCH_H
#include "call/call.h"

enum { PATCH_ADD = 1, PATCH_REMOVE = 2, PATCH_REPLACE = 4, PATCH_ONLY = 8 };
#define PATCH_OPERATIONS_MAX 200

struct patch {
    unsigned op;                /* one of the above */
    struct str path;            /* as sent */
    struct str name;            /* the segment that stands for '*', unescaped; or the path's last segment */
    struct str value;           /* STR_NONE: none */
    bool has_value;
};
/* Changes `document`; may fail the call. */
typedef void patch_fn(struct call *call, struct json *document, const struct patch *patch, struct store_txn *txn);

struct patch_rule {
    const char *path;           /* "/name", "/requestParameters/ *" (without the space): '*' is one segment; "/a/ **" any rest */
    unsigned ops;               /* with PATCH_ONLY: to other operations another rule may fit */
    patch_fn *apply;            /* NULL: AWS has the path, this program refuses it by name */
};
struct patch_table {
    const struct patch_rule *rules;         /* ends with path NULL */
    /* AWS words a wrong path in two ways: with a list ("Must be one of"), or plainly; NULL is plain. */
    const char *must_be_one_of;
    const char *wrong_path;                 /* NULL, or the beginning of the message instead of "Invalid patch path" */
};
/* Applies input's patchOperations in order. False: the call failed, the document is to be dropped. */
bool apigateway__patch(struct call *call, const struct patch_table *table, struct json *document, struct store_txn *txn);

/* Common appliers: the member is the path's last segment. */
patch_fn apigateway__patch_text;            /* replace sets, remove drops */
patch_fn apigateway__patch_boolean;         /* "true" or anything else, which AWS takes as false (recorded in 2024 and 2025) */
patch_fn apigateway__patch_map;             /* /member/ *: sets or drops an entry of text */
patch_fn apigateway__patch_boolean_map;
/* Of a map whose entries can only be replaced and removed when they are there: false, and the call failed, when it is not. */
bool apigateway__patch_finds(struct call *call, const struct json *document, const struct patch *patch);
#endif
