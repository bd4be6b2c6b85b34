/* expression_lex.c -- text to tokens. Keywords are keywords only in the grammar that has them (elsewhere they are reserved
 * words), in any letter case. A character that begins no token is a token of its own, so that the parser reports it. */
#include "services/dynamodb/expression_internal.h"

static const struct { const char *word; enum token_kind kind; enum grammar grammar; } keywords[] = {
    {"AND", TOKEN_AND, GRAMMAR_CONDITION},       {"OR", TOKEN_OR, GRAMMAR_CONDITION},   {"NOT", TOKEN_NOT, GRAMMAR_CONDITION},
    {"BETWEEN", TOKEN_BETWEEN, GRAMMAR_CONDITION}, {"IN", TOKEN_IN, GRAMMAR_CONDITION},
    {"SET", TOKEN_SET, GRAMMAR_UPDATE},          {"REMOVE", TOKEN_REMOVE, GRAMMAR_UPDATE},
    {"ADD", TOKEN_ADD, GRAMMAR_UPDATE},          {"DELETE", TOKEN_DELETE, GRAMMAR_UPDATE},
};
static const struct { const char text[3]; enum token_kind kind; } signs[] = {       /* the longer ones first */
    {"<>", TOKEN_COMPARATOR}, {"<=", TOKEN_COMPARATOR}, {">=", TOKEN_COMPARATOR}, {"=", TOKEN_COMPARATOR},
    {"<", TOKEN_COMPARATOR},  {">", TOKEN_COMPARATOR},  {"+", TOKEN_PLUS},        {"-", TOKEN_MINUS},
    {",", TOKEN_COMMA},       {".", TOKEN_DOT},         {"(", TOKEN_OPEN},        {")", TOKEN_CLOSE},
    {"[", TOKEN_OPEN_INDEX},  {"]", TOKEN_CLOSE_INDEX},
};

static size_t word_end(struct str source, size_t at)
{
    while (at < source.n && (char_is_letter(source.p[at]) || char_is_digit(source.p[at]) || source.p[at] == '_'))
        at++;
    return at;
}

static struct token word(struct str text, enum grammar grammar)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (keywords[i].grammar == grammar && str_eq_nocase(text, str_of(keywords[i].word)))
            return (struct token){keywords[i].kind, text};
    return (struct token){TOKEN_NAME, text};
}

static struct token lex_sign(struct str rest)
{
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        struct str text = str_of(signs[i].text);
        if (str_starts(rest, text))
            return (struct token){signs[i].kind, str_slice(rest, 0, text.n)};
    }
    size_t n = 1;                                           /* a whole UTF-8 character */
    while (n < rest.n && ((unsigned char)rest.p[n] & 0xC0) == 0x80)
        n++;
    return (struct token){TOKEN_OTHER, str_slice(rest, 0, n)};
}

struct token expression__lex(struct str source, enum grammar grammar, size_t *at)
{
    size_t from = *at;
    while (from < source.n && char_is_space(source.p[from]))
        from++;
    struct token token = {TOKEN_END, str_slice(source, from, from)};
    if (from < source.n) {
        char c = source.p[from];
        if (char_is_letter(c)) {
            token = word(str_slice(source, from, word_end(source, from)), grammar);
        } else if (char_is_digit(c)) {
            size_t end = from;
            while (end < source.n && char_is_digit(source.p[end]))
                end++;
            token = (struct token){TOKEN_NUMBER, str_slice(source, from, end)};
        } else if ((c == '#' || c == ':') && word_end(source, from + 1) > from + 1) {
            token.kind = c == '#' ? TOKEN_NAME_PLACEHOLDER : TOKEN_VALUE_PLACEHOLDER;
            token.text = str_slice(source, from, word_end(source, from + 1));
        } else {
            token = lex_sign(str_slice(source, from, source.n));
        }
    }
    *at = from + token.text.n;
    return token;
}
