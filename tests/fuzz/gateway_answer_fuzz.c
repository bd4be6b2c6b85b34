/* gateway_answer_fuzz.c -- what a function answers through a proxy integration. Properties: an accepted answer has a final
 * status, and headers that cannot end their line or their message. */
#include "base/panic.h"
#include "gateway/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct gateway_proxy_answer answer;
    if (gateway__proxy_answer((struct str){(const char *)data, size}, arena, &answer)) {
        ENSURE(answer.status >= 200 && answer.status <= 599);
        for (size_t i = 0; i < answer.header_count; i++) {
            struct str name = answer.headers[i].name, value = answer.headers[i].value;
            ENSURE(name.n && !memchr(name.p, ':', name.n) && !memchr(name.p, '\n', name.n) && !memchr(name.p, '\r', name.n));
            ENSURE(value.n == 0 || (!memchr(value.p, '\n', value.n) && !memchr(value.p, '\r', value.n) && !memchr(value.p, 0, value.n)));
            ENSURE(!str_eq_nocase(name, STR("Content-Length")) && !str_eq_nocase(name, STR("Transfer-Encoding")) &&
                   !str_eq_nocase(name, STR("Connection")));
        }
    }
    arena_free(arena);
    return 0;
}
