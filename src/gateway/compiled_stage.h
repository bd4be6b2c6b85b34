/* compiled_stage.h -- a stage compiled for serving: routes, integrations, patterns, literal templates. Folder-internal.
 * Immutable but for its reference count, which belongs to one loop: each loop compiles and keeps its own. */
#ifndef CLOUDLESS_GATEWAY_COMPILED_STAGE_H
#define CLOUDLESS_GATEWAY_COMPILED_STAGE_H
#include "base/json.h"
#include "call/service.h"
#include "gateway/route.h"
#include "net/http.h"
#include "services/apigateway/apigateway.h"

struct selector;

enum gateway_type { GATEWAY_AWS_PROXY, GATEWAY_AWS, GATEWAY_MOCK };
enum gateway_passthrough { GATEWAY_WHEN_NO_MATCH, GATEWAY_WHEN_NO_TEMPLATES, GATEWAY_NEVER };

struct gateway_response {               /* an integration response */
    int status;
    struct selector *pattern;            /* NULL: the default */
    bool declared;                      /* the method has a response of that status */
    struct http_header *headers;
    size_t header_count;
    const struct json *templates;       /* literal; NULL or an empty text: the body passes through */
};

struct gateway_method {
    enum gateway_type type;
    enum gateway_passthrough passthrough;
    bool broken;                        /* cannot work: a Lambda integration that is not POST, an ARN that is none */
    const char *broken_reason;
    struct str resource_id, resource_path;
    struct event_address to;            /* the function */
    uint64_t timeout_ms;
    const struct json *templates;       /* request templates, literal */
    struct gateway_response *responses;
    size_t response_count;
};

struct gateway_stage {
    unsigned refs;
    uint64_t generation; /* of the documents, when they were last looked at; its loop's */
    struct arena *arena;
    struct route_tree *routes;          /* targets are struct gateway_method */
    struct str account, region, api_id, name, deployment_id;
    struct str variables;               /* JSON: an object, or null when there are none */
    bool disabled;                      /* disableExecuteApiEndpoint */
    bool edge;                          /* its endpoint is edge-optimized */
};

/* ERR_NOT_FOUND (*ret_missing says what), or the store's error. *ret is `known`, which may be NULL, if that is still what the
 * documents say; else a new one, of which the caller holds one reference. Of `known` only what never changes is read. */
enum err gateway__stage_load(struct store_txn *reader, const struct services *services, struct str api_id, struct str name,
                             struct gateway_stage *known, struct gateway_stage **ret, const char **ret_missing);
/* From documents; takes the arena in which they lie. For tests and stage_load. */
struct gateway_stage *gateway__stage_compile(const struct apigateway_stage *documents, const struct services *services,
                                             struct str api_id, struct str name, struct arena *arena);
void gateway__stage_unref(struct gateway_stage *stage);
#endif
