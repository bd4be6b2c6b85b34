/* chunked.c -- the decoder of chunked.h: one function a state, fed with whatever has arrived.
 *
 *   chunk:    size in hex [";chunk-signature=" 64 hex] CRLF data CRLF        the last chunk is empty, and has no data
 *   trailer:  (name ":" value CRLF)* ["x-amz-trailer-signature:" 64 hex CRLF] CRLF
 *
 * A line is gathered in a small buffer until its LF; data is never copied. Lines of the trailer may end in LF alone, as in
 * AWS's own examples; all others end in CRLF. Bytes behind the end are the caller's to refuse: they stay in *in. */
#include "wire/chunked.h"
#include "auth/sigv4.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/hash.h"

#define SIGNATURE_CHARS 64
#define SIZE_CHARS_MAX 16
#define CHUNK_LINE_MAX (SIZE_CHARS_MAX + sizeof ";chunk-signature=" + SIGNATURE_CHARS)
#define TRAILERS_COUNT_MAX 16

typedef enum chunked_status chunked_step(struct chunked *c, struct str *in, struct str *ret);
static chunked_step chunk_line, chunk_data, chunk_end, body_end, trailer_line;

struct chunked {
    chunked_step *step;
    enum chunked_status end;            /* once it has ended */
    struct chunked_options options;
    uint64_t given;                     /* bytes of the body so far */
    uint64_t left;                      /* of this chunk's data */
    struct checksum_state chunk;        /* SHA-256 of this chunk's data */
    struct checksum_state body;         /* what the trailer will hold */
    bool has_body_checksum;
    char signature[SIGNATURE_CHARS];    /* that this chunk says it has */
    struct buf line;
    size_t trailer_bytes;
    bool signature_came;                /* that of the trailer */
    struct checksum_state signed_trailer;       /* SHA-256 of its lines */
    struct { struct str name, value; } trailer[TRAILERS_COUNT_MAX];
    size_t trailer_count;
};


static enum chunked_status chunked_ended(struct chunked *c, struct str *in, struct str *ret)
{
    (void)in;
    (void)ret;
    return c->end;
}

static enum chunked_status chunked_end(struct chunked *c, enum chunked_status status)
{
    c->step = chunked_ended;
    return c->end = status;
}

/* Which checksum a trailing header is; false: it is none. */
static bool checksum_header(struct str name, struct str *ret_algorithm)
{
    struct str prefix = STR("x-amz-checksum-");
    if (name.n <= prefix.n || !str_eq_nocase(str_slice(name, 0, prefix.n), prefix))
        return false;
    *ret_algorithm = str_slice(name, prefix.n, name.n);
    return true;
}

struct chunked *chunked_new(struct arena *arena, const struct chunked_options *options)
{
    struct chunked *c = arena_new_of(arena, struct chunked);
    struct str names = options->trailer ? options->trailer_names : STR_NONE, algorithm;
    c->options = *options;
    c->step = chunk_line;
    buf_init(&c->line, arena, CHUNKED_TRAILERS_MAX);
    checksum_init(&c->signed_trailer, CHECKSUM_SHA256);
    while (names.n) {
        enum checksum kind;
        if (!checksum_header(str_trim(str_cut(&names, ',')), &algorithm))
            continue;
        if (!checksum_named(algorithm, &kind)) {
            chunked_end(c, CHUNKED_UNSUPPORTED);
        } else if (c->has_body_checksum) {      /* S3: "Expecting a single x-amz-checksum- header" */
            chunked_end(c, CHUNKED_MALFORMED);
        } else {
            c->has_body_checksum = true;
            checksum_init(&c->body, kind);
        }
    }
    return c;
}

/* Gathers a line of at most `max` bytes. MORE: its LF has not come; DATA: it has, and *ret is the line without its end. */
static enum chunked_status gather_line(struct chunked *c, struct str *in, size_t max, bool bare_lf, struct str *ret)
{
    size_t at = str_find(*in, '\n');
    bool whole = at < in->n;
    if (c->line.n + at > max)
        return CHUNKED_MALFORMED;
    buf_add(&c->line, str_slice(*in, 0, at));
    *in = str_slice(*in, whole ? at + 1 : at, in->n);
    if (!whole)
        return CHUNKED_MORE;
    struct str line = buf_str(&c->line);
    c->line.n = 0;
    bool cr = line.n && line.p[line.n - 1] == '\r';
    if (!cr && !bare_lf)
        return CHUNKED_MALFORMED;
    *ret = str_slice(line, 0, line.n - cr);
    return CHUNKED_DATA;
}

