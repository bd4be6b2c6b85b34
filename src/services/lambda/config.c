/* config.c -- members of CreateFunction and UpdateFunctionConfiguration, checked and put into the function's configuration.
 * A table says for each member how it is taken; what would change behaviour that is not there is refused by name.
 * Source: Lambda API reference, CreateFunction; quotas. */
#include "services/lambda/config.h"
#include "services/iam/iam.h"
#include "services/lambda/interpreter.h"
#include "services/lambda/lambda_call.h"

#define TIMEOUT_DEFAULT_S 3
#define MEMORY_DEFAULT_MB 128
#define MEMORY_MAX_MB 10240
#define TMP_MIN_MB 512
#define TMP_MAX_MB 10240
#define ENVIRONMENT_BYTES_MAX 4096      /* quota: environment variables */

typedef bool apply_fn(struct call *call, struct json *config, struct json *value);

static bool copy_member(struct call *call, struct json *config, struct json *value)
{
    json_put(config, value->key, json_clone(call->arena, value));
    return true;
}

/* The model has no maximum for these two. */
static bool config_in_range(struct call *call, const char *member, int64_t value, int64_t max)
{
    if (value <= max)
        return true;
    call_fail(call, "ValidationException", "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: "
              "Member must have value less than or equal to %lld", (long long)value, member, (long long)max);
    return false;
}

static bool apply_timeout(struct call *call, struct json *config, struct json *value)
{
    int64_t seconds = json_i64(call->input, "Timeout", 0);
    return config_in_range(call, "timeout", seconds, LAMBDA_TIMEOUT_S_MAX) && copy_member(call, config, value);
}

static bool apply_memory(struct call *call, struct json *config, struct json *value)
{
    int64_t mb = json_i64(call->input, "MemorySize", 0);
    return config_in_range(call, "memorySize", mb, MEMORY_MAX_MB) && copy_member(call, config, value);
}

