/* mapping.c -- literal templates, quoted values, Lambda's invocation URI. Pure functions over text.
 * Sources: "Mapping template transformations", "Parameter mapping" and "Set up Lambda integrations", API Gateway guide. */
#include "services/apigateway/mapping.h"
#include "base/arn.h"

bool mapping_is_literal(struct str template)
{
    for (size_t i = 0; i < template.n; i++)
        if (template.p[i] == '$' || template.p[i] == '#')
            return false;
    return true;
}

bool mapping_is_header_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 127 || strchr("()<>@,;:\\\"/[]?={}", c))
            return false;
    }
    return name.n > 0;
}

bool mapping_is_header_value(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 127)
            return false;
    return true;
}

bool mapping_literal_value(struct str expression, struct str *ret)
{
    if (expression.n < 2 || expression.p[0] != '\'' || expression.p[expression.n - 1] != '\'')
        return false;
    struct str value = str_slice(expression, 1, expression.n - 1);
    if (!mapping_is_header_value(value))
        return false;
    *ret = value;
    return true;
}

bool mapping_response_header(struct str key, struct str *ret)
{
    struct str prefix = STR("method.response.header."), name = str_slice(key, prefix.n, key.n);
    if (!str_starts(key, prefix) || !mapping_is_header_name(name))
        return false;
    *ret = name;
    return true;
}

struct str mapping_media_type(struct str content_type)
{
    return str_trim(str_slice(content_type, 0, str_find(content_type, ';')));
}

const struct json *mapping_find_template(const struct json *templates, struct str content_type)
{
    struct str type = mapping_media_type(content_type);
    if (type.n == 0)
        type = STR("application/json");
    for JSON_EACH (template, templates)
        if (str_eq_nocase(mapping_media_type(template->key), type))
            return template;
    return NULL;
}

bool mapping_lambda_uri(struct str uri, struct str *ret_function_arn)
{
    struct arn arn;
    if (!arn_parse_of(uri, "apigateway", &arn) || arn.region.n == 0 || !str_eq(arn.account, STR("lambda")))
        return false;
    struct str rest = arn.resource, tail = STR("/invocations");
    if (!str_eq(str_cut(&rest, '/'), STR("path")))
        return false;
    while (rest.n && rest.p[0] == '/')          /* path//2015-03-31 is common and works */
        rest = str_slice(rest, 1, rest.n);
    if (!str_eq(str_cut(&rest, '/'), STR("2015-03-31")) || !str_eq(str_cut(&rest, '/'), STR("functions")) ||
        !str_ends(rest, tail) || rest.n == tail.n)
        return false;
    *ret_function_arn = str_slice(rest, 0, rest.n - tail.n);
    return str_find(*ret_function_arn, '/') == ret_function_arn->n;
}
