/* sigv4_parse.c -- reads a signature from the Authorization header or from the query string, and checks everything that needs no
 * secret: the parameters, the scope's form and service, the date's form, that Host and every x-amz-* header are signed, and what
 * stands for the body. What comes out are spans of the request, or of the arena where the query string had to be decoded.
 * Sources: "Create a signed AWS API request" (IAM user guide), "Authenticating Requests: Using Query Parameters" (S3's API
 * reference), and AWS's answers to requests that break their rules (tests/corpus/sigv4/queries.json). */
#include "auth/sigv4_internal.h"
#include "base/clock.h"
#include "base/codec.h"

/* ---- what both forms have ---- */

static struct str header_hash(struct arena *arena, struct str header)
{
    uint8_t digest[SHA256_BYTES];
    struct buf text;

    sha256(header, digest);
    buf_init(&text, arena, 64);
    base64_write(&text, (struct str){(const char *)digest, sizeof digest});
    return buf_str(&text);
}

/* Splits SignedHeaders once, for everything that looks into it. */
static void split_names(struct str list, struct arena *arena, struct sigv4 *sig)
{
    size_t count = 1;
    bool sorted = true;

    for (struct str rest = list; (rest = str_slice(rest, str_find(rest, ';') + 1, rest.n)).n > 0;)
        count++;
    struct str *names = arena_alloc(arena, count * sizeof *names);
    const char *at = list.p, *end = list.p + list.n;
    for (size_t i = 0; i < count; i++) {
        const char *from = at;
        for (; at < end && *at != ';'; at++)
            sorted &= *at < 'A' || *at > 'Z';
        names[i] = (struct str){from, (size_t)(at - from)};
        at += at < end;
        sorted &= names[i].n > 0 && (i == 0 || str_cmp(names[i - 1], names[i]) < 0);
    }
    sig->signed_names = names;
    sig->signed_count = count;
    sig->signed_sorted = sorted && !str_ends(list, STR(";"));
}

static bool is_signed(const struct sigv4 *sig, struct str name)
{
    for (size_t i = 0; i < sig->signed_count; i++)
        if (sigv4__same_name(name, sig->signed_names[i]))
            return true;
    return false;
}

static bool is_amz_header(struct str name)
{
    return name.n > 6 && (name.p[0] | 0x20) == 'x' && sigv4__same_name(str_slice(name, 0, 6), STR("x-amz-"));
}

struct params {
    struct str credential, signed_headers, signature;
};

/* The name=value list behind the algorithm. False: *ret_bad has the answer. */
static bool read_params(struct str list, struct str header, struct arena *arena, struct params *ret, struct str *ret_bad)
{
    const struct {
        struct str name;
        struct str *value;
    } known[] = {
        {STR("Credential"), &ret->credential},
        {STR("SignedHeaders"), &ret->signed_headers},
        {STR("Signature"), &ret->signature},
    };

    while (list.p) {
        struct str piece = str_trim(str_cut(&list, ','));
        if (piece.n == 0)
            continue;
        size_t equal = str_find(piece, '=');
        if (equal == piece.n) {
            struct str hash = header_hash(arena, header);
            *ret_bad = arena_printf(arena,
                                    "Invalid key=value pair (missing equal-sign) in Authorization header "
                                    "(hashed with SHA-256 and encoded with Base64): '" STR_FMT "'.",
                                    STR_ARG(hash));
            return false;
        }
        for (size_t i = 0; i < COUNT_OF(known); i++)
            if (str_eq(str_slice(piece, 0, equal), known[i].name))
                *known[i].value = str_slice(piece, equal + 1, piece.n);
    }
    return true;
}

/* One sentence for each missing part, then the header's hash. STR_NONE: nothing is missing. */
static struct str missing_parts(struct arena *arena, const struct params *params, struct str date, struct str header)
{
    struct buf text;

