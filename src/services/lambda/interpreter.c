/* interpreter.c -- which interpreter serves which runtime. Python's are looked for in the --runtime flags, on PATH, in pyenv's
 * and in uv's folders, in this order; the first that is executable is taken. A runtime also needs its tree (interface client
 * and SDK) under the runtimes folder. Inside a sandbox an interpreter below /usr stands where it stands outside; any other
 * prefix is mounted at /var/lang.
 * The search is made once: what it found serves every later start, after one look whether the program is still there. `lock`
 * guards what was found, and is held while folders are searched: they are local, and who comes meanwhile wants the same. */
#include "services/lambda/interpreter.h"
#include "base/panic.h"
#include "services/lambda/lambda.h"
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROVIDED "provided.al2023"

static const char *const pythons[] = {"python3.9", "python3.10", "python3.11", "python3.12", "python3.13"};

static bool is_executable(const char *path)
{
    return access(path, X_OK) == 0;
}

static const char *python_of_flags(const char *name, const char *const *flags, struct arena *arena)
{
    for (; flags && *flags; flags++)
        if (str_starts(str_of(*flags), str_of(name)) && (*flags)[strlen(name)] == '=')
            return arena_cstr(arena, str_of(*flags + strlen(name) + 1));
    return NULL;
}

static const char *python_on_path(const char *name, struct arena *arena)
{
    struct str rest = str_of(getenv("PATH"));
    while (rest.n) {
        struct str dir = str_cut(&rest, ':');
        const char *path = arena_printf(arena, STR_FMT "/%s", STR_ARG(dir), name).p;
        /* pyenv's shims are scripts that start another interpreter. */
        if (dir.n && dir.p[0] == '/' && !memmem(dir.p, dir.n, "/shims", 6) && is_executable(path))
            return path;
    }
    return NULL;
}

static const char *python_of_glob(const char *pattern, struct arena *arena)
{
    glob_t found;
    const char *newest = NULL;
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (is_executable(found.gl_pathv[i]) && (!newest || strverscmp(found.gl_pathv[i], newest) > 0))
            newest = found.gl_pathv[i];
    newest = newest ? arena_cstr(arena, str_of(newest)) : NULL;
    globfree(&found);
    return newest;
}

/* Real path of the interpreter, or NULL. */
static const char *find_python(const char *name, const char *const *flags, struct arena *arena)
{
    const char *home = getenv("HOME"), *version = name + strlen("python"), *path = python_of_flags(name, flags, arena);
    char real[PATH_MAX];

    path = path ? path : python_on_path(name, arena);
    if (!path && home)
        path = python_of_glob(arena_printf(arena, "%s/.pyenv/versions/%s.*/bin/%s", home, version, name).p, arena);
    if (!path && home)
        path = python_of_glob(arena_printf(arena, "%s/.local/share/uv/python/cpython-%s.*/bin/%s", home, version, name).p, arena);
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
    return is_executable(path.p) ? NULL : "there is no program of that path";
}

bool lambda__runtime_known(struct str runtime)
{
    const char *name;
    return str_eq(runtime, STR(PROVIDED)) || is_python(runtime, &name);
}

/* PREFIX of PREFIX/bin/python3.X. */
static const char *interpreter_prefix(const char *path, struct arena *arena)
{
    struct str s = str_of(path);
    for (int i = 0; i < 2; i++)
        while (s.n && s.p[--s.n] != '/')
            ;
    return arena_cstr(arena, s);
}

