# deploy.sh -- the steps that the examples' own deploy.sh scripts share; sourced, not run. AWS CLI only: with AWS's endpoint
# and credentials the same steps deploy there. Each step may be run again: it finishes what an earlier run began, and changes
# what has changed.
set -eu

language=${1:-python}       # $1 of the script that sources this one
case $language in
    python) suffix='' ;;
    c) suffix=-c ;;         # of what is in C only
    *) echo "usage: $0 [python | c]" >&2; exit 2 ;;
esac

export AWS_PAGER=''
# Command lines older than 2.13 do not read AWS_ENDPOINT_URL.
aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

step() { printf '  %s\n' "$*" >&2; }

build=$(cd ../.. && pwd)/build/examples
# One region for every step: ARNs name it, and command lines of version 1 read AWS_DEFAULT_REGION only.
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || echo us-east-1)}}
export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
account=$(aws sts get-caller-identity --query Account --output text)

# role NAME POLICY_FILE: an execution role with exactly that policy.
role() {
    step "IAM role $1"
    aws iam get-role --role-name "$1" >/dev/null 2>&1 || aws iam create-role --role-name "$1" --assume-role-policy-document \
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' >/dev/null
    aws iam put-role-policy --role-name "$1" --policy-name least-privilege --policy-document "file://$2"
}

# table NAME KEY: its partition key is of type string; on demand.
table() {
    step "DynamoDB table $1"
    aws dynamodb describe-table --table-name "$1" >/dev/null 2>&1 || aws dynamodb create-table --table-name "$1" --billing-mode PAY_PER_REQUEST \
        --attribute-definitions "AttributeName=$2,AttributeType=S" --key-schema "AttributeName=$2,KeyType=HASH" >/dev/null
    aws dynamodb wait table-exists --table-name "$1"
}

# lambda EXAMPLE ROLE [ENVIRONMENT]: makes the function $name from the package that `make examples` made, or makes what is there
# the same. $C_PACKAGES: another folder of packages in C, from the root.
lambda() {
    case $language in
        c) package=${C_PACKAGES:-$build}/$1.zip runtime=provided.al2023 handler=bootstrap ;;
        python) package=$build/$1-python.zip runtime=${RUNTIME:-python3.11} handler=app.handler ;;
    esac
    [ -f "$package" ] || { echo "$package is missing: run make examples" >&2; exit 1; }
    step "Lambda function $name ($runtime)"
    set -- --function-name "$name" --runtime "$runtime" --handler "$handler" --role "arn:aws:iam::$account:role/$2" \
        --timeout 10 --memory-size 256 ${3:+--environment "$3"}
    if aws lambda get-function --function-name "$name" >/dev/null 2>&1; then
        aws lambda update-function-code --function-name "$name" --zip-file "fileb://$package" >/dev/null
        aws lambda wait function-updated --function-name "$name"
        aws lambda update-function-configuration "$@" >/dev/null
        aws lambda wait function-updated --function-name "$name"
    else
        create_function "$@" --zip-file "fileb://$package"
        aws lambda wait function-active --function-name "$name"
    fi
}

# create_function OPTION...: tries for half a minute, because AWS needs a while until Lambda may assume a new role.
create_function() {
    for pause in 1 2 4 8 16 ''; do
        said=$(aws lambda create-function "$@" 2>&1 >/dev/null) && return
        case $pause,$said in
            [0-9]*'cannot be assumed by Lambda'*) sleep "$pause" ;;
            *) echo "$said" >&2; return 1 ;;
        esac
    done
}

# rest_api NAME: sets $api, $root (the root resource) and $made: what is there already, for each resource a line of its id, its
# path, its methods, and those of them that are whole: an earlier run may have been interrupted. One of type AWS does not count as
# whole, because its answers may be other ones now. An API of that name is used again.
rest_api() {
    step "REST API $1"
    api=$(aws apigateway get-rest-apis --query "items[?name=='$1'].[id]" --output text | head -n 1)
    [ -n "$api" ] || api=$(aws apigateway create-rest-api --name "$1" --endpoint-configuration types=REGIONAL --query id --output text)
    made=$(aws apigateway get-resources --rest-api-id "$api" --embed methods --output text \
        --query 'items[].[id, path, join(`,`, keys(resourceMethods || `{}`)), join(`,`, values(resourceMethods || `{}`)[?
            methodIntegration.type==`AWS_PROXY` || methodIntegration.type==`MOCK` && methodIntegration.integrationResponses].httpMethod)]')
    root=$(id_of /)
}

