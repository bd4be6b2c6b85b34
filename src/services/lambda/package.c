/* package.c -- deployment packages: checked before they are stored, unpacked when code.c needs them.
 * libarchive reads the zip by its central directory, as unzip does: a truncated package has none. Only files and folders;
 * names relative, without "..", UTF-8, no links. Sizes are counted while unpacking, not believed from headers, so a bomb
 * ends at the quota. Folders are counted as well: a name of a kilobyte could stand for five hundred of them. */
#include "services/lambda/package.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/map.h"
#include "base/panic.h"
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
#define PACKAGE_PATH_BYTES_MAX 1024
#define PIECE 65536

static bool name_safe(const char *name)
{
    struct str rest = str_of(name);
    if (rest.n == 0 || rest.n > PACKAGE_PATH_BYTES_MAX || rest.p[0] == '/' || !utf8_valid(rest) || str_find(rest, '\\') < rest.n)
        return false;
    while (rest.n)
        if (str_eq(str_cut(&rest, '/'), STR("..")))
            return false;
    return true;
}

struct unzipped {
    uint64_t bytes, max;
};

/* One entry's content to fd (-1: counted only). False: damaged, or over the quota. */
static bool copy_entry(struct archive *a, int fd, struct unzipped *unzipped)
{
    static _Thread_local char piece[PIECE];
    for (;;) {
        la_ssize_t n = archive_read_data(a, piece, sizeof piece);
        if (n == 0)
            return true;
        if (n < 0)
            return false;
        unzipped->bytes += (uint64_t)n;
        if (unzipped->bytes > unzipped->max)
            return false;
        if (fd >= 0 && !file_write(fd, (struct str){piece, (size_t)n}))
            return false;
    }
}

/* The folders above a path below `root`: upward to the first that can be made (most often the last part's), and down again. */
static bool make_parents(char *path, size_t root_bytes)
{
    size_t end = strlen(path), at = end;
    for (;;) {
        while (at > root_bytes && path[at] != '/')
            at--;
        if (at <= root_bytes)
            return false;           /* root itself is gone */
        path[at] = '\0';
        if (folder_make(path, 0755))
            break;
        if (errno != ENOENT)
            return false;
    }
    for (; at < end; at += strlen(path + at)) {
        if (!folder_make(path, 0755))
            return false;
        path[at] = '/';
    }
    return true;
}

/* Writes one entry below root. Files are readable by everyone and executable when the package says so. */
static bool write_entry(struct archive *a, struct archive_entry *entry, const char *root, struct unzipped *unzipped)
{
    const char *name = archive_entry_pathname(entry);
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", root, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return folder_make(path, 0755) || (errno == ENOENT && make_parents(path, strlen(root)) && folder_make(path, 0755));
    mode_t mode = archive_entry_perm(entry) & 0111 ? 0755 : 0644;
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, fd = open(path, flags, mode);
    if (fd < 0 && errno == ENOENT && make_parents(path, strlen(root)))
        fd = open(path, flags, mode);
    if (fd < 0)
        return false;
    bool fine = copy_entry(a, fd, unzipped) && fchmod(fd, mode) == 0;
    return close(fd) == 0 && fine;
}

/* Counts each folder once, by its parent's number and its name. False: too many. */
static bool count_folders(struct map *folders, const char *name)
{
    struct str rest = str_of(name), part;
    uintptr_t parent = 0;
    while (part = str_cut(&rest, '/'), rest.p) {
        char key[sizeof parent + PACKAGE_PATH_BYTES_MAX];
        memcpy(key, &parent, sizeof parent);
        memcpy(key + sizeof parent, part.p, part.n);
        struct str id = {key, sizeof parent + part.n};
        parent = (uintptr_t)map_get(folders, id);
        if (parent)
            continue;
        if (map_count(folders) == LAMBDA_ENTRIES_MAX)
            return false;
        parent = map_count(folders) + 1;
        map_put(folders, id, (void *)parent);
    }
    return true;
}

/* Walks the zip; with root NULL only checks. NULL, or what is wrong. */
static const char *walk(struct str zip, const char *root, size_t unzipped_max)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    struct map *folders = map_new(LAMBDA_ENTRIES_MAX, NULL);
    const char *wrong = NULL;
    struct unzipped unzipped = {.max = unzipped_max};
    size_t entries = 0, files = 0;
    int status = ARCHIVE_OK;

    archive_read_support_format_zip_seekable(a);
    if (zip.n < 4 || memcmp(zip.p, "PK", 2) != 0 || archive_read_open_memory(a, zip.p, zip.n) != ARCHIVE_OK)
        wrong = NOT_A_ZIP;
    while (!wrong && (status = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        mode_t type = archive_entry_filetype(entry);
        if (!name || !name_safe(name) || (type != AE_IFREG && type != AE_IFDIR) || archive_entry_hardlink(entry) ||
            ++entries > LAMBDA_ENTRIES_MAX || !count_folders(folders, name))
            wrong = NOT_A_ZIP;
        else if (!(root ? write_entry(a, entry, root, &unzipped) : copy_entry(a, -1, &unzipped)))
            wrong = unzipped.bytes > unzipped.max ? TOO_LARGE : NOT_A_ZIP;
        files += type == AE_IFREG;
    }
    if (!wrong && status != ARCHIVE_EOF)
        wrong = NOT_A_ZIP;
    if (!wrong && files == 0)
        wrong = EMPTY;
    archive_read_free(a);
    map_free(folders);
    return wrong;
}

const char *lambda__package_check(struct str zip, size_t unzipped_max)
{
    /* An archive without entries is its end record alone, which libarchive does not take for a zip. */
    return zip.n == 0 || str_starts(zip, STR("PK\005\006")) ? EMPTY : walk(zip, NULL, unzipped_max);
}

bool lambda__package_unpack(struct str zip, const char *dir)
{
    return walk(zip, dir, LAMBDA_UNZIPPED_BYTES_MAX) == NULL;
}
