/* pattern.h -- the regular expressions of the models, behind PCRE2. A value must match as a whole. */
#ifndef CLOUDLESS_CALL_PATTERN_H
#define CLOUDLESS_CALL_PATTERN_H
#include "base/str.h"

/* `pattern` is constant text of a model: its address names it. `text` is valid UTF-8. Any thread. A pattern that PCRE2
 * cannot compile, or a match beyond its limits, is no match; a unit test compiles every pattern of every model. */
bool pattern_match(const char *pattern, struct str text);
bool pattern_compiles(const char *pattern);
void pattern_free_all(void);        /* what was compiled; no other thread may be matching */
#endif
