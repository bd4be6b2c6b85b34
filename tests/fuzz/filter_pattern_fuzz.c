/* filter_pattern_fuzz.c -- a filter pattern and a message, split at the first newline. A pattern is parsed or refused with a
 * reason; a pattern that is one plain term matches exactly the messages that contain it. */
#include "services/logs/logs_internal.h"
#include <assert.h>
#include <ctype.h>

static bool plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]))
            return false;
    return s.n > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str message = arena_dup(arena, (struct str){(const char *)data, size}), text = str_cut(&message, '\n');
    struct str why = STR_NONE;
    struct logs__pattern *pattern = NULL;
    enum err err = logs__pattern_parse(text, arena, &pattern, &why);
    assert(err == ERR_OK ? pattern != NULL : pattern == NULL && why.n && (err == ERR_UNSUPPORTED || err == ERR_INVALID));
    assert(err == ERR_OK || !plain(text));
    if (pattern) {
        bool match = logs__pattern_match(pattern, message);
        if (plain(text))
            assert(match == (message.n >= text.n && memmem(message.p, message.n, text.p, text.n) != NULL));
    }
    arena_free(arena);
    return 0;
}
