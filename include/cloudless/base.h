/* base.h -- what the other headers share: strings, the request's arena, a byte builder, results.
 *
 * Memory: everything the library makes for a request lives in that request's arena and goes with it; nothing is freed
 * by hand. When malloc fails, or the arena's limit is reached, the arena has failed: every allocation from it gives NULL until
 * it is reset, the functions above say CL_NO_MEMORY, and the runtime answers that invocation with an error and resets the
 * arena for the next one. (Only what refuses a request's body as too large takes such a failure back: cl_request_bind.)
 * Messages: a `cl_str *message` may be NULL. What is written there is a constant or lies in the arena of the call; of a
 * function without one it lies in bytes of the thread's own, until that thread calls another of these functions.
 * NULL arguments of pointer type are tolerated where a comment says so and nowhere else.
 * Threads: an arena, and what was made from it, belongs to one thread at a time.
 * C11, usable from C++. */
#ifndef CLOUDLESS_BASE_H
#define CLOUDLESS_BASE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define CL_BEGIN extern "C" {
#define CL_END }
#else
#define CL_BEGIN
#define CL_END
#endif
#if defined __GNUC__
#define CL_PRINTF(text, first) __attribute__((__format__(printf, text, first)))
#define CL_API __attribute__((visibility("default")))
#else
#define CL_PRINTF(text, first)
#define CL_API
#endif
CL_BEGIN

/* A borrowed run of bytes. Made by the library it is also followed by a NUL byte that n does not count. */
typedef struct cl_str {
    const char *p;      /* NULL only if n is 0 */
    size_t n;           /* bytes */
} cl_str;

#define CL_STR_LIT(literal) {(literal), sizeof(literal) - 1}    /* initializer, from a string literal */
#define CL_FMT "%.*s"                                           /* printf: CL_FMT with CL_ARG(s); ends at a NUL byte within */
#define CL_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline cl_str cl_str_of(const char *text)                /* NULL gives the empty string */
{
    cl_str s = {text, text ? strlen(text) : 0};
    return s;
}
static inline bool cl_str_eq(cl_str a, cl_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool cl_str_is(cl_str s, const char *text)
{
    return cl_str_eq(s, cl_str_of(text));
}

/* What a call came to. DynamoDB's own errors have an enum of their own (dynamodb.h). */
typedef enum cl_result {
    CL_OK = 0,
    CL_NO_MEMORY,       /* malloc failed, or a bound on bytes was reached */
    CL_INVALID,         /* the input is malformed; a message says where */
    CL_NOT_FOUND,
    CL_REFUSED,         /* well-formed, but not accepted (a signature, an audience, an expiry) */
    CL_UNREACHABLE,     /* no connection, or it broke, after all retries */
    CL_DEADLINE,        /* the invocation's time was over first */
    CL_CONFIG           /* the environment lacks something; the message names it */
} cl_result;

CL_API const char *cl_result_name(cl_result result);            /* "CL_OK", … never NULL */
CL_API const char *cl_version(void);

typedef struct cl_arena cl_arena;

/* `limit`: bytes it may hold from malloc, 0 for no bound. NULL when malloc fails. */
CL_API cl_arena *cl_arena_new(size_t limit);
CL_API void cl_arena_free(cl_arena *arena);                     /* NULL is fine */
CL_API void cl_arena_reset(cl_arena *arena);                    /* all gone, at most one block kept; no longer failed */
CL_API bool cl_arena_failed(const cl_arena *arena);             /* for lack of memory, or of JSON that cannot be (json.h) */
CL_API size_t cl_arena_bytes(const cl_arena *arena);            /* held from malloc */
CL_API void *cl_alloc(cl_arena *arena, size_t bytes);           /* zeroed, 16-byte aligned; NULL when failed */
CL_API void *cl_alloc_array(cl_arena *arena, size_t bytes, size_t count);
/* Copies, NUL-terminated. When the arena fails they are the empty string with p == NULL. */
CL_API cl_str cl_dup(cl_arena *arena, cl_str s);
CL_API cl_str cl_printf(cl_arena *arena, const char *format, ...) CL_PRINTF(2, 3);
CL_API cl_str cl_vprintf(cl_arena *arena, const char *format, va_list args) CL_PRINTF(2, 0);

/* A byte builder that fails stickily: past its bound, or without memory, nothing more is added and `failed` stays set.
 * The bytes lie in the arena; they move when it grows, so take cl_buf_str only at the end. */
typedef struct cl_buf {
    char *p;
    size_t n, cap, max;
    cl_arena *arena;
    bool failed;
} cl_buf;

CL_API void cl_buf_init(cl_buf *buf, cl_arena *arena, size_t max);      /* max: bytes, at most SIZE_MAX / 2 */
CL_API void cl_buf_add(cl_buf *buf, cl_str s);
CL_API void cl_buf_adds(cl_buf *buf, const char *text);
CL_API void cl_buf_addc(cl_buf *buf, char c);
CL_API void cl_buf_printf(cl_buf *buf, const char *format, ...) CL_PRINTF(2, 3);
CL_API cl_str cl_buf_str(const cl_buf *buf);                            /* NUL-terminated; empty when failed */

/* Encodings: base64 of RFC 4648 (standard alphabet, padded; `url`: URL alphabet, unpadded, as JOSE has it). */
CL_API cl_str cl_base64(cl_arena *arena, cl_str bytes, bool url);
CL_API cl_result cl_base64_decode(cl_arena *arena, cl_str text, bool url, cl_str *ret);
CL_API bool cl_utf8_valid(cl_str s);
CL_API cl_str cl_uuid(cl_arena *arena);                                 /* version 4, lower case; RFC 9562 */
CL_API cl_str cl_now_iso8601(cl_arena *arena);                          /* 2026-01-31T09:05:07Z */
CL_API int64_t cl_now_ms(void);                                         /* epoch milliseconds */

CL_END
#endif
