/* descriptors.h -- how the process's descriptors are shared out: the store first, then sandboxes, then connections. */
#ifndef CLOUDLESS_MAIN_DESCRIPTORS_H
#define CLOUDLESS_MAIN_DESCRIPTORS_H
#include <stddef.h>

struct descriptors {
    size_t limit;               /* of the process */
    size_t store_files;         /* files that the engine keeps open */
    size_t environments;        /* of functions */
    size_t inside, inside_each; /* connections from all sandboxes together; of them, by one listener of one sandbox */
    size_t connections;         /* from outside */
};
/* Of a limit of that many. Each share is at least 1; their sum with what the rest of the program needs is at most the limit, if
 * that is at least DESCRIPTORS_MIN. */
#define DESCRIPTORS_MIN 256
void descriptors_share(size_t limit, struct descriptors *ret);
/* Raises the process's limit as far as it may, and shares it out. */
void descriptors_raise(struct descriptors *ret);
#endif
