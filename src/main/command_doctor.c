/* command_doctor.c -- `cloudless doctor` and `cloudless runtime list`: what the sandbox and the runtimes find on this machine. */
#include "main/command.h"
#include "sandbox/sandbox.h"
#include "services/lambda/lambda.h"
#include <stdio.h>

static void print_runtimes(const struct lambda_runtime *runtimes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%-4s %-16s " STR_FMT "\n", runtimes[i].available ? "ok" : "--", runtimes[i].name,
               STR_ARG(runtimes[i].available ? runtimes[i].path : runtimes[i].remedy));
}

int command_runtime_list(const struct options *options, struct arena *arena)
{
    struct lambda_runtime *runtimes;
    size_t count = lambda_runtimes(options->runtimes_dir, options->runtimes, arena, &runtimes);
    print_runtimes(runtimes, count);
    return EXIT_FINE;
}

/* Exit status 1 when something that functions need is missing; a missing interpreter alone is no failure. */
int command_doctor(const struct options *options, struct arena *arena)
{
    struct sandbox_check *checks;
    size_t count = sandbox_doctor(arena, &checks);
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        printf("%-4s %-28s " STR_FMT "\n", checks[i].fine ? "ok" : "--", checks[i].what, STR_ARG(checks[i].detail));
        fine = fine && checks[i].fine;
    }
    struct lambda_runtime *runtimes;
    count = lambda_runtimes(options->runtimes_dir, options->runtimes, arena, &runtimes);
    print_runtimes(runtimes, count);
    return fine ? EXIT_FINE : EXIT_FAILED;
}
