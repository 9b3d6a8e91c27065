/* SPDX-License-Identifier: MIT */
/*
 * hostile/load - what honest peers see of a server under attack, and what the attack leaves behind.
 *
 *     build/release/test/hostile/load/load [--full] [--only NAME] [--markdown]
 *
 * For each attack it starts build/examples/echo or cards on a free port of 127.0.0.1 and lets ten
 * honest peers echo, while 20 others a second join: first alone, then during the attack. It then
 * kills the attackers, and waits until the server is as it was. Meanwhile it looks at the server
 * from outside (watch.c). An echo server also reports the most that it decoded and delivered in one
 * turn of its loop.
 *
 * The short form, in make check, is a TAP test that judges counts and bytes: times would depend on
 * what else the machine does. --full (make attack) attacks longer, with more peers, and judges
 * times too. README.md has the bounds and what was measured. Exit status: 0, or 1 when a bound was
 * broken.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The bounds. */
#define DECODED_MAX (1u << 20)    /* in one turn */
#define DELIVERIES_MAX 2000u      /* in one turn */
#define KERNEL_MAX (512u * 1024u) /* kernel memory for what is sent to one peer */
#define KERNEL_REST (64u * 1024u) /* of the honest peers, in all, afterwards */
#define MEMORY_BACK (5 * SECOND)  /* until kernel memory is back */
#define COMES_BACK (12 * SECOND)  /* until descriptors are, too: cards gives a request 10 s */
#define P99_RATIO 10.0
#define P99_MS 50.0
#define JOINS_PART 0.95 /* within 3 s */
#define DESCRIPTORS 20000u

#define BETWEEN_SAMPLES 100 /* milliseconds */

struct server {
    pid_t pid;
    unsigned port;
    FILE *out;
};

/* The first processor, for the servers, and the others, for all peers. */
struct processors {
    cpu_set_t server, peers;
    int apart; /* 0: there is only one */
};

struct run {
    const struct attack *attack;
    unsigned count;
    int full;
    struct processors processors;
    struct server server;
    struct honest_result quiet, hurt;
    struct watched before, worst, after;
    unsigned long long decoded, deliveries; /* the most in one turn */
    double back;                            /* seconds until everything was back; -1: it was not */
    uint64_t memory_back;                   /* nanoseconds until kernel memory was back */
    atomic_int measured;                    /* 1: the honest peers have finished */
    int died;
};

uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

_Noreturn void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pause_ms(unsigned ms)
{
    const struct timespec time = {0, (long)ms * 1000000};
    nanosleep(&time, NULL);
}

/* ---------------------------------------------------------------- the server */

static _Noreturn void become_server(enum server_kind kind, int out)
{
    static char *const commands[][10] = {
        [ECHO] = {"build/examples/echo", "--port", "0", "--report", "--max-connections", "1000",
                  NULL},
        [ECHO_LIMITED] = {"build/examples/echo", "--port", "0", "--report", "--max-connections",
                          "1000", "--max-per-address", "600", NULL},
        [ECHO_DEFLATE] = {"build/examples/echo", "--port", "0", "--report", "--max-connections",
                          "1000", "--deflate", NULL},
        [CARDS] = {"build/examples/cards", "--port", "0", "--no-tokens", NULL},
    };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    if (!getenv("LOAD_VERBOSE")) {
        dup2(out, STDERR_FILENO);
    }
    execv(commands[kind][0], commands[kind]);
    fail(commands[kind][0]);
}

static struct processors processors_find(void)
{
    struct processors found = {.apart = 0};
    size_t first = 0;
    if (sched_getaffinity(0, sizeof found.peers, &found.peers) == 0) {
        while (first + 1 < CPU_SETSIZE && !CPU_ISSET(first, &found.peers)) {
            first++;
        }
        CPU_SET(first, &found.server);
        CPU_CLR(first, &found.peers);
        found.apart = CPU_COUNT(&found.peers) > 0;
    }
    return found;
}

static void server_start(const struct run *run, struct server *server)
{
    char line[256];
    int ends[2];
    if (pipe(ends) < 0 || (server->pid = fork()) < 0) {
        fail("server");
    }
    if (server->pid == 0) {
        if (run->full && run->processors.apart) {
            sched_setaffinity(0, sizeof run->processors.server, &run->processors.server);
        }
        become_server(run->attack->kind, ends[1]);
    }
    close(ends[1]);
    server->out = fdopen(ends[0], "r");
    while (server->out && fgets(line, sizeof line, server->out)) {
        const char *colon = strrchr(line, ':');
        if (strncmp(line, "listening", 9) == 0 && colon) {
            server->port = (unsigned)strtoul(colon + 1, NULL, 10);
            return;
        }
    }
    fail("the server did not start");
}

