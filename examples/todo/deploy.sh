#!/bin/sh
# Deploys the todo API with the AWS CLI and prints the URL of its collection.
cd "$(dirname "$0")"
. ../deploy.sh

role todo-role policy.json
table todo-items
function_py todo todo-role app.py 'Variables={TABLE_NAME=todo-items}'
rest_api todo
resource "$root" todos /todos
collection=$resource
for m in GET POST; do method "$collection" "$m" AWS_PROXY todo; done
cors "$collection" GET,POST,OPTIONS
resource "$collection" '{id}' '/todos/{id}'
for m in GET PUT DELETE; do method "$resource" "$m" AWS_PROXY todo; done
cors "$resource" GET,PUT,DELETE,OPTIONS
permit todo
echo "$(deployment prod)/todos"
