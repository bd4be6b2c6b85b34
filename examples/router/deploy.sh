#!/bin/sh
# Deploys the operation router with the AWS CLI and prints the URL of its one resource. `deploy.sh c` deploys the one in C.
cd "$(dirname "$0")"
. ../deploy.sh

name=router$suffix
role router-role policy.json
table router-items id
lambda router router-role
rest_api "$name"
resource "$root" manager /manager
method "$resource" POST AWS "$name"
permit "$name"
echo "$(deployment prod)/manager"
