/* pattern.c -- compiles a pattern when it is first needed and keeps it.
 *
 * The cache is an open-addressed table of slots keyed by the pattern's address. A slot is claimed by compare-and-swap
 * and never changes afterwards, so matching takes no lock; two threads that compile the same pattern at once both keep
 * going and one throws its copy away. The models' patterns are fewer than the slots (PATTERNS_MAX); a full table would
 * compile each time, not fail.
 * AWS's validators are Java's: \uXXXX escapes, full match. Backtracking is bounded, so no input can stall a loop. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "api/pattern.h"
#include "base/panic.h"
#include <pcre2.h>
#include <stdatomic.h>

#define PATTERNS_MAX 1024           /* slots; a power of two */
#define MATCH_LIMIT 200000          /* internal steps of one match */
#define HEAP_LIMIT_KIB 1024
#define LENGTH_MAX (256u << 10)     /* of a text: longer than any member with a pattern may be */

struct slot {
    _Atomic(const char *) pattern;
    _Atomic(pcre2_code *) code;
};
static struct slot slots[PATTERNS_MAX];

static pcre2_code *compile(const char *pattern)
{
    int error;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
}

static struct slot *slot_of(const char *pattern)
{
    size_t at = (size_t)(((uintptr_t)pattern * 0x9E3779B97F4A7C15u) >> 32) % PATTERNS_MAX;
    for (size_t i = 0; i < PATTERNS_MAX; i++, at = (at + 1) % PATTERNS_MAX) {
        const char *found = atomic_load_explicit(&slots[at].pattern, memory_order_acquire);
        if (found == pattern) return &slots[at];
        if (!found && (atomic_compare_exchange_strong(&slots[at].pattern, &found, pattern) || found == pattern)) return &slots[at];
    }
    return NULL;
}

static bool match(const pcre2_code *code, struct str text)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    ENSURE(data && context);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_depth_limit(context, MATCH_LIMIT);
    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    int found = pcre2_match(code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return found >= 0;
}

bool pattern_match(const char *pattern, struct str text)
{
    if (text.n > LENGTH_MAX) return false;
    struct slot *slot = slot_of(pattern);
    pcre2_code *code = slot ? atomic_load_explicit(&slot->code, memory_order_acquire) : NULL;
    if (code) return match(code, text);
    code = compile(pattern);
    if (!code) return false;
    bool matches = match(code, text);
    pcre2_code *none = NULL;
    if (!slot || !atomic_compare_exchange_strong(&slot->code, &none, code)) pcre2_code_free(code);
    return matches;
}

bool pattern_compiles(const char *pattern)
{
    pcre2_code *code = compile(pattern);
    pcre2_code_free(code);
    return code != NULL;
}

void pattern_free_all(void)
{
    for (size_t i = 0; i < PATTERNS_MAX; i++) {
        pcre2_code_free(atomic_exchange(&slots[i].code, NULL));
        atomic_store(&slots[i].pattern, NULL);
    }
}
