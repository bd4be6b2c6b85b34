/* main.c -- the command line: a table of commands, a table of options, and the help made from both. */
#include "main/command.h"
#include "net/http.h"
#include "services/lambda/lambda.h"
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FOR_SERVE = 1,
    FOR_ENV = 2,
    FOR_DOCTOR = 4,
    FOR_RUNTIME = 8,
    FOR_VERSION = 16,
    FOR_NEW = 32,
    FOR_RUN = 64,
    FOR_EVENT = 128,
    FOR_TRUST = 256,
    FOR_STATUS = 512,
    FOR_REPAIR = 1024
};

static const struct command {
    const char *name, *second;      /* "runtime list" has two words; the second may be left out */
    unsigned id;
    command_fn *run;
    const char *help;
    const char *words;              /* what it takes besides options; NULL: nothing */
    bool words_end_options;         /* behind the first one everything is a word */
} commands[] = {
    {"serve", NULL, FOR_SERVE, command_serve, "run the server", NULL, false},
    {"status", NULL, FOR_STATUS, command_status, "show how the server of a data directory is; exit code 0 if it serves", NULL,
     false},
    {"env", NULL, FOR_ENV, command_env, "print the exports an AWS client needs: eval \"$(cloudless env)\"", NULL, false},
    {"trust", NULL, FOR_TRUST, command_trust, "make this system trust the https:// of local names, or no longer (--undo)", NULL,
     false},
    {"doctor", NULL, FOR_DOCTOR, command_doctor, "say what this machine lacks for functions, and whether the data are whole", NULL,
     false},
    {"repair", NULL, FOR_REPAIR, command_repair, "save what can be saved of damaged data; what was there is kept", NULL, false},
    {"runtime", "list", FOR_RUNTIME, command_runtime_list, "which interpreter serves which Lambda runtime", NULL, false},
    {"new", NULL, FOR_NEW, command_new, "make a function project that builds, tests, deploys and answers", "NAME", false},
    {"run", NULL, FOR_RUN, command_run, "run a function outside the sandbox, for debuggers; its answers go to stdout",
     "PROGRAM [ARGUMENT...]", true},
    {"event", NULL, FOR_EVENT, command_event, "print an event that a function would get", "apigw-proxy|http-api-proxy", false},
    {"version", NULL, FOR_VERSION, command_version, "print the version (also --version, -v)", NULL, false},
};

typedef const char *option_fn(struct options *options, const char *value); /* NULL, or what is wrong with it */
static option_fn set_data, add_listen, set_account, set_region, set_log, set_access_log, set_memory, set_functions_memory,
    set_functions_processes, set_functions_cpu, set_supervised, set_concurrency, add_runtime, set_lang, add_event, add_tls_cert,
    add_tls_key, set_plain_http, set_https, set_undo, set_timeout, set_method, set_path, set_resource, set_stage, set_query,
    set_body, set_body_file, option_header;

