/* service_principals.c -- the services that a trust policy may name: NAME.amazonaws.com.
 * Sources: the service principals in AWS's documentation as of 6 October 2026 (listed by the iam-floyd project, 0.851.0), those
 * of the service-linked roles that the localstack project recorded on AWS on 13 March 2025, and nine that services' own guides give
 * for their roles ("batchoperations.s3", "medialive" and others). Sorted, so that a search can halve (test: iam_test.c). */
#include "services/iam/iam_internal.h"
#include <stdlib.h>

static const char *const service_names[] = {
    "a4b", "access-analyzer", "access-grants.s3", "account", "account-access", "accountdiscovery.ssm", "acm", "acm-pca",
    "aco-automation", "agent-registry", "agent.wellarchitected", "agentless.inspector2", "aiops", "airflow", "airflow-env",
    "airflow-serverless", "ami.inspector2", "amplify", "apidestinations.events", "apigateway", "app-integrations", "appconfig",
    "appfabric", "appflow", "application-autoscaling", "application-insights", "application-signals.cloudwatch",
    "application-transformation", "appmesh", "apprunner", "appstream", "appstream.application-autoscaling", "appsync", "aps",
    "artifact", "assets.marketplace", "athena", "auditmanager", "automation", "autoscaling", "autoscaling-plans",
    "aws-artifact-account-sync", "aws-external-anthropic", "backup", "batch", "batchoperations.s3", "bedrock",
    "bedrock-agentcore", "bedrock-mantle", "braket", "budgets", "bugbust", "cassandra-streams",
    "cassandra.application-autoscaling", "channels.lex", "channels.lexv2", "chatbot", "chime", "cks.kms", "cleanrooms",
    "cleanrooms-ml", "cloud9", "clouddirectory", "cloudformation", "cloudfront", "cloudhsm", "cloudsearch", "cloudtrail",
    "cloudwatch", "cloudwatch-crossaccount", "codeartifact", "codebuild", "codecatalyst", "codecatalyst-runner", "codecommit",
    "codedeploy", "codeguru-profiler", "codeguru-reviewer", "codeguru-security", "codepipeline", "codestar",
    "codestar-notifications", "cognito-idp", "cognito-sync", "comprehend", "comprehend.application-autoscaling",
    "compute-optimizer", "config", "config-conforms", "config-multiaccountsetup", "connect", "connect-campaigns",
    "context.cloudtrail", "continuousexport.discovery", "contract.iq", "contributorinsights.dynamodb", "controltower",
    "cost-optimization-hub.bcm", "costalerts", "credentials.iot", "custom-resource.application-autoscaling", "custom.rds",
    "custom.rds-preview", "databrew", "dataexchange", "datapipeline", "datasync", "datazone", "datazonecontrol", "dax",
    "deeplens", "deepracer", "delivery.logs", "detective", "devops-guru", "diode", "directconnect",
    "directquery.opensearchservice", "discovery", "dlm", "dms", "dms-fleet-advisor", "dmsintegration.migrationhub",
    "docdb-elastic", "drs", "ds", "dsql", "dynamodb", "dynamodb.application-autoscaling", "ec", "ec2", "ec2-images",
    "ec2-instance-connect", "ec2.application-autoscaling", "ec2.application-status-checks", "ec2.capacitymanager",
    "ec2fastlaunch", "ec2fleet", "ec2scheduled", "ec2sqlha", "ecr", "ecs", "ecs-compute", "ecs-tasks",
    "ecs.application-autoscaling", "edgelambda", "eks", "eks-connector", "eks-fargate", "eks-fargate-pods", "eks-nodegroup",
    "elasticache", "elasticache.application-autoscaling", "elasticbeanstalk", "elasticfilesystem", "elasticloadbalancing",
    "elasticmapreduce", "elastictranscoder", "email.cognito-idp", "emr-containers", "emr-serverless", "emrwal",
    "entityresolution", "es", "event-processor.health", "events", "events.managedservices", "events.workmail", "evs",
    "finops-agent", "finspace", "firehose", "fis", "fms", "forecast", "frauddetector", "freertos", "fsx", "gamelift", "glacier",
    "globalaccelerator", "glue", "grafana", "greengrass", "groundstation", "guardduty", "health", "healthlake", "honeycode",
    "iam", "imagebuilder", "importexport", "inspector", "inspector2", "internetmonitor", "iot", "iotanalytics", "iotevents",
    "iotfleetwise", "iotmanagedintegrations", "iotroborunner", "iotsitewise", "iotthingsgraph", "iottwinmaker", "iotwireless",
    "ivs", "job.sagemaker", "justintimeaccess.ssm", "kafka", "kafka.application-autoscaling", "kafkaconnect", "kendra", "kinesis",
    "kinesisanalytics", "kinesisreplication.dynamodb", "kms", "lakeformation", "lambda", "lambda.application-autoscaling",
    "launchwizard", "lex", "lexv2", "license-management.marketplace", "license-manager", "license-manager-user-subscriptions",
    "license-manager.member-account", "lightsail", "logger.cloudfront", "logs", "lookoutequipment", "lookoutmetrics", "m2",
    "machinelearning", "macie", "maintenance.elasticbeanstalk", "malware-protection-plan.guardduty",
    "malware-protection.guardduty", "managedblockchain", "managedservices", "managedupdates.elasticbeanstalk", "mediaconnect",
    "mediaconvert", "medialive", "mediapackage", "mediastore", "mediatailor", "medical-imaging", "meetings.chime",
    "member.org.stacksets.cloudformation", "memorydb", "metrics.wellarchitected", "mgn", "migrationhub",
    "migrationhub-orchestrator", "migrationhub-strategy", "mobileanalytics", "mobilehub", "monitoring.rds",
    "monitoring.thinclient", "monitron", "mpa", "mq", "mrk.kms", "neptune-graph", "neptune.application-autoscaling",
    "network-connectors.lambda", "network-firewall", "network-security-director", "network-security-manager",
    "network.bedrock-agentcore", "networkmanager", "nimble", "notifications", "notifications.ssm", "observability.aoss",
    "observabilityadmin", "odb", "omics", "opensearchservice", "ops.apigateway", "ops.emr-serverless", "opsdatasync.ssm",
    "opsinsights.ssm", "opsworks", "opsworks-cm", "organizations", "orgsdatasync.servicecatalog", "osis", "outposts", "panorama",
    "partnercentral-account-management", "pcs", "permission.iq", "personalize", "pinpoint", "pipes", "pods.eks",
    "practice-run.arc-zonal-shift", "private-marketplace.marketplace", "profile", "proton", "pullthroughcache.ecr",
    "purchaseorders", "q", "qapps", "qbusiness", "qldb", "quicksight", "ram", "rds", "rds-preview", "rds.application-autoscaling",
    "redshift", "redshift-data", "redshift-serverless", "refactor-spaces", "rekognition", "remediation.config",
    "replication.cassandra", "replication.dynamodb", "replication.ecr", "replication.lexv2", "replication.s3tables",
    "replicator.lambda", "reporting.trustedadvisor", "repository.sync.codeconnections", "repostspace",
    "resale-authorization.marketplace", "researchstudio", "resiliencehub", "resource-explorer-2", "resource-groups",
    "resource-snapshot-job.partnercentral-selling", "restore-testing.backup", "robomaker", "rolesanywhere", "route53",
    "route53domains", "route53resolver", "rtbfabric", "runtime-identity.bedrock-agentcore", "runtime-instances.bedrock-agentcore",
    "s3", "s3-outposts", "s3.data-source.lustre.fsx", "sagemaker", "sagemaker-geospatial", "sagemaker.application-autoscaling",
    "scaler.lambda", "scheduler", "schema-conversion.dms", "schemas", "scraper.aps", "secretsmanager", "security-ir",
    "securityagent", "securityhub", "securityhubv2", "securitylake", "self-managed-vpce.osis", "serverlessrepo", "servicecatalog",
    "servicecatalog-appregistry", "servicediscovery", "servicequotas", "ses", "shield", "signer", "signin", "simspaceweaver",
    "sms", "sms-voice", "smsintegration.migrationhub", "sns", "social-messaging", "spot", "spotfleet", "sqlworkbench", "sqs",
    "ssm", "ssm-guiconnect", "ssm-incidents", "ssm-quicksetup", "ssm-sap", "ssm.integrations", "sso", "states", "storagegateway",
    "streams.metrics.cloudwatch", "sts", "support", "supportplans", "swf", "sync.proton", "synthetics", "tagpolicies.tag",
    "telemetry-enablement.observabilityadmin", "telemetry-pipelines.observabilityadmin", "textract", "thirdparty.config",
    "thirdparty.inspector2", "timestream", "timestream-influxdb", "transcribe", "transfer", "transform-custom", "transitgateway",
    "translate", "triage.security-ir", "trustedadvisor", "tts", "vmie", "vpc-flow-logs", "vpc-lattice", "vpcorigin.cloudfront",
    "waf", "waf-regional", "wafv2", "wam", "wellarchitected", "workdocs", "worklink", "workmail", "workspaces",
    "workspaces-instances", "workspaces.application-autoscaling", "xray",
};

