/* file.h -- whole writes to descriptors that block. */
#ifndef CLOUDLESS_BASE_FILE_H
#define CLOUDLESS_BASE_FILE_H
#include "base/str.h"
#include <stdbool.h>

/* All bytes, through interruptions and short writes. False: some are missing; errno says why, unless nothing was taken. */
bool file_write(int fd, struct str bytes);
#endif
