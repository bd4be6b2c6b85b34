#!/bin/sh
# Deploys the operation router with the AWS CLI and prints the URL of its one resource. `deploy.sh c` deploys the one in C.
cd "$(dirname "$0")"
. ../deploy.sh

# error_answer STATUS PATTERN: that status answers a function's error whose whole message the pattern matches.
error_answer() {
    aws apigateway put-method-response --rest-api-id "$api" --resource-id "$resource" --http-method POST --status-code "$1" >/dev/null
    aws apigateway put-integration-response --rest-api-id "$api" --resource-id "$resource" --http-method POST --status-code "$1" \
        --selection-pattern "$2" >/dev/null
}

name=router$suffix
role router-role policy.json
table lambda-apigateway id
lambda router router-role
rest_api "$name"
resource "$root" DynamoDBManager /DynamoDBManager
method "$resource" POST AWS "$name"
# Python's runtime says the second of a number or a nesting that is too much for Python.
error_answer 400 '(?s)(Bad request|Unable to unmarshal input): .+'
error_answer 500 '(?s)(?!Bad request: |Unable to unmarshal input: ).+'
permit "$name"
url=$(deployment prod)
echo "$url/DynamoDBManager"
