/* sigv4.c -- signs a request with Signature Version 4.
 *
 * Neither the canonical request nor the string to sign is ever built: their pieces are hashed where they lie, so nothing
 * here has a bound on lengths or needs memory. The key derived from the secret is good for a day of one region and
 * service, and is kept for it: four HMACs saved for each further request. */
#include "sigv4.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
/* A header takes four pieces, its name in the list of signed ones two, and nine are fixed. */
#define PIECES_MAX (CL__SIGV4_HEADERS_MAX * 6 + 9)

struct pieces {
    cl_str at[PIECES_MAX];
    size_t count;
};

static void add(struct pieces *pieces, cl_str s)
{
    if (pieces->count < PIECES_MAX)
        pieces->at[pieces->count++] = s;
}

static void adds(struct pieces *pieces, const char *text)
{
    add(pieces, cl_str_of(text));
}

static cl_str bytes_of(const unsigned char hash[CL__SHA256_BYTES])
{
    return (cl_str){(const char *)hash, CL__SHA256_BYTES};
}

void cl__sigv4_time(int64_t epoch_ms, char ret[CL__SIGV4_TIME_BYTES])
{
    char text[32];
    size_t n = 0;
    cl__iso8601(text, epoch_ms, false);
    for (const char *p = text; *p && n < CL__SIGV4_TIME_BYTES - 1; p++)
        if (*p != '-' && *p != ':')
            ret[n++] = *p;
    ret[n] = 0;
}

static void hash_canonical(const struct cl__sign_request *request, char ret[CL__SHA256_HEX + 1])
{
    unsigned char hash[CL__SHA256_BYTES];
    char body[CL__SHA256_HEX + 1];
    cl__sha256(&request->body, 1, hash);
    cl__hex(hash, body);
    struct pieces pieces = {.count = 0};
    const char *const first[] = {request->method, "\n", request->path, "\n", request->query, "\n"};
    for (size_t i = 0; i < CL__COUNT(first); i++)
        adds(&pieces, first[i]);
    for (size_t i = 0; i < request->header_count; i++) {
        adds(&pieces, request->headers[i].name);
        adds(&pieces, ":");
        add(&pieces, request->headers[i].value);
        adds(&pieces, "\n");
    }
    for (size_t i = 0; i < request->header_count; i++) {
        adds(&pieces, i == 0 ? "\n" : ";");
        adds(&pieces, request->headers[i].name);
    }
    adds(&pieces, "\n");
    adds(&pieces, body);
    cl__sha256(pieces.at, pieces.count, hash);
    cl__hex(hash, ret);
}

/* The key of that day: HMACs of the day, region, service and a constant, each keyed with the one before. */
static void derive(struct cl__signer *signer, const char day[9])
{
    char secret[4 + CL__SIGV4_SECRET_MAX] = "AWS4";
    size_t n = signer->secret.n < CL__SIGV4_SECRET_MAX ? signer->secret.n : CL__SIGV4_SECRET_MAX;
    if (n > 0)
        memcpy(secret + 4, signer->secret.p, n);
    const cl_str steps[] = {cl_str_of(day), signer->region, signer->service, CL_STR_LIT("aws4_request")};
    cl_str key = {secret, 4 + n};
    unsigned char hash[CL__SHA256_BYTES];
    for (size_t i = 0; i < CL__COUNT(steps); i++) {
        cl__hmac_sha256(key, &steps[i], 1, hash);
        memcpy(signer->key, hash, sizeof hash);
        key = bytes_of(signer->key);
    }
    memcpy(signer->day, day, sizeof signer->day);
    cl__wipe(secret, sizeof secret);
    cl__wipe(hash, sizeof hash);
}

void cl__sigv4(struct cl__signer *signer, const struct cl__sign_request *request, const char *time, cl_buf *buf)
{
    char day[9] = {0}, canonical[CL__SHA256_HEX + 1], signature[CL__SHA256_HEX + 1];
    memcpy(day, time, strnlen(time, 8));
    if (strcmp(signer->day, day) != 0)
        derive(signer, day);
    hash_canonical(request, canonical);

    const cl_str scope[] = {cl_str_of(day),  CL_STR_LIT("/"), signer->region,
                            CL_STR_LIT("/"), signer->service, CL_STR_LIT("/aws4_request")};
    struct pieces pieces = {.count = 0};
    adds(&pieces, ALGORITHM "\n");
    adds(&pieces, time);
    adds(&pieces, "\n");
    for (size_t i = 0; i < CL__COUNT(scope); i++)
        add(&pieces, scope[i]);
    adds(&pieces, "\n");
    adds(&pieces, canonical);
    unsigned char hash[CL__SHA256_BYTES];
    cl__hmac_sha256(bytes_of(signer->key), pieces.at, pieces.count, hash);
    cl__hex(hash, signature);

    cl_buf_adds(buf, ALGORITHM " Credential=");
    cl_buf_add(buf, signer->key_id);
    cl_buf_addc(buf, '/');
    for (size_t i = 0; i < CL__COUNT(scope); i++)
        cl_buf_add(buf, scope[i]);
    for (size_t i = 0; i < request->header_count; i++) {
        cl_buf_adds(buf, i == 0 ? ", SignedHeaders=" : ";");
        cl_buf_adds(buf, request->headers[i].name);
    }
    cl_buf_adds(buf, ", Signature=");
    cl_buf_adds(buf, signature);
}
