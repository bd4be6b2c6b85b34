/* arn.c -- see arn.h. Spans and copies, no state. */
#include "base/arn.h"

bool arn_parse(struct str text, struct arn *ret)
{
    struct arn arn;
    struct str *const parts[] = {&arn.partition, &arn.service, &arn.region, &arn.account};
    struct str rest = text;
    if (!str_eq(str_cut(&rest, ':'), STR("arn")))
        return false;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        *parts[i] = str_cut(&rest, ':');
    arn.resource = rest;
    if (!rest.p)                /* the last cut found no colon */
        return false;
    *ret = arn;
    return true;
}

bool arn_parse_of(struct str text, const char *service, struct arn *ret)
{
    struct arn arn;
    if (!arn_parse(text, &arn) || !str_eq(arn.partition, STR("aws")) || !str_eq(arn.service, str_of(service)))
        return false;
    *ret = arn;
    return true;
}

struct str arn_account(struct str text)
{
    struct arn arn;
    return arn_parse(text, &arn) ? arn.account : STR_NONE;
}

bool arn_is_account(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!char_is_digit(text.p[i]))
            return false;
    return text.n == ACCOUNT_DIGITS;
}

struct str arn_last_part(struct str path)
{
    size_t cut = path.n;
    while (cut && path.p[cut - 1] != '/')
        cut--;
    return str_slice(path, cut, path.n);
}

struct str arn_vmake(struct arena *arena, const char *service, struct str region, struct str account, const char *format,
                     va_list args)
{
    struct str resource = arena_vprintf(arena, format, args), head = STR("arn:aws:"), colon = STR(":"), name = str_of(service);
    struct str arn = {NULL, head.n + name.n + region.n + account.n + resource.n + 3};
    char *at = arena_alloc(arena, arn.n + 1);
    arn.p = at;
    const struct str pieces[] = {head, name, colon, region, colon, account, colon, resource};
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        str_pack(&at, pieces[i]);
    *at = '\0';
    return arn;
}

struct str arn_make(struct arena *arena, const char *service, struct str region, struct str account, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str arn = arn_vmake(arena, service, region, account, format, args);
    va_end(args);
    return arn;
}
