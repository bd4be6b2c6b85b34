/* log.h -- the server's own log: one line an event on stderr, `time level event key=value …` (values quoted when needed).
 * Never give it a secret, a token, a signature or a body. Lower layers return errors; services, front and main log. */
#ifndef CLOUDLESS_BASE_LOG_H
#define CLOUDLESS_BASE_LOG_H
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field { const char *key; struct str value; };

void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret);    /* error warn info debug */
bool log_on(enum log_level level);
/* Lines go to `take` instead of stderr; NULL: to stderr again. For programs of one thread. */
void log_divert(void (*take)(struct str line, void *arg), void *arg);
void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);
/* log_to(LOG_WARN, "store.sync_failed", {"path", path}, {"error", str_of(text)}); */
#define log_to(level, event, ...)                                                              \
    do {                                                                                       \
        if (log_on(level)) {                                                                   \
            const struct log_field log_fields_[] = {__VA_ARGS__};                              \
            log_event((level), (event), log_fields_, COUNT_OF(log_fields_));                   \
        }                                                                                      \
    } while (0)

/* Of what may happen with every request: whether the event, a literal, is to be said now, which is once a second at most.
 * *ret_times: how often it happened since it was said last, this time included. */
bool log_due(const char *event, uint64_t *ret_times);

/* A line that is made piece by piece: `key=value …`, values quoted where they must be. A longer one is cut and ends in "...". */
#define LOG_LINE_BYTES 4096
struct log_line { char text[LOG_LINE_BYTES]; size_t n; bool cut; };
void log_line_begin(struct log_line *line);
void log_line_stamp(struct log_line *line, enum log_level level, const char *event); /* `time level event`, as log_to's begin */
void log_line_add(struct log_line *line, struct str s);         /* as it is */
void log_line_field(struct log_line *line, const char *key, struct str value);
struct str log_line_end(struct log_line *line);                 /* with its newline; in `line` */
#endif