id_of() { echo "$made" | awk -F '\t' -v path="$1" '$2 == path { print $1 }'; }

# Is the method there, is it whole? there RESOURCE METHOD, whole RESOURCE METHOD
there() { listed "$1" "$2" 3; }
whole() { listed "$1" "$2" 4; }
listed() {
    echo "$made" | awk -F '\t' -v id="$1" -v method="$2" -v column="$3" \
        '$1 == id && index("," $column ",", "," method ",") { found = 1 } END { exit !found }'
}

# resource PARENT PART PATH: sets $resource.
resource() {
    resource=$(id_of "$3")
    [ -n "$resource" ] || resource=$(aws apigateway create-resource --rest-api-id "$api" --parent-id "$1" --path-part "$2" --query id --output text)
}

# new_method RESOURCE METHOD: without an integration, whatever was there.
new_method() {
    ! there "$1" "$2" || aws apigateway delete-method --rest-api-id "$api" --resource-id "$1" --http-method "$2"
    aws apigateway put-method --rest-api-id "$api" --resource-id "$1" --http-method "$2" --authorization-type NONE >/dev/null
}

# method RESOURCE METHOD TYPE FUNCTION: TYPE is AWS or AWS_PROXY; AWS gets its 200 answer.
method() {
    whole "$1" "$2" && return
    step "method $2 ($3)"
    new_method "$1" "$2"
    aws apigateway put-integration --rest-api-id "$api" --resource-id "$1" --http-method "$2" --type "$3" --integration-http-method POST \
        --uri "arn:aws:apigateway:$region:lambda:path/2015-03-31/functions/arn:aws:lambda:$region:$account:function:$4/invocations" >/dev/null
    [ "$3" = AWS ] || return 0
    aws apigateway put-method-response --rest-api-id "$api" --resource-id "$1" --http-method "$2" --status-code 200 >/dev/null
    aws apigateway put-integration-response --rest-api-id "$api" --resource-id "$1" --http-method "$2" --status-code 200 >/dev/null
}

# cors RESOURCE METHODS: the preflight, answered by a mock integration as the console makes it.
cors() {
    whole "$1" OPTIONS && return
    step "CORS preflight for $2"
    new_method "$1" OPTIONS
    aws apigateway put-integration --rest-api-id "$api" --resource-id "$1" --http-method OPTIONS --type MOCK \
        --request-templates '{"application/json":"{\"statusCode\": 200}"}' >/dev/null
    aws apigateway put-method-response --rest-api-id "$api" --resource-id "$1" --http-method OPTIONS --status-code 200 --response-parameters \
        'method.response.header.Access-Control-Allow-Origin=false,method.response.header.Access-Control-Allow-Headers=false,method.response.header.Access-Control-Allow-Methods=false' >/dev/null
    aws apigateway put-integration-response --rest-api-id "$api" --resource-id "$1" --http-method OPTIONS --status-code 200 --response-parameters \
        "{\"method.response.header.Access-Control-Allow-Origin\":\"'*'\",\"method.response.header.Access-Control-Allow-Headers\":\"'Content-Type,Authorization'\",\"method.response.header.Access-Control-Allow-Methods\":\"'$2'\"}" >/dev/null
}

# permit FUNCTION: the API of $api may invoke it.
permit() {
    aws lambda get-policy --function-name "$1" 2>/dev/null | grep -q "gateway-$api" && return
    aws lambda add-permission --function-name "$1" --statement-id "gateway-$api" --action lambda:InvokeFunction \
        --principal apigateway.amazonaws.com --source-arn "arn:aws:execute-api:$region:$account:$api/*/*" >/dev/null
}

# deployment STAGE: prints the URL of the stage.
deployment() {
    step "deployment to stage $1"
    aws apigateway create-deployment --rest-api-id "$api" --stage-name "$1" >/dev/null
    if [ -n "${AWS_ENDPOINT_URL:-}" ]; then
        echo "$AWS_ENDPOINT_URL/_aws/execute-api/$api/$1"
    else
        echo "https://$api.execute-api.$region.amazonaws.com/$1"
    fi
}
