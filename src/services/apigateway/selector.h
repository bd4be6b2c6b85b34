/* selector.h -- selection patterns of integration responses, behind PCRE2: AWS's are Java expressions, and PCRE2's are the
 * nearest to them. Matching is bounded, so a hostile pattern fails instead of running away. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_SELECTOR_H
#define CLOUDLESS_SERVICES_APIGATEWAY_SELECTOR_H
#include "base/str.h"

#define SELECTOR_BYTES_MAX 4096
#define SELECTOR_STEPS_MAX 100000        /* of one match; more is no match */

struct selector;                             /* immutable; one thread at a time matches */
struct selector *selector_new(struct str text);       /* NULL: not a regular expression */
void selector_free(struct selector *selector);
bool selector_matches(const struct selector *selector, struct str subject);    /* the whole subject */
#endif
