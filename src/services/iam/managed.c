/* managed.c -- the AWS-managed policies of this server: what each grants, as the AWS managed policy reference guide states it.
 * A statement is a row: the actions (comma-separated, those of one service behind its prefix), the resource, and one condition
 * at most. The JSON documents that GetPolicyVersion answers and that decisions compile are made from the rows. */
#include "services/iam/iam_internal.h"
#include "base/clock.h"

struct grant_condition {
    const char *op, *key, *values;  /* values: comma-separated; op NULL: none */
};
struct managed_statement {
    const char *actions;            /* "dynamodb:*" or "kms:DescribeKey,ListAliases; sns:ListTopics" */
    const char *resource;
    struct grant_condition condition;
};
struct managed_policy {
    const char *path, *name, *id, *version, *created, *updated;
    struct managed_statement statement[5];      /* ended by one without actions */
};

#define NO_CONDITION {NULL, NULL, NULL}

static const struct managed_policy policies[] = {
    {"/",
     "AWSLambdaExecute",
     "ANPAJE5FX7FQZSU5XAKGO",
     "v1",
     "2015-02-06T18:40:46Z",
     "2015-02-06T18:40:46Z",
     {{"logs:*", "arn:aws:logs:*:*:*", NO_CONDITION}, {"s3:GetObject,PutObject", "arn:aws:s3:::*", NO_CONDITION}}},
    {"/",
     "AWSLambda_FullAccess",
     "ANPAZKAPJZG4ONPCSKP2T",
     "v7",
     "2020-11-17T21:14:08Z",
     "2026-02-12T18:00:51Z",
     {{"cloudformation:DescribeStacks,ListStackResources; cloudwatch:GetMetricData,ListMetrics; "
       "ec2:DescribeSecurityGroups,DescribeSubnets,DescribeVpcs; "
       "iam:GetPolicy,GetPolicyVersion,GetRole,GetRolePolicy,ListAttachedRolePolicies,ListRolePolicies,ListRoles; "
       "kms:DescribeKey,ListAliases; lambda:*; logs:DescribeLogGroups; states:DescribeStateMachine,ListStateMachines; "
       "tag:GetResources; xray:BatchGetTraces,GetTraceSummaries",
       "*", NO_CONDITION},
      {"iam:PassRole", "*", {"StringEquals", "iam:PassedToService", "lambda.amazonaws.com"}},
      {"logs:DescribeLogStreams,FilterLogEvents,GetLogEvents,StartLiveTail,StopLiveTail",
       "arn:aws:logs:*:*:log-group:/aws/lambda/*", NO_CONDITION},
      {"iam:CreateServiceLinkedRole",
       "arn:aws:iam::*:role/aws-service-role/lambda.amazonaws.com/AWSServiceRoleForLambda",
       {"StringEquals", "iam:AWSServiceName", "lambda.amazonaws.com"}}}},
    {"/",
     "AdministratorAccess",
     "ANPAIWMBCKSKIEE64ZLYK",
     "v1",
     "2015-02-06T18:39:46Z",
     "2015-02-06T18:39:46Z",
     {{"*", "*", NO_CONDITION}}},
    {"/",
     "AmazonAPIGatewayAdministrator",
     "ANPAJ4PT6VY5NLKTNUYSI",
     "v1",
     "2015-07-09T17:34:45Z",
     "2015-07-09T17:34:45Z",
     {{"apigateway:*", "arn:aws:apigateway:*::/*", NO_CONDITION}}},
    {"/",
     "AmazonAPIGatewayInvokeFullAccess",
     "ANPAIIWAX2NOOQJ4AIEQ6",
     "v2",
     "2015-07-09T17:36:12Z",
     "2018-12-18T18:25:10Z",
     {{"execute-api:Invoke,ManageConnections", "arn:aws:execute-api:*:*:*", NO_CONDITION}}},
    {"/",
     "AmazonDynamoDBFullAccess",
     "ANPAINUGF2JSOSUY76KYA",
     "v15",
     "2015-02-06T18:40:11Z",
     "2021-01-29T17:38:30Z",
     {{"application-autoscaling:DeleteScalingPolicy,DeregisterScalableTarget,DescribeScalableTargets,DescribeScalingActivities,"
       "DescribeScalingPolicies,PutScalingPolicy,RegisterScalableTarget; "
       "cloudwatch:DeleteAlarms,DescribeAlarmHistory,DescribeAlarms,DescribeAlarmsForMetric,GetMetricData,GetMetricStatistics,"
       "ListMetrics,PutMetricAlarm; "
       "datapipeline:ActivatePipeline,CreatePipeline,DeletePipeline,DescribeObjects,DescribePipelines,GetPipelineDefinition,"
       "ListPipelines,PutPipelineDefinition,QueryObjects; "
       "dax:*; dynamodb:*; ec2:DescribeSecurityGroups,DescribeSubnets,DescribeVpcs; iam:GetRole,ListRoles; "
       "kinesis:DescribeStream,DescribeStreamSummary,ListStreams; kms:DescribeKey,ListAliases; "
       "lambda:CreateEventSourceMapping,CreateFunction,DeleteEventSourceMapping,DeleteFunction,GetFunctionConfiguration,"
       "ListEventSourceMappings,ListFunctions; "
       "resource-groups:CreateGroup,DeleteGroup,GetGroup,GetGroupQuery,ListGroupResources,ListGroups; "
       "sns:CreateTopic,DeleteTopic,ListSubscriptions,ListSubscriptionsByTopic,ListTopics,SetTopicAttributes,Subscribe,Unsubscribe;"
       " "
       "tag:GetResources",
       "*", NO_CONDITION},
      {"cloudwatch:GetInsightRuleReport", "arn:aws:cloudwatch:*:*:insight-rule/DynamoDBContributorInsights*", NO_CONDITION},
      {"iam:PassRole",
       "*",
       {"StringLike", "iam:PassedToService",
        "application-autoscaling.amazonaws.com,application-autoscaling.amazonaws.com.cn,dax.amazonaws.com"}},
      {"iam:CreateServiceLinkedRole",
       "*",
       {"StringEquals", "iam:AWSServiceName",
        "replication.dynamodb.amazonaws.com,dax.amazonaws.com,dynamodb.application-autoscaling.amazonaws.com,"
        "contributorinsights.dynamodb.amazonaws.com,kinesisreplication.dynamodb.amazonaws.com"}}}},
    {"/",
     "AmazonDynamoDBReadOnlyAccess",
     "ANPAIY2XFNA232XJ6J7X2",
     "v15",
     "2015-02-06T18:40:12Z",
     "2024-11-18T17:38:15Z",
     {{"application-autoscaling:DescribeScalableTargets,DescribeScalingActivities,DescribeScalingPolicies; "
       "cloudwatch:DescribeAlarmHistory,DescribeAlarms,DescribeAlarmsForMetric,GetMetricData,GetMetricStatistics,ListMetrics; "
       "datapipeline:DescribeObjects,DescribePipelines,GetPipelineDefinition,ListPipelines,QueryObjects; "
       "dax:BatchGetItem,Describe*,GetItem,List*,Query,Scan; "
       "dynamodb:BatchGetItem,Describe*,GetAbacStatus,GetItem,GetResourcePolicy,List*,PartiQLSelect,Query,Scan; "
       "ec2:DescribeSecurityGroups,DescribeSubnets,DescribeVpcs; iam:GetRole,ListRoles; "
       "kinesis:DescribeStream,DescribeStreamSummary,ListStreams; kms:DescribeKey,ListAliases; "
       "lambda:GetFunctionConfiguration,ListEventSourceMappings,ListFunctions; "
       "resource-groups:GetGroup,GetGroupQuery,ListGroupResources,ListGroups; sns:ListSubscriptionsByTopic,ListTopics; "
       "tag:GetResources",
       "*", NO_CONDITION},
      {"cloudwatch:GetInsightRuleReport", "arn:aws:cloudwatch:*:*:insight-rule/DynamoDBContributorInsights*", NO_CONDITION}}},
    {"/",
     "CloudWatchLogsFullAccess",
     "ANPAJ3ZGNWK2R5HW5BQFO",
     "v8",
     "2015-02-06T18:40:02Z",
     "2026-02-12T18:00:33Z",
     {{"cloudwatch:GenerateQuery,GenerateQueryResultsSummary; logs:*; "
       "observabilityadmin:GetS3TableIntegration,ListS3TableIntegrations,ListTelemetryPipelines",
       "*", NO_CONDITION}}},
    {"/service-role/",
     "AWSLambdaBasicExecutionRole",
     "ANPAJNCQGXC42545SKXIK",
     "v1",
     "2015-04-09T15:03:43Z",
     "2015-04-09T15:03:43Z",
     {{"logs:CreateLogGroup,CreateLogStream,PutLogEvents", "*", NO_CONDITION}}},
    {"/service-role/",
     "AWSLambdaDynamoDBExecutionRole",
     "ANPAIP7WNAGMIPYNW4WQG",
     "v1",
     "2015-04-09T15:09:29Z",
     "2015-04-09T15:09:29Z",
     {{"dynamodb:DescribeStream,GetRecords,GetShardIterator,ListStreams; logs:CreateLogGroup,CreateLogStream,PutLogEvents", "*",
       NO_CONDITION}}},
    {"/service-role/",
     "AWSLambdaRole",
     "ANPAJX4DPCRGTC4NFDUXI",
     "v1",
     "2015-02-06T18:41:28Z",
     "2015-02-06T18:41:28Z",
     {{"lambda:InvokeFunction", "*", NO_CONDITION}}},
    {"/service-role/",
     "AWSLambdaVPCAccessExecutionRole",
     "ANPAJVTME3YLVNL72YR2K",
     "v3",
     "2016-02-11T23:15:26Z",
     "2024-01-05T22:38:26Z",
     {{"ec2:AssignPrivateIpAddresses,CreateNetworkInterface,DeleteNetworkInterface,DescribeNetworkInterfaces,DescribeSubnets,"
       "UnassignPrivateIpAddresses; logs:CreateLogGroup,CreateLogStream,PutLogEvents",
       "*", NO_CONDITION}}},
    {"/service-role/",
     "AmazonAPIGatewayPushToCloudWatchLogs",
     "ANPAIK4GFO7HLKYN64ASK",
     "v1",
     "2015-11-11T23:41:46Z",
     "2015-11-11T23:41:46Z",
     {{"logs:CreateLogGroup,CreateLogStream,DescribeLogGroups,DescribeLogStreams,FilterLogEvents,GetLogEvents,PutLogEvents", "*",
       NO_CONDITION}}},
};

