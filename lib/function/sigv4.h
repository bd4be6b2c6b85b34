/* sigv4.h -- AWS Signature Version 4 in the Authorization header.
 * Source: AWS General Reference, "Create a signed AWS API request". */
#ifndef CL_SIGV4_H
#define CL_SIGV4_H
#include "crypto.h"

#define CL__SIGV4_HEADERS_MAX 16
#define CL__SIGV4_SECRET_MAX  256      /* bytes; AWS's have 40 */
#define CL__SIGV4_TIME_BYTES  17       /* "20260131T090507Z" and a NUL */

/* Who signs, and for what. The strings are borrowed; day and key are a cache, zero at first. */
struct cl__signer {
    cl_str key_id, secret;
    cl_str region, service;
    char day[9];                        /* the day that `key` is for; empty: none yet */
    unsigned char key[CL__SHA256_BYTES];
};

struct cl__sign_header {
    const char *name;                   /* lower case */
    cl_str value;                       /* without white space at its ends or runs of it within */
};

/* What is signed. */
struct cl__sign_request {
    const char *method;
    const char *path;                   /* canonical: percent-encoded */
    const char *query;                  /* canonical: encoded and sorted; "" for none */
    const struct cl__sign_header *headers;      /* sorted by name; with host and x-amz-date */
    size_t header_count;                /* at most CL__SIGV4_HEADERS_MAX */
    cl_str body;
};

/* The value of x-amz-date. */
void cl__sigv4_time(int64_t epoch_ms, char ret[CL__SIGV4_TIME_BYTES]);
/* Adds the Authorization header's value to `buf`. `time` is what x-amz-date says. The secret has at most
 * CL__SIGV4_SECRET_MAX bytes. */
void cl__sigv4(struct cl__signer *signer, const struct cl__sign_request *request, const char *time, cl_buf *buf);

#endif
