/* response.h -- an HTTP answer while a route handler makes it. Folder-internal. */
#ifndef CL_RESPONSE_H
#define CL_RESPONSE_H
#include "cloudless/http.h"
#include "runtime.h"

struct cl__header {
    struct cl__header *next;
    cl_str name, value;
};

struct cl_response {
    cl_arena *arena;
    int version;                        /* of the event: which shape the answer has */
    int status;
    struct cl__header *headers;         /* in order; cookies are kept apart, their names empty */
    struct cl__header *cookies;
    cl_str body;
    bool base64, crashed;
    bool said;                          /* a status or a body was set */
    bool too_large;                     /* the body */
    bool without_body;                  /* the answer to HEAD */
    const char *refused;                /* the name of a header that may not be sent as it is */
    struct cl__error error;             /* when crashed */
};

void cl__response_init(cl_response *response, cl_arena *arena, int version);
bool cl__response_has(const cl_response *response, const char *name);
void cl__response_check(cl_response *response);     /* makes one that cannot be sent a 500 */
/* What it came to, as the answer of the invocation. */
void cl__response_finish(cl_response *response, cl_answer *answer);

#endif