    if (params->credential.n && params->signature.n && params->signed_headers.n && date.n)
        return STR_NONE;
    buf_init(&text, arena, 1024);
    if (!params->credential.n)
        buf_lit(&text, "Authorization header requires 'Credential' parameter. ");
    if (!params->signature.n)
        buf_lit(&text, "Authorization header requires 'Signature' parameter. ");
    if (!params->signed_headers.n)
        buf_lit(&text, "Authorization header requires 'SignedHeaders' parameter. ");
    if (!date.n)
        buf_lit(&text, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    buf_lit(&text, "(Hashed with SHA-256 and encoded with Base64) Authorization=");
    buf_add(&text, header_hash(arena, header));
    return buf_str(&text);
}

static bool scope_region_ok(struct str region)
{
    if (region.n == 0 || region.n > 64)
        return false;
    for (size_t i = 0; i < region.n; i++) {
        char c = region.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

/* S3 has words of its own for a credential in the query string. */
static enum sigv4_status refuse_credential(struct sigv4 *sig, enum sigv4_status status, struct str message, struct str in_s3_query)
{
    bool s3_query = sig->rules.s3 && sig->in_query;

    sig->message = s3_query ? in_s3_query : message;
    return s3_query ? SIGV4_BAD_QUERY : status;
}

static enum sigv4_status check_scope(struct arena *arena, struct sigv4 *sig, struct str terminator)
{
    struct str service = str_of(sig->rules.service);

    if (!str_eq(terminator, STR(TERMINATOR)))
        return refuse_credential(
            sig, SIGV4_BAD_SCOPE,
            arena_printf(arena, "Credential should be scoped with a valid terminator: '" TERMINATOR "', not '" STR_FMT "'.",
                         STR_ARG(terminator)),
            arena_printf(arena, "Error parsing the X-Amz-Credential parameter; incorrect terminal \"" STR_FMT "\". This endpoint "
                                "uses \"" TERMINATOR "\".",
                         STR_ARG(terminator)));
    if (!scope_region_ok(sig->region))
        return refuse_credential(sig, SIGV4_BAD_SCOPE, STR("Credential should be scoped to a valid region. "),
                                 arena_printf(arena,
                                              "Error parsing the X-Amz-Credential parameter; the region '" STR_FMT "' is wrong",
                                              STR_ARG(sig->region)));
    if (service.n && !str_eq(sig->service, service))
        return refuse_credential(
            sig, SIGV4_BAD_SCOPE,
            arena_printf(arena, "Credential should be scoped to correct service: '" STR_FMT "'. ", STR_ARG(service)),
            arena_printf(arena, "Error parsing the X-Amz-Credential parameter; incorrect service \"" STR_FMT "\". This endpoint "
                                "belongs to \"" STR_FMT "\".",
                         STR_ARG(sig->service), STR_ARG(service)));
    return SIGV4_OK;
}

static enum sigv4_status read_scope(struct str credential, struct arena *arena, struct sigv4 *sig)
{
    struct str rest = credential, part[5];
    size_t count = 0;

    while (rest.p && count < COUNT_OF(part))
        part[count++] = str_cut(&rest, '/');
    if (count != COUNT_OF(part) || rest.p)
        return refuse_credential(sig, SIGV4_INCOMPLETE,
                                 arena_printf(arena,
                                              "Credential must have exactly 5 slash-delimited elements, e.g. "
                                              "keyid/date/region/service/term, got '" STR_FMT "'",
                                              STR_ARG(credential)),
                                 STR("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                                     "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."));
    sig->access_key_id = part[0];
    sig->date = part[1];
    sig->region = part[2];
    sig->service = part[3];
    return check_scope(arena, sig, part[4]);
}

/* x-amz-date wins over Date. The scope's day must be the day of that time. */
static enum sigv4_status sigv4_date(struct str text, bool from_date, struct arena *arena, struct sigv4 *sig)
{
    bool basic = text.n == 16 && text.p[8] == 'T' && text.p[15] == 'Z';

    if ((!basic && !from_date) || !clock_parse(text, &sig->time_ms))
        return refuse_credential(sig, SIGV4_INCOMPLETE,
                                 arena_printf(arena,
                                              "Date must be in ISO-8601 'basic format'. Got '" STR_FMT
                                              "'. See http://en.wikipedia.org/wiki/ISO_8601",
                                              STR_ARG(text)),
                                 STR("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""));
    sig->amz_date = basic ? text : clock_sigv4(arena, sig->time_ms);
    struct str day = str_slice(sig->amz_date, 0, 8);
    if (!str_eq(sig->date, day))
        return refuse_credential(
            sig, SIGV4_BAD_SCOPE,
            arena_printf(arena,
                         "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                         "'" STR_FMT "' != '" STR_FMT "', from '" STR_FMT "'.",
                         STR_ARG(sig->date), STR_ARG(day), STR_ARG(text)),
            arena_printf(arena,
                         "Invalid credential date \"" STR_FMT "\". This date is not the same as X-Amz-Date: \"" STR_FMT "\".",
                         STR_ARG(sig->date), STR_ARG(day)));
    return SIGV4_OK;
}

/* Host and all x-amz-* headers must be signed. */
static enum sigv4_status check_signed_list(const struct http_request *request, struct arena *arena, struct sigv4 *sig)
{
    split_names(sig->signed_headers, arena, sig);
    if (!is_signed(sig, STR("host"))) {
        sig->message = STR("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
        return SIGV4_INCOMPLETE;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;
        if (is_amz_header(name) && !is_signed(sig, name)) {
            sig->message = arena_printf(arena, "'" STR_FMT "' must be a 'SignedHeader' in the AWS Authorization.", STR_ARG(name));
            return SIGV4_INCOMPLETE;
        }
    }
    return SIGV4_OK;
}

static void believe_payload(struct str said, enum sigv4_payload kind, struct arena *arena, struct sigv4 *sig)
{
    sig->payload = said;
    sig->payload_kind = kind;
    if (kind == SIGV4_PAYLOAD_CHUNKS || kind == SIGV4_PAYLOAD_CHUNKS_TRAILER)
        sig->chain = sigv4__chain_new(arena);
}

/* S3 signs what the header says; a presigned URL may say it as a parameter, and says UNSIGNED-PAYLOAD if it says nothing. */
static enum sigv4_status read_s3_payload(struct str said, struct arena *arena, struct sigv4 *sig)
{
    static const char accepted[] =
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a "
        "valid sha256 value.";
    uint8_t digest[SHA256_BYTES];

    if (!said.n && sig->in_query)
        said = STR("UNSIGNED-PAYLOAD");
    if (!said.n) {
        sig->message = STR("Missing required header for this request: x-amz-content-sha256");
        return SIGV4_BAD_ARGUMENT;
    }
    enum sigv4_payload kind = sigv4_payload(said);
    if (str_starts(said, STR("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"))) {
        sig->message = STR("Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported.");
        return SIGV4_UNSUPPORTED;
    }
    if (kind == SIGV4_PAYLOAD_HASHED && !(said.n == HEX_DIGEST && hex_decode(said, digest))) {
        sig->message = str_of(accepted);
        return SIGV4_BAD_ARGUMENT;
    }
    believe_payload(said, kind, arena, sig);
    return SIGV4_OK;
}

/* Elsewhere the body is hashed, so a header that says something else ends as a mismatch: but for what the rules let it say. */
static enum sigv4_status read_payload(const struct http_request *request, struct str in_query, struct arena *arena,
                                      struct sigv4 *sig)
{
    if (!sig->rules.s3 && !sig->rules.body_unsigned && !sig->rules.body_later)
        return SIGV4_OK;
    struct str header = http_header(request, "x-amz-content-sha256");
    struct str said = header.n ? header : in_query;
    if (sig->rules.s3)
        return read_s3_payload(said, arena, sig);
    enum sigv4_payload kind = sigv4_payload(said);
    uint8_t digest[SHA256_BYTES];
    if (kind == SIGV4_PAYLOAD_HASHED && (said.n != 2 * SHA256_BYTES || !hex_decode(said, digest)))
        return SIGV4_OK;
    bool unsaid = kind == SIGV4_PAYLOAD_UNSIGNED || kind == SIGV4_PAYLOAD_UNSIGNED_TRAILER;
    if ((sig->rules.body_unsigned && kind != SIGV4_PAYLOAD_HASHED) || (sig->rules.body_later && !unsaid))
        believe_payload(said, kind, arena, sig);
    return SIGV4_OK;
}

static enum sigv4_status unsupported(struct sigv4 *sig, struct str what)
{
    sig->message = what;
    return SIGV4_UNSUPPORTED;
}

/* What both forms share. A date that came as Date is part of the string to sign in any case. */
static enum sigv4_status parse_common(const struct http_request *request, struct str credential, struct str date, bool from_date,
                                      struct arena *arena, struct sigv4 *sig)
{
    enum sigv4_status status = read_scope(credential, arena, sig);

    if (status == SIGV4_OK)
        status = sigv4_date(date, from_date, arena, sig);
    if (status == SIGV4_OK)
        status = check_signed_list(request, arena, sig);
    return status;
}

/* ---- the query string ---- */

struct query_auth {
    struct str algorithm, credential, signature, signed_headers, date;
    struct str expires, token, content_sha256;
    bool present;               /* X-Amz-Algorithm is there, whatever it says */
};

/* A value goes into lookups and messages: bytes that no signer writes, behind a %, become '?', and nothing is signed by it. */
static struct str signer_bytes(struct str value, struct arena *arena)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] > ' ' && value.p[i] <= '~')
            continue;
        char *copy = arena_alloc(arena, value.n);
        for (size_t k = 0; k < value.n; k++)
            copy[k] = value.p[k] > ' ' && value.p[k] <= '~' ? value.p[k] : '?';
        return (struct str){copy, value.n};
    }
    return value;
}

static bool has_query_parameter(struct str query, struct str name)
{
    while (query.p) {
        struct str pair = str_cut(&query, '&');
        if (str_eq(str_cut(&pair, '='), name))
            return true;
    }
    return false;
}

/* Names and values decoded; of a repeated parameter the first counts, and the signature covers them all. */
static void read_query_auth(struct str query, struct arena *arena, struct query_auth *ret)
{
    const struct {
        struct str name;
        struct str *value;
    } known[] = {
        {STR("X-Amz-Algorithm"), &ret->algorithm},   {STR("X-Amz-Credential"), &ret->credential},
        {STR(SIGV4_QUERY_SIGNATURE), &ret->signature}, {STR("X-Amz-SignedHeaders"), &ret->signed_headers},
        {STR("X-Amz-Date"), &ret->date},             {STR("X-Amz-Expires"), &ret->expires},
        {STR("X-Amz-Security-Token"), &ret->token},  {STR("X-Amz-Content-Sha256"), &ret->content_sha256},
    };

    while (query.p) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        if (str_find(name, '%') < name.n)
            name = percent_decode(name, true, arena);
        if (!str_starts(name, STR("X-Amz-")))
            continue;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            if (str_eq(name, known[i].name) && !known[i].value->p) {
                struct str plain = signer_bytes(percent_decode(value, true, arena), arena);
                *known[i].value = plain.n ? plain : STR("");
            }
    }
    ret->present = ret->algorithm.p != NULL;
}

static enum sigv4_status missing_query_parts(const struct query_auth *query, struct arena *arena, struct sigv4 *sig)
{
    const struct {
        const char *name;
        size_t n;
    } parts[] = {
        {"X-Amz-Algorithm", query->algorithm.n},          {"X-Amz-Credential", query->credential.n},
        {SIGV4_QUERY_SIGNATURE, query->signature.n},      {"X-Amz-SignedHeaders", query->signed_headers.n},
        {"X-Amz-Date", query->date.n},
    };
    bool missing = sig->rules.s3 && !query->expires.n;
    struct buf text;

    buf_init(&text, arena, 1024);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i].n)
            continue;
        missing = true;
        buf_printf(&text, "AWS query-string parameters must include '%s'. ", parts[i].name);
    }
    if (!missing)
        return SIGV4_OK;
    buf_lit(&text, "Re-examine the query-string parameters.");
    return refuse_credential(sig, SIGV4_INCOMPLETE, buf_str(&text),
                             STR("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                                 "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."));
}

static enum sigv4_status check_algorithm(struct str algorithm, struct arena *arena, struct sigv4 *sig)
{
    if (str_eq(algorithm, STR(ALGORITHM)))
        return SIGV4_OK;
    if (str_starts(algorithm, STR("AWS4-ECDSA")))
        return unsupported(sig, STR("Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported."));
    return refuse_credential(sig, SIGV4_INCOMPLETE,
                             arena_printf(arena, "Unsupported AWS 'algorithm': '" STR_FMT "' (only " ALGORITHM " for now). ",
                                          STR_ARG(algorithm)),
                             STR("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""));
}

/* Of S3's way. Bounded before it is added to a time, so nothing overflows. */
static enum sigv4_status read_expires(struct str text, struct sigv4 *sig)
{
    int64_t seconds = 0;

    if (!str_to_i64(text, &seconds))
        sig->message = STR("X-Amz-Expires should be a number");
    else if (seconds < 0)
        sig->message = STR("X-Amz-Expires must be non-negative");
    else if (seconds > SIGV4_EXPIRES_MAX_S)
        sig->message =
            STR("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
                "604800 seconds");
    if (sig->message.n)
        return SIGV4_BAD_QUERY;
    sig->expires_ms = sig->time_ms + seconds * 1000;
    return SIGV4_OK;
}

static enum sigv4_status parse_query(const struct http_request *request, const struct query_auth *query, struct arena *arena,
                                     struct sigv4 *sig)
{
    sig->in_query = true;
    enum sigv4_status status = missing_query_parts(query, arena, sig);
    if (status == SIGV4_OK)
        status = check_algorithm(query->algorithm, arena, sig);
    sig->signed_headers = query->signed_headers;
    sig->signature = query->signature;
    sig->security_token = query->token.n ? query->token : http_header(request, "x-amz-security-token");
    if (status == SIGV4_OK)
        status = parse_common(request, query->credential, query->date, false, arena, sig);
    if (status == SIGV4_OK && sig->rules.s3)
        status = read_expires(query->expires, sig);
    return status == SIGV4_OK ? read_payload(request, query->content_sha256, arena, sig) : status;
}

static enum sigv4_status two_signatures(struct sigv4 *sig)
{
    if (sig->rules.s3) {
        sig->message = STR("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                           "parameter or the Authorization header should be specified");
        return SIGV4_BAD_ARGUMENT;
    }
    sig->message = STR("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
    return SIGV4_MISMATCH;
}

/* ---- the header ---- */

static enum sigv4_status parse_header(const struct http_request *request, struct str header, struct arena *arena, struct sigv4 *sig)
{
    struct params params = {STR_NONE, STR_NONE, STR_NONE};
    struct str rest = header, algorithm = str_cut(&rest, ' ');

    if (str_starts(algorithm, STR("AWS4-ECDSA")))
        return unsupported(sig, STR("Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported."));
    if (str_eq(algorithm, STR("AWS")) || str_starts(algorithm, STR("AWS3")))
        return unsupported(sig, STR("Only Signature Version 4 (AWS4-HMAC-SHA256) is supported."));
    if (!str_eq(algorithm, STR(ALGORITHM)))
        rest = header;
    if (!read_params(rest, header, arena, &params, &sig->message))
        return SIGV4_INCOMPLETE;
    struct str date = http_header(request, "x-amz-date");
    bool from_date = !date.n;
    if (from_date)
        date = http_header(request, "date");
    sig->message = missing_parts(arena, &params, date, header);
    if (sig->message.n)
        return SIGV4_INCOMPLETE;
    sig->signed_headers = params.signed_headers;
    sig->signature = params.signature;
    sig->security_token = http_header(request, "x-amz-security-token");
    enum sigv4_status status = parse_common(request, params.credential, date, from_date, arena, sig);
    return status == SIGV4_OK ? read_payload(request, STR_NONE, arena, sig) : status;
}

/* A request with a query string: the signature may be there, and must not be in both places. */
static enum sigv4_status parse_either(const struct http_request *request, struct str header, struct arena *arena, struct sigv4 *sig)
{
    struct query_auth query = {.present = false};

    read_query_auth(request->query, arena, &query);
    if (header.n)
        return query.present ? two_signatures(sig) : parse_header(request, header, arena, sig);
    if (query.present)
        return parse_query(request, &query, arena, sig);
    if (has_query_parameter(request->query, STR("Signature")))
        return unsupported(sig, STR("Only Signature Version 4 (AWS4-HMAC-SHA256) is supported."));
    return SIGV4_MISSING;
}

enum sigv4_status sigv4_parse(const struct http_request *request, const struct sigv4_rules *rules, struct arena *arena,
                              struct sigv4 *ret)
{
    struct str header = http_header(request, "authorization");

    *ret = (struct sigv4){.rules = *rules};
    if (request->query.n)
        return parse_either(request, header, arena, ret);
    return header.n ? parse_header(request, header, arena, ret) : SIGV4_MISSING;
}
