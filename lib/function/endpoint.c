/* endpoint.c -- URLs of services. What is no plain scheme, host and port is refused rather than ignored: user names,
 * paths, queries and fragments, which a signature or a request line would otherwise have to carry.
 * Sources: RFC 3986; AWS SDKs and Tools reference guide, "Service-specific endpoints"; AWS General Reference, "Amazon
 * DynamoDB endpoints and quotas". */
#include "endpoint.h"
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 200 /* bytes of a URL in a message */

static const struct scheme {
    const char *prefix, *port;
    bool tls;
} schemes[] = {{"http://", "80", false}, {"https://", "443", true}};

/* Regions whose endpoints have another suffix than amazonaws.com, by how they begin. */
static const struct partition {
    const char *region, *suffix;
} partitions[] = {{"cn-", "amazonaws.com.cn"}, {"us-iso-", "c2s.ic.gov"}, {"us-isob-", "sc2s.sgov.gov"}, {"", "amazonaws.com"}};

static bool starts(cl_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

static cl_str rest(cl_str s, size_t n)
{
    return (cl_str){s.p + n, s.n - n};
}

static bool only(cl_str s, const char *allowed)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(allowed, s.p[i]))
            return false;
    return s.n > 0;
}

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Takes the host off the front of *s; an IPv6 address stands in brackets there. */
static bool take_host(cl_str *s, cl_str *ret, bool *ret_brackets)
{
    *ret_brackets = s->n > 0 && s->p[0] == '[';
    if (*ret_brackets) {
        const char *end = memchr(s->p, ']', s->n);
        if (!end)
            return false;
        *ret = (cl_str){s->p + 1, (size_t)(end - s->p) - 1};
        *s = rest(*s, ret->n + 2);
        return ret->n < 46 && memchr(ret->p, ':', ret->n) && only(*ret, DIGITS "abcdefABCDEF:.");
    }
    size_t n = 0;
    while (n < s->n && s->p[n] != ':' && s->p[n] != '/')
        n++;
    *ret = (cl_str){s->p, n};
    *s = rest(*s, n);
    return n <= CL__HOST_MAX && only(*ret, LOWER UPPER DIGITS "-._");
}

/* Takes :port off the front; absent, *port stays. */
static bool take_port(cl_str *s, cl_str *port)
{
    if (s->n == 0 || s->p[0] != ':')
        return true;
    size_t n = 1;
    unsigned value = 0;
    for (; n < s->n && n <= 5 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        value = value * 10 + (unsigned)(s->p[n] - '0');
    *port = (cl_str){s->p + 1, n - 1};
    *s = rest(*s, n);
    return value >= 1 && value <= 65535 && port->p[0] != '0';
}

static bool parse(cl_str url, struct cl__endpoint *ret)
{
    for (size_t i = 0; i < CL__COUNT(schemes); i++) {
        const struct scheme *scheme = &schemes[i];
        if (!starts(url, scheme->prefix))
            continue;
        cl_str s = rest(url, strlen(scheme->prefix)), host, port = cl_str_of(scheme->port);
        bool brackets;
        if (!take_host(&s, &host, &brackets) || !take_port(&s, &port) || !(s.n == 0 || cl_str_is(s, "/")))
            return false;
        const char *open = brackets ? "[" : "", *close = brackets ? "]" : "";
        bool own = cl_str_is(port, scheme->port);
        ret->tls = scheme->tls;
        snprintf(ret->host, sizeof ret->host, CL_FMT, CL_ARG(host));
        snprintf(ret->port, sizeof ret->port, CL_FMT, CL_ARG(port));
        snprintf(ret->authority, sizeof ret->authority, "%s%s%s%s%s", open, ret->host, close, own ? "" : ":", own ? "" : ret->port);
        return true;
    }
    return false;
}

/* What a message may say of a URL: one line, without user information or query, where secrets stand. */
static cl_str shown(cl_str url)
{
    size_t n = 0;
    while (n < url.n && url.p[n] != '?' && url.p[n] != '#' && (unsigned char)url.p[n] >= ' ' && url.p[n] != 127)
        n++;
    return memchr(url.p, '@', url.n) ? cl_str_of("one with a user or password") : cl__utf8_cut((cl_str){url.p, n}, SHOWN_MAX);
}

cl_result cl__endpoint_parse(const char *variable, cl_str url, struct cl__endpoint *ret, cl_str *message)
{
    struct cl__endpoint endpoint = {0};
    if (!parse(url, &endpoint)) {
        cl_str value = shown(url);
        *message = cl__sentence("%s: expected http://host[:port] or https://host[:port], not " CL_FMT, variable, CL_ARG(value));
        return CL_CONFIG;
    }
    *ret = endpoint;
    return CL_OK;
}

cl_result cl__endpoint_of(const char *service, const char *variable_end, cl_str region, struct cl__endpoint *ret, cl_str *message)
{
    char own[64];
    snprintf(own, sizeof own, "AWS_ENDPOINT_URL_%s", variable_end);
    const char *const variables[] = {own, "AWS_ENDPOINT_URL"};
    for (size_t i = 0; i < CL__COUNT(variables); i++) {
        const char *url = getenv(variables[i]);
        if (url && *url)
            return cl__endpoint_parse(variables[i], cl_str_of(url), ret, message);
    }
    if (region.n > 32 || !only(region, LOWER DIGITS "-")) {
        *message = cl__sentence("AWS_REGION: expected a region such as eu-central-1");
        return CL_CONFIG;
    }
    const struct partition *partition = partitions;
    while (!starts(region, partition->region)) /* the last one begins every region */
        partition++;
    char url[128];
    snprintf(url, sizeof url, "https://%s." CL_FMT ".%s", service, CL_ARG(region), partition->suffix);
    return cl__endpoint_parse("AWS_REGION", cl_str_of(url), ret, message);
}