static int service_order(const void *name, const void *row)
{
    return str_cmp(*(const struct str *)name, str_of(*(const char *const *)row));
}

static bool is_service_name(struct str name)
{
    return bsearch(&name, service_names, COUNT_OF(service_names), sizeof *service_names, service_order) != NULL;
}

/* us-east-1: two hyphens, and a digit behind the last. */
static bool is_region_label(struct str label)
{
    size_t hyphens = 0;

    for (size_t i = 0; i < label.n; i++)
        hyphens += label.p[i] == '-';
    return label.n > 2 && hyphens >= 2 && char_is_digit(label.p[label.n - 1]) && label.p[label.n - 2] == '-';
}

bool iam__is_service(struct str principal)
{
    static const struct str domain = {".amazonaws.com", 14}, china = {".amazonaws.com.cn", 17};
    struct str name = principal;

    if (str_ends(name, china))
        name.n -= china.n;
    else if (str_ends(name, domain))
        name.n -= domain.n;
    else
        return false;
    if (is_service_name(name))
        return true;
    size_t dot = name.n;
    while (dot > 0 && name.p[dot - 1] != '.')
        dot--;
    return dot > 1 && is_region_label(str_slice(name, dot, name.n)) && is_service_name(str_slice(name, 0, dot - 1));
}

size_t iam__services(const char *const **ret)
{
    *ret = service_names;
    return COUNT_OF(service_names);
}