size_t iam__managed_count(void)
{
    return COUNT_OF(policies);
}

struct str iam__managed_arn(size_t index, struct arena *arena)
{
    return iam__arn(arena, STR("aws"), "policy", str_of(policies[index].path), str_of(policies[index].name));
}

static void add_actions(struct arena *arena, struct json *list, const char *actions)
{
    struct str rest = str_of(actions);

    while (rest.p) {
        struct str group = str_trim(str_cut(&rest, ';')), names = group, service = str_cut(&names, ':');
        if (!names.p)
            json_add_str(arena, list, NULL, group);
        while (names.p) {
            struct str name = str_cut(&names, ',');
            json_add_str(arena, list, NULL, arena_printf(arena, STR_FMT ":" STR_FMT, STR_ARG(service), STR_ARG(name)));
        }
    }
}

static void grant_add_condition(struct arena *arena, struct json *statement, const struct grant_condition *condition)
{
    struct str rest = str_of(condition->values);

    if (!condition->op)
        return;
    struct json *op = json_add_object(arena, json_add_object(arena, statement, "Condition"), condition->op);
    struct json *values = json_add_array(arena, op, condition->key);
    while (rest.p)
        json_add_str(arena, values, NULL, str_cut(&rest, ','));
}

static struct str policy_text(struct arena *arena, const struct managed_policy *policy)
{
    struct json *document = json_new(arena, JSON_OBJECT);