/* Reads the report of an echo server. Returns 0 when it ended as it should. */
static int server_end(struct run *run)
{
    char line[256];
    int status = -1;
    uint64_t patience = clock_now() + 10 * SECOND;
    kill(run->server.pid, SIGTERM);
    while (waitpid(run->server.pid, &status, WNOHANG) == 0 && clock_now() < patience) {
        pause_ms(10);
    }
    if (clock_now() >= patience) {
        kill(run->server.pid, SIGKILL);
        waitpid(run->server.pid, &status, 0);
        status = -1;
    }
    while (fgets(line, sizeof line, run->server.out)) {
        sscanf(line, "one turn: %llu bytes decoded, %llu deliveries", &run->decoded,
               &run->deliveries);
    }
    fclose(run->server.out);
    return status;
}

/* ----------------------------------------------------------------- one attack */

/* The server's work is measured, not which process gets a processor. Times are judged only in full:
 * there the server has a processor of its own, as if the peers were on other machines; and the
 * attackers, and the thread that looks at the server, take what the honest peers leave. */
static void step_back(const struct run *run)
{
    struct sched_param none = {0};
    if (run->full) {
        sched_setscheduler(0, SCHED_IDLE, &none);
    } else {
        setpriority(PRIO_PROCESS, 0, 10); /* of this thread alone */
    }
}

static void sample(struct run *run)
{
    struct watched now, *worst = &run->worst;
    if (watch(run->server.pid, run->server.port, &now) < 0) {
        run->died = 1;
        return;
    }
    if (now.descriptors > worst->descriptors) {
        worst->descriptors = now.descriptors;
    }
    worst->rss = now.rss > worst->rss ? now.rss : worst->rss;
    worst->send = now.send > worst->send ? now.send : worst->send;
    worst->largest = now.largest > worst->largest ? now.largest : worst->largest;
    worst->sockets = now.sockets > worst->sockets ? now.sockets : worst->sockets;
}

/* The last look is after the honest peers have finished and while the attack goes on. */
static void *sample_until_done(void *user)
{
    struct run *run = user;
    int done;
    step_back(run);
    do {
        done = run->measured;
        sample(run);
        pause_ms(BETWEEN_SAMPLES);
    } while (!done);
    return NULL;
}

/* Honest peers for so many seconds. The thread alone writes `worst` meanwhile. */
static void measure(struct run *run, struct honest *honest, double seconds,
                    struct honest_result *result)
{
    pthread_t sampler;
    run->measured = 0;
    if ((errno = pthread_create(&sampler, NULL, sample_until_done, run)) != 0) {
        fail("thread");
    }
    honest_run(honest, (uint64_t)(seconds * 1e9), result);
    run->measured = 1;
    pthread_join(sampler, NULL);
}

/* A process group: an attack may have helpers. */
static pid_t attack_start(const struct run *run)
{
    pid_t pid = fork();
    if (pid < 0) {
        fail("attack");
    }
    if (pid == 0) {
        setpgid(0, 0);
        step_back(run);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run->attack->run(run->server.port, run->count);
        _exit(0);
    }
    setpgid(pid, pid);
    return pid;
}

