#!/bin/sh
# Deploys the purchase orders with the AWS CLI and prints the URL of its stage. `deploy.sh c` deploys the one in C.
cd "$(dirname "$0")"
. ../deploy.sh

name=orders$suffix
role orders-role policy.json
table purchase_order order_number
lambda orders orders-role 'Variables={TABLE_NAME=purchase_order}'
rest_api "$name"
resource "$root" '{proxy+}' '/{proxy+}'
method "$resource" ANY AWS_PROXY "$name"
permit "$name"
deployment prod
