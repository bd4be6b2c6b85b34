/* filter_pattern.c -- filter patterns of plain terms. Terms are separated by spaces and all must occur; "a phrase" in quotes
 * (\" inside) is one term; -term must not occur; of several ?term one must occur, which counts only when no plain term
 * is given. A term outside quotes is letters, digits and underscores. Matching is exact and case-sensitive. Source: CloudWatch
 * Logs user guide, "Filter pattern syntax". */
#include "services/logs/logs_internal.h"
#include <ctype.h>

#define TERMS_MAX 64

enum term_kind { TERM_ALL, TERM_NOT, TERM_ANY };
struct term {
    enum term_kind kind;
    struct str text;
};
struct logs__pattern {
    struct term terms[TERMS_MAX];
    size_t count;
};

/* A quoted phrase from the '"' at the head of *rest; false without its closing quote. */
static bool take_phrase(struct str *rest, struct arena *arena, struct str *ret)
{
    char *out = arena_alloc(arena, rest->n);
    size_t n = 0, i = 1;
    for (; i < rest->n && rest->p[i] != '"'; i++) {
        if (rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
        out[n++] = rest->p[i];
    }
    if (i == rest->n)
        return false;
    *ret = (struct str){out, n};
    *rest = str_slice(*rest, i + 1, rest->n);
    return true;
}

static bool is_word(struct str term)
{
    for (size_t i = 0; i < term.n; i++)
        if (!isalnum((unsigned char)term.p[i]) && term.p[i] != '_' && !(term.p[i] & 0x80))
            return false;
    return true;
}

/* The term at the head of *rest, without its sign. */
static enum err take_term(struct str *rest, struct arena *arena, struct str *ret, struct str *ret_why)
{
    if (rest->n && rest->p[0] == '"') {
        if (take_phrase(rest, arena, ret))
            return ERR_OK;
        *ret_why = STR("Invalid filter pattern: a quotation mark is not closed");
        return ERR_INVALID;
    }
    *ret = str_cut(rest, ' ');
    if (is_word(*ret))
        return ERR_OK;
    *ret_why = arena_printf(arena, "Invalid character(s) in term '" STR_FMT "'", STR_ARG(*ret));
    return ERR_INVALID;
}

enum err logs__pattern_parse(struct str text, struct arena *arena, struct logs__pattern **ret, struct str *ret_why)
{
    struct logs__pattern *pattern = arena_new_of(arena, struct logs__pattern);
    struct str rest = str_trim(text);

    if (rest.n && (rest.p[0] == '{' || rest.p[0] == '[' || rest.p[0] == '%')) {
        *ret_why = rest.p[0] == '{'   ? STR("JSON filter patterns")
                   : rest.p[0] == '[' ? STR("space-delimited filter patterns")
                                      : STR("regular expressions");
        return ERR_UNSUPPORTED;
    }
    for (; rest.n; rest = str_trim(rest)) {
        struct term term = {.kind = rest.p[0] == '-' ? TERM_NOT : rest.p[0] == '?' ? TERM_ANY : TERM_ALL};
        if (term.kind != TERM_ALL)
            rest = str_slice(rest, 1, rest.n);
        enum err err = take_term(&rest, arena, &term.text, ret_why);
        if (err != ERR_OK)
            return err;
        if (pattern->count == TERMS_MAX) {
            *ret_why = STR("more than 64 terms");
            return ERR_UNSUPPORTED;
        }
        pattern->terms[pattern->count++] = term;
    }
    *ret = pattern;
    return ERR_OK;
}

bool logs__pattern_match(const struct logs__pattern *pattern, struct str message)
{
    bool has_all = false, has_any = false, any = false;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct term *term = &pattern->terms[i];
        bool found = str_contains(message, term->text);
        if ((term->kind == TERM_ALL && !found) || (term->kind == TERM_NOT && found))
            return false;
        has_all = has_all || term->kind == TERM_ALL;
        has_any = has_any || term->kind == TERM_ANY;
        any = any || (term->kind == TERM_ANY && found);
    }
    return has_all || !has_any || any;
}
