/* logs.c -- CloudWatch Logs: the table of operations, what each needs to be authorised. */
#include "services/logs/logs_internal.h"
#include "call/service_errors.h"
#include "call/tags.h"

#define LOGS_BODY_BYTES_MAX (7u << 20) /* of a request; PutLogEvents: 1 MB of text, which JSON's escapes make six times as long */

struct logs *logs__of(const struct call *call)
{
    return call->service_state;
}

struct store_txn *logs__reader(const struct call *call)
{
    return store_reader(logs__of(call)->store);
}

static void need_group(struct call *call, struct needs *needs, const char *action, struct str group, struct str stream)
{
    need_add(needs, action, call_arn(call, "logs", "log-group:" STR_FMT ":log-stream:" STR_FMT, STR_ARG(group), STR_ARG(stream)));
}

#define LOGS_NEEDS(function, action, group, stream)                                                                                \
    static void function(struct call *call, struct needs *needs)                                                                   \
    {                                                                                                                              \
        need_group(call, needs, action, group, stream);                                                                            \
    }
#define GROUP logs__call_group_name(call)
#define STREAM call_str(call, "logStreamName")
LOGS_NEEDS(needs_create_stream, "logs:CreateLogStream", GROUP, STREAM)
LOGS_NEEDS(needs_delete_group, "logs:DeleteLogGroup", GROUP, STR_NONE)
LOGS_NEEDS(needs_delete_retention, "logs:DeleteRetentionPolicy", GROUP, STR_NONE)
LOGS_NEEDS(needs_delete_stream, "logs:DeleteLogStream", GROUP, STREAM)
LOGS_NEEDS(needs_describe_groups, "logs:DescribeLogGroups", STR_NONE, STR_NONE)
LOGS_NEEDS(needs_describe_streams, "logs:DescribeLogStreams", GROUP, STR_NONE)
LOGS_NEEDS(needs_filter, "logs:FilterLogEvents", GROUP, STR_NONE)
LOGS_NEEDS(needs_get, "logs:GetLogEvents", GROUP, STREAM)
LOGS_NEEDS(needs_put, "logs:PutLogEvents", GROUP, STREAM)
LOGS_NEEDS(needs_put_retention, "logs:PutRetentionPolicy", GROUP, STR_NONE)
#undef LOGS_NEEDS

static void needs_create_group(struct call *call, struct needs *needs)
{
    need_group(call, needs, "logs:CreateLogGroup", GROUP, STR_NONE);
    tags_need_request(call, needs, json_at(call->input, "tags"), NULL);
}

/* Operations on the tags of the resource that is named by its ARN. */
static void need_tags(struct call *call, struct needs *needs, const char *action)
{
    need_add(needs, action, call_str(call, "resourceArn"));
    tags_need_request(call, needs, json_at(call->input, "tags"), json_at(call->input, "tagKeys"));
}

static void needs_list_tags(struct call *call, struct needs *needs)
{
    need_tags(call, needs, "logs:ListTagsForResource");
}

static void needs_tag(struct call *call, struct needs *needs)
{
    need_tags(call, needs, "logs:TagResource");
}

static void needs_untag(struct call *call, struct needs *needs)
{
    need_tags(call, needs, "logs:UntagResource");
}

static const char *const group_refused[] = {"kmsKeyId", "deletionProtectionEnabled", NULL};
static const char *const put_refused[] = {"entity", NULL};
static const char *const read_refused[] = {"unmask", NULL};
static const char *const describe_refused[] = {"accountIdentifiers", "includeLinkedAccounts", "logGroupClass",
                                               "logGroupIdentifiers", NULL};

static const struct row logs_rows[] = {
    {.name = "CreateLogGroup",
     .run = RUN_MUTATION,
     .needs = needs_create_group,
     .prepare = logs__prepare_create_group,
     .mutate = logs__create_group,
     .refused = group_refused},
    {.name = "CreateLogStream",
     .run = RUN_MUTATION,
     .needs = needs_create_stream,
     .prepare = logs__prepare_create_stream,
     .mutate = logs__create_stream},
    {.name = "DeleteLogGroup", .run = RUN_MUTATION, .needs = needs_delete_group, .mutate = logs__delete_group},
    {.name = "DeleteLogStream", .run = RUN_WORKER, .needs = needs_delete_stream, .handle = logs__delete_stream},
    {.name = "DeleteRetentionPolicy", .run = RUN_MUTATION, .needs = needs_delete_retention, .mutate = logs__delete_retention},
    {.name = "DescribeLogGroups",
     .run = RUN_WORKER,
     .needs = needs_describe_groups,
     .handle = logs__describe_groups,
     .refused = describe_refused},
    {.name = "DescribeLogStreams", .run = RUN_WORKER, .needs = needs_describe_streams, .handle = logs__describe_streams},
    {.name = "FilterLogEvents", .run = RUN_WORKER, .needs = needs_filter, .handle = logs__filter_events, .refused = read_refused},
    {.name = "GetLogEvents", .run = RUN_WORKER, .needs = needs_get, .handle = logs__get_events, .refused = read_refused},
    {.name = "ListTagsForResource", .run = RUN_INLINE, .needs = needs_list_tags, .handle = logs__list_tags},
    {.name = "PutLogEvents",
     .run = RUN_MUTATION,
     .needs = needs_put,
     .prepare = logs__prepare_put_events,
     .mutate = logs__put_events,
     .refused = put_refused},
    {.name = "PutRetentionPolicy",
     .run = RUN_MUTATION,
     .needs = needs_put_retention,
     .prepare = logs__prepare_retention,
     .mutate = logs__put_retention},
    {.name = "TagResource", .run = RUN_MUTATION, .needs = needs_tag, .prepare = logs__prepare_tags, .mutate = logs__tag},
    {.name = "UntagResource", .run = RUN_MUTATION, .needs = needs_untag, .mutate = logs__untag},
};

const struct service_api logs_api = {
    .skew_minutes = 5, /* hashicorp/terraform-provider-aws#34683, 2023 */
    .model = &model_logs,
    .rows = logs_rows,
    .row_count = COUNT_OF(logs_rows),
    .errors = &logs_errors,
    .overrides = &logs_overrides,
    .body_max = LOGS_BODY_BYTES_MAX,
};
