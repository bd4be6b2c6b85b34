/* err.h -- what an operation of the lower layers can answer. One table makes the enum and the texts.
 * Errors that a client of an AWS API sees are names of the service's model: see call/call.h. */
#ifndef CLOUDLESS_BASE_ERR_H
#define CLOUDLESS_BASE_ERR_H

#define ERR_TABLE(X)                                                        \
    X(ERR_OK, "fine")                                                       \
    X(ERR_NOT_FOUND, "not found")                                           \
    X(ERR_EXISTS, "exists already")                                         \
    X(ERR_INVALID, "invalid input")                                         \
    X(ERR_TOO_LARGE, "over its limit")                                      \
    X(ERR_BUSY, "no capacity at the moment")                                \
    X(ERR_TIMEOUT, "timed out")                                             \
    X(ERR_DENIED, "not permitted")                                          \
    X(ERR_IO, "input/output failed")                                        \
    X(ERR_CORRUPT, "stored data is damaged")                                \
    X(ERR_ABORTED, "the mutation decided against its writes")               \
    X(ERR_CONFLICT, "changed by others meanwhile")                          \
    X(ERR_CLOSED, "shutting down")                                          \
    X(ERR_UNSUPPORTED, "not supported here")

enum err {
#define ERR_ENUM(name, text) name,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

const char *err_text(enum err err);
#endif