static void attack_end(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Kernel memory and descriptors are as they were before the attack. */
static int is_back(const struct run *run)
{
    return run->after.send <= KERNEL_REST && run->after.descriptors <= run->before.descriptors;
}

static void run_attack(struct run *run, double quiet, double attack)
{
    server_start(run, &run->server);
    struct honest *honest = honest_new(run->server.port, run->attack->kind);
    if (!honest) {
        fail("an honest peer was refused by a server at rest");
    }
    measure(run, honest, quiet, &run->quiet);
    pause_ms(50); /* what has joined is gone */
    watch(run->server.pid, run->server.port, &run->before);
    run->worst = run->before;

    pid_t attackers = attack_start(run);
    pause_ms(200);
    measure(run, honest, attack, &run->hurt);
    attack_end(attackers);

    uint64_t from = clock_now();
    do {
        pause_ms(20);
        run->died |= watch(run->server.pid, run->server.port, &run->after) < 0;
        if (run->after.send > KERNEL_REST) {
            run->memory_back = clock_now() - from;
        }
    } while (!run->died && !is_back(run) && clock_now() - from < COMES_BACK);
    run->back = is_back(run) && !run->died ? (double)(clock_now() - from) / 1e9 : -1;
    honest_free(honest);
    run->died |= server_end(run) != 0;
}

/* -------------------------------------------------------------------- judging */

struct verdict {
    const char *what;
    int good;
    char figure[100];
};

#define VERDICTS 10

static unsigned judge(const struct run *run, int full, struct verdict *v)
{
    unsigned n = 0;
    const struct honest_result *hurt = &run->hurt;
#define SAY(condition, says, ...) \
    do { \
        v[n].what = says; \
        v[n].good = (condition); \
        snprintf(v[n++].figure, sizeof v->figure, __VA_ARGS__); \
    } while (0)
    SAY(!run->died, "the server lives", "%s", run->died ? "died, or did not end" : "it does");
    SAY(run->hurt.lost == 0, "no honest peer is lost", "%u", hurt->lost);
    if (run->attack->kind != CARDS) {
        SAY(run->decoded <= DECODED_MAX, "at most 1 MiB is decoded in a turn", "%llu KiB",
            run->decoded >> 10);
        SAY(run->deliveries <= DELIVERIES_MAX, "at most 2000 deliveries are made in a turn", "%llu",
            run->deliveries);
    }
    SAY(run->worst.largest <= KERNEL_MAX, "kernel send memory of a peer is bounded",
        "%llu KiB of 512", (unsigned long long)run->worst.largest >> 10);
    SAY(run->memory_back < MEMORY_BACK, "kernel send memory comes back", "%llu KiB left",
        (unsigned long long)run->after.send >> 10);
    SAY(run->after.descriptors <= run->before.descriptors, "descriptors come back", "%u, now %u",
        run->before.descriptors, run->after.descriptors);
    if (full) {
        SAY(hurt->p99 < P99_MS && hurt->p99 <= P99_RATIO * run->quiet.p99,
            "honest echoes: p99 below 50 ms and 10 times the quiet one", "%.1f ms, quiet %.1f ms",
            hurt->p99, run->quiet.p99);
        SAY(hurt->joins - hurt->late >= JOINS_PART * (hurt->joins + hurt->failed),
            "95 of 100 honest joins within 3 s", "%u in time, %u late, %u failed",
            hurt->joins - hurt->late, hurt->late, hurt->failed);
    }
#undef SAY
    return n;
}

static void print_head(int markdown)
{
    if (markdown) {
        puts("| Attack | Attackers | p99 quiet | p99 | Joins in time | RSS | Kernel send memory | "
             "Of one peer | Descriptors | Back after | Decoded in a turn | "
             "Deliveries in a turn |\n"
             "|---|---|---|---|---|---|---|---|---|---|---|---|");
    } else {
        printf("# %-20s %9s %10s %10s %13s %8s %8s %8s %12s %7s %9s %10s\n", "attack", "attackers",
               "p99 quiet", "p99", "joins", "RSS", "kernel", "largest", "descriptors", "back",
               "decoded", "deliveries");
    }
}

static void print_row(const struct run *run, int markdown)
{
    char joins[32], descriptors[32], back[32];
    snprintf(joins, sizeof joins, "%u of %u", run->hurt.joins - run->hurt.late,
             run->hurt.joins + run->hurt.failed);
    snprintf(descriptors, sizeof descriptors, "%u/%u/%u", run->before.descriptors,
             run->worst.descriptors, run->after.descriptors);
    snprintf(back, sizeof back, run->back < 0 ? "no" : "%.1f s", run->back);
    printf(markdown ? "| %s | %u | %.2f ms | %.1f ms | %s | %llu MB | %llu KiB | %llu KiB | %s | "
                      "%s | %llu KiB | %llu |\n"
                    : "# %-20s %9u %7.2f ms %7.1f ms %13s %5llu MB %5llu K %6llu K %12s %7s %5llu "
                      "KiB %10llu\n",
           run->attack->name, run->count, run->quiet.p99, run->hurt.p99, joins,
           (unsigned long long)run->worst.rss >> 20, (unsigned long long)run->worst.send >> 10,
           (unsigned long long)run->worst.largest >> 10, descriptors, back, run->decoded >> 10,
           run->deliveries);
    fflush(stdout);
}

/* Each bound of each attack is a test. */
static int print_verdicts(const struct run *run, int full, unsigned *number)
{
    struct verdict verdicts[VERDICTS];
    unsigned count = judge(run, full, verdicts);
    int bad = 0;
    for (unsigned i = 0; i < count; i++) {
        printf("%sok %u - %s: %s (%s)\n", verdicts[i].good ? "" : "not ", ++*number,
               run->attack->name, verdicts[i].what, verdicts[i].figure);
        bad |= !verdicts[i].good;
    }
    fflush(stdout);
    return bad;
}

int main(int argc, char **argv)
{
    const struct rlimit descriptors = {DESCRIPTORS, DESCRIPTORS};
    const char *only = NULL;
    int full = 0, markdown = 0, bad = 0;
    unsigned number = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0) {
            full = 1;
        } else if (strcmp(argv[i], "--markdown") == 0) {
            markdown = 1;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else {
            fputs("usage: load [--full] [--only NAME] [--markdown]\n", stderr);
            return 2;
        }
    }
    const struct processors processors = processors_find();
    if (full && processors.apart) {
        sched_setaffinity(0, sizeof processors.peers, &processors.peers);
    }
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &descriptors);
    print_head(markdown);
    for (size_t i = 0; i < attack_count; i++) {
        struct run run = {.attack = &attacks[i],
                          .count = full ? attacks[i].full : attacks[i].quick,
                          .full = full,
                          .processors = processors};
        if (only && !strstr(attacks[i].name, only)) {
            continue;
        }
        run_attack(&run, full ? 2 : 0.3, full ? 8 : 1);
        print_row(&run, markdown);
        if (!markdown) {
            bad |= print_verdicts(&run, full, &number);
        }
    }
    if (!markdown) {
        printf("1..%u\n", number);
    }
    return bad;
}
