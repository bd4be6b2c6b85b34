/* interpreter.h -- which interpreter serves which runtime. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_INTERPRETER_H
#define CLOUDLESS_SERVICES_LAMBDA_INTERPRETER_H
#include "base/arena.h"
#include "base/err.h"

struct lambda__interpreter {
    const char *argv[4];            /* NULL-terminated, paths inside */
    const char *lang_dir, *runtime_dir;
};
struct lambda__interpreters;
/* Both are borrowed; flags is NULL or NULL-terminated. */
struct lambda__interpreters *lambda__interpreters_new(const char *runtimes_dir, const char *const *flags);
void lambda__interpreters_free(struct lambda__interpreters *interpreters);     /* NULL is fine */
/* Worker: it looks into folders. What was found is kept as long as it is there; what was not is looked for again. *ret is of the
 * arena. ERR_UNSUPPORTED: no runtime of that name; ERR_NOT_FOUND: *ret_remedy (of the arena) says what would make it available. */
enum err lambda__interpreter_find(struct lambda__interpreters *interpreters, struct str runtime, struct arena *arena,
                                  struct lambda__interpreter *ret, struct str *ret_remedy);
bool lambda__runtime_known(struct str runtime);
size_t lambda__interpreter_searches(struct lambda__interpreters *interpreters);     /* so far; for tests */
#endif
