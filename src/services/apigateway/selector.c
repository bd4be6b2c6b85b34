/* selector.c -- regular expressions on PCRE2. The pattern has to match the whole subject, as Java's matches() does. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "services/apigateway/selector.h"
#include "base/panic.h"
#include <pcre2.h>
#include <stdlib.h>

struct selector {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

struct selector *selector_new(struct str text)
{
    int error;
    PCRE2_SIZE offset;
    if (text.n > SELECTOR_BYTES_MAX)
        return NULL;
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n, options, &error, &offset, NULL);
    if (!code)
        return NULL;
    struct selector *selector = mem_zalloc(sizeof(*selector));
    selector->code = code;
    selector->data = pcre2_match_data_create(1, NULL);
    selector->context = pcre2_match_context_create(NULL);
    ENSURE(selector->data && selector->context);
    pcre2_set_match_limit(selector->context, SELECTOR_STEPS_MAX);
    pcre2_set_depth_limit(selector->context, SELECTOR_STEPS_MAX);
    pcre2_set_heap_limit(selector->context, 4096);       /* KiB */
    return selector;
}

void selector_free(struct selector *selector)
{
    if (!selector)
        return;
    pcre2_match_context_free(selector->context);
    pcre2_match_data_free(selector->data);
    pcre2_code_free(selector->code);
    free(selector);
}

bool selector_matches(const struct selector *selector, struct str subject)
{
    return pcre2_match(selector->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, selector->data,
                       selector->context) >= 0;
}
