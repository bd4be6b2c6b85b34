/* base.c -- names of results and the version. */
#include "cloudless/base.h"

const char *cl_result_name(cl_result result)
{
    static const char *const names[] = {"CL_OK", "CL_NO_MEMORY", "CL_INVALID", "CL_NOT_FOUND", "CL_REFUSED", "CL_UNREACHABLE",
                                        "CL_DEADLINE", "CL_CONFIG"};
    return (size_t)result < sizeof names / sizeof *names ? names[result] : "unknown";
}

const char *cl_version(void)
{
    return CLOUDLESS_VERSION;
}
