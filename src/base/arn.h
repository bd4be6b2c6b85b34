/* arn.h -- Amazon Resource Names: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, read and written in one place.
 * A resource may hold colons and slashes of its own; region and account may be empty, as IAM's region is.
 * Source: "Identify AWS resources with Amazon Resource Names (ARNs)", IAM user guide. */
#ifndef CLOUDLESS_BASE_ARN_H
#define CLOUDLESS_BASE_ARN_H
#include "base/arena.h"

#define ACCOUNT_DIGITS 12

struct arn {
    struct str partition, service, region, account, resource;   /* spans of the text */
};

/* "arn" and the five colons that follow; whether the parts make sense is the caller's. *ret untouched if false. */
bool arn_parse(struct str text, struct arn *ret);
/* The same, of the partition "aws" and of this service. */
bool arn_parse_of(struct str text, const char *service, struct arn *ret);
struct str arn_account(struct str text);                /* the account of an ARN; STR_NONE if there is none, or no ARN */
bool arn_is_account(struct str text);                   /* 12 digits */
struct str arn_last_part(struct str path);              /* what follows the last slash; all of it if there is none */

/* arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, the resource by a format. */
struct str arn_make(struct arena *arena, const char *service, struct str region, struct str account, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
struct str arn_vmake(struct arena *arena, const char *service, struct str region, struct str account, const char *format,
                     va_list args) __attribute__((format(printf, 5, 0)));
#endif