static bool read_hex(struct str text, uint64_t *ret)
{
    uint64_t value = 0;
    if (text.n == 0 || text.n > SIZE_CHARS_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i];
        unsigned digit = ch >= '0' && ch <= '9' ? (unsigned)(ch - '0') : (unsigned)((ch | 0x20) - 'a') + 10u;
        bool ok = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f');
        if (!ok)
            return false;
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

static bool take_signature(struct chunked *c, struct str text)
{
    if (text.n != SIGNATURE_CHARS)
        return false;
    memcpy(c->signature, text.p, text.n);
    return true;
}

static bool read_chunk_line(struct chunked *c, struct str line)
{
    struct str mark = STR("chunk-signature="), size = str_cut(&line, ';');
    if (!read_hex(size, &c->left))
        return false;
    if (!c->options.chain)
        return line.p == NULL;
    return str_starts(line, mark) && take_signature(c, str_slice(line, mark.n, line.n));
}

static bool chunk_signature_holds(struct chunked *c)
{
    uint8_t digest[CHECKSUM_BYTES_MAX];
    char expected[SIGNATURE_CHARS];
    if (!c->options.chain)
        return true;
    checksum_finish(&c->chunk, digest);
    sigv4_chain_chunk(c->options.chain, digest, expected);
    return bytes_equal_const_time(expected, c->signature, SIGNATURE_CHARS);
}

static enum chunked_status chunk_line(struct chunked *c, struct str *in, struct str *ret)
{
    struct str line;
    enum chunked_status status = gather_line(c, in, CHUNK_LINE_MAX, false, &line);
    if (status == CHUNKED_MORE)
        return CHUNKED_MORE;
    if (status == CHUNKED_MALFORMED || !read_chunk_line(c, line))
        return chunked_end(c, CHUNKED_MALFORMED);
    if (c->left > c->options.length - c->given || (c->left == 0 && c->given != c->options.length))
        return chunked_end(c, CHUNKED_LENGTH);
    checksum_init(&c->chunk, CHECKSUM_SHA256);
    c->step = c->left ? chunk_data : c->options.trailer ? trailer_line : body_end;
    if (c->left == 0 && !chunk_signature_holds(c))
        return chunked_end(c, CHUNKED_SIGNATURE);
    return c->step(c, in, ret);
}

static enum chunked_status chunk_data(struct chunked *c, struct str *in, struct str *ret)
{
    size_t n = c->left < in->n ? (size_t)c->left : in->n;
    if (n == 0)
        return CHUNKED_MORE;
    *ret = str_slice(*in, 0, n);
    *in = str_slice(*in, n, in->n);
    if (c->options.chain)
        checksum_update(&c->chunk, *ret);
    if (c->has_body_checksum)
        checksum_update(&c->body, *ret);
    c->given += n;
    c->left -= n;
    if (c->left == 0)
        c->step = chunk_end;
    return CHUNKED_DATA;
}

/* The end of line behind a chunk's data. */
static enum chunked_status chunk_end(struct chunked *c, struct str *in, struct str *ret)
{
    struct str line;
    enum chunked_status status = gather_line(c, in, 1, false, &line);
    if (status == CHUNKED_MORE)
        return CHUNKED_MORE;
    if (status == CHUNKED_MALFORMED || line.n)
        return chunked_end(c, CHUNKED_MALFORMED);
    if (!chunk_signature_holds(c))
        return chunked_end(c, CHUNKED_SIGNATURE);
    c->step = chunk_line;
    return chunk_line(c, in, ret);
}

/* The end of line behind the last chunk, of a body without trailers. */
static enum chunked_status body_end(struct chunked *c, struct str *in, struct str *ret)
{
    struct str line;
    enum chunked_status status = gather_line(c, in, 1, false, &line);
    (void)ret;
    if (status == CHUNKED_MORE)
        return CHUNKED_MORE;
    return chunked_end(c, status == CHUNKED_MALFORMED || line.n ? CHUNKED_MALFORMED : CHUNKED_DONE);
}

/* ---- trailers ---- */

/* All that were announced came, and no others. */
static bool trailers_complete(const struct chunked *c)
{
    struct str names = c->options.trailer_names;
    size_t announced = 0;
    while (names.n) {
        struct str name = str_trim(str_cut(&names, ','));
        if (!name.n)
            continue;
        announced++;
        size_t i = 0;
        while (i < c->trailer_count && !str_eq_nocase(c->trailer[i].name, name))
            i++;
        if (i == c->trailer_count)
            return false;
    }
    return announced == c->trailer_count && (c->signature_came || !c->options.chain);
}

static bool body_checksum_holds(struct chunked *c)
{
    struct arena *arena = c->line.arena;
    uint8_t digest[CHECKSUM_BYTES_MAX];
    struct str sent, algorithm;
    if (!c->has_body_checksum)
        return true;
    size_t n = checksum_finish(&c->body, digest);
    for (size_t i = 0; i < c->trailer_count; i++) {
        if (!checksum_header(c->trailer[i].name, &algorithm))
            continue;
        if (base64_decode(c->trailer[i].value, arena, &sent) != ERR_OK || sent.n != n || memcmp(sent.p, digest, n) != 0)
            return false;
    }
    return true;
}

static enum chunked_status trailers_end(struct chunked *c)
{
    uint8_t digest[CHECKSUM_BYTES_MAX];
    char expected[SIGNATURE_CHARS];
    if (!trailers_complete(c))
        return chunked_end(c, CHUNKED_MALFORMED);
    if (c->options.chain) {
        checksum_finish(&c->signed_trailer, digest);
        sigv4_chain_trailer(c->options.chain, digest, expected);
        if (!bytes_equal_const_time(expected, c->signature, SIGNATURE_CHARS))
            return chunked_end(c, CHUNKED_SIGNATURE);
    }
    return chunked_end(c, body_checksum_holds(c) ? CHUNKED_DONE : CHUNKED_CHECKSUM);
}

/* False: it is no header, or one too many. */
static bool take_trailer(struct chunked *c, struct str line)
{
    size_t colon = str_find(line, ':');
    struct str name = str_slice(line, 0, colon), value = str_trim(str_slice(line, colon + 1, line.n));
    c->trailer_bytes += line.n;
    if (colon == 0 || colon == line.n || c->trailer_bytes > CHUNKED_TRAILERS_MAX)
        return false;
    if (str_eq_nocase(name, STR("x-amz-trailer-signature"))) {
        bool first = c->options.chain && !c->signature_came;
        c->signature_came = true;
        return first && take_signature(c, value);
    }
    if (c->signature_came || c->trailer_count == TRAILERS_COUNT_MAX)
        return false;
    checksum_update(&c->signed_trailer, name);
    checksum_update(&c->signed_trailer, STR(":"));
    checksum_update(&c->signed_trailer, value);
    checksum_update(&c->signed_trailer, STR("\n"));
    c->trailer[c->trailer_count].name = arena_dup(c->line.arena, name);
    c->trailer[c->trailer_count++].value = arena_dup(c->line.arena, value);
    return true;
}

static enum chunked_status trailer_line(struct chunked *c, struct str *in, struct str *ret)
{
    struct str line;
    (void)ret;
    for (;;) {
        enum chunked_status status = gather_line(c, in, CHUNKED_TRAILERS_MAX, true, &line);
        if (status == CHUNKED_MORE)
            return CHUNKED_MORE;
        if (status == CHUNKED_DATA && line.n == 0)
            return trailers_end(c);
        if (status == CHUNKED_MALFORMED || !take_trailer(c, line))
            return chunked_end(c, CHUNKED_MALFORMED);
    }
}

enum chunked_status chunked_next(struct chunked *chunked, struct str *in, struct str *ret)
{
    return chunked->step(chunked, in, ret);
}

struct str chunked_trailer(const struct chunked *chunked, struct str name)
{
    for (size_t i = 0; chunked->end == CHUNKED_DONE && i < chunked->trailer_count; i++)
        if (str_eq_nocase(chunked->trailer[i].name, name))
            return chunked->trailer[i].value;
    return STR_NONE;
}

/* Source: "List of error codes", S3's API reference. */
struct chunked_words chunked_words(enum chunked_status status)
{
    static const char incomplete[] =
        "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header.";
    static const struct chunked_words words[] = {
        [CHUNKED_MORE] = {"IncompleteBody", incomplete},
        [CHUNKED_LENGTH] = {"IncompleteBody", incomplete},
        [CHUNKED_MALFORMED] = {"MalformedTrailerError",
                               "The request contained chunks or trailing headers that are not well formed."},
        [CHUNKED_CHECKSUM] = {"BadDigest", "The checksum you specified in the trailer did not match what we received."},
        [CHUNKED_UNSUPPORTED] = {"NotImplemented", "Cloudless does not compute the checksum that the trailer names."},
    };
    return words[status];
}
