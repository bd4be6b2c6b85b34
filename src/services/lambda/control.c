/* control.c -- the control plane's operations on functions: create, read, list, update, delete, tags.
 * What blocks (reading the zip, writing the package) is done in `prepare` on a worker; the document is written in the
 * mutation. Creation and updates take effect when they are answered; the answers say Pending and InProgress because AWS's
 * do, the next reads Active and Successful; an invocation that comes before the code is unpacked waits for it. */
#include "services/lambda/control.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "call/call_doc.h"
#include "call/listing.h"
#include "call/tags.h"
#include "services/lambda/code.h"
#include "services/lambda/config.h"
#include "services/lambda/download.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/function_name.h"
#include "services/lambda/lambda_call.h"
#include "services/lambda/package.h"
#include "services/lambda/pool.h"
#include "store/doc.h"

#define FUNCTION_NAME_BYTES_MAX 64

struct package {            /* call->state between prepare and mutate */
    struct str name, blob, sha256_base64;
    size_t bytes;
    struct json *config;
};

/* Decodes, checks and stores the zip of `holder` (Code, or UpdateFunctionCode's input). */
static bool take_package(struct call *call, struct json *holder, struct package *package)
{
    static const char *const refused[] = {
        "ImageUri", "S3Bucket", "S3Key", "S3ObjectVersion", "SourceKMSKeyArn", "S3ObjectStorageMode", NULL};
    struct str zip;
    for (size_t i = 0; refused[i]; i++)
        if (json_at(holder, refused[i])) {
            call_fail_not_implemented(call, refused[i]);
            return false;
        }
    if (!json_at(holder, "ZipFile")) {
        call_fail(call, "InvalidParameterValueException", "Please provide a source for function code.");
        return false;
    }
    if (base64_decode(json_str(holder, "ZipFile"), call->arena, &zip) != ERR_OK) {
        call_fail(call, "InvalidParameterValueException",
                  "Could not unzip uploaded file. Please check your file, then try to upload again.");
        return false;
    }
    const struct lambda__limits *limits = &lambda__of(call)->limits;
    if (zip.n > limits->zip_bytes_max) {
        struct str message = json_str(holder, "ZipFile").n > limits->request_bytes_max
                                 ? arena_printf(call->arena, "Request must be smaller than %zu bytes for the %s operation",
                                                limits->request_bytes_max, model_text(call->api->model, call->operation->name))
                                 : arena_printf(call->arena, "Zipped size must be smaller than %zu bytes", limits->zip_bytes_max);
        call_fault(call, FAULT_TOO_LARGE, message);
        return false;
    }
    const char *wrong = lambda__package_check(zip, limits->unzipped_bytes_max);
    if (wrong) {
        call_fail(call, "InvalidParameterValueException", "%s", wrong);
        return false;
    }
    enum err err = blob_put(lambda__of(call)->platform->blobs, zip, call->arena, &package->blob);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return false;
    }
    uint8_t digest[SHA256_BYTES];
    struct buf base64;
    sha256(zip, digest);
    buf_init(&base64, call->arena, 64);
    base64_write(&base64, (struct str){(char *)digest, sizeof digest});
    package->sha256_base64 = buf_str(&base64);
    package->bytes = zip.n;
    return true;
}

static void stamp_config(struct call *call, struct json *config, const struct package *package)
{
    if (package->blob.n) {
        json_put(config, STR("CodeSize"), json_new_i64(call->arena, (int64_t)package->bytes));
        json_put(config, STR("CodeSha256"), json_new_str(call->arena, package->sha256_base64));
    }
    json_put(config, STR("LastModified"), json_new_str(call->arena, clock_iso8601_offset(call->arena, call->now_ms)));
    json_put(config, STR("RevisionId"), json_new_str(call->arena, call_uuid(call)));
}

/* As AWS names the version of a runtime that a function runs on; here a runtime has one version, that of its name. */
static void add_runtime_version(struct call *call, struct json *out)
{
    struct str runtime = json_str(out, "Runtime");
    uint8_t digest[SHA256_BYTES];
    struct buf hex;
    if (runtime.n == 0)
        return;
    sha256(runtime, digest);
    buf_init(&hex, call->arena, 2 * SHA256_BYTES + 1);
    hex_write(&hex, (struct str){(char *)digest, sizeof digest});
    json_add_str(call->arena, json_add_object(call->arena, out, "RuntimeVersionConfig"), "RuntimeVersionArn",
                 arn_make(call->arena, "lambda", call->region, STR_NONE, "runtime:" STR_FMT, STR_ARG(buf_str(&hex))));
}

