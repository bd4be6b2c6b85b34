/* target.h -- what a request is for, decided from its Host, path and headers alone. Folder-internal but for tests. */
#ifndef CLOUDLESS_FRONT_TARGET_H
#define CLOUDLESS_FRONT_TARGET_H
#include "net/http.h"

enum front_kind { FRONT_GATEWAY, FRONT_HEALTH, FRONT_METRICS, FRONT_PAGE, FRONT_OWN_UNKNOWN, FRONT_AWS };

struct front_target {
    enum front_kind kind;
    /* FRONT_PAGE: below /_aws/, a service's page or nothing */
    struct str api_id, stage, path;     /* gateway: path is what follows the stage, raw; stage may be empty */
    struct str domain;                  /* gateway: what requestContext.domainName says */
};

/* Spans point into the request; `domain` may be allocated. */
struct front_target front_target_of(const struct http_request *request, struct str default_region);
#endif
