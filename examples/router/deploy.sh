#!/bin/sh
# Deploys the operation router with the AWS CLI and prints the URL of its one resource.
cd "$(dirname "$0")"
. ../deploy.sh

role router-role policy.json
table router-items
function_py router router-role app.py
rest_api router
resource "$root" manager /manager
method "$resource" POST AWS router
permit router
echo "$(deployment prod)/manager"
