/* selector_fuzz.c -- services/apigateway/selector.h: a pattern, a newline, what it is held against. Properties: it ends, however
 * the pattern is made; the answer is the same twice; a pattern of letters and digits matches itself and nothing else. */
#include "base/panic.h"
#include "services/apigateway/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str subject = {(const char *)data, size}, pattern = str_cut(&subject, '\n');
    struct selector *selector = selector_new(pattern);
    if (!selector) {
        ENSURE(!str_alnum_or(pattern, "") || pattern.n > SELECTOR_BYTES_MAX);
        return 0;
    }
    bool matches = selector_matches(selector, subject);
    ENSURE(matches == selector_matches(selector, subject));
    if (pattern.n && str_alnum_or(pattern, ""))
        ENSURE(selector_matches(selector, pattern) && matches == str_eq(pattern, subject));
    selector_free(selector);
    return 0;
}
