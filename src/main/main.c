/* main.c -- the command line: a table of commands, a table of options, and the help made from both. */
#include "main/command.h"
#include "services/lambda/lambda.h"
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOR_SERVE = 1, FOR_ENV = 2, FOR_DOCTOR = 4, FOR_RUNTIME = 8, FOR_VERSION = 16 };

static const struct command {
    const char *name, *second;      /* "runtime list" has two words; the second may be left out */
    unsigned id;
    command_fn *run;
    const char *help;
} commands[] = {
    {"serve", NULL, FOR_SERVE, command_serve, "run the server"},
    {"env", NULL, FOR_ENV, command_env, "print the exports an AWS client needs: eval \"$(cloudless env)\""},
    {"doctor", NULL, FOR_DOCTOR, command_doctor, "say what this machine lacks for functions, and how to get it"},
    {"runtime", "list", FOR_RUNTIME, command_runtime_list, "which interpreter serves which Lambda runtime"},
    {"version", NULL, FOR_VERSION, command_version, "print the version"},
};

typedef const char *apply_fn(struct options *options, const char *value);      /* NULL, or what is wrong with it */
static apply_fn set_data, add_listen, set_account, set_region, set_log, set_concurrency, add_runtime;

static const struct option_row {
    const char *name, *value;
    unsigned commands;
    apply_fn *apply;
    const char *help;
} option_rows[] = {
    {"--data", "DIR", FOR_SERVE | FOR_ENV | FOR_DOCTOR, set_data, "data directory (default: ~/.local/share/cloudless)"},
    {"--listen", "ADDR:PORT", FOR_SERVE, add_listen, "address to serve, repeatable (default: 127.0.0.1:4566)"},
    {"--account", "ID", FOR_SERVE, set_account, "account of the root key, 12 digits (default: 000000000000)"},
    {"--region", "NAME", FOR_SERVE, set_region, "region of what names none (default: us-east-1; every region is served)"},
    {"--log", "LEVEL", FOR_SERVE, set_log, "error, warn, info or debug (default: info)"},
    {"--concurrency", "N", FOR_SERVE, set_concurrency, "invocations at the same time; more get 429 (default: 1000)"},
    {"--runtime", "NAME=PATH", FOR_SERVE | FOR_DOCTOR | FOR_RUNTIME, add_runtime, "interpreter of a runtime: python3.13=/usr/bin/python3.13"},
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

static void help(FILE *out)
{
    fputs("Cloudless: API Gateway, Lambda and DynamoDB on this machine, for every AWS client.\n\nusage:\n", out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  cloudless %s%s%-*s %s\n", commands[i].name, commands[i].second ? " " : "",
                (int)(16 - strlen(commands[i].name) - (commands[i].second ? 1 : 0)), commands[i].second ? commands[i].second : "",
                commands[i].help);
    fputs("  cloudless COMMAND --help\n\nFirst steps: `cloudless serve` in one terminal; in another `eval \"$(cloudless env)\"`, then aws dynamodb list-tables.\n", out);
}

static void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "cloudless %s%s%s: %s\n", command->name, command->second ? " " : "", command->second ? command->second : "", command->help);
    for (size_t i = 0; i < COUNT_OF(option_rows); i++)
        if (option_rows[i].commands & command->id)
            fprintf(out, "  %-14s %-10s %s\n", option_rows[i].name, option_rows[i].value, option_rows[i].help);
    if (command->id == FOR_SERVE)
        fputs("Environment: CLOUDLESS_ROOT_ACCESS_KEY_ID and CLOUDLESS_ROOT_SECRET_ACCESS_KEY preset the root key.\n"
              "Ready when it prints one line with its URL; SIGTERM drains and ends it, a second one ends it at once.\n"
              "Exit codes: 0 fine, 1 failed while running, 2 wrong usage.\n", out);
}

static const struct command *find_command(int argc, char **argv, int *ret_next)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->name, argv[1]) != 0)
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

static bool apply_option(const struct command *command, struct options *options, const char *name, size_t name_n, const char *value)
{
    for (size_t i = 0; i < COUNT_OF(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        if (strlen(row->name) != name_n || memcmp(row->name, name, name_n) != 0 || !(row->commands & command->id))
            continue;
        const char *wrong = value ? row->apply(options, value) : "its value is missing";
        if (wrong)
            fprintf(stderr, "cloudless: %s %s: %s\n", row->name, value ? value : "", wrong);
        return !wrong;
    }
    fprintf(stderr, "cloudless: '%.*s' is no option of '%s'; see cloudless %s --help\n", (int)name_n, name, command->name, command->name);
    return false;
}

/* "--name value" and "--name=value". */
static bool parse_options(const struct command *command, int argc, char **argv, int next, struct options *options)
{
    while (next < argc) {
        const char *name = argv[next++], *equals = strchr(name, '=');
        size_t name_n = equals ? (size_t)(equals - name) : strlen(name);
        const char *value = equals ? equals + 1 : next < argc ? argv[next++] : NULL;
        if (!apply_option(command, options, name, name_n, value))
            return false;
    }
    return true;
}

static const char *default_data(struct arena *arena)
{
    const char *home = getenv("HOME");
    return home && *home ? arena_printf(arena, "%s/.local/share/cloudless", home).p : "/var/lib/cloudless";
}

const char *options_runtimes_dir(struct arena *arena)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return "/usr/local/share/cloudless/runtimes";
    self[n] = '\0';
    const char *dir = dirname(self);
    /* PREFIX/bin/cloudless has PREFIX/share/cloudless/runtimes; build/cloudless has build/runtimes. */
    const char *installed = arena_printf(arena, "%s/../share/cloudless/runtimes", dir).p;
    return access(installed, F_OK) == 0 ? installed : arena_printf(arena, "%s/runtimes", dir).p;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
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
    if (!command) {
        fprintf(stderr, "cloudless: there is no command '%s'\n", argv[1 + asked]);
        help(stderr);
        return EXIT_USAGE;
    }
    if (asked) {
        help_command(stdout, command);
        return EXIT_FINE;
    }
    for (int i = next; i < argc; i++)
        if (asks_for_help(argv[i])) {
            help_command(stdout, command);
            return EXIT_FINE;
        }
    struct arena *arena = arena_new();
    struct options options = {.account = "000000000000", .region = "us-east-1", .log = LOG_INFO};
    options.data = default_data(arena);
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
