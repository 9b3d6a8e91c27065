/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: doctor URL [--token T] [--origin O] [--subprotocol P]\n"
                            "              [--idle S] [--json]\n";

static const char help[] =
    "  URL              ws://HOST[:PORT]/PATH, or wss://\n"
    "  --token T        sent as Authorization: Bearer T\n"
    "  --origin O       the origin of the pages that connect (that of the endpoint itself)\n"
    "  --subprotocol P  which the endpoint must choose (wspool.v1.json, which it need not)\n"
    "  --idle S         also stays silent for S seconds, and looks whether the connection "
    "survives\n"
    "  --json           prints {\"ok\", \"stages\": [{\"stage\", \"ok\", \"detail\", \"owner\"}]}: "
    "the\n"
    "                   stages that could be judged, in their order\n"
    "\n"
    "It connects up to six times, once at a time, within 15 seconds (and S).\n"
    "Exit status: 0 all is well, 1 it is not, 2 wrong usage.\n";

_Noreturn void fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "doctor: %s: %s\n", what, why);
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
        fprintf(stderr, "doctor: --%s: not a number from %u to %u: %s\n", option, min, max, text);
        misused();
    }
    return (unsigned)value;
}

/* What goes into a header: visible ASCII, so that it cannot end the line. */
static const char *value(const char *option, const char *text, size_t max)
{
    if (strlen(text) > max || *text == '\0') {
        fail(2, option, "it is empty, or too long");
    }
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~') {
            fail(2, option, "it has a space, or bytes that are not visible ASCII");
        }
    }
    return text;
}

struct options options_from(int argc, char **argv)
{
    static const struct option names[] = {{"token", required_argument, NULL, 't'},
                                          {"origin", required_argument, NULL, 'o'},
                                          {"subprotocol", required_argument, NULL, 'p'},
                                          {"idle", required_argument, NULL, 'i'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {0};
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 't':
            options.token = value("--token", optarg, 8000);
            break;
        case 'o':
            options.origin = value("--origin", optarg, 300);
            break;
        case 'p':
            options.subprotocol = value("--subprotocol", optarg, 200);
            break;
        case 'i':
            options.idle = number("idle", optarg, 1, 86400);
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
