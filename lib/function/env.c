/* env.c -- what a function is configured by: environment variables and files of its package. */
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((off_t)1 << 20)

cl_result cl_env(const char *name, cl_str *ret, cl_str *message)
{
    const char *value = getenv(name);
    if (!value || !*value) {
        if (message)
            *message = cl__sentence("environment variable %s is missing", name);
        return CL_CONFIG;
    }
    *ret = cl_str_of(value);
    return CL_OK;
}

/* n bytes of fd; fewer when the file became shorter meanwhile. -1: an error. */
static ssize_t read_all(int fd, char *to, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t more = read(fd, to + got, n - got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return -1;
        if (more == 0)
            break;
        got += (size_t)more;
    }
    return (ssize_t)got;
}

cl_result cl_read_file(const char *name, cl_str *ret, cl_str *message)
{
    const char *root = getenv("LAMBDA_TASK_ROOT"), *why = NULL;
    char path[PATH_MAX];
    struct stat about;
    char *bytes = NULL;
    ssize_t n = 0;
    int written = snprintf(path, sizeof path, "%s/%s", root && *root ? root : ".", name);
    int fd = written < 0 || (size_t)written >= sizeof path ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    cl_result result = CL_CONFIG;
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        why = "cannot be opened";
    } else if (about.st_size > FILE_MAX) {
        why = "is larger than 1 MiB";
    } else if (!(bytes = cl__malloc((size_t)about.st_size + 1))) {
        why = "does not fit in memory";
        result = CL_NO_MEMORY;
    } else if ((n = read_all(fd, bytes, (size_t)about.st_size)) < 0) {
        why = "cannot be read";
        free(bytes);
    }
    if (fd >= 0)
        close(fd);
    if (!why) {
        bytes[n] = 0;
        *ret = (cl_str){bytes, (size_t)n};
        return CL_OK;
    }
    if (message)
        *message = cl__sentence("file %s of the package %s", name, why);
    return result;
}
