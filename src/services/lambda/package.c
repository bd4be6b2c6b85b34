/* package.c -- deployment packages: checked before they are stored, unpacked when code.c needs them.
 * libarchive reads the zip by its central directory, as unzip does: a truncated package has none. Files, folders, and symbolic
 * links that are relative and lead nowhere outside; names relative, without "..", UTF-8, none longer than a file system takes.
 * Sizes are counted while unpacking, not believed from headers, so a bomb ends at the quota.
 *
 * The names make a tree of nodes, folders without an entry of their own included: a name of a kilobyte could stand for five
 * hundred of them, so they are counted too. A name is one thing: what is a file here and a folder there, or lies below a
 * link, is refused, and so nothing is ever written through a link. When all names are known, each link is followed as the kernel
 * would follow it, through other links, and may not climb above the package.
 *
 * Modes are the package's: a file that others may not read is none for the function, which is not its owner. ("AWS Lambda
 * requires global read permissions on code files", Lambda developer guide, "Creating a deployment package".) A zip that says
 * nothing of modes (made on Windows, or by a library) is readable by everyone. */
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
#define PACKAGE_NAME_BYTES_MAX 255 /* of one part of a path: NAME_MAX */
#define PATH_BYTES 4096
#define PIECE 65536
#define LINK_HOPS_MAX 40       /* the kernel's bound, behind which is ELOOP */
#define LINK_STEPS_MAX 5000000 /* of all links of a package together; no real one comes near */

static bool name_safe(const char *name)
{
    struct str rest = str_of(name);
    if (rest.n == 0 || rest.n > PACKAGE_PATH_BYTES_MAX || rest.p[0] == '/' || !utf8_valid(rest) || str_find(rest, '\\') < rest.n)
        return false;
    while (rest.n) {
        struct str part = str_cut(&rest, '/');
        if (part.n > PACKAGE_NAME_BYTES_MAX || str_eq(part, STR("..")))
            return false;
    }
    return true;
}

/* ---- the tree of names ---- */

enum node_type { NODE_FOLDER, NODE_FILE, NODE_LINK };

struct package_node {
    const struct package_node *parent; /* NULL: the package's own folder */
    enum node_type type;
    struct str target; /* of a link */
    struct package_node *next_link;
};

struct tree {
    struct arena *arena;
    struct map *nodes; /* by parent and name */
    struct package_node root, *links;
    size_t folders;
};

/* Of one part of a path; "" and "." are the folder itself. `key` holds what ret points at. */
static struct str node_key(const struct package_node *parent, struct str name, char key[sizeof parent + PACKAGE_NAME_BYTES_MAX])
{
    memcpy(key, &parent, sizeof parent);
    memcpy(key + sizeof parent, name.p, name.n);
    return (struct str){key, sizeof parent + name.n};
}

static struct package_node *find_node(const struct tree *tree, const struct package_node *parent, struct str name)
{
    char key[sizeof parent + PACKAGE_NAME_BYTES_MAX];
    return name.n > PACKAGE_NAME_BYTES_MAX ? NULL : map_get(tree->nodes, node_key(parent, name, key));
}

/* A part of an entry's path: found, or made. NULL: another kind of thing stands there, or there are too many. */
static struct package_node *enter_node(struct tree *tree, struct package_node *parent, struct str name, enum node_type type)
{
    char key[sizeof parent + PACKAGE_NAME_BYTES_MAX];
    struct package_node *node = find_node(tree, parent, name);
    if (node)
        return node->type == type && type != NODE_LINK ? node : NULL;
    if (type == NODE_FOLDER && ++tree->folders > LAMBDA_ENTRIES_MAX)
        return NULL;
    node = arena_new_of(tree->arena, struct package_node);
    node->parent = parent;
    node->type = type;
    map_put(tree->nodes, node_key(parent, name, key), node);
    return node;
}

static bool names_folder_itself(struct str part)
{
    return part.n == 0 || str_eq(part, STR("."));
}

