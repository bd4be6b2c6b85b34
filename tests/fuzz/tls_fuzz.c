/* tls_fuzz.c -- net/tls.h: any bytes as a certificate, a zero byte, any bytes as its key: files that a user names. Properties: they
 * are used, or refused with a sentence that names one of them; everything is given back. */
#include "base/panic.h"
#include "net/tls.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_of(struct str bytes, char path[32])
{
    int fd = memfd_create("pem", MFD_CLOEXEC);
    ENSURE(fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str key = {(const char *)data, size}, cert = str_cut(&key, '\0'), message = STR_NONE;
    char cert_path[32], key_path[32];
    int cert_fd = file_of(cert, cert_path), key_fd = file_of(key, key_path);
    struct tls_options options = {.pairs = {{cert_path, key_path}}, .pair_count = 1, .alpn = STR("\10http/1.1")};
    struct tls *tls = NULL;
    if (tls_new(&options, arena, &tls, &message) != ERR_OK)
        ENSURE(!tls && (str_find(message, '/') < message.n));
    tls_free(tls);
    close(cert_fd);
    close(key_fd);
    arena_free(arena);
    return 0;
}
