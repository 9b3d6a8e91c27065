/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: load URL [--connections N] [--seconds S] [--token T] [--json]\n";

static const char help[] =
    "  URL              ws://HOST[:PORT]/PATH\n"
    "  --connections N  how many clients (1000)\n"
    "  --seconds S      how long they stay, once all have come or failed (10)\n"
    "  --token T        sent as Authorization: Bearer T\n"
    "  --json           prints one JSON object\n"
    "\n"
    "Exit status: 0 if at least 95 % of the clients are connected at the end, else 1.\n";

_Noreturn void fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(status);
}

static _Noreturn void misused(void)
{
    fputs(usage, stderr);
    exit(2);
}

static unsigned number(const char *option, const char *text, unsigned min, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < min || value > max) {
        fprintf(stderr, "load: --%s: not a number from %u to %u: %s\n", option, min, max, text);
        misused();
    }
    return (unsigned)value;
}

struct options options_from(int argc, char **argv)
{
    static const struct option names[] = {{"connections", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"token", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.connections = 1000, .seconds = 10};
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'c':
            options.connections = number("connections", optarg, 1, 1000000);
            break;
        case 's':
            options.seconds = number("seconds", optarg, 0, 86400);
            break;
        case 't':
            options.token = optarg;
            break;
        case 'j':
            options.json = 1;
            break;
        case 'h':
            fputs(usage, stdout);
            fputs(help, stdout);
            exit(0);
        default:
            misused();
        }
    }
    if (optind != argc - 1) {
        misused();
    }
    options.url = argv[optind];
    return options;
}
