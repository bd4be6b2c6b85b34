/* command_env.c -- `cloudless env`: shell exports made from the data directory's credentials and endpoint files. */
#include "main/command.h"
#include "main/datadir.h"
#include <stdio.h>

static void export(const char *name, struct str value)
{
    printf("export %s='", name);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\'')
            fputs("'\\''", stdout);
        else
            putchar(value.p[i]);
    puts("'");
}

int command_env(const struct options *options, struct arena *arena)
{
    struct str credentials, endpoint;
    enum err err = datadir_read(options->data, "credentials", arena, &credentials);
    if (err == ERR_OK)
        err = datadir_read(options->data, "endpoint", arena, &endpoint);
    if (err != ERR_OK) {
        datadir_say_unread(options->data, "access key", err);
        return EXIT_FAILED;
    }
    struct str region = datadir_value(endpoint, "region");
    struct str authority = datadir_value(endpoint, "authority"),
               url = datadir_value(endpoint, options->https ? "https_url" : "url");
    struct str id = datadir_value(credentials, "aws_access_key_id"), secret = datadir_value(credentials, "aws_secret_access_key");
    if (!region.n || !datadir_value(endpoint, "url").n || !id.n || !secret.n) {
        fprintf(stderr,
                "cloudless: %s/credentials or %s/endpoint is not what a server writes; start `cloudless serve --data %s` again\n",
                options->data, options->data, options->data);
        return EXIT_FAILED;
    }
    if (!url.n) {
        fprintf(stderr, "cloudless: the server of %s has no certificate to speak https with; its log says why\n", options->data);
        return EXIT_FAILED;
    }
    export("AWS_ACCESS_KEY_ID", id);
    export("AWS_SECRET_ACCESS_KEY", secret);
    export("AWS_REGION", region);
    export("AWS_DEFAULT_REGION", region);
    export("AWS_ENDPOINT_URL", url);
    if (options->https && authority.n) {
        export("AWS_CA_BUNDLE", authority);
        export("NODE_EXTRA_CA_CERTS", authority);       /* the SDK for JavaScript */
    }
    puts("unset AWS_SESSION_TOKEN AWS_PROFILE");
    return EXIT_FINE;
}