static const struct option_row {
    const char *name, *value;   /* value NULL: it takes none */
    unsigned commands;
    option_fn *apply;
    const char *help;
} option_rows[] = {
    {"--data", "DIR", FOR_SERVE | FOR_ENV | FOR_DOCTOR | FOR_REPAIR | FOR_TRUST | FOR_STATUS, set_data,
     "data directory (default: ~/.local/share/cloudless)"},
    {"--listen", "ADDR:PORT", FOR_SERVE, add_listen, "address to serve, repeatable (default: 127.0.0.1:4566)"},
    {"--tls-cert", "FILE", FOR_SERVE, add_tls_cert,
     "certificate and its chain (PEM), repeatable; chosen by the name a client asks for"},
    {"--tls-key", "FILE", FOR_SERVE, add_tls_key, "its key (PEM); both are read again when they change"},
    {"--plain-http", NULL, FOR_SERVE, set_plain_http, "answer plain HTTP from other machines too: behind a proxy that speaks TLS"},
    {"--https", NULL, FOR_ENV, set_https, "the https URL, and the authority that its certificate is from"},
    {"--undo", NULL, FOR_TRUST, set_undo, "take the authority out again"},
    {"--account", "ID", FOR_SERVE, set_account, "account of the root key, 12 digits (default: 000000000000)"},
    {"--region", "NAME", FOR_SERVE, set_region, "region of what names none (default: us-east-1; every region is served)"},
    {"--log", "LEVEL", FOR_SERVE, set_log, "error, warn, info or debug (default: info)"},
    {"--access-log", "FILE", FOR_SERVE, set_access_log, "a line a request, to FILE or to stdout (-); SIGHUP opens FILE again"},
    {"--client-memory", "MB", FOR_SERVE, set_memory,
     "memory that clients may make the server hold; more get 503 (default: 1024, or half the machine's)"},
    {"--functions-memory", "MB", FOR_SERVE, set_functions_memory,
     "memory that all functions may take together (default: three quarters of the machine's)"},
    {"--functions-processes", "N", FOR_SERVE, set_functions_processes,
     "processes and threads that all functions may have together (default: half of the machine's)"},
    {"--functions-cpu", "PERCENT", FOR_SERVE, set_functions_cpu,
     "processor time that all functions may take together, of one core: 150 is one and a half (default: no limit)"},
    {"--supervised", NULL, FOR_SERVE, set_supervised,
     "under a supervisor that keeps the sockets and starts a crashed server again at once"},
    {"--concurrency", "N", FOR_SERVE, set_concurrency, "invocations at the same time; more get 429 (default: 1000)"},
    {"--runtime", "NAME=PATH", FOR_SERVE | FOR_DOCTOR | FOR_RUNTIME, add_runtime,
     "interpreter of a runtime: python3.13=/usr/bin/python3.13"},
    {"--lang", "c|python", FOR_NEW, set_lang, "language of the project (default: c)"},
    {"--event", "FILE", FOR_RUN, add_event, "an event's JSON, repeatable, - for stdin (default: one event a line of stdin)"},
    {"--timeout", "SECONDS", FOR_RUN, set_timeout,
     "time the function is told it has for an event; a notice says when it is over (default: 900)"},
    {"--method", "NAME", FOR_EVENT, set_method, "method (default: GET)"},
    {"--path", "PATH", FOR_EVENT, set_path, "path behind the stage (default: /)"},
    {"--resource", "PATH", FOR_EVENT, set_resource,
     "resource that takes it, like /todos/{id} (default: /{proxy+}, route $default)"},
    {"--stage", "NAME", FOR_EVENT, set_stage, "stage (default: prod, of an HTTP API $default)"},
    {"--query", "TEXT", FOR_EVENT, set_query, "query string, like a=1&b=2"},
    {"--header", "NAME:VALUE", FOR_EVENT, option_header, "a header, repeatable"},
    {"--body", "TEXT", FOR_EVENT, set_body, "body (Content-Type: application/json, if no --header says another)"},
    {"--body-file", "FILE", FOR_EVENT, set_body_file, "file with the body, - for stdin"},
};

static const char *set_data(struct options *options, const char *value)
{
    options->data = value;
    return *value ? NULL : "it is empty";
}

static const char *add_listen(struct options *options, const char *value)
{
    if (options->listen_count == LISTEN_MAX)
        return "there are more than 8 addresses";
    options->listen[options->listen_count++] = value;
    if (!http_is_address(str_of(value)))
        return "it should be ADDRESS:PORT in numbers, like 127.0.0.1:4566 or [::1]:4566";
    uint64_t port;
    bool fine = str_to_u64(str_of(strrchr(value, ':') + 1), &port) && port > 0;
    return fine ? NULL : "a port is from 1 to 65535";
}

static const char *add_tls_cert(struct options *options, const char *value)
{
    if (options->tls_cert_count == TLS_FILES_MAX)
        return "there are more than 8";
    options->tls_certs[options->tls_cert_count++] = value;
    return *value ? NULL : "it is empty";
}

static const char *add_tls_key(struct options *options, const char *value)
{
    if (options->tls_key_count == TLS_FILES_MAX)
        return "there are more than 8";
    options->tls_keys[options->tls_key_count++] = value;
    return *value ? NULL : "it is empty";
}

static const char *set_plain_http(struct options *options, const char *value)
{
    (void)value;
    options->plain_http = true;
    return NULL;
}

static const char *set_https(struct options *options, const char *value)
{
    (void)value;
    options->https = true;
    return NULL;
}

static const char *set_undo(struct options *options, const char *value)
{
    (void)value;
    options->undo = true;
    return NULL;
}

static const char *set_account(struct options *options, const char *value)
{
    options->account = value;
    return strlen(value) == 12 && strspn(value, "0123456789") == 12 ? NULL : "an account is 12 digits";
}

