/* file.c -- see file.h. A regular file takes less than it was given only when the disk is full or a signal came; the next
 * write tells which. */
#include "base/file.h"
#include <errno.h>
#include <unistd.h>

bool file_write(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = str_slice(bytes, (size_t)n, bytes.n);
    }
    return true;
}
