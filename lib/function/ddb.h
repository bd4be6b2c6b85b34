/* ddb.h -- what the files of the DynamoDB client share. */
#ifndef CL_DDB_H
#define CL_DDB_H
#include "cloudless/dynamodb.h"
#include "connection.h"
#include "sigv4.h"

#define CL__DDB_TRIES_MAX   5
#define CL__DDB_ANSWER_MAX  (16u << 20)    /* bytes; DynamoDB's own largest, of BatchGetItem, is 16 MB */
#define CL__DDB_MESSAGE_MAX 4096           /* bytes, cut at a code point */

struct cl_dynamodb {
    struct cl__connection connection;
    struct cl__signer signer;
    cl_str token;                       /* of temporary credentials, or empty */
    cl_arena *settings;                 /* has the strings above */
    size_t message_n;
    char message[CL__DDB_MESSAGE_MAX];
};

/* The message of a call that failed before anything was sent. */
cl_ddb_error cl__ddb_refuse(cl_dynamodb *db, cl_ddb_error error, const char *format, ...) CL_PRINTF(3, 4);
cl_ddb_error cl__ddb_no_memory(cl_dynamodb *db, const char *operation);
/* When calls of this invocation must be over: somewhat before its end, so that it can still answer. */
int64_t cl__ddb_deadline(const cl_context *ctx);
/* Waits before the try after `tries` ones: full jitter, 25 ms doubled each time up to a second. False: the deadline would
 * pass first. */
bool cl__ddb_pause(int64_t deadline_ms, unsigned tries);

/* A node that shares another's children, so that one value may stand in several trees. NULL without memory, or of NULL. */
cl_json *cl__ddb_alias(cl_arena *arena, const cl_json *json);
cl_json *cl__ddb_text(cl_arena *arena, const char *text);      /* NULL stays NULL: then the member is left out */
/* The child to change or hand on; NULL unless it has that type. */
cl_json *cl__ddb_child(const cl_json *object, const char *member, cl_json_type type);
/* The object that a member of an answer is; NULL: there is none. False: it is something else, or the answer is no object. */
bool cl__ddb_optional(const cl_json *answer, const char *member, cl_json **ret);
bool cl__ddb_all_objects(const cl_json *array);                /* are its elements? */
/* Appends under a key that may have any bytes, which cl_json_set's could not; NULL does nothing. */
void cl__ddb_add(cl_json *parent, cl_str key, cl_json *child);

/* Which operation takes which members of cl_ddb_options. */
enum {
    CL__DDB_GET = 1 << 0,
    CL__DDB_PUT = 1 << 1,
    CL__DDB_UPDATE = 1 << 2,
    CL__DDB_DELETE = 1 << 3,
    CL__DDB_QUERY = 1 << 4,
    CL__DDB_SCAN = 1 << 5,
    CL__DDB_BATCH_GET = 1 << 6,
    CL__DDB_STEP_WRITE = 1 << 7,        /* of a transaction */
    CL__DDB_STEP_GET = 1 << 8
};
/* Adds the options to an input. CL_DDB_VALIDATION when one is set that `kind` does not have. options may be NULL. */
cl_ddb_error cl__ddb_options(cl_dynamodb *db, unsigned kind, const char *operation, const cl_ddb_options *options, cl_arena *arena,
                             cl_json *input);

/* What the answer in db->connection.answer comes to, as of that operation: part of every call, by itself for its fuzzer.
 * *ret_retry: may another try mend it? */
cl_ddb_error cl__ddb_read_answer(cl_dynamodb *db, cl_arena *arena, const char *operation, cl_json **ret, bool *ret_retry);

/* x-amz-crc32: CRC-32 as of RFC 1952. */
uint32_t cl__crc32(cl_str bytes);

#endif
