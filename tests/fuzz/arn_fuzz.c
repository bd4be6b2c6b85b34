/* arn_fuzz.c -- base/arn.h. Properties: an ARN's parts, put together again, are the text; only what begins with "arn:" and has
 * five colons is one; what is made of the parts of one of "aws" is read back as the same. */
#include "base/arn.h"
#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena *arena = arena_new();
    struct arn arn;
    size_t colons = 0;
    for (size_t i = 0; i < size; i++)
        colons += data[i] == ':';
    bool read = arn_parse(text, &arn);
    ENSURE(read == (colons >= 5 && str_starts(text, STR("arn:"))));
    ENSURE(str_eq(arn_account(text), read ? arn.account : STR_NONE));
    if (read) {
        ENSURE(4 + arn.partition.n + arn.service.n + arn.region.n + arn.account.n + arn.resource.n + 4 == size);
        ENSURE(!arn.resource.n || arn.resource.p + arn.resource.n == text.p + text.n);
        struct str part = arn_last_part(arn.resource);
        ENSURE(str_find(part, '/') == part.n && str_ends(arn.resource, part));
    }
    if (read && str_find(text, '\0') == size && arn_parse_of(text, arena_cstr(arena, arn.service), &arn)) {
        struct str made = arn_make(arena, arena_cstr(arena, arn.service), arn.region, arn.account, STR_FMT, STR_ARG(arn.resource));
        ENSURE(str_eq(made, text));
    }
    arena_free(arena);
    return 0;
}
