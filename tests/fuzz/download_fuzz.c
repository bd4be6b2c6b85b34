/* download_fuzz.c -- services/lambda/download.h: a path, a newline, a query string. Properties: what was not signed here opens
 * nothing; a URL that was opens its own package, until it expires, and no other. */
#include "base/panic.h"
#include "services/lambda/download.h"
#include "services/lambda/lambda.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lambda__downloads *downloads;
    const int64_t now_ms = 1700000000000;
    if (memchr(data, 0, size)) /* no request has one */
        return 0;
    struct arena *arena = arena_new();
    struct str query = {(const char *)data, size}, path = str_cut(&query, '\n');
    if (!downloads)
        downloads = lambda__downloads_new(NULL, NULL);
    ENSURE(lambda__download_check(downloads, path, query, now_ms, arena) == ERR_DENIED);
    struct str url = lambda__download_url(downloads, false, STR("h"), STR("blob"), now_ms, arena);
    struct str given = str_slice(url, sizeof "http://h" - 1, url.n), own = str_cut(&given, '?');
    ENSURE(lambda__download_check(downloads, own, given, now_ms, arena) == ERR_OK);
    ENSURE(lambda__download_check(downloads, own, given, now_ms + 3600 * 1000, arena) == ERR_TIMEOUT);
    if (!str_eq(path, own))
        ENSURE(lambda__download_check(downloads, path, given, now_ms, arena) == ERR_DENIED);
    arena_free(arena);
    return 0;
}
