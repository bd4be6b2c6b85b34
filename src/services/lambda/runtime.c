/* runtime.c -- which interpreter serves which runtime. Python's are looked for in the --runtime flags, on PATH, in pyenv's
 * and in uv's folders, in this order; the first that is executable is taken, once a process. A runtime also needs its
 * tree (interface client and SDK) under the runtimes folder. Inside a sandbox an interpreter below /usr stands where it
 * stands outside; any other prefix is mounted at /var/lang. */
#include "base/panic.h"
#include "services/lambda/function.h"
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROVIDED "provided.al2023"

static const char *const pythons[] = {"python3.9", "python3.10", "python3.11", "python3.12", "python3.13"};

static bool executable(const char *path)
{
    return access(path, X_OK) == 0;
}

static const char *from_flags(const char *name, const char *const *flags, struct arena *arena)
{
    for (; flags && *flags; flags++)
        if (str_starts(str_of(*flags), str_of(name)) && (*flags)[strlen(name)] == '=')
            return arena_cstr(arena, str_of(*flags + strlen(name) + 1));
    return NULL;
}

static const char *from_path(const char *name, struct arena *arena)
{
    struct str rest = str_of(getenv("PATH"));
    while (rest.n) {
        struct str dir = str_cut(&rest, ':');
        const char *path = arena_printf(arena, STR_FMT "/%s", STR_ARG(dir), name).p;
        /* pyenv's shims are scripts that start another interpreter. */
        if (dir.n && dir.p[0] == '/' && !memmem(dir.p, dir.n, "/shims", 6) && executable(path))
            return path;
    }
    return NULL;
}

static const char *from_glob(const char *pattern, struct arena *arena)
{
    glob_t found;
    const char *newest = NULL;
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (executable(found.gl_pathv[i]) && (!newest || strverscmp(found.gl_pathv[i], newest) > 0))
            newest = found.gl_pathv[i];
    newest = newest ? arena_cstr(arena, str_of(newest)) : NULL;
    globfree(&found);
    return newest;
}

/* Real path of the interpreter, or NULL. */
static const char *find_python(const char *name, const char *const *flags, struct arena *arena)
{
    const char *home = getenv("HOME"), *version = name + strlen("python"), *path = from_flags(name, flags, arena);
    char real[PATH_MAX];

    path = path ? path : from_path(name, arena);
    if (!path && home)
        path = from_glob(arena_printf(arena, "%s/.pyenv/versions/%s.*/bin/%s", home, version, name).p, arena);
    if (!path && home)
        path = from_glob(arena_printf(arena, "%s/.local/share/uv/python/cpython-%s.*/bin/%s", home, version, name).p, arena);
    if (!path || !realpath(path, real))
        return NULL;
    return arena_cstr(arena, str_of(real));
}

static bool is_python(struct str runtime, const char **ret)
{
    for (size_t i = 0; i < COUNT_OF(pythons); i++)
        if (str_eq(runtime, str_of(pythons[i]))) {
            *ret = pythons[i];
            return true;
        }
    return false;
}

const char *lambda_runtime_flag_wrong(const char *flag)
{
    struct str path = str_of(flag), runtime = str_cut(&path, '=');
    const char *name;
    if (!path.n || path.p[0] != '/')
        return "it should be like python3.13=/usr/bin/python3.13";
    if (!is_python(runtime, &name))
        return "the runtimes with an interpreter are python3.9, python3.10, python3.11, python3.12 and python3.13";
    return executable(path.p) ? NULL : "there is no program of that path";
}

bool lambda__runtime_known(struct str runtime)
{
    const char *name;
    return str_eq(runtime, STR(PROVIDED)) || is_python(runtime, &name);
}

/* PREFIX of PREFIX/bin/python3.X. */
static const char *prefix_of(const char *path, struct arena *arena)
{
    struct str s = str_of(path);
    for (int i = 0; i < 2; i++)
        while (s.n && s.p[--s.n] != '/')
            ;
    return arena_cstr(arena, s);
}

static enum err find(const char *name, const char *runtimes_dir, const char *const *flags, struct arena *arena, struct lambda__interpreter *ret,
                     const char **ret_path, struct str *ret_remedy)
{
    const char *path = find_python(name, flags, arena);
    if (!path) {
        *ret_remedy = arena_printf(arena, "%s was not found on PATH, nor in pyenv's or uv's folders; install it (Debian 12 has python3.11, `uv python install %s` "
                                   "the others) or name it with --runtime %s=/path", name, name + strlen("python"), name);
        return ERR_NOT_FOUND;
    }
    const char *tree = arena_printf(arena, "%s/%s", runtimes_dir, name).p, *prefix = prefix_of(path, arena);
    if (!executable(arena_printf(arena, "%s/bootstrap.py", tree).p) && access(arena_printf(arena, "%s/bootstrap.py", tree).p, R_OK) != 0) {
        *ret_remedy = arena_printf(arena, "%s is there (%s), its runtime tree %s is not; `make runtimes` builds it", name, path, tree);
        return ERR_NOT_FOUND;
    }
    bool system = strcmp(prefix, "/usr") == 0;
    *ret_path = path;
    *ret = (struct lambda__interpreter){
        .argv = {system ? path : arena_printf(arena, "/var/lang/bin/%s", name).p, "/var/runtime/bootstrap.py"},
        .lang_dir = system ? NULL : prefix, .runtime_dir = tree,
    };
    return ERR_OK;
}

enum err lambda__interpreter_find(struct str runtime, struct arena *arena, struct lambda__interpreter *ret, struct str *ret_remedy)
{
    const struct lambda_options *o = lambda__options();
    const char *name, *path;
    if (str_eq(runtime, STR(PROVIDED))) {
        *ret = (struct lambda__interpreter){.argv = {"/var/task/bootstrap"}};
        return ERR_OK;
    }
    if (!is_python(runtime, &name))
        return ERR_UNSUPPORTED;
    return find(name, o->runtimes_dir, o->runtime_flags, arena, ret, &path, ret_remedy);
}

size_t lambda_runtimes(const char *runtimes_dir, const char *const *flags, struct arena *arena, struct lambda_runtime **ret)
{
    struct lambda_runtime *list = arena_array(arena, struct lambda_runtime, COUNT_OF(pythons) + 1);
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(pythons); i++) {
        struct lambda__interpreter interpreter;
        struct lambda_runtime *r = &list[count++];
        const char *path;
        r->name = pythons[i];
        r->available = find(pythons[i], runtimes_dir, flags, arena, &interpreter, &path, &r->remedy) == ERR_OK;
        if (r->available)
            r->path = str_of(path);
    }
    list[count++] = (struct lambda_runtime){.name = PROVIDED, .available = true, .path = STR("the package's own executable, bootstrap")};
    *ret = list;
    return count;
}
