/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokens.h"

#define PER_ADDRESS 100 /* unless only this machine can connect: then all have one address */

static const char usage[] =
    "usage: cards [--host ADDRESS] [--port PORT] [--demo | --no-tokens] [--db FILE]\n"
    "             [--web DIR] [--redis HOST:PORT] [--threads N] [--log FILE]\n";

static const char help[] =
    "  --host ADDRESS     IPv4 or IPv6, with a zone if need be (fe80::1%eth0), or a name\n"
    "                     that is looked up once (127.0.0.1)\n"
    "  --port PORT        0 takes a free one (3001)\n"
    "  --demo             begins with some cards, and POST /api/token gives a token to every\n"
    "                     client that asks\n"
    "  --no-tokens        no token is needed: only where this machine alone can connect\n"
    "  --db FILE          keeps the cards and the last messages in an SQLite database, so that\n"
    "                     clients resume after a restart; without it everything is in memory\n"
    "  --web DIR          the files of the page (examples/cards/web)\n"
    "  --redis, --log     not built yet; nor are --threads above 1\n"
    "\n"
    "Environment:\n"
    "  MEMORY_THRESHOLD_MB        no new sockets while more memory of the machine is in use\n"
    "  CPU_THRESHOLD              ... or more percent of its processor time (100: never)\n"
    "  MAX_WEBSOCKET_CONNECTIONS  sockets at a time (500)\n"
    "  MAX_PER_ADDRESS            of these, and of HTTP connections, from one address; 0: no\n"
    "                             limit, for a server behind a proxy (100; on loopback 0)\n"
    "  JWT_SECRET                 signs the tokens (HS256); at least 32 bytes. With --demo it may\n"
    "                             be absent: then all tokens end with the program\n"
    "  POLL_SECONDS               how long a long poll waits (25)\n"
    "  TOKEN_SECONDS              lifetime of a token of --demo (3600)\n";

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "cards: %s: %s\n", what, why);
    exit(2);
}

static unsigned number(const char *name, const char *text, unsigned min, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < min || value > max) {
        fprintf(stderr, "cards: %s: not a number from %u to %u: %s\n", name, min, max, text);
        exit(2);
    }
    return (unsigned)value;
}

static unsigned number_from_environment(const char *name, unsigned otherwise, unsigned min,
                                        unsigned max)
{
    const char *text = getenv(name);
    return text && *text ? number(name, text, min, max) : otherwise;
}

static void read_environment(struct options *options)
{
    options->connections = number_from_environment("MAX_WEBSOCKET_CONNECTIONS", 0, 1, 1000000);
    options->memory_mb = number_from_environment("MEMORY_THRESHOLD_MB", 0, 1, 1u << 30);
    options->cpu_percent = number_from_environment("CPU_THRESHOLD", 100, 1, 100);
    options->poll_seconds = number_from_environment("POLL_SECONDS", 25, 1, 3600);
    options->token_seconds = number_from_environment("TOKEN_SECONDS", 3600, 1, 86400);
    options->per_address =
        number_from_environment("MAX_PER_ADDRESS", options->loopback ? 0 : PER_ADDRESS, 0, 1000000);
    options->secret = getenv("JWT_SECRET");
}

/* Fails unless it is certain who may connect. */
static void check_secret(const struct options *options)
{
    const char *problem = options->secret ? tokens_problem(options->secret) : NULL;
    if (problem) {
        fail("JWT_SECRET", problem);
    }
    if (options->no_tokens && (options->demo || options->secret)) {
        fail("--no-tokens", "it cannot be used with --demo or JWT_SECRET: leave one of them out");
    }
    if (options->no_tokens && !options->loopback) {
        fail(options->host, "not a loopback address, so everybody could connect: set JWT_SECRET "
                            "in place of --no-tokens");
    }
    if (!options->secret && !options->demo && !options->no_tokens) {
        fail("JWT_SECRET is not set", "set it to at least 32 bytes that nobody can guess: "
                                      "export JWT_SECRET=$(openssl rand -hex 32). Or give --demo "
                                      "(every client gets a token), or --no-tokens (this machine "
                                      "only)");
    }
}

/* Sets the address, and whether it is a loopback address. */
static void find_host(struct options *options)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char port[8];
    int error;

    snprintf(port, sizeof(port), "%u", options->port);
    error = getaddrinfo(options->host, port, &hints, &found);
    if (error) {
        fail(options->host, gai_strerror(error));
    }
    memcpy(&options->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&options->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&options->address;
    options->loopback = v4->sin_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
                                                  : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

struct options options_read(int argc, char **argv)
{
    static const struct option known[] = {{"host", required_argument, NULL, 'a'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"demo", no_argument, NULL, 'd'},
                                          {"db", required_argument, NULL, 'b'},
                                          {"no-tokens", no_argument, NULL, 'n'},
                                          {"web", required_argument, NULL, 'w'},
                                          {"redis", required_argument, NULL, 'r'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"log", required_argument, NULL, 'l'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.host = "127.0.0.1", .port = 3001};
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'a':
            options.host = optarg;
            break;
        case 'p':
            options.port = number("--port", optarg, 0, 65535);
            break;
        case 'd':
            options.demo = 1;
            break;
        case 'b':
            options.db = optarg;
            break;
        case 'n':
            options.no_tokens = 1;
            break;
        case 'w':
            options.web = optarg;
            break;
        case 'r':
            fail("--redis", "not built yet");
        case 't':
            if (number("--threads", optarg, 1, 1024) > 1) {
                fail("--threads above 1", "not built yet");
            }
            break;
        case 'l':
            fail("--log", "not built yet");
        case 'h':
            printf("%s%s", usage, help);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
    find_host(&options);
    read_environment(&options);
    check_secret(&options);
    return options;
}