static const char *set_region(struct options *options, const char *value)
{
    options->region = value;
    return *value && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(value) ? NULL : "a region is like us-east-1";
}

static const char *set_log(struct options *options, const char *value)
{
    return log_level_parse(value, &options->log) ? NULL : "the levels are error, warn, info and debug";
}

static const char *set_access_log(struct options *options, const char *value)
{
    options->access_log = value;
    return *value ? NULL : "it is empty";
}

static const char *set_supervised(struct options *options, const char *value)
{
    (void)value;
    options->supervised = true;
    return NULL;
}

static const char *set_memory(struct options *options, const char *value)
{
    uint64_t mb = 0;
    if (!str_to_u64(str_of(value), &mb) || mb < 16 || mb > 1 << 20)
        return "it should be a number from 16 to 1048576";
    options->memory = (size_t)mb << 20;
    return NULL;
}

static const char *set_functions_memory(struct options *options, const char *value)
{
    uint64_t mb = 0;
    if (!str_to_u64(str_of(value), &mb) || mb < 128 || mb > 1 << 24)
        return "it should be a number from 128 to 16777216";
    options->functions_memory = (size_t)mb << 20;
    return NULL;
}

static const char *set_functions_processes(struct options *options, const char *value)
{
    uint64_t n = 0;
    if (!str_to_u64(str_of(value), &n) || n < 64 || n > 4194304)
        return "it should be a number from 64 to 4194304";
    options->functions_processes = (size_t)n;
    return NULL;
}

static const char *set_functions_cpu(struct options *options, const char *value)
{
    uint64_t percent = 0;
    if (!str_to_u64(str_of(value), &percent) || percent < 5 || percent > 100000)
        return "it should be a number from 5 to 100000";
    options->functions_cpu = (unsigned)percent;
    return NULL;
}

static const char *set_concurrency(struct options *options, const char *value)
{
    uint64_t n = 0;
    if (!str_to_u64(str_of(value), &n) || n == 0 || n > 100000)
        return "it should be a number from 1 to 100000";
    options->concurrency = (size_t)n;
    return NULL;
}

static const char *add_runtime(struct options *options, const char *value)
{
    const char *wrong = lambda_runtime_flag_wrong(value);
    if (wrong)
        return wrong;
    if (options->runtime_count == RUNTIME_FLAGS_MAX)
        return "there are more than 32";
    options->runtimes[options->runtime_count++] = value;
    return NULL;
}

static const char *set_lang(struct options *options, const char *value)
{
    options->lang = value;
    return strcmp(value, "c") == 0 || strcmp(value, "python") == 0 ? NULL : "the languages are c and python";
}

static const char *add_event(struct options *options, const char *value)
{
    if (options->event_count == EVENT_FILES_MAX)
        return "there are more than 64";
    options->events[options->event_count++] = value;
    return NULL;
}

static const char *set_timeout(struct options *options, const char *value)
{
    bool fine = str_to_u64(str_of(value), &options->timeout_s) && options->timeout_s >= 1 && options->timeout_s <= 86400;
    return fine ? NULL : "it should be a number from 1 to 86400";
}

static const char *set_method(struct options *options, const char *value)
{
    options->method = value;
    return *value && strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(value) ? NULL : "a method is like POST";
}

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static const char *set_path(struct options *options, const char *value)
{
    options->path = value;
    if (*value != '/')
        return "it should begin with /";
    if (strpbrk(value, "?#"))
        return "what follows a ? goes into --query; a ? or # of the path itself is %3F or %23";
    return is_visible(value) ? NULL : "blanks and what is not ASCII are written like %20";
}

static const char *set_resource(struct options *options, const char *value)
{
    options->resource = value;
    return *value == '/' ? NULL : "it should begin with /";
}

static const char *set_stage(struct options *options, const char *value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    options->stage = value;
    bool fine = strcmp(value, "$default") == 0 || (*value && strspn(value, letters) == strlen(value));
    return fine ? NULL : "a stage has letters, digits, _ and - only, or is $default";
}

static const char *set_query(struct options *options, const char *value)
{
    if (options->query)
        return "there is one already; several parameters are written a=1&b=2";
    options->query = value;
    if (*value == '?')
        return "it goes without its ?";
    return is_visible(value) && !strchr(value, '#') ? NULL : "blanks, # and what is not ASCII are written like %20";
}