static void answer_config(struct call *call, struct json *config, const char *state, const char *update)
{
    struct json *out = json_clone(call->arena, config);
    add_runtime_version(call, out);
    json_put(out, STR("State"), json_new_str(call->arena, str_of(state)));
    if (str_eq(str_of(state), STR("Pending"))) {
        json_add_str(call->arena, out, "StateReason", STR("The function is being created."));
        json_add_str(call->arena, out, "StateReasonCode", STR("Creating"));
    }
    json_put(out, STR("LastUpdateStatus"), json_new_str(call->arena, str_of(update)));
    if (str_eq(str_of(update), STR("InProgress"))) {
        json_add_str(call->arena, out, "LastUpdateStatusReason", STR("The function is being created."));
        json_add_str(call->arena, out, "LastUpdateStatusReasonCode", STR("Creating"));
    }
    call->output = out;
}

static struct json *with_logging(struct call *call, struct json *config)
{
    struct json *logging = json_add_object(call->arena, config, "LoggingConfig");
    json_add_str(call->arena, logging, "LogFormat", STR("Text"));
    json_add_str(call->arena, logging, "LogGroup",
                 arena_printf(call->arena, "/aws/lambda/" STR_FMT, STR_ARG(json_str(config, "FunctionName"))));
    return config;
}

#define FUNCTION_TAGS_TOO_MANY "The maximum number of tags for a function is %d."

/* Input's Tags, if it has any. False: call_fail was called. */
static bool tags_fine(struct call *call)
{
    struct tag tag;
    switch (tags_check(json_at(call->input, "Tags"), false, &tag)) {
    case TAGS_FINE:
        return true;
    case TAGS_TOO_MANY:
        call_fail(call, "InvalidParameterValueException", FUNCTION_TAGS_TOO_MANY, TAGS_MAX);
        return false;
    default:
        call_fail(call, "InvalidParameterValueException", "The tag " STR_FMT " is reserved, empty or too long.", STR_ARG(tag.key));
        return false;
    }
}

