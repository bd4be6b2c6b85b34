/* mapping_fuzz.c -- services/apigateway/mapping.h: any bytes as each of its expressions. Properties: what comes out is a part of
 * what went in, and may stand where it will: a header's name is a token, its value ends no line. */
#include "base/panic.h"
#include "services/apigateway/mapping.h"

static bool is_within(struct str part, struct str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, part;
    if (mapping_literal_value(text, &part))
        ENSURE(is_within(part, text) && part.n + 2 == text.n);
    if (mapping_response_header(text, &part))
        ENSURE(is_within(part, text) && mapping_is_header_name(part));
    if (mapping_lambda_uri(text, &part))
        ENSURE(is_within(part, text) && part.n);
    if (mapping_is_header_name(text))
        ENSURE(text.n && !memchr(text.p, ':', text.n) && !memchr(text.p, ' ', text.n) && !memchr(text.p, '\r', text.n) &&
               !memchr(text.p, '\n', text.n));
    if (text.n && mapping_is_header_value(text))
        ENSURE(!memchr(text.p, '\r', text.n) && !memchr(text.p, '\n', text.n) && !memchr(text.p, 0, text.n));
    if (text.n && mapping_is_literal(text))
        ENSURE(!memchr(text.p, '$', text.n));
    ENSURE(is_within(mapping_media_type(text), text));
    return 0;
}
