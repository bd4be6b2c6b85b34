#!/bin/sh
# deploy.sh RUNTIME HANDLER: role, function, REST API and stage with the AWS CLI; prints the URL. It may be run again: it
# finishes what an earlier run began. With AWS's own endpoint and credentials it deploys there.
set -eu
cd "$(dirname "$0")"
name=@NAME@ runtime=$1 handler=$2
export AWS_PAGER=''
aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || echo us-east-1)}}
export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
account=$(aws sts get-caller-identity --query Account --output text)
function=arn:aws:lambda:$region:$account:function:$name

aws iam get-role --role-name "$name" >/dev/null 2>&1 ||
    aws iam create-role --role-name "$name" --assume-role-policy-document '{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' >/dev/null
aws iam attach-role-policy --role-name "$name" --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole

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
set -- --function-name "$name" --runtime "$runtime" --handler "$handler" --role "arn:aws:iam::$account:role/$name"
if aws lambda get-function --function-name "$name" >/dev/null 2>&1; then
    aws lambda update-function-code --function-name "$name" --zip-file fileb://function.zip >/dev/null
    aws lambda wait function-updated --function-name "$name"
    aws lambda update-function-configuration "$@" >/dev/null
    aws lambda wait function-updated --function-name "$name"
else
    create_function "$@" --zip-file fileb://function.zip
    aws lambda wait function-active --function-name "$name"
fi

api=$(aws apigateway get-rest-apis --query "items[?name=='$name'].[id]" --output text | head -n 1)
[ -n "$api" ] || api=$(aws apigateway create-rest-api --name "$name" --query id --output text)
resource() { aws apigateway get-resources --rest-api-id "$api" --query "items[?path=='$1'].[id]" --output text; }
root=$(resource /) proxy=$(resource '/{proxy+}')
[ -n "$proxy" ] || proxy=$(aws apigateway create-resource --rest-api-id "$api" --parent-id "$root" --path-part '{proxy+}' --query id --output text)
for resource in "$root" "$proxy"; do
    set -- --rest-api-id "$api" --resource-id "$resource" --http-method ANY
    aws apigateway get-method "$@" >/dev/null 2>&1 || aws apigateway put-method "$@" --authorization-type NONE >/dev/null
    aws apigateway put-integration "$@" --type AWS_PROXY --integration-http-method POST \
        --uri "arn:aws:apigateway:$region:lambda:path/2015-03-31/functions/$function/invocations" >/dev/null
done
aws lambda get-policy --function-name "$name" 2>/dev/null | grep -q "gateway-$api" ||
    aws lambda add-permission --function-name "$name" --statement-id "gateway-$api" --action lambda:InvokeFunction \
        --principal apigateway.amazonaws.com --source-arn "arn:aws:execute-api:$region:$account:$api/*/*" >/dev/null
aws apigateway create-deployment --rest-api-id "$api" --stage-name prod >/dev/null
if [ -n "${AWS_ENDPOINT_URL:-}" ]; then echo "$AWS_ENDPOINT_URL/_aws/execute-api/$api/prod"
else echo "https://$api.execute-api.$region.amazonaws.com/prod"; fi
