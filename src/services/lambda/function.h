/* function.h -- a function as the store has it, compiled for use; and the parts of the control plane that share it.
 * Folder-internal. A document in STORE_SPACE_LAMBDA, collection ACCOUNT/REGION/function, key: name:
 *   {"config": FunctionConfiguration as it is answered, "blob": SHA-256 of the package, "tags": {…}, "statements": […],
 *    "bearers": {Sid: unique id of the user or role that the statement names} }
 * struct lambda__function is immutable and counted: a cache a loop and each environment hold references. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FUNCTION_H
#define CLOUDLESS_SERVICES_LAMBDA_FUNCTION_H
#include "services/lambda/lambda.h"

#define LAMBDA_ZIP_BYTES_MAX (50u << 20)                /* quota: zipped, direct upload */
#define LAMBDA_UNZIPPED_BYTES_MAX 262144000u            /* quota: unzipped */
#define LAMBDA_ENVIRONMENT_BYTES_MAX 4096               /* quota: environment variables */
#define LAMBDA_POLICY_BYTES_MAX 20480                   /* quota: resource-based policy */
#define LAMBDA_ENTRIES_MAX 100000                       /* files of a package, and folders, ours */

struct lambda__function {
    struct arena *arena;
    _Atomic unsigned refs;
    struct str account, region, name, arn, runtime, handler, role, revision, blob;
    int64_t timeout_ms, memory_mb, tmp_mb;
    struct json *variables;                             /* object, or NULL */
    struct policy *policy;                              /* compiled resource policy, or NULL */
};

struct lambda *lambda__get(void);
const struct lambda_options *lambda__options(void);

/* A reference, cached a loop. ERR_NOT_FOUND, ERR_IO. */
enum err lambda__function_get(struct str account, struct str region, struct str name, struct lambda__function **ret);
struct lambda__function *lambda__function_ref(struct lambda__function *function);
void lambda__function_unref(struct lambda__function **function);
void lambda__function_caches_free(void);

struct store_key lambda__key(struct arena *arena, struct str account, struct str region, struct str name);
struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name);
/* The resource policy, STR_NONE without statements. With a txn as GetPolicy answers it; with NULL for decisions: users and roles by
 * their unique ids, so one made again under a name that a statement has is not meant by it. */
struct str lambda__policy_text(struct json *doc, struct store_txn *txn, struct arena *arena);

/* The function a call names (name, partial or whole ARN, qualifier $LATEST); false after call_fail. */
bool lambda__call_name(struct call *call, struct str *ret_name);
/* Its document; false after call_fail. */
bool lambda__call_doc(struct call *call, struct store_txn *txn, struct json **ret);
void lambda__not_found(struct call *call, struct str name);

/* Is the call's RevisionId the document's, or is there none? False after call_fail; `api` is what it says to ask again. */
bool lambda__revision_fits(struct call *call, struct json *doc, const char *api);

/* config.c: members of CreateFunction and UpdateFunctionConfiguration into a configuration. It looks for interpreters: worker
 * only. False after call_fail. */
bool lambda__config_apply(struct call *call, struct json *config);
void lambda__config_defaults(struct call *call, struct json *config);      /* of what a new function was not given */
bool lambda__role_usable(struct call *call, struct str role_arn);

/* package.c */
/* What is wrong with a zip, in AWS's words, or NULL: names, links, sizes. Reads all of it. */
const char *lambda__package_check(struct str zip);
/* Into an existing folder, a package that passed the check. False: the disk is full, or it did not. */
bool lambda__package_unpack(struct str zip, const char *dir);

/* code.c: unpacked packages, a bounded cache. All of it may block but warm and sweep_soon. */
void lambda__code_open(void);
void lambda__code_close(void);
/* The folder with the unpacked package, made when it is missing; it stays until it was released as often as acquired. */
enum err lambda__code_acquire(struct str blob, struct arena *arena, const char **ret_dir);
void lambda__code_release(struct str blob);                 /* does not block */
void lambda__code_warm(struct str blob);                    /* unpacks it on a worker, for the first invocation to come */
void lambda__code_sweep(void);          /* what no function refers to goes: unpacked at once, packages after an hour */
void lambda__code_sweep_soon(void);     /* any thread: a sweep on a worker within a second or so */

/* download.c: a URL under which the package can be fetched for ten minutes. */
void lambda__code_url_key_new(void);
struct str lambda__code_url(struct str host, struct str blob, int64_t now_ms, struct arena *arena);
/* ERR_OK: the path names a package; ERR_DENIED: not signed here; ERR_TIMEOUT: expired. */
enum err lambda__code_url_check(struct str path, struct str query, int64_t now_ms, struct arena *arena);

/* runtime.c */
struct lambda__interpreter {
    const char *argv[4];            /* NULL-terminated, paths inside */
    const char *lang_dir, *runtime_dir;
};
/* ERR_NOT_FOUND: *ret_remedy says what would make it available. */
enum err lambda__interpreter_find(struct str runtime, struct arena *arena, struct lambda__interpreter *ret, struct str *ret_remedy);
bool lambda__runtime_known(struct str runtime);

call_mutate_fn lambda__create, lambda__update_code, lambda__update_configuration, lambda__delete, lambda__tag, lambda__untag;
call_mutate_fn lambda__add_permission, lambda__remove_permission;
call_run_fn lambda__prepare_create, lambda__prepare_update_code, lambda__prepare_update_configuration, lambda__prepare_named;
call_run_fn lambda__prepare_add_permission;
call_run_fn lambda__get_function, lambda__get_configuration, lambda__list, lambda__list_tags, lambda__get_policy;
call_run_fn lambda__function_created, lambda__code_changed, lambda__function_changed;
call_run_fn lambda__list_versions, lambda__code_signing, lambda__prepare_invoke, lambda__invoke_call;
#endif
