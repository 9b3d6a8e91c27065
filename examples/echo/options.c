/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MESSAGE_MAX (1u << 29)
#define CONNECTIONS_MAX 1000000u

static const char usage[] = "usage: echo [--host ADDRESS] [--port PORT] [--io epoll|uring|auto]\n"
                            "            [--threads N] [--deflate] [--max-message BYTES]\n"
                            "            [--max-connections N] [--max-per-address N]\n"
                            "            [--flush-delay MICROSECONDS] [--report]\n";

static const char help[] =
    "  --host ADDRESS        IPv4, IPv6, or a name (127.0.0.1)\n"
    "  --port PORT           0 takes a free one (9001)\n"
    "  --io epoll|uring|auto what moves the bytes; uring needs Linux 6.0, auto is uring if this\n"
    "                        machine has it, or else epoll (epoll)\n"
    "  --threads N           more than 1 is not built yet (1)\n"
    "  --deflate             negotiate permessage-deflate (RFC 7692)\n"
    "  --max-message BYTES   longest message that is accepted (65536)\n"
    "  --max-connections N   how many at a time (100000, or what the system allows)\n"
    "  --max-per-address N   how many of one client address, or IPv6 /64 (any number)\n"
    "  --flush-delay MICROSECONDS  how long a message may wait for others to join it (0)\n"
    "  --report              print at the end the most that one turn of the loop did\n"
    "\n"
    "/echo sends back, /room/{name} passes on to the room, /publish takes NAME\\nPAYLOAD.\n";

_Noreturn void fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "echo: %s: %s\n", what, why);
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
        fprintf(stderr, "echo: --%s: not a number from %u to %u: %s\n", option, min, max, text);
        misused();
    }
    return (unsigned)value;
}

/* How many peers fit into the descriptors that the program may have at most. */
static unsigned connections_default(void)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 100016 ? 100000
           : limit.rlim_cur > 32   ? (unsigned)limit.rlim_cur - 16
                                   : 16;
}

struct options options_from(int argc, char **argv)
{
    static const struct option names[] = {{"host", required_argument, NULL, 'a'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"io", required_argument, NULL, 'i'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"deflate", no_argument, NULL, 'd'},
                                          {"max-message", required_argument, NULL, 'm'},
                                          {"max-connections", required_argument, NULL, 'c'},
                                          {"max-per-address", required_argument, NULL, 'k'},
                                          {"flush-delay", required_argument, NULL, 'f'},
                                          {"report", no_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.host = "127.0.0.1",
                              .port = 9001,
                              .message_bytes = 65536,
                              .connections = connections_default()};
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'a':
            options.host = optarg;
            break;
        case 'p':
            options.port = number("port", optarg, 0, 65535);
            break;
        case 'i':
            options.io = strcmp(optarg, "uring") == 0  ? IO_URING
                         : strcmp(optarg, "auto") == 0 ? IO_AUTO
                                                       : IO_EPOLL;
            if (options.io == IO_EPOLL && strcmp(optarg, "epoll") != 0) {
                fail(2, "--io", "epoll, uring or auto");
            }
            break;
        case 't':
            if (number("threads", optarg, 1, 1024) > 1) {
                fail(2, "--threads above 1", "not built yet");
            }
            break;
        case 'd':
            options.deflate = 1;
            break;
        case 'r':
            options.report = 1;
            break;
        case 'm':
            options.message_bytes = number("max-message", optarg, 1, MESSAGE_MAX);
            break;
        case 'c':
            options.connections = number("max-connections", optarg, 1, CONNECTIONS_MAX);
            break;
        case 'k':
            options.per_address = number("max-per-address", optarg, 1, CONNECTIONS_MAX);
            break;
        case 'f':
            options.flush_delay = number("flush-delay", optarg, 0, 1000000);
            break;
        case 'h':
            printf("%s%s", usage, help);
            exit(0);
        default:
            misused();
        }
    }
    if (optind < argc) {
        misused();
    }
    return options;
}