static const char *set_body(struct options *options, const char *value)
{
    options->body = value;
    return options->body_file ? "there is a --body-file already" : NULL;
}

static const char *set_body_file(struct options *options, const char *value)
{
    options->body_file = value;
    return options->body ? "there is a --body already" : NULL;
}

static const char *option_header(struct options *options, const char *value)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    size_t name = strspn(value, token);
    if (options->header_count == COMMAND_HEADERS_MAX)
        return "there are more than 64";
    options->headers[options->header_count++] = value;
    if (name == 0 || value[name] != ':')
        return "it should be like 'Content-Type: application/json'; a name has no blanks";
    for (const char *at = value + name; *at; at++)
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
            return "a value has neither line breaks nor other control characters";
    return NULL;
}

static void help(FILE *out)
{
    fputs("Cloudless: API Gateway, Lambda and DynamoDB on this machine, for every AWS client.\n\nusage:\n", out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  cloudless %s%s%-*s %s\n", commands[i].name, commands[i].second ? " " : "",
                (int)(16 - strlen(commands[i].name) - (commands[i].second ? 1 : 0)), commands[i].second ? commands[i].second : "",
                commands[i].help);
    fputs("  cloudless COMMAND --help\n\nFirst steps: `cloudless serve` in one terminal; in another `eval \"$(cloudless env)\"`, "
          "then aws dynamodb list-tables.\n",
          out);
}

static void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "cloudless %s%s%s%s%s: %s\n", command->name, command->second ? " " : "", command->second ? command->second : "",
            command->words ? " [OPTION...] " : "", command->words ? command->words : "", command->help);
    for (size_t i = 0; i < COUNT_OF(option_rows); i++)
        if (option_rows[i].commands & command->id)
            fprintf(out, "  %-14s %-10s %s\n", option_rows[i].name,
                    option_rows[i].value ? option_rows[i].value : "", option_rows[i].help);
    if (command->id == FOR_SERVE)
        fputs("Environment: CLOUDLESS_ROOT_ACCESS_KEY_ID and CLOUDLESS_ROOT_SECRET_ACCESS_KEY preset the root key.\n"
              "Ready when it prints one line with its URL; SIGTERM drains and ends it, a second one ends it at once.\n"
              "Exit codes: 0 fine, 1 failed while running, 2 wrong usage.\n", out);
}

static const struct command *find_command(int argc, char **argv, int *ret_next)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct command *c = &commands[i];
        bool is_version = c->id == FOR_VERSION && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0);
        if (strcmp(c->name, argv[1]) != 0 && !is_version)
            continue;
        if (!c->second) {
            *ret_next = 2;
            return c;
        }
        if (argc > 2 && strcmp(c->second, argv[2]) == 0) {
            *ret_next = 3;
            return c;
        }
        if (argc == 2 || argv[2][0] == '-') {       /* "runtime --help" */
            *ret_next = 2;
            return c;
        }
    }
    return NULL;
}

