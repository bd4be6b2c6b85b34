/* pattern.c -- regular expressions on PCRE2. The pattern has to match the whole subject, as Java's matches() does. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "services/apigateway/pattern.h"
#include "base/panic.h"
#include <pcre2.h>
#include <stdlib.h>

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

struct pattern *pattern_new(struct str text)
{
    int error;
    PCRE2_SIZE offset;
    if (text.n > PATTERN_BYTES_MAX)
        return NULL;
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n, options, &error, &offset, NULL);
    if (!code)
        return NULL;
    struct pattern *pattern = mem_zalloc(sizeof(*pattern));
    pattern->code = code;
    pattern->data = pcre2_match_data_create(1, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    ENSURE(pattern->data && pattern->context);
    pcre2_set_match_limit(pattern->context, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(pattern->context, PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(pattern->context, 4096);       /* KiB */
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    free(pattern);
}

bool pattern_matches(const struct pattern *pattern, struct str subject)
{
    return pcre2_match(pattern->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, pattern->data, pattern->context) >= 0;
}
