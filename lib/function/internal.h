/* internal.h -- what the files of this folder share and nobody else sees. Names begin with cl__.
 *
 * Memory: every block of the library comes from cl__malloc, so that tests can let the n-th one fail. OpenSSL's own blocks
 * do not count.
 * Time: deadlines inside the library are of the monotonic clock, CL__NO_DEADLINE for none; cl__deadline_of makes one from an
 * invocation's, which is of the calendar. */
#ifndef CL_INTERNAL_H
#define CL_INTERNAL_H
#include "cloudless/function.h"
#include <sys/types.h>

#define CL__COUNT(array) (sizeof(array) / sizeof *(array))
#define CL__NO_DEADLINE  INT64_MAX

/* Tests only: counts down with each block asked for, the one that finds it at 0 (and every later one) fails; -1: off. */
extern long cl__malloc_countdown;
void *cl__malloc(size_t bytes);             /* not zeroed; given back with free() */

/* Arena. Not zeroed; align is 1, 2, 4, 8 or 16. */
void *cl__take(cl_arena *arena, size_t bytes, size_t align);
void cl__arena_fail(cl_arena *arena);       /* from now on failed, as if malloc had */
/* From now on failed because of what cannot be JSON; why: a constant. Of several failures the first one counts. */
void cl__arena_spoil(cl_arena *arena, const char *why);
const char *cl__arena_why(const cl_arena *arena);       /* NULL: for lack of memory, or not at all */
/* For what a client may make as large as it likes: between the two calls the arena, which has not failed, takes at most half of
 * what its limit leaves, so that the other half is there to refuse it. True: it wanted more, and is no longer failed. */
size_t cl__arena_hold_back(cl_arena *arena);                        /* for the other call */
bool cl__arena_give_back(cl_arena *arena, size_t limit);
/* A builder over bytes of the caller's, which never grows: max is bytes - 1, for the NUL at the end. */
void cl__buf_fixed(cl_buf *buf, char *p, size_t bytes);
/* Takes back what was added after the first n bytes. */
void cl__buf_cut(cl_buf *buf, size_t n);
/* n bytes more to fill in, or NULL when the builder failed. */
char *cl__buf_room(cl_buf *buf, size_t n);

/* A mistake of the program that uses the library, which no input makes (a table of fields without a size): logged, and the
 * process ends. */
void cl__misused(const char *format, ...) CL_PRINTF(1, 2) __attribute__((__noreturn__));

/* A sentence for a `message` where there is no arena: in the thread's own 512 bytes, until the thread's next one. */
cl_str cl__sentence(const char *format, ...) CL_PRINTF(1, 2);
/* Passes `result` on; a message (may be NULL) for CL_NO_MEMORY, so that nobody reads one that was never set. */
cl_result cl__said(cl_result result, cl_str *message);

bool cl__random(void *to, size_t n);        /* getrandom(2); false when the system has none */
int64_t cl__mono_ms(void);
int64_t cl__deadline_of(int64_t epoch_ms);
/* "2026-01-31T09:05:07Z" or, with milliseconds, "2026-01-31T09:05:07.042Z"; the length. */
size_t cl__iso8601(char to[32], int64_t epoch_ms, bool milliseconds);

/* Length of the code point that begins at p, 1 to 4, or 0 if the n bytes there do not begin with a valid one. */
size_t cl__utf8_next(const char *p, size_t n);
/* At most n bytes of s, cut before the code point that would not fit. */
cl_str cl__utf8_cut(cl_str s, size_t n);
bool cl__ieq(cl_str a, cl_str b);           /* ASCII case ignored */
/* A name that a client has made up, as a message shows it: its first CL__NAME_SHOWN bytes, control characters as \u0000. */
#define CL__NAME_SHOWN 64
void cl__add_name(cl_buf *buf, cl_str name);

/* %41 is A; with `plus` + is a space. What is no escape stays. */
cl_str cl__percent_decode(cl_arena *arena, cl_str s, bool plus);

/* JSON */
#define CL__JSON_WRITE_DEPTH_MAX 512
#define CL__TOO_DEEP "JSON is nested too deep"
void cl__json_append(cl_json *parent, cl_json *child);      /* as the last child, whatever the parent is, of a node without one */
void cl__json_quote(cl_buf *buf, cl_str s); /* "…" with escapes; bytes that are no UTF-8 become U+FFFD */
bool cl__json_number_ok(cl_str text);       /* a number of RFC 8259, nothing before or after */

/* A variable of the log's level that says none: a warning. */
void cl__log_check(void);
/* The request id of the invocation that runs, for log lines; empty between invocations. */
extern cl_str cl__request_id;

#endif