/* Those for which AWS makes and changes functions no more. Source: "Deprecated runtimes", Lambda developer guide. */
static bool is_deprecated_runtime(struct str name)
{
    static const char *const names[] = {"nodejs",        "nodejs4.3",     "nodejs4.3-edge", "nodejs6.10",    "nodejs8.10",
                                        "nodejs10.x",    "nodejs12.x",    "nodejs14.x",     "java8",         "python2.7",
                                        "python3.6",     "python3.7",     "go1.x",          "ruby2.5",       "ruby2.7",
                                        "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1",  "dotnetcore3.1", "provided"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

static bool apply_runtime(struct call *call, struct json *config, struct json *value)
{
    struct lambda__interpreter interpreter;
    struct str remedy;
    if (is_deprecated_runtime(value->text)) {
        call_fail(call, "InvalidParameterValueException",
                  "The runtime parameter of " STR_FMT " is no longer supported for creating or updating AWS Lambda functions. We "
                  "recommend you use a supported runtime while creating or updating functions.",
                  STR_ARG(value->text));
        return false;
    }
    if (!lambda__runtime_known(value->text)) {
        call_fail(call, "InvalidParameterValueException",
                  "The runtime " STR_FMT " is not served here. Served: provided.al2023 and python3.9 to python3.13.",
                  STR_ARG(value->text));
        return false;
    }
    if (lambda__interpreter_find(lambda__of(call)->interpreters, value->text, call->arena, &interpreter, &remedy) != ERR_OK) {
        call_fail(call, "InvalidParameterValueException", "The runtime " STR_FMT " has no interpreter on this machine: " STR_FMT,
                  STR_ARG(value->text), STR_ARG(remedy));
        return false;
    }
    return copy_member(call, config, value);
}

static bool role_usable(struct call *call, struct str role_arn)
{
    struct iam_role role;
    enum err err = iam_role_find(lambda__reader(call), role_arn, call->arena, &role);
    if (err == ERR_OK && !str_eq(role.account, call->account)) {
        call_fail(call, "AccessDeniedException", "Cross-account pass role is not allowed.");
        return false;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return false;
    }
    if (err == ERR_NOT_FOUND || !iam_role_trusts_service(&role, "lambda.amazonaws.com", call->arena)) {
        call_fail(call, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.");
        return false;
    }
    return true;
}

static bool apply_role(struct call *call, struct json *config, struct json *value)
{
    return role_usable(call, value->text) && copy_member(call, config, value);
}

/* Names that are AWS's alone. Source: "Defined runtime environment variables", Lambda developer guide. */
static bool is_reserved_variable(struct str name)
{
    static const char *const names[] = {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

/* The reserved names among `variables`, as AWS lists them; empty: none. */
static struct str reserved_variables(struct call *call, const struct json *variables)
{
    struct buf list;
    buf_init(&list, call->arena, 1024); /* more than all names together */
    for JSON_EACH (variable, variables)
        if (is_reserved_variable(variable->key)) {
            if (buf_str(&list).n)
                buf_lit(&list, ", ");
            buf_add(&list, variable->key);
        }
    return buf_str(&list);
}

/* A name that was sent twice counts once, as its last (base/json.h). Without variables, or with none, the function has none, and
 * says so, as AWS does. */
static bool apply_environment(struct call *call, struct json *config, struct json *value)
{
    struct json *given = json_at(value, "Variables"), *environment = json_new(call->arena, JSON_OBJECT);
    struct json *variables = given ? json_clone(call->arena, given) : json_new(call->arena, JSON_OBJECT);
    size_t bytes = 0;
    struct str reserved = reserved_variables(call, variables);
    if (reserved.n) {
        call_fail(call, "InvalidParameterValueException",
                  "Lambda was unable to configure your environment variables because the environment variables you have provided "
                  "contains reserved keys that are currently not supported for modification. Reserved keys used in this "
                  "request: " STR_FMT,
                  STR_ARG(reserved));
        return false;
    }
    for JSON_EACH (variable, variables) {
        if (str_find(variable->text, '\0') < variable->text.n) {
            call_fail(call, "InvalidParameterValueException", "The environment variable " STR_FMT " contains a NUL character.",
                      STR_ARG(variable->key));
            return false;
        }
        bytes += variable->key.n + variable->text.n;
    }
    if (bytes > ENVIRONMENT_BYTES_MAX) {
        struct str text = json_text(call->arena, variables);
        call_fail(call, "InvalidParameterValueException",
                  "Lambda was unable to configure your environment variables because the environment variables you "
                  "have provided exceeded the 4KB limit. String measured: " STR_FMT,
                  STR_ARG(text));
        return false;
    }
    json_add(environment, "Variables", variables);
    json_put(config, STR("Environment"), environment);
    return true;
}

static bool apply_tmp(struct call *call, struct json *config, struct json *value)
{
    int64_t size = json_i64(value, "Size", TMP_MIN_MB);
    return config_in_range(call, "ephemeralStorage.size", size, TMP_MAX_MB) && copy_member(call, config, value);
}

static bool refuse_member(struct call *call, struct json *value)
{
    call_fail_not_implemented(call, arena_cstr(call->arena, value->key));
    return false;
}

static bool apply_tracing(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    return str_eq(json_str(value, "Mode"), STR("PassThrough")) || refuse_member(call, value);
}

static bool apply_snap_start(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    return str_eq(json_str(value, "ApplyOn"), STR("None")) || refuse_member(call, value);
}

static bool apply_architectures(struct call *call, struct json *config, struct json *value)
{
    if (value->count != 1 || !str_eq(value->first->text, STR("x86_64"))) {
        call_fail(call, "InvalidParameterValueException",
                  "The architecture of this machine is x86_64; a function for another cannot run here.");
        return false;
    }
    return copy_member(call, config, value);
}

static bool apply_logging(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    struct str format = json_str(value, "LogFormat");
    return (value->count == (format.n ? 1u : 0u) && (format.n == 0 || str_eq(format, STR("Text")))) || refuse_member(call, value);
}

static bool apply_package_type(struct call *call, struct json *config, struct json *value)
{
    return str_eq(value->text, STR("Zip")) ? copy_member(call, config, value) : refuse_member(call, value);
}

static bool apply_empty(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    struct json *subnets = json_at(value, "SubnetIds"), *groups = json_at(value, "SecurityGroupIds");
    bool empty =
        value->type == JSON_ARRAY ? value->count == 0 : (!subnets || subnets->count == 0) && (!groups || groups->count == 0);
    return empty || refuse_member(call, value);
}

static bool apply_target(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    return json_str(value, "TargetArn").n == 0 ? true : refuse_member(call, value);
}

static bool apply_publish(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    return value->type != JSON_TRUE || refuse_member(call, value);
}

static bool apply_nothing(struct call *call, struct json *config, struct json *value)
{
    (void)call, (void)config, (void)value;
    return true;    /* taken elsewhere: the name, the code, the tags, the revision */
}

static bool apply_refused(struct call *call, struct json *config, struct json *value)
{
    (void)config;
    return refuse_member(call, value);
}

static const struct member {
    const char *name;
    apply_fn *apply;
} members[] = {
    {"Architectures", apply_architectures},
    {"Code", apply_nothing},
    {"DeadLetterConfig", apply_target},
    {"Description", copy_member},
    {"Environment", apply_environment},
    {"EphemeralStorage", apply_tmp},
    {"FileSystemConfigs", apply_empty},
    {"FunctionName", apply_nothing},
    {"Handler", copy_member},
    {"Layers", apply_empty},
    {"LoggingConfig", apply_logging},
    {"MemorySize", apply_memory},
    {"PackageType", apply_package_type},
    {"Publish", apply_publish},
    {"RevisionId", apply_nothing},
    {"Role", apply_role},
    {"Runtime", apply_runtime},
    {"SnapStart", apply_snap_start},
    {"Tags", apply_nothing},
    {"Timeout", apply_timeout},
    {"TracingConfig", apply_tracing},
    {"VpcConfig", apply_empty},
};

static apply_fn *apply_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (str_eq(name, str_of(members[i].name)))
            return members[i].apply;
    return apply_refused;
}

static void default_i64(struct call *call, struct json *config, const char *name, int64_t value)
{
    if (!json_at(config, name))
        json_add_i64(call->arena, config, name, value);
}

static void default_object(struct call *call, struct json *config, const char *name, const char *text)
{
    struct json *value;
    if (!json_at(config, name) && json_parse(str_of(text), call->arena, &value) == ERR_OK)
        json_add(config, name, value);
}

bool lambda__config_apply(struct call *call, struct json *config)
{
    for JSON_EACH (member, call->input)
        if (!apply_of(member->key)(call, config, member))
            return false;
    return true;
}

void lambda__config_defaults(struct call *call, struct json *config)
{
    default_i64(call, config, "Timeout", TIMEOUT_DEFAULT_S);
    default_i64(call, config, "MemorySize", MEMORY_DEFAULT_MB);
    if (!json_at(config, "Description"))
        json_add_str(call->arena, config, "Description", STR_NONE);
    default_object(call, config, "TracingConfig", "{\"Mode\":\"PassThrough\"}");
    default_object(call, config, "Architectures", "[\"x86_64\"]");
    default_object(call, config, "EphemeralStorage", "{\"Size\":512}");
    default_object(call, config, "SnapStart", "{\"ApplyOn\":\"None\",\"OptimizationStatus\":\"Off\"}");
    default_object(call, config, "PackageType", "\"Zip\"");
}
