#!/bin/sh
# deploy.sh RUNTIME HANDLER: role, function, REST API and stage with the AWS CLI; prints the URL. It may be run again. With
# AWS's own endpoint and credentials it deploys there.
set -eu
cd "$(dirname "$0")"
name=@NAME@ runtime=$1 handler=$2
export AWS_PAGER=''
aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}
account=$(aws sts get-caller-identity --query Account --output text)
role=arn:aws:iam::$account:role/$name
function=arn:aws:lambda:$region:$account:function:$name

aws iam get-role --role-name "$name" >/dev/null 2>&1 || {
    aws iam create-role --role-name "$name" --assume-role-policy-document '{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' >/dev/null
    aws iam attach-role-policy --role-name "$name" --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
    [ -n "${AWS_ENDPOINT_URL:-}" ] || sleep 10      # AWS takes a while to know a new role
}
if aws lambda get-function --function-name "$name" >/dev/null 2>&1; then
    aws lambda update-function-code --function-name "$name" --zip-file fileb://function.zip >/dev/null
else
    aws lambda create-function --function-name "$name" --runtime "$runtime" --handler "$handler" --role "$role" \
        --zip-file fileb://function.zip >/dev/null
fi
aws lambda wait function-active --function-name "$name"

api=$(aws apigateway get-rest-apis --query "items[?name=='$name'].[id]" --output text | head -n 1)
if [ -z "$api" ]; then
    api=$(aws apigateway create-rest-api --name "$name" --query id --output text)
    root=$(aws apigateway get-resources --rest-api-id "$api" --query 'items[0].id' --output text)
    proxy=$(aws apigateway create-resource --rest-api-id "$api" --parent-id "$root" --path-part '{proxy+}' --query id --output text)
    for resource in "$root" "$proxy"; do
        aws apigateway put-method --rest-api-id "$api" --resource-id "$resource" --http-method ANY --authorization-type NONE >/dev/null
        aws apigateway put-integration --rest-api-id "$api" --resource-id "$resource" --http-method ANY --type AWS_PROXY \
            --integration-http-method POST --uri "arn:aws:apigateway:$region:lambda:path/2015-03-31/functions/$function/invocations" >/dev/null
    done
    aws lambda add-permission --function-name "$name" --statement-id "gateway-$api" --action lambda:InvokeFunction \
        --principal apigateway.amazonaws.com --source-arn "arn:aws:execute-api:$region:$account:$api/*/*" >/dev/null
    aws apigateway create-deployment --rest-api-id "$api" --stage-name prod >/dev/null
fi
if [ -n "${AWS_ENDPOINT_URL:-}" ]; then echo "$AWS_ENDPOINT_URL/_aws/execute-api/$api/prod"
else echo "https://$api.execute-api.$region.amazonaws.com/prod"; fi
