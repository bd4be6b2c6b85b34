/* command_trust.c -- `cloudless trust`: the authority of the data directory into the system's store of trusted ones, and out
 * of it again. What each distribution calls that store is a row of `stores`; the first that is there is used. The file's name
 * is made from the certificate, so that several data directories do not take each other's out. */
#include "base/file.h"
#include "base/hash.h"
#include "main/command.h"
#include "main/datadir.h"
#include "main/https.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct trust_store {
    const char *dir;
    const char *end;            /* of a file's name there */
    const char *update[3];      /* makes the system read the folder; NULL-terminated */
} stores[] = {
    {"/usr/local/share/ca-certificates", ".crt", {"update-ca-certificates", NULL}},         /* Debian, Alpine */
    {"/etc/pki/ca-trust/source/anchors", ".pem", {"update-ca-trust", "extract", NULL}},     /* Fedora */
    {"/etc/ca-certificates/trust-source/anchors", ".pem", {"update-ca-trust", "extract", NULL}},    /* Arch */
    {"/etc/pki/trust/anchors", ".pem", {"update-ca-certificates", NULL}},                   /* openSUSE */
};

static const struct trust_store *trust_store_here(void)
{
    for (size_t i = 0; i < COUNT_OF(stores); i++)
        if (access(stores[i].dir, F_OK) == 0)
            return &stores[i];
    return NULL;
}

static bool trust_update(const struct trust_store *store)
{
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(store->update[0], (char **)(uintptr_t)store->update);
        _exit(127);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool trust_put(const char *path, struct str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool fine = fd >= 0 && file_write(fd, text) && fchmod(fd, 0644) == 0;
    return (fd < 0 || close(fd) == 0) && fine;
}

static int trust_failed(const struct options *options, const char *what, const char *path)
{
    bool may_not = errno == EACCES || errno == EPERM;
    fprintf(stderr, "cloudless: %s cannot be %s: %s\n", path, what, strerror(errno));
    if (may_not)
        fprintf(stderr, "The system's store belongs to root: sudo cloudless trust %s--data %s\n", options->undo ? "--undo " : "",
                options->data);
    return EXIT_FAILED;
}

static int trust_take_out(const struct options *options, const char *path)
{
    if (unlink(path) == 0)
        return EXIT_FINE;
    if (errno != ENOENT)
        return trust_failed(options, "taken out", path);
    fprintf(stderr, "cloudless: the authority of %s is not in the system's store\n", options->data);
    return EXIT_FAILED;
}

int command_trust(const struct options *options, struct arena *arena)
{
    struct str authority;
    enum err err = datadir_read(options->data, HTTPS_AUTHORITY, arena, &authority);
    if (err != ERR_OK) {
        datadir_say_unread(options->data, "authority", err);
        return EXIT_FAILED;
    }
    const struct trust_store *store = trust_store_here();
    if (!store) {
        fprintf(stderr,
                "cloudless: this system's store of trusted authorities is not known; the authority is %s/" HTTPS_AUTHORITY "\n",
                options->data);
        return EXIT_FAILED;
    }
    struct str hex = str_slice(sha256_hex(arena, authority), 0, 16);
    const char *path = arena_printf(arena, "%s/cloudless-" STR_FMT "%s", store->dir, STR_ARG(hex), store->end).p;
    int status = EXIT_FINE;
    if (options->undo)
        status = trust_take_out(options, path);
    else if (!trust_put(path, authority))
        status = trust_failed(options, "written", path);
    if (status != EXIT_FINE)
        return status;
    if (!trust_update(store)) {
        fprintf(stderr, "cloudless: %s did not work\n", store->update[0]);
        return EXIT_FAILED;
    }
    if (options->undo)
        printf("Not trusted any more: %s is gone.\n", path);
    else
        printf("Trusted by this system for localhost only: %s\nTo take it out: sudo cloudless trust --undo --data %s\n", path,
               options->data);
    return EXIT_FINE;
}