static enum err find_runtime(const char *name, const char *runtimes_dir, const char *const *flags, struct arena *arena,
                             struct lambda__interpreter *ret, const char **ret_path, struct str *ret_remedy)
{
    const char *path = find_python(name, flags, arena);
    if (!path) {
        *ret_remedy = arena_printf(arena,
                                   "%s was not found on PATH, nor in pyenv's or uv's folders; install it (Debian 12 has "
                                   "python3.11, `uv python install %s` "
                                   "the others) or name it with --runtime %s=/path",
                                   name, name + strlen("python"), name);
        return ERR_NOT_FOUND;
    }
    const char *tree = arena_printf(arena, "%s/%s", runtimes_dir, name).p, *prefix = interpreter_prefix(path, arena);
    if (!is_executable(arena_printf(arena, "%s/bootstrap.py", tree).p) &&
        access(arena_printf(arena, "%s/bootstrap.py", tree).p, R_OK) != 0) {
        *ret_remedy =
            arena_printf(arena, "%s is there (%s), its runtime tree %s is not; `make runtimes` builds it", name, path, tree);
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

struct found_interpreter {
    struct arena *arena;                    /* NULL: not found yet */
    const char *path;
    struct lambda__interpreter interpreter;
};

struct lambda__interpreters {
    const char *runtimes_dir;
    const char *const *flags;
    pthread_mutex_t lock;
    struct found_interpreter found[COUNT_OF(pythons)];
    size_t searches;
};

struct lambda__interpreters *lambda__interpreters_new(const char *runtimes_dir, const char *const *flags)
{
    struct lambda__interpreters *interpreters = mem_zalloc(sizeof *interpreters);
    interpreters->runtimes_dir = runtimes_dir;
    interpreters->flags = flags;
    pthread_mutex_init(&interpreters->lock, NULL);
    return interpreters;
}

void lambda__interpreters_free(struct lambda__interpreters *interpreters)
{
    if (!interpreters)
        return;
    for (size_t i = 0; i < COUNT_OF(pythons); i++)
        arena_free(interpreters->found[i].arena);
    pthread_mutex_destroy(&interpreters->lock);
    free(interpreters);
}

static const char *dup_path(struct arena *arena, const char *path)
{
    return path ? arena_cstr(arena, str_of(path)) : NULL;
}

/* Under the lock. */
static enum err find_kept(struct lambda__interpreters *all, size_t at, struct arena *arena, struct lambda__interpreter *ret,
                          struct str *ret_remedy)
{
    struct found_interpreter *kept = &all->found[at];
    if (!kept->arena || !is_executable(kept->path)) {
        struct found_interpreter found = {.arena = arena_new()};
        struct str remedy = STR_NONE;
        all->searches++;
        enum err err =
            find_runtime(pythons[at], all->runtimes_dir, all->flags, found.arena, &found.interpreter, &found.path, &remedy);
        if (err != ERR_OK) {
            *ret_remedy = arena_dup(arena, remedy);
            arena_free(found.arena);
            return err;
        }
        arena_free(kept->arena);
        *kept = found;
    }
    const struct lambda__interpreter *i = &kept->interpreter;
    *ret = (struct lambda__interpreter){.argv = {dup_path(arena, i->argv[0]), dup_path(arena, i->argv[1])},
                                        .lang_dir = dup_path(arena, i->lang_dir),
                                        .runtime_dir = dup_path(arena, i->runtime_dir)};
    return ERR_OK;
}

enum err lambda__interpreter_find(struct lambda__interpreters *interpreters, struct str runtime, struct arena *arena,
                                  struct lambda__interpreter *ret, struct str *ret_remedy)
{
    size_t at = 0;
    if (str_eq(runtime, STR(PROVIDED))) {
        *ret = (struct lambda__interpreter){.argv = {"/var/task/bootstrap"}};
        return ERR_OK;
    }
    while (at < COUNT_OF(pythons) && !str_eq(runtime, str_of(pythons[at])))
        at++;
    if (at == COUNT_OF(pythons))
        return ERR_UNSUPPORTED;
    pthread_mutex_lock(&interpreters->lock);
    enum err err = find_kept(interpreters, at, arena, ret, ret_remedy);
    pthread_mutex_unlock(&interpreters->lock);
    return err;
}

size_t lambda__interpreter_searches(struct lambda__interpreters *interpreters)
{
    pthread_mutex_lock(&interpreters->lock);
    size_t searches = interpreters->searches;
    pthread_mutex_unlock(&interpreters->lock);
    return searches;
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
        r->available = find_runtime(pythons[i], runtimes_dir, flags, arena, &interpreter, &path, &r->remedy) == ERR_OK;
        if (r->available)
            r->path = str_of(path);
    }
    list[count++] =
        (struct lambda_runtime){.name = PROVIDED, .available = true, .path = STR("the package's own executable, bootstrap")};
    *ret = list;
    return count;
}
