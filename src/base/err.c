/* err.c -- the texts of the error table in err.h. */
#include "base/err.h"
#include "base/panic.h"
#include <stddef.h>

const char *err_text(enum err err)
{
    static const char *const texts[] = {
#define ERR_TEXT(name, text) [name] = text,
        ERR_TABLE(ERR_TEXT)
#undef ERR_TEXT
    };
    ENSURE((size_t)err < sizeof texts / sizeof texts[0]);
    return texts[err];
}