static bool names_only_itself(const char *path)
{
    struct str rest = str_of(path);
    while (rest.n)
        if (!names_folder_itself(str_cut(&rest, '/')))
            return false;
    return true;
}

/* Puts an entry and the folders above it into the tree. False: it cannot stand there. */
static bool enter_path(struct tree *tree, const char *path, enum node_type type, struct str target)
{
    struct str rest = str_of(path), name = STR_NONE;
    struct package_node *parent = &tree->root;
    while (rest.n) {
        struct str part = str_cut(&rest, '/');
        if (names_folder_itself(part))
            continue;
        if (name.n && !(parent = enter_node(tree, parent, name, NODE_FOLDER)))
            return false;
        name = part;
    }
    if (name.n == 0)
        return type == NODE_FOLDER; /* "./" is the package's own folder */
    struct package_node *node = enter_node(tree, parent, name, type);
    if (node && type == NODE_LINK) {
        node->target = arena_dup(tree->arena, target);
        node->next_link = tree->links;
        tree->links = node;
    }
    return node != NULL;
}

/* Follows a link as the kernel does. False: it climbs out of the package, or the links of this one take too long. What is not
 * there, is a file in the middle, or turns in circles leads nowhere, and so not out. */
static bool link_stays_inside(const struct tree *tree, const struct package_node *link, size_t *steps)
{
    struct str todo[LINK_HOPS_MAX + 1] = {link->target};
    const struct package_node *at = link->parent;
    size_t depth = 1, hops = 0;
    while (depth) {
        struct str *rest = &todo[depth - 1];
        if (rest->n == 0) {
            depth--;
            continue;
        }
        struct str part = str_cut(rest, '/');
        if (++*steps > LINK_STEPS_MAX)
            return false;
        if (names_folder_itself(part))
            continue;
        if (str_eq(part, STR(".."))) {
            if (!(at = at->parent))
                return false;
            continue;
        }
        const struct package_node *next = find_node(tree, at, part);
        if (!next || next->type == NODE_FILE)
            return true;
        if (next->type == NODE_FOLDER)
            at = next;
        else if (++hops > LINK_HOPS_MAX)
            return true;
        else
            todo[depth++] = next->target;
    }
    return true;
}

static bool links_stay_inside(const struct tree *tree)
{
    size_t steps = 0;
    for (const struct package_node *link = tree->links; link; link = link->next_link)
        if (!link_stays_inside(tree, link, &steps))
            return false;
    return true;
}

static bool target_safe(struct str target)
{
    return target.n > 0 && target.n <= PACKAGE_PATH_BYTES_MAX && target.p[0] != '/' && utf8_valid(target);
}

/* ---- reading and writing ---- */

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

/* For a function that owns the files, as with a server that is no root, what others may is what it may. */
static mode_t file_mode(struct archive_entry *entry, bool function_owns)
{
    mode_t mode = archive_entry_perm(entry) & 0777;
    mode = mode ? mode : 0644;
    return function_owns ? (mode & ~(mode_t)0500) | (mode & 05) << 6 : mode;
}

/* The owner keeps a folder that it has to fill and to remove. */
static mode_t folder_mode(struct archive_entry *entry)
{
    mode_t mode = archive_entry_perm(entry) & 0777;
    return mode & 0444 ? mode | 0700 : 0755;
}

static bool write_folder(const char *path, size_t root_bytes, mode_t mode)
{
    char copy[PATH_BYTES];
    memcpy(copy, path, strlen(path) + 1);
    return (folder_make(path, 0755) || (errno == ENOENT && make_parents(copy, root_bytes) && folder_make(path, 0755))) &&
           chmod(path, mode) == 0;
}

static bool write_link(char *path, size_t root_bytes, const char *target)
{
    return symlink(target, path) == 0 || (errno == ENOENT && make_parents(path, root_bytes) && symlink(target, path) == 0);
}

