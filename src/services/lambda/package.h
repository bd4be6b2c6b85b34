/* package.h -- deployment packages. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_PACKAGE_H
#define CLOUDLESS_SERVICES_LAMBDA_PACKAGE_H
#include "base/str.h"

#define LAMBDA_ZIP_BYTES_MAX (50u << 20)                /* quota: zipped, direct upload */
#define LAMBDA_REQUEST_BYTES_MAX 70167211               /* of a request that carries one: its base64, and 256 KB */
#define LAMBDA_UNZIPPED_BYTES_MAX 262144000u            /* quota: unzipped */
#define LAMBDA_ENTRIES_MAX 100000                       /* files of a package, and folders, ours */

/* What is wrong with a zip, in AWS's words, or NULL: names, links, more than so many bytes of files. Reads all of it. */
const char *lambda__package_check(struct str zip, size_t unzipped_max);
/* Into an existing folder, a package that passed the check. function_owns: the function's user is the files' owner, so that
 * what others may not read the owner may not either. False: the disk is full, or it did not pass. */
bool lambda__package_unpack(struct str zip, const char *dir, bool function_owns);
#endif
