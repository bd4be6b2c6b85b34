/* list_rows.c -- prints the tables of operations of all services, for tools/compatibility.py:
 * SERVICE<tab>OPERATION<tab>refused members, separated by spaces. */
#include "services/apigateway/apigateway.h"
#include "services/dynamodb/dynamodb.h"
#include "services/iam/iam.h"
#include "services/lambda/lambda.h"
#include "services/logs/logs.h"
#include "services/sts/sts.h"
#include <stdio.h>

int main(void)
{
    const struct service_api *const apis[] = {&apigateway_api, &dynamodb_api, &iam_api, &lambda_api, &logs_api, &sts_api};
    for (size_t i = 0; i < COUNT_OF(apis); i++)
        for (size_t j = 0; j < apis[i]->row_count; j++) {
            const struct row *row = &apis[i]->rows[j];
            printf("%s\t%s\t", apis[i]->model->service, row->name);
            for (size_t k = 0; row->refused && row->refused[k]; k++)
                printf("%s%s", k ? " " : "", row->refused[k]);
            putchar('\n');
        }
    return 0;
}
