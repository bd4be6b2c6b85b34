/* pattern.c -- compiles a pattern when it is first needed and keeps it.
 *
 * The cache is an open-addressed table of slots keyed by the pattern's address. A slot is claimed by compare-and-swap
 * and never changes afterwards, so matching takes no lock; two threads that compile the same pattern at once both keep
 * going and one throws its copy away. The models' patterns are fewer than the slots (PATTERNS_MAX); a full table would
 * compile each time, not fail.
 * Most patterns are one character class, repeated: for these the expression itself is asked once for every ASCII
 * character, and ASCII text is then looked up in a bitmap.
 * AWS's validators are Java's: \uXXXX escapes, full match. Backtracking is bounded, so no input can stall a loop. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "call/pattern.h"
#include "base/panic.h"
#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PATTERNS_MAX 1024           /* slots; a power of two */
#define MATCH_LIMIT 200000          /* internal steps of one match */
#define HEAP_LIMIT_KIB 1024
#define LENGTH_MAX (256u << 10)     /* of a text: longer than any member with a pattern may be */

struct compiled {
    pcre2_code *code;
    bool is_class;                  /* [...]+ or [...]* */
    bool ascii[128];                /* of the class */
};

struct slot {
    _Atomic(const char *) pattern;
    _Atomic(struct compiled *) compiled;
};
static struct slot slots[PATTERNS_MAX];

/* What Java reads and PCRE2 does not: POSIX names, ranges over surrogates, a class as the start of a range. */
static const struct dialect {
    const char *java, *pcre;
} dialects[] = {
    {"\\p{Print}+", "[ -~]+"},
    {"[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\r\\n\\t]*",
     "[\\u0020-\\uD7FF\\uE000-\\uFFFD\xF0\x90\x80\x80-\xF4\x8F\xBF\xBF\\r\\n\\t]*"},
    {"[\\w-_]*", "[\\w_-]*"},
};

static void compiled_free(struct compiled *c)
{
    if (c)
        pcre2_code_free(c->code);
    free(c);
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

/* One class from the first to the last but one character, then + or *. */
static bool is_class(const char *pattern)
{
    size_t n = strlen(pattern);
    if (n < 4 || pattern[0] != '[' || pattern[n - 2] != ']' || (pattern[n - 1] != '+' && pattern[n - 1] != '*'))
        return false;
    for (size_t i = 1; i < n - 2; i++) {
        if (pattern[i] == '\\')
            i++;
        else if (pattern[i] == '[' || pattern[i] == ']')
            return false;
    }
    return true;
}

/* NULL: PCRE2 does not know the expression. */
static struct compiled *compile(const char *pattern)
{
    for (size_t i = 0; i < COUNT_OF(dialects); i++) {
        if (strcmp(dialects[i].java, pattern) == 0)
            pattern = dialects[i].pcre;
    }
    int error;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
    if (!code)
        return NULL;
    struct compiled *c = mem_zalloc(sizeof *c);
    c->code = code;
    c->is_class = is_class(pattern);
    for (int i = 0; c->is_class && i < 128; i++) {
        char character = (char)i;
        c->ascii[i] = match(code, (struct str){&character, 1});
    }
    return c;
}

static struct slot *slot_of(const char *pattern)
{
    size_t at = (size_t)(((uintptr_t)pattern * 0x9E3779B97F4A7C15u) >> 32) % PATTERNS_MAX;
    for (size_t i = 0; i < PATTERNS_MAX; i++, at = (at + 1) % PATTERNS_MAX) {
        const char *found = atomic_load_explicit(&slots[at].pattern, memory_order_acquire);
        if (found == pattern)
            return &slots[at];
        if (!found && (atomic_compare_exchange_strong(&slots[at].pattern, &found, pattern) || found == pattern))
            return &slots[at];
    }
    return NULL;
}

static bool compiled_match(const struct compiled *c, struct str text)
{
    if (!c->is_class || !text.n)
        return match(c->code, text);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char character = (unsigned char)text.p[i];
        if (character >= 128)
            return match(c->code, text);
        if (!c->ascii[character])
            return false;
    }
    return true;
}

bool pattern_match(const char *pattern, struct str text)
{
    if (text.n > LENGTH_MAX)
        return false;
    struct slot *slot = slot_of(pattern);
    struct compiled *compiled = slot ? atomic_load_explicit(&slot->compiled, memory_order_acquire) : NULL;
    if (compiled)
        return compiled_match(compiled, text);
    compiled = compile(pattern);
    if (!compiled)
        return false;
    bool matches = compiled_match(compiled, text);
    struct compiled *none = NULL;
    if (!slot || !atomic_compare_exchange_strong(&slot->compiled, &none, compiled))
        compiled_free(compiled);
    return matches;
}

bool pattern_compiles(const char *pattern)
{
    struct compiled *compiled = compile(pattern);
    compiled_free(compiled);
    return compiled != NULL;
}

void pattern_free_all(void)
{
    for (size_t i = 0; i < PATTERNS_MAX; i++) {
        compiled_free(atomic_exchange(&slots[i].compiled, NULL));
        atomic_store(&slots[i].pattern, NULL);
    }
}
