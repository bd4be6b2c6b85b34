#!/bin/sh
# Deploys the todo list with the AWS CLI and prints the URL of its stage. `deploy.sh c` deploys the one in C.
cd "$(dirname "$0")"
. ../deploy.sh

name=todo$suffix
role todo-role policy.json
table todo-items id
lambda todo todo-role 'Variables={TABLE_NAME=todo-items}'
rest_api "$name"
method "$root" GET AWS_PROXY "$name"
resource "$root" todos /todos
collection=$resource
for m in GET POST; do method "$collection" "$m" AWS_PROXY "$name"; done
cors "$collection" GET,POST,OPTIONS
resource "$collection" '{id}' '/todos/{id}'
for m in GET PUT DELETE; do method "$resource" "$m" AWS_PROXY "$name"; done
cors "$resource" GET,PUT,DELETE,OPTIONS
permit "$name"
deployment prod
