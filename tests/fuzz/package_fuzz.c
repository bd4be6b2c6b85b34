/* package_fuzz.c -- any bytes as a deployment package: checked without a crash, a leak or a limitless loop; the same twice. */
#include "services/lambda/package.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str zip = {(const char *)data, size};
    const char *first = lambda__package_check(zip, LAMBDA_UNZIPPED_BYTES_MAX);
    const char *second = lambda__package_check(zip, LAMBDA_UNZIPPED_BYTES_MAX);
    assert(first == second);
    return 0;
}
