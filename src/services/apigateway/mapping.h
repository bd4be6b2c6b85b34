/* mapping.h -- what this program honours of mapping templates and parameter mappings: literals. Used by the control plane,
 * which refuses the rest when it is put, and by the data plane, which applies them. */
#ifndef CLOUDLESS_SERVICES_APIGATEWAY_MAPPING_H
#define CLOUDLESS_SERVICES_APIGATEWAY_MAPPING_H
#include "base/json.h"

#define MAPPING_TEMPLATE_BYTES_MAX (300u << 10)     /* quota: size of a mapping template */

/* A template without VTL ($ references, # directives): it stands for itself. */
bool mapping_is_literal(struct str template);
/* 'text' in single quotes: the text. False: another kind of expression. */
bool mapping_literal_value(struct str expression, struct str *ret);
/* What may stand in a header: a token (RFC 9110, 5.6.2) as name; a value without control characters but the tab. */
bool mapping_is_header_name(struct str name);
bool mapping_is_header_value(struct str value);
/* method.response.header.NAME: the name. False: another expression, or a NAME that is no header name. */
bool mapping_response_header(struct str key, struct str *ret);
/* "application/json; charset=utf-8" → "application/json", lower case kept as it is. */
struct str mapping_media_type(struct str content_type);
/* The template for this content type (missing: application/json), or NULL. Names compare without case. */
const struct json *mapping_find_template(const struct json *templates, struct str content_type);

/* ARN and name parts of arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations. The ARN may hold
 * ${stageVariables.NAME}. False: another form. */
bool mapping_lambda_uri(struct str uri, struct str *ret_function_arn);
#endif
