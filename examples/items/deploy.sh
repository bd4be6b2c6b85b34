#!/bin/sh
# Deploys the items with the AWS CLI and prints the URL of its stage. `deploy.sh c` deploys the one in C. JWT_SECRET (HS256) or
# JWT_JWKS (a key set's JSON) checks the tokens.
cd "$(dirname "$0")"
. ../deploy.sh

name=items$suffix
# As a JSON string. A key set may come in several lines: where JSON has line ends and tabs, it may have spaces.
if [ -n "${JWT_JWKS:-}" ]; then
    key=JWT_JWKS value=$(printf %s "$JWT_JWKS" | tr '\n\r\t' '   ')
else
    key=JWT_SECRET value=${JWT_SECRET:?JWT_SECRET or JWT_JWKS must be set}
fi
case $value in
    *[[:cntrl:]]*) echo "$key holds control characters" >&2; exit 2 ;;
esac
value=$(printf %s "$value" | sed 's/[\\"]/\\&/g')
role items-role policy.json
table items id
lambda items items-role "{\"Variables\":{\"TABLE_NAME\":\"items\",\"$key\":\"$value\"}}"
rest_api "$name"
resource "$root" items /items
collection=$resource
method "$collection" ANY AWS_PROXY "$name"
resource "$collection" '{id}' '/items/{id}'
method "$resource" ANY AWS_PROXY "$name"
permit "$name"
deployment prod
