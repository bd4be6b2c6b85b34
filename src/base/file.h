/* file.h -- small things done with files the same way everywhere: whole writes, folders with their parents, locks. */
#ifndef CLOUDLESS_BASE_FILE_H
#define CLOUDLESS_BASE_FILE_H
#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>
#include <sys/types.h>

/* All bytes, through interruptions and short writes. False: some are missing; errno says why, unless nothing was taken. */
bool file_write(int fd, struct str bytes);

/* The folder is there or was made. False: errno says why. */
bool folder_make(const char *path, mode_t mode);
/* The same with the folders above it, which get `parents`. Paths of PATH_MAX and more are refused (ENAMETOOLONG). */
bool folder_make_all(const char *path, mode_t parents, mode_t mode);

/* Opens the file, making it (0600), and takes its lock (flock), which ends with the descriptor or the process, however that
 * ends. ERR_BUSY: another process holds it; ERR_IO: errno says why. *ret_fd untouched then. */
enum err file_lock(const char *path, int *ret_fd);
#endif