static const struct option_row *find_option(const struct command *command, const char *name, size_t name_n)
{
    for (size_t i = 0; i < COUNT_OF(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        if (strlen(row->name) == name_n && memcmp(row->name, name, name_n) == 0 && (row->commands & command->id))
            return row;
    }
    fprintf(stderr, "cloudless: '%.*s' is no option of '%s'; see cloudless %s --help\n", (int)name_n, name, command->name,
            command->name);
    return NULL;
}

/* equals: what stands behind "--name=", or NULL; next: the word behind, or NULL, which is taken when the option needs it. */
static bool apply_option(const struct option_row *row, struct options *options, const char *equals, const char *next,
                         bool *ret_taken)
{
    bool next_fits = next && strncmp(next, "--", 2) != 0; /* another option is no value */
    const char *value = row->value && !equals && next_fits ? next : equals;
    *ret_taken = row->value && !equals && next_fits;
    if (row->value && !value) {
        fprintf(stderr, "cloudless: %s needs a value, %s: %s\n", row->name, row->value, row->help);
        if (next)
            fprintf(stderr, "cloudless: if %s is the value: %s=%s\n", next, row->name, next);
        return false;
    }
    const char *wrong = !row->value && value ? "it takes no value" : row->apply(options, value);
    if (wrong)
        fprintf(stderr, "cloudless: %s '%s': %s\n", row->name, value ? value : "", wrong);
    return !wrong;
}

/* "--name value" and "--name=value"; for commands that take words also those, before and behind options. "--" ends options. */
static bool parse_options(const struct command *command, int argc, char **argv, int next, struct options *options)
{
    bool words_only = false;
    options->words = argv + argc;
    while (next < argc) {
        char *name = argv[next++];
        if (command->words && !words_only && strcmp(name, "--") == 0) {
            words_only = true;
            continue;
        }
        if (command->words && (words_only || *name != '-')) {
            if (options->word_count == 0)
                options->words = argv + next - 1;
            options->words[options->word_count++] = name;       /* moved up to the first one */
            words_only = words_only || command->words_end_options;
            continue;
        }
        const char *equals = strchr(name, '=');
        size_t name_n = equals ? (size_t)(equals - name) : strlen(name);
        const struct option_row *row = find_option(command, name, name_n);
        bool taken = false;
        if (!row || !apply_option(row, options, equals ? equals + 1 : NULL, next < argc ? argv[next] : NULL, &taken))
            return false;
        next += taken;
    }
    if (command->words && options->word_count == 0)
        fprintf(stderr, "cloudless: '%s' needs %s; see cloudless %s --help\n", command->name, command->words, command->name);
    options->words[options->word_count] = NULL;                 /* argv ends in NULL; at most argc words lie before it */
    return !command->words || options->word_count > 0;
}

static const char *default_data(struct arena *arena)
{
    const char *home = getenv("HOME");
    return home && *home ? arena_printf(arena, "%s/.local/share/cloudless", home).p : "/var/lib/cloudless";
}

/* PREFIX/bin/cloudless is installed with PREFIX/share/cloudless; build/cloudless has everything beside it. */
static bool find_program(char dir[PATH_MAX], bool *ret_installed)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    snprintf(dir, PATH_MAX, "%s", dirname(self));
    size_t length = strlen(dir);
    *ret_installed = length >= 4 && strcmp(dir + length - 4, "/bin") == 0;
    if (*ret_installed)
        dir[length - 4] = '\0';
    return true;
}

const char *options_program_dir(struct arena *arena)
{
    char dir[PATH_MAX];
    bool installed;
    return find_program(dir, &installed) ? arena_cstr(arena, str_of(dir)) : "/usr/local";
}

const char *options_runtimes_dir(struct arena *arena)
{
    char dir[PATH_MAX];
    bool installed;
    if (!find_program(dir, &installed))
        return "/usr/local/share/cloudless/runtimes";
    return arena_printf(arena, installed ? "%s/share/cloudless/runtimes" : "%s/runtimes", dir).p;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* "runtime lst" is no command either, and neither is an option that comes first. */
static int no_command(int argc, char **argv)
{
    const char *second = NULL;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (argc > 2 && commands[i].second && strcmp(commands[i].name, argv[1]) == 0)
            second = argv[2];
    fprintf(stderr, "cloudless: there is no command '%s%s%s'%s; see cloudless --help\n", argv[1], second ? " " : "",
            second ? second : "", *argv[1] == '-' ? ", and options stand behind one" : "");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    bool asked = argc > 1 && asks_for_help(argv[1]);        /* "help serve" is "serve --help" */
    if (argc < 2 || (asked && argc == 2)) {
        help(asked ? stdout : stderr);
        return asked ? EXIT_FINE : EXIT_USAGE;
    }
    int next = 0;
    const struct command *command = find_command(argc - asked, argv + asked, &next);
    if (!command)
        return no_command(argc - asked, argv + asked);
    if (asked) {
        help_command(stdout, command);
        return EXIT_FINE;
    }
    for (int i = next; i < argc && (*argv[i] == '-' || !command->words_end_options); i++)
        if (asks_for_help(argv[i])) {
            help_command(stdout, command);
            return EXIT_FINE;
        }
    struct arena *arena = arena_new();
    struct options options = {.account = "000000000000", .region = "us-east-1", .log = LOG_INFO, .lang = "c", .timeout_s = 900};
    options.data = default_data(arena);
    options.argv = argv;
    options.runtimes_dir = options_runtimes_dir(arena);
    int status = parse_options(command, argc, argv, next, &options) ? command->run(&options, arena) : EXIT_USAGE;
    arena_free(arena);
    return status;
}

int command_version(const struct options *options, struct arena *arena)
{
    (void)options, (void)arena;
    puts("cloudless " CLOUDLESS_VERSION);
    return EXIT_FINE;
}
