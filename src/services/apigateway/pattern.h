/* pattern.h -- selection patterns of integration responses, behind PCRE2: AWS's are Java expressions, and PCRE2's are the
 * nearest to them. Matching is bounded, so a hostile pattern fails instead of running away. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_PATTERN_H
#define CLOUDLESS_SERVICES_APIGATEWAY_PATTERN_H
#include "base/str.h"

#define PATTERN_BYTES_MAX 4096
#define PATTERN_STEPS_MAX 100000        /* of one match; more is no match */

struct pattern;                             /* immutable; one thread at a time matches */
struct pattern *pattern_new(struct str text);       /* NULL: not a regular expression */
void pattern_free(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, struct str subject);    /* the whole subject */
#endif
