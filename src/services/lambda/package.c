/* package.c -- deployment packages: checked before they are stored, unpacked when code.c needs them.
 * libarchive reads the zip by its central directory, as unzip does: a truncated package has none. Only files and folders;
 * names relative, without "..", UTF-8, no links. Sizes are counted while unpacking, not believed from headers, so a bomb
 * ends at the quota. */
#include "base/codec.h"
#include "base/panic.h"
#include "services/lambda/function.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_A_ZIP "Could not unzip uploaded file. Please check your file, then try to upload again."
#define TOO_LARGE "Unzipped size must be smaller than 262144000 bytes"
#define EMPTY "Uploaded file must be a non-empty zip"
#define PATH_BYTES_MAX 1024
#define PIECE 65536

static bool name_safe(const char *name)
{
    struct str rest = str_of(name);
    if (rest.n == 0 || rest.n > PATH_BYTES_MAX || rest.p[0] == '/' || !utf8_valid(rest) || str_find(rest, '\\') < rest.n)
        return false;
    while (rest.n)
        if (str_eq(str_cut(&rest, '/'), STR("..")))
            return false;
    return true;
}

/* One entry's content to fd (-1: counted only). False: damaged, or over the quota. */
static bool copy_entry(struct archive *a, int fd, uint64_t *total)
{
    static _Thread_local char piece[PIECE];
    for (;;) {
        la_ssize_t n = archive_read_data(a, piece, sizeof piece);
        if (n == 0)
            return true;
        if (n < 0)
            return false;
        *total += (uint64_t)n;
        if (*total > LAMBDA_UNZIPPED_BYTES_MAX)
            return false;
        for (la_ssize_t done = 0; fd >= 0 && done < n;) {
            ssize_t w = write(fd, piece + done, (size_t)(n - done));
            if (w < 0 && errno != EINTR)
                return false;
            done += w > 0 ? w : 0;
        }
    }
}

static bool make_parents(const char *root, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", root, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    for (char *p = path + strlen(root) + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return false;
        *p = '/';
    }
    return true;
}

/* Writes one entry below root. Files are readable by everyone and executable when the package says so. */
static bool write_entry(struct archive *a, struct archive_entry *entry, const char *root, uint64_t *total)
{
    const char *name = archive_entry_pathname(entry);
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", root, name);
    if (n < 0 || (size_t)n >= sizeof path || !make_parents(root, name))
        return false;
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return mkdir(path, 0755) == 0 || errno == EEXIST;
    mode_t mode = archive_entry_perm(entry) & 0111 ? 0755 : 0644;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    bool fine = copy_entry(a, fd, total) && fchmod(fd, mode) == 0;
    return close(fd) == 0 && fine;
}

/* Walks the zip; with root NULL only checks. NULL, or what is wrong. */
static const char *walk(struct str zip, const char *root)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    const char *wrong = NULL;
    uint64_t total = 0;
    size_t entries = 0, files = 0;
    int status = ARCHIVE_OK;

    archive_read_support_format_zip_seekable(a);
    if (zip.n < 4 || memcmp(zip.p, "PK", 2) != 0 || archive_read_open_memory(a, zip.p, zip.n) != ARCHIVE_OK)
        wrong = NOT_A_ZIP;
    while (!wrong && (status = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        mode_t type = archive_entry_filetype(entry);
        if (!name || !name_safe(name) || (type != AE_IFREG && type != AE_IFDIR) || archive_entry_hardlink(entry) || ++entries > LAMBDA_ENTRIES_MAX)
            wrong = NOT_A_ZIP;
        else if (!(root ? write_entry(a, entry, root, &total) : copy_entry(a, -1, &total)))
            wrong = total > LAMBDA_UNZIPPED_BYTES_MAX ? TOO_LARGE : NOT_A_ZIP;
        files += type == AE_IFREG;
    }
    if (!wrong && status != ARCHIVE_EOF)
        wrong = NOT_A_ZIP;
    if (!wrong && files == 0)
        wrong = EMPTY;
    archive_read_free(a);
    return wrong;
}

const char *lambda__package_check(struct str zip)
{
    /* An archive without entries is its end record alone, which libarchive does not take for a zip. */
    return zip.n == 0 || str_starts(zip, STR("PK\005\006")) ? EMPTY : walk(zip, NULL);
}

bool lambda__package_unpack(struct str zip, const char *dir)
{
    return walk(zip, dir) == NULL;
}
