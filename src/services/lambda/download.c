/* download.c -- what stands behind GetFunction's Code.Location: a package by a URL that is its own permission.
 *   http://HOST/_aws/lambda/code/SHA256?X-Amz-Date=…&X-Amz-Expires=600&X-Amz-Signature=…
 * The signature is the HMAC of everything before it, from the path on, under a key that lives as long as the process; so
 * nothing of a URL can be altered, and what follows is parsed only when it is ours. Scheme and HOST are those that the client used.
 * It is signed once GetFunction was authorised, lasts ten minutes as AWS's does, and fails with the errors of S3. */
#include "services/lambda/download.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"
#include "services/lambda/lambda.h"
#include "store/blob.h"
#include <fcntl.h>
#include <stdlib.h>

#define EXPIRES_S 600
#define SIGNATURE "&X-Amz-Signature="

struct lambda__downloads {
    struct blobs *blobs;
    struct workers *workers;
    uint8_t key[32];
};

struct lambda__downloads *lambda__downloads_new(struct blobs *blobs, struct workers *workers)
{
    struct lambda__downloads *downloads = mem_zalloc(sizeof *downloads);
    downloads->blobs = blobs;
    downloads->workers = workers;
    random_bytes(downloads->key, sizeof downloads->key);
    return downloads;
}

void lambda__downloads_free(struct lambda__downloads *downloads)
{
    if (!downloads)
        return;
    explicit_bzero(downloads->key, sizeof downloads->key);
    free(downloads);
}

static struct str url_signature(const struct lambda__downloads *downloads, struct str text, struct arena *arena)
{
    uint8_t digest[SHA256_BYTES];
    struct buf hex;
    hmac_sha256((struct str){(const char *)downloads->key, sizeof downloads->key}, text, digest);
    buf_init(&hex, arena, 2 * sizeof digest + 1);
    hex_write(&hex, (struct str){(char *)digest, sizeof digest});
    return buf_str(&hex);
}

struct str lambda__download_url(const struct lambda__downloads *downloads, bool secure, struct str host, struct str blob,
                                int64_t now_ms, struct arena *arena)
{
    struct str date = clock_sigv4(arena, now_ms);
    struct str text = arena_printf(arena, LAMBDA_CODE_PATH STR_FMT "?X-Amz-Date=" STR_FMT "&X-Amz-Expires=%d", STR_ARG(blob),
                                   STR_ARG(date), EXPIRES_S);
    struct str signature = url_signature(downloads, text, arena);
    return arena_printf(arena, "%s://" STR_FMT STR_FMT SIGNATURE STR_FMT, secure ? "https" : "http", STR_ARG(host), STR_ARG(text),
                        STR_ARG(signature));
}

enum err lambda__download_check(const struct lambda__downloads *downloads, struct str path, struct str query, int64_t now_ms,
                                struct arena *arena)
{
    struct str mark = STR(SIGNATURE);
    const char *at = query.n ? memmem(query.p, query.n, mark.p, mark.n) : NULL;
    int64_t signed_ms;
    if (!at)
        return ERR_DENIED;
    struct str given = str_slice(query, (size_t)(at - query.p) + mark.n, query.n),
               before = str_slice(query, 0, (size_t)(at - query.p));
    struct str wanted = url_signature(downloads, arena_printf(arena, STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(before)), arena);
    if (given.n != wanted.n || !bytes_equal_const_time(given.p, wanted.p, wanted.n))
        return ERR_DENIED;
    struct str date = str_slice(before, STR("X-Amz-Date=").n, str_find(before, '&'));
    return clock_parse(date, &signed_ms) && now_ms <= signed_ms + EXPIRES_S * 1000LL ? ERR_OK : ERR_TIMEOUT;
}

static void refuse_download(struct http_request *request, int status, const char *code, const char *message)
{
    http_respond_text(
        request, status, "application/xml",
        arena_printf(request->arena,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code,
                     message));
}

/* A package is looked at before its first byte is sent: on a worker, as that reads all of it. */
struct package_read {
    struct work work;
    const struct lambda__downloads *downloads;
    struct http_request *request;
    struct str blob;
    enum err err;
    int fd;
};

static void check_package(struct work *work)
{
    struct package_read *read = CONTAINER_OF(work, struct package_read, work);
    read->err = blob_open(read->downloads->blobs, read->blob, &read->fd);
}

static void send_package(struct work *work)
{
    struct package_read *read = CONTAINER_OF(work, struct package_read, work);
    struct http_header *type = arena_new_of(read->request->arena, struct http_header);
    *type = (struct http_header){STR("Content-Type"), STR("application/zip")};
    struct http_response head = {.status = 200, .headers = type, .header_count = 1};
    if (read->err == ERR_OK) {
        http_respond_file(read->request, &head, read->fd, 0, HTTP_TO_END, read->downloads->workers);
    } else if (read->err == ERR_NOT_FOUND) {
        refuse_download(read->request, 404, "NoSuchKey", "The specified key does not exist.");
    } else {
        log_to(LOG_ERROR, "lambda.package_damaged", {"package", read->blob}, {"error", str_of(err_text(read->err))},
               {"remedy", STR("update the code of its functions")});
        refuse_download(read->request, 500, "InternalError", "We encountered an internal error. Please try again.");
    }
}

void lambda__download_serve(const struct lambda__downloads *downloads, struct http_request *request)
{
    if (!str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD"))) {
        refuse_download(request, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        return;
    }
    enum err err = lambda__download_check(downloads, request->path, request->query, clock_epoch_ms(), request->arena);
    if (err == ERR_DENIED) {
        refuse_download(
            request, 403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
        return;
    }
    if (err != ERR_OK) {
        refuse_download(request, 403, "AccessDenied", "Request has expired");
        return;
    }
    struct package_read *read = arena_new_of(request->arena, struct package_read);
    *read = (struct package_read){.work = {.run = check_package, .done = send_package, .loop = request->loop},
                                  .downloads = downloads,
                                  .request = request,
                                  .blob = str_slice(request->path, STR(LAMBDA_CODE_PATH).n, request->path.n)};
    if (workers_submit(downloads->workers, LANE_BODY, &read->work) != ERR_OK)
        refuse_download(request, 503, "SlowDown", "Please reduce your request rate.");
}
