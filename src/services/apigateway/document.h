/* document.h -- where the documents of API Gateway lie in the store, and how calls find them. Folder-internal.
 *
 * Space APIGATEWAY_SPACE; a document is the answer of its Get operation, so an answer is the document itself:
 *   ACCOUNT/REGION/restapis       API id                    RestApi
 *   ACCOUNT/REGION/resources      API id '/' resource id    Resource, resourceMethods with responses and integrations in full
 *   ACCOUNT/REGION/deployments    API id '/' deployment id  Deployment
 *   ACCOUNT/REGION/snapshots      API id '/' deployment id  {"resources": [Resource, …]}, immutable
 *   ACCOUNT/REGION/stages         API id '/' stage name     Stage
 *   api-ids                       API id                    {"account", "region"}
 * The finders fail the call with AWS's message and return false. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_DOCUMENT_H
#define CLOUDLESS_SERVICES_APIGATEWAY_DOCUMENT_H
#include "call/call.h"
#include "store/doc.h"

/* Quotas of "Amazon API Gateway quotas", and our own bounds of a stored document. */
#define APIGATEWAY_APIS_MAX 600
#define APIGATEWAY_RESOURCES_MAX 300
#define APIGATEWAY_STAGES_MAX 10
#define APIGATEWAY_RESOURCE_BYTES_MAX (1u << 20)
#define APIGATEWAY_SNAPSHOT_BYTES_MAX (8u << 20)
#define APIGATEWAY_PAGE_DEFAULT 25
#define APIGATEWAY_PAGE_MAX 500

#define APIGATEWAY_RESTAPIS "restapis"
#define APIGATEWAY_RESOURCES "resources"
#define APIGATEWAY_DEPLOYMENTS "deployments"
#define APIGATEWAY_SNAPSHOTS "snapshots"
#define APIGATEWAY_STAGES "stages"

struct store_txn *apigateway__reader(const struct call *call);

/* Key of `child` of an API; with child STR_NONE the API's own. */
struct store_key apigateway__key(struct call *call, const char *type, struct str api_id, struct str child);
struct store_key apigateway__index_key(struct str api_id);
/* "id/" */
struct str apigateway__prefix(struct call *call, struct str api_id);

/* Finds the document or fails the call with NotFoundException and `message`. */
bool apigateway__load(struct call *call, struct store_txn *txn, struct store_key key, const char *message, struct json **ret);
bool apigateway__load_api(struct call *call, struct store_txn *txn, struct json **ret);            /* input's restApiId */
bool apigateway__load_resource(struct call *call, struct store_txn *txn, struct str id, struct json **ret);
/* resource (input's resourceId) and its method (input's httpMethod) */
bool apigateway__load_method(struct call *call, struct store_txn *txn, struct json **ret_resource, struct json **ret_method);

/* Fails the call with BadRequestException unless it is GET, … or ANY. */
bool apigateway__check_http_method(struct call *call, struct str name);
/* and the method's integration */
bool apigateway__load_integration(struct call *call, struct store_txn *txn, struct json **ret_resource, struct json **ret_method,
                                  struct json **ret);

/* Every document of the API, without the keys, as an array. False: the call failed. */
bool apigateway__load_all(struct call *call, struct store_txn *txn, const char *type, struct json **ret);
/* Fails the call with LimitExceededException when the document has grown over its bound. */
bool apigateway__save_resource(struct call *call, struct store_txn *txn, struct json *resource);
void apigateway__delete_all(struct call *call, struct store_txn *txn, const char *type, struct str api_id);

struct str apigateway__new_id(struct call *call, size_t n);         /* [a-z0-9]; mutations only */
void apigateway__add_now(struct call *call, struct json *document, const char *member);    /* epoch seconds */

/* One page of the API's documents of a type, whose positions are their ids: for those that may be many. */
void apigateway__answer_page_of(struct call *call, struct store_txn *txn, const char *type);
/* One page (input's limit and position) of `items`, whose members have the position `key`. The answer's member is `items`. */
void apigateway__answer_page(struct call *call, struct json *items, const char *key);

/* Input's maps and members copied into a document, when present. */
void apigateway__copy(struct call *call, struct json *document, const char *const *members);   /* NULL-terminated */
/* Mapping templates of `member` checked; fails the call. `templates` may be NULL. */
void apigateway__check_templates(struct call *call, const char *member, const struct json *templates);
/* Tags of the input checked; fails the call. `tags` may be NULL. */
bool apigateway__check_tags(struct call *call, const struct json *tags);
#endif