    json_add_str(arena, document, "Version", STR("2012-10-17"));
    struct json *list = json_add_array(arena, document, "Statement");
    for (const struct managed_statement *row = policy->statement;
         row < policy->statement + COUNT_OF(policy->statement) && row->actions; row++) {
        struct json *statement = json_add(list, NULL, json_new(arena, JSON_OBJECT));
        json_add_str(arena, statement, "Effect", STR("Allow"));
        add_actions(arena, json_add_array(arena, statement, "Action"), row->actions);
        json_add_str(arena, statement, "Resource", str_of(row->resource));
        grant_add_condition(arena, statement, &row->condition);
    }
    return json_text(arena, document);
}

static void add_time(struct arena *arena, struct json *doc, const char *key, const char *iso)
{
    int64_t ms = 0;

    clock_parse(str_of(iso), &ms);
    json_add_i64(arena, doc, key, ms);
}

/* In the stored form (iam_internal.h); only the default version is known. */
static struct json *policy_document(struct arena *arena, const struct managed_policy *policy)
{
    struct json *doc = json_new(arena, JSON_OBJECT);

    json_add_str(arena, doc, "Name", str_of(policy->name));
    json_add_str(arena, doc, "Path", str_of(policy->path));
    json_add_str(arena, doc, "Id", str_of(policy->id));
    add_time(arena, doc, "CreateMs", policy->created);
    add_time(arena, doc, "UpdateMs", policy->updated);
    json_add_str(arena, doc, "Default", str_of(policy->version));
    struct json *version = json_add(json_add_array(arena, doc, "Versions"), NULL, json_new(arena, JSON_OBJECT));
    json_add_str(arena, version, "VersionId", str_of(policy->version));
    add_time(arena, version, "CreateMs", policy->updated);
    json_add_str(arena, version, "Text", policy_text(arena, policy));
    return doc;
}

struct json *iam__managed_find(struct arena *arena, struct str arn)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (str_eq(iam__managed_arn(i, arena), arn))
            return policy_document(arena, &policies[i]);
    return NULL;
}
