/* json_write.c -- a tree to text, compact. No recursion: the open arrays and objects are a stack of pointers, as deep as a
 * tree may be. What is no UTF-8 in a string becomes U+FFFD, so that the text is JSON whatever a program put in. */
#include "internal.h"

static void quote_byte(cl_buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
    const char *known = c ? strchr(short_from, c) : NULL;
    if (known) {
        char two[2] = {'\\', short_to[known - short_from]};
        cl_buf_add(buf, (cl_str){two, 2});
    } else if (c < 0x20) {
        char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        cl_buf_add(buf, (cl_str){six, 6});
    } else {
        cl_buf_add(buf, (cl_str){"\xEF\xBF\xBD", 3});           /* no UTF-8 */
    }
}

void cl__json_quote(cl_buf *buf, cl_str s)
{
    cl_buf_addc(buf, '"');
    for (size_t i = 0; i < s.n && !buf->failed;) {
        size_t run = i;
        while (i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\') {
            size_t n = (unsigned char)s.p[i] < 0x80 ? 1 : cl__utf8_next(s.p + i, s.n - i);
            if (n == 0)
                break;
            i += n;
        }
        cl_buf_add(buf, (cl_str){s.p + run, i - run});
        if (i < s.n)
            quote_byte(buf, (unsigned char)s.p[i++]);
    }
    cl_buf_addc(buf, '"');
}

static void write_one(cl_buf *buf, const cl_json *json)
{
    static const char *const words[] = {
        [CL_NULL] = "null", [CL_FALSE] = "false", [CL_TRUE] = "true", [CL_ARRAY] = "[", [CL_OBJECT] = "{"};
    switch (json->type) {
    case CL_STRING:
        cl__json_quote(buf, json->text);
        break;
    case CL_NUMBER:
    case CL_RAW:
        cl_buf_add(buf, json->text);
        break;
    default:
        cl_buf_adds(buf, words[json->type]);
        break;
    }
}

void cl_json_write(cl_buf *buf, const cl_json *json)
{
    const cl_json *open[CL__JSON_WRITE_DEPTH_MAX];
    size_t depth = 0;
    const cl_json *at = json;
    if (!json)
        cl_buf_adds(buf, "null");
    while (at && !buf->failed) {
        write_one(buf, at);
        if ((at->type == CL_ARRAY || at->type == CL_OBJECT) && depth == CL__JSON_WRITE_DEPTH_MAX) {
            buf->failed = true;
            if (buf->arena)
                cl__arena_spoil(buf->arena, CL__TOO_DEEP);
            return;
        }
        if (at->type == CL_ARRAY || at->type == CL_OBJECT) {
            open[depth++] = at;
            at = at->first;
        } else {
            at = depth ? at->next : NULL;
            if (at)
                cl_buf_addc(buf, ',');
        }
        for (; !at && depth > 0; depth--) {                     /* what ends here */
            const cl_json *done = open[depth - 1];
            cl_buf_addc(buf, done->type == CL_OBJECT ? '}' : ']');
            at = depth > 1 ? done->next : NULL;
            if (at)
                cl_buf_addc(buf, ',');
        }
        if (at && open[depth - 1]->type == CL_OBJECT) {
            cl__json_quote(buf, at->key);
            cl_buf_addc(buf, ':');
        }
    }
}

cl_str cl_json_text(cl_arena *arena, const cl_json *json)
{
    cl_buf buf;
    cl_buf_init(&buf, arena, SIZE_MAX / 2);
    cl_json_write(&buf, json);
    if (buf.failed)
        cl__arena_fail(arena);                                  /* if it has not yet */
    return cl_buf_str(&buf);
}
