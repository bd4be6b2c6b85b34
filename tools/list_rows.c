/* list_rows.c -- prints the tables of operations of all services, for tools/compatibility.py:
 * SERVICE<tab>OPERATION<tab>refused members, separated by spaces. SERVICE is the name of the API's model. */
#include "call/service.h"
#include <stdio.h>

static void list_api(const struct service_api *api)
{
    for (size_t i = 0; i < api->row_count; i++) {
        const struct row *row = &api->rows[i];
        printf("%s\t%s\t", api->model->service, row->name);
        for (size_t k = 0; row->refused && row->refused[k]; k++)
            printf("%s%s", k ? " " : "", row->refused[k]);
        putchar('\n');
    }
}

int main(void)
{
    for (size_t i = 0; services_all[i]; i++) {
        for (size_t j = 0; services_all[i]->apis[j]; j++)
            list_api(services_all[i]->apis[j]);
    }
    return 0;
}