void lambda__prepare_create(struct call *call)
{
    struct package *package = arena_new_of(call->arena, struct package);
    struct json *config = json_new(call->arena, JSON_OBJECT);

    call->state = package;
    if (!lambda__call_name(call, &package->name))
        return;
    if (package->name.n > FUNCTION_NAME_BYTES_MAX) {
        call_fail(call, "InvalidParameterValueException",
                  "1 validation error detected: Value '" STR_FMT
                  "' at 'functionName' failed to satisfy constraint: Member must have "
                  "length less than or equal to %d",
                  STR_ARG(package->name), FUNCTION_NAME_BYTES_MAX);
        return;
    }
    if (call_has(call, "PackageType") && !str_eq(call_str(call, "PackageType"), STR("Zip"))) {
        call_fail_not_implemented(call, "PackageType Image");
        return;
    }
    if (!call_has(call, "Runtime") || !call_has(call, "Handler")) {
        call_fail(call, "InvalidParameterValueException",
                  "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
        return;
    }
    json_add_str(call->arena, config, "FunctionName", package->name);
    json_add_str(call->arena, config, "FunctionArn", lambda__function_arn(call->arena, call->account, call->region, package->name));
    json_add_str(call->arena, config, "Version", STR("$LATEST"));
    if (!tags_fine(call) || !lambda__config_apply(call, config) || !take_package(call, json_at(call->input, "Code"), package))
        return;
    lambda__config_defaults(call, config);
    stamp_config(call, config, package);
    package->config = with_logging(call, config);
}

void lambda__create(struct call *call, struct store_txn *txn)
{
    struct package *package = call->state;
    struct json *doc;
    enum err err = doc_get(txn, lambda__key(call->arena, call->account, call->region, package->name), call->arena, &doc);
    if (err == ERR_OK) {
        call_fail(call, "ResourceConflictException", "Function already exist: " STR_FMT, STR_ARG(package->name));
        return;
    }
    if (err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    doc = json_new(call->arena, JSON_OBJECT);
    json_add(doc, "config", json_clone(call->arena, package->config));
    json_add_str(call->arena, doc, "blob", package->blob);
    json_add(doc, "tags", tags_object(call->arena, json_at(call->input, "Tags")));
    json_add(doc, "statements", json_new(call->arena, JSON_ARRAY));
    lambda__put_doc(call, txn, package->name, doc);
    answer_config(call, package->config, "Pending", "Successful");
    json_remove(call->output, STR("LastUpdateStatus"));
}

/* ---- read ---- */

void lambda__prepare_named(struct call *call)
{
    struct str name;
    lambda__call_name(call, &name);
}

void lambda__get_configuration(struct call *call)
{
    struct json *doc;
    if (lambda__call_doc(call, lambda__reader(call), &doc))
        answer_config(call, json_at(doc, "config"), "Active", "Successful");
}

void lambda__get_function(struct call *call)
{
    struct json *doc, *tags;
    if (!lambda__call_doc(call, lambda__reader(call), &doc))
        return;
    answer_config(call, json_at(doc, "config"), "Active", "Successful");
    struct json *out = json_new(call->arena, JSON_OBJECT);
    json_add(out, "Configuration", call->output);
    struct json *code = json_add_object(call->arena, out, "Code");
    struct str host = call_request_header(call, "Host");
    json_add_str(call->arena, code, "RepositoryType", STR("S3"));
    if (host.n)                 /* a client of HTTP/1.0 may have named none */
        json_add_str(call->arena, code, "Location",
                     lambda__download_url(lambda__of(call)->downloads, call->caller->secure, host, json_str(doc, "blob"),
                                          clock_epoch_ms(), call->arena));
    if ((tags = json_at(doc, "tags")) && tags->count)
        json_add(out, "Tags", json_clone(call->arena, tags));
    call->output = out;
}

#define FUNCTIONS_PAGE_MAX 50           /* API reference, ListFunctions */

static void bad_marker(struct call *call)
{
    call_fail(call, "InvalidParameterValueException", "The value of Marker is not one that was given.");
}

static void list_functions_page(struct call *call, const char *member)
{
    struct json *page, *list;
    struct str token;
    size_t limit = (size_t)json_i64(call->input, "MaxItems", FUNCTIONS_PAGE_MAX);
    enum err err =
        listing_docs(call, lambda__reader(call), lambda__key(call->arena, call->account, call->region, STR_NONE),
                     limit > FUNCTIONS_PAGE_MAX ? FUNCTIONS_PAGE_MAX : limit, "Marker", STR_NONE, &page, &token);
    if (err == ERR_INVALID) {
        bad_marker(call);
        return;
    }
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    struct json *out = json_new(call->arena, JSON_OBJECT);
    list = json_add_array(call->arena, out, member);
    for JSON_EACH (entry, page)
        json_add(list, NULL, json_clone(call->arena, json_at(json_at(entry, "d"), "config")));
    if (token.n)
        json_add_str(call->arena, out, "NextMarker", token);
    call->output = out;
}

void lambda__list(struct call *call)
{
    list_functions_page(call, "Functions");
}

/* There is one version of each function, $LATEST, so no page is followed by another. */
void lambda__list_versions(struct call *call)
{
    struct json *doc;
    if (!lambda__call_doc(call, lambda__reader(call), &doc))
        return;
    if (call_str(call, "Marker").n) {
        bad_marker(call);
        return;
    }
    struct json *config = json_clone(call->arena, json_at(doc, "config"));
    struct str arn = json_str(config, "FunctionArn");
    json_put(config, STR("FunctionArn"), json_new_str(call->arena, arena_printf(call->arena, STR_FMT ":$LATEST", STR_ARG(arn))));
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add(json_add_array(call->arena, call->output, "Versions"), NULL, config);
}

void lambda__code_signing(struct call *call)
{
    struct json *doc;
    if (!lambda__call_doc(call, lambda__reader(call), &doc))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "CodeSigningConfigArn", STR_NONE);
    json_add_str(call->arena, call->output, "FunctionName", json_str(json_at(doc, "config"), "FunctionName"));
}

/* ---- update ---- */

/* After a commit: environments of what was before are of no use any more, nor may its package be. Of another version than $LATEST
 * there is nothing. */
void lambda__function_changed(struct call *call)
{
    struct lambda__named named;
    bool fine = lambda__call_named(call, &named);
    if (fine && named.qualifier.n && !str_eq(named.qualifier, STR("$LATEST")))
        return;
    if (fine)
        lambda__pools_changed(lambda__of(call)->pools, call->account, call->region, named.name);
    lambda__code_sweep_soon(lambda__of(call)->code);
}

/* Its code is unpacked while it is Pending, or its update InProgress, so that the first invocation does not wait for it. */
void lambda__function_created(struct call *call)
{
    const struct package *package = call->state;
    lambda__code_warm(lambda__of(call)->code, package->blob);
}

void lambda__code_changed(struct call *call)
{
    lambda__function_changed(call);
    if (!json_bool(call->input, "DryRun", false))
        lambda__function_created(call);
}

void lambda__prepare_update_code(struct call *call)
{
    struct package *package = arena_new_of(call->arena, struct package);
    struct json *doc, *publish = json_at(call->input, "Publish");
    struct json *architectures = json_at(call->input, "Architectures");

    call->state = package;
    if (!lambda__call_doc(call, lambda__reader(call), &doc))
        return;
    if (publish && publish->type == JSON_TRUE)
        call_fail_not_implemented(call, "Publish");
    else if (architectures && (architectures->count != 1 || !str_eq(architectures->first->text, STR("x86_64"))))
        call_fail(call, "InvalidParameterValueException",
                  "The architecture of this machine is x86_64; a function for another cannot run here.");
    else
        take_package(call, call->input, package);
}

static void write_config(struct call *call, struct store_txn *txn, struct json *doc, struct json *config,
                         const struct package *package)
{
    stamp_config(call, config, package);
    json_put(doc, STR("config"), config);
    lambda__put_doc(call, txn, json_str(config, "FunctionName"), doc);
    answer_config(call, config, "Active", "InProgress");
}

void lambda__update_code(struct call *call, struct store_txn *txn)
{
    struct package *package = call->state;
    struct json *doc;
    if (!lambda__call_doc(call, txn, &doc) || !lambda__revision_fits(call, doc, "GetFunction/GetAlias"))
        return;
    struct json *config = json_clone(call->arena, json_at(doc, "config"));
    if (json_bool(call->input, "DryRun", false)) {
        stamp_config(call, config, package);
        answer_config(call, config, "Active", "Successful");
        return;
    }
    json_put(doc, STR("blob"), json_new_str(call->arena, package->blob));
    write_config(call, txn, doc, config, package);
}

/* The members that were given, checked; the mutation puts them into the stored configuration. */
void lambda__prepare_update_configuration(struct call *call)
{
    struct json *doc, *changes = json_new(call->arena, JSON_OBJECT);
    if (lambda__call_doc(call, lambda__reader(call), &doc) && lambda__config_apply(call, changes))
        call->state = changes;
}

void lambda__update_configuration(struct call *call, struct store_txn *txn)
{
    struct package nothing = {0};
    struct json *doc, *changes = call->state;
    if (!lambda__call_doc(call, txn, &doc) || !lambda__revision_fits(call, doc, "GetFunction/GetAlias"))
        return;
    struct json *config = json_clone(call->arena, json_at(doc, "config"));
    for JSON_EACH (change, changes)
        json_put(config, change->key, json_clone(call->arena, change));
    write_config(call, txn, doc, config, &nothing);
}

static bool is_version_number(struct str text)
{
    uint64_t number;
    return str_to_u64(text, &number);
}

void lambda__prepare_delete(struct call *call)
{
    struct lambda__named named;
    if (!lambda__call_named(call, &named))
        return;
    if (str_eq(named.qualifier, STR("$LATEST")))
        call_fail(call, "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.");
    else if (named.qualifier.n && !is_version_number(named.qualifier) && str_find(named.qualifier, '$') == named.qualifier.n)
        call_fail(call, "InvalidParameterValueException", "Deletion of aliases is not currently supported.");
}

/* A version that is not there, and there are none, is deleted without a word; its function has to be there. */
void lambda__delete(struct call *call, struct store_txn *txn)
{
    struct lambda__named named;
    struct json *doc;
    if (!lambda__call_named(call, &named))
        return;
    struct store_key key = lambda__key(call->arena, call->account, call->region, named.name);
    enum err err = call_doc_get(call, txn, key, &doc);
    if (err == ERR_NOT_FOUND)
        lambda__fail_not_found(call, &(struct lambda__named){.name = named.name});
    else if (err != ERR_OK)
        call_fail_err(call, err);
    else if (named.qualifier.n == 0)
        store_delete(txn, key);
}

/* ---- tags ---- */

void lambda__prepare_tag(struct call *call)
{
    lambda__prepare_named(call);
    if (!call->failed)
        tags_fine(call);
}

void lambda__list_tags(struct call *call)
{
    struct json *doc;
    if (!lambda__call_doc(call, lambda__reader(call), &doc))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add(call->output, "Tags", json_clone(call->arena, json_at(doc, "tags")));
}

void lambda__tag(struct call *call, struct store_txn *txn)
{
    struct json *doc;
    if (!lambda__call_doc(call, txn, &doc))
        return;
    if (tags_merge(call->arena, json_at(doc, "tags"), json_at(call->input, "Tags"), false) != TAGS_FINE)
        call_fail(call, "InvalidParameterValueException", FUNCTION_TAGS_TOO_MANY, TAGS_MAX);
    lambda__put_doc(call, txn, json_str(json_at(doc, "config"), "FunctionName"), doc);
}

void lambda__untag(struct call *call, struct store_txn *txn)
{
    struct json *doc;
    if (!lambda__call_doc(call, txn, &doc))
        return;
    tags_remove(json_at(doc, "tags"), json_at(call->input, "TagKeys"), false);
    lambda__put_doc(call, txn, json_str(json_at(doc, "config"), "FunctionName"), doc);
}
