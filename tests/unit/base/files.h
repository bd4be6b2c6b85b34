/* files.h -- what tests do with files: read a corpus whole, remove a directory with all in it. */
#ifndef CLOUDLESS_TESTS_UNIT_FILES_H
#define CLOUDLESS_TESTS_UNIT_FILES_H
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/arena.h"

#define FILES_BYTES_MAX (1u << 20)

static inline struct str files_read(const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing", path);
    char *bytes = arena_alloc(arena, FILES_BYTES_MAX);
    size_t n = fread(bytes, 1, FILES_BYTES_MAX, file);
    fclose(file);
    assert_true(n < FILES_BYTES_MAX);
    return (struct str){bytes, n};
}

static inline int files__remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static inline void files_remove_tree(const char *dir)
{
    assert_int_equal(nftw(dir, files__remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}
#endif
