/* package_fuzz.c -- any bytes as a deployment package: checked without a crash, a leak or a limitless loop; the same twice; and
 * what passes the check is unpacked, into its folder and nowhere else. */
#include "services/lambda/package.h"
#include <assert.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNZIPPED_MAX (1u << 20)

/* Removes what was unpacked: each link leads to something below `dir`, or to nothing. */
static void check_and_remove(const char *dir)
{
    FTS *walk = fts_open((char *const[]){(char *)dir, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    char root[4096], to[4096];
    assert(walk && realpath(dir, root));
    for (const FTSENT *entry; (entry = fts_read(walk));) {
        if ((entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE) && realpath(entry->fts_path, to))
            assert(strncmp(to, root, strlen(root)) == 0 && (to[strlen(root)] == '/' || to[strlen(root)] == '\0'));
    }
    fts_close(walk);
    walk = fts_open((char *const[]){(char *)dir, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (const FTSENT *entry; (entry = fts_read(walk));)
        if (entry->fts_info != FTS_D)
            assert(remove(entry->fts_path) == 0);
    fts_close(walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str zip = {(const char *)data, size};
    const char *first = lambda__package_check(zip, UNZIPPED_MAX);
    const char *second = lambda__package_check(zip, UNZIPPED_MAX);
    char dir[] = "/tmp/package-fuzz-XXXXXX";
    assert(first == second);
    if (!first) {
        assert(mkdtemp(dir));
        assert(lambda__package_unpack(zip, dir, size % 2));
        check_and_remove(dir);
    }
    return 0;
}