static bool write_file(struct archive *a, char *path, size_t root_bytes, mode_t mode, struct unzipped *unzipped)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0 && errno == EACCES && unlink(path) == 0) /* a name that comes twice counts as its last */
        fd = open(path, flags, 0600);
    if (fd < 0 && errno == ENOENT && make_parents(path, root_bytes))
        fd = open(path, flags, 0600);
    if (fd < 0)
        return false;
    bool fine = copy_entry(a, fd, unzipped) && fchmod(fd, mode) == 0;
    return close(fd) == 0 && fine;
}

struct destination { /* where a package is unpacked; NULL: it is only checked */
    const char *root;
    bool function_owns;
};

static bool write_entry(struct archive *a, struct archive_entry *entry, const struct destination *to, struct unzipped *unzipped)
{
    char path[PATH_BYTES];
    size_t root_bytes = strlen(to->root);
    int n = snprintf(path, sizeof path, "%s/%s", to->root, archive_entry_pathname(entry));
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
        if (names_only_itself(archive_entry_pathname(entry)))
            return true; /* "./": its mode is of where it was packed */
        return write_folder(path, root_bytes, folder_mode(entry));
    case AE_IFLNK:
        return write_link(path, root_bytes, archive_entry_symlink(entry));
    default:
        return write_file(a, path, root_bytes, file_mode(entry, to->function_owns), unzipped);
    }
}

/* Into the tree, if it may stand there. */
static bool enter_entry(struct tree *tree, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry), *target = archive_entry_symlink(entry);
    if (!name || !name_safe(name) || archive_entry_hardlink(entry))
        return false;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return enter_path(tree, name, NODE_FILE, STR_NONE);
    case AE_IFDIR:
        return enter_path(tree, name, NODE_FOLDER, STR_NONE);
    case AE_IFLNK:
        return target && target_safe(str_of(target)) && enter_path(tree, name, NODE_LINK, str_of(target));
    default:
        return false;
    }
}

/* NULL, or what is wrong. */
static const char *walk(struct str zip, const struct destination *to, size_t unzipped_max)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    struct tree tree = {.arena = arena_new(), .nodes = map_new(2 * LAMBDA_ENTRIES_MAX + 1, NULL)};
    const char *wrong = NULL;
    struct unzipped unzipped = {.max = unzipped_max};
    size_t entries = 0, files = 0;
    int status = ARCHIVE_OK;

    archive_read_support_format_zip_seekable(a);
    if (zip.n < 4 || memcmp(zip.p, "PK", 2) != 0 || archive_read_open_memory(a, zip.p, zip.n) != ARCHIVE_OK)
        wrong = NOT_A_ZIP;
    while (!wrong && (status = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
        if (++entries > LAMBDA_ENTRIES_MAX || !enter_entry(&tree, entry))
            wrong = NOT_A_ZIP;
        else if (!(to ? write_entry(a, entry, to, &unzipped) : copy_entry(a, -1, &unzipped)))
            wrong = unzipped.bytes > unzipped.max ? TOO_LARGE : NOT_A_ZIP;
        files += !wrong && archive_entry_filetype(entry) == AE_IFREG;
    }
    if (!wrong && (status != ARCHIVE_EOF || !links_stay_inside(&tree)))
        wrong = NOT_A_ZIP;
    if (!wrong && files == 0)
        wrong = EMPTY;
    archive_read_free(a);
    map_free(tree.nodes);
    arena_free(tree.arena);
    return wrong;
}

const char *lambda__package_check(struct str zip, size_t unzipped_max)
{
    /* An archive without entries is its end record alone, which libarchive does not take for a zip. */
    return zip.n == 0 || str_starts(zip, STR("PK\005\006")) ? EMPTY : walk(zip, NULL, unzipped_max);
}

bool lambda__package_unpack(struct str zip, const char *dir, bool function_owns)
{
    return walk(zip, &(struct destination){dir, function_owns}, LAMBDA_UNZIPPED_BYTES_MAX) == NULL;
}
