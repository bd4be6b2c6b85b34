/* log.h -- log lines as Lambda's own JSON log format has them: {"timestamp":…,"level":"INFO","requestId":…,"message":…}.
 * One line an event on stderr, written with one write(2). LOG_LEVEL (or AWS_LAMBDA_LOG_LEVEL): TRACE, DEBUG, INFO
 * (default), WARN, ERROR, FATAL; of another value cl_run warns once. Source: AWS Lambda developer guide, "JSON log format". */
#ifndef CLOUDLESS_LOG_H
#define CLOUDLESS_LOG_H
#include "cloudless/function.h"
CL_BEGIN

typedef enum cl_level { CL_TRACE, CL_DEBUG, CL_INFO, CL_WARN, CL_ERROR, CL_FATAL } cl_level;

/* Outside of an invocation there is no requestId. At most 16 KiB a line; the message is cut at a code point. */
CL_API void cl_log(cl_level level, const char *format, ...) CL_PRINTF(2, 3);
/* With members of your own: an object whose members stand beside the message, at most 8 KiB of them. NULL: none. */
CL_API void cl_log_with(cl_level level, const cl_json *members, const char *format, ...) CL_PRINTF(3, 4);
CL_API bool cl_log_enabled(cl_level level);

CL_END
#endif
