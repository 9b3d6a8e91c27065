/* SPDX-License-Identifier: MIT */
/*
 * storm/test_storm.c - 200 clients on real sockets, that lose their connections again and again,
 * stand still, and come back with their positions, while messages are published, clients act, and
 * the server is killed and started anew. The log of all that is judged by the rules of delivery
 * (model/README.md).
 *
 * Every client is a member of the feed, by its path, and of a room, which it subscribes to. One of
 * the rooms closes slow readers; in the others they fall behind.
 *
 * A client repeats actions without an answer on its next connection: if the action epoch is another
 * one, only sometimes, and then the answer is in_doubt. What is in doubt it sends under a new id.
 *
 * STORM=full in the environment: 10,000 messages, 2,000 of them by actions, 50 disconnects and 3
 * restarts, which takes minutes; else a tenth of it. STORM_LOG=FILE keeps the log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "../model/judge.h"
#include "../sim/client.h"
#include "../tools/test.h"
#include "storm.h"

enum { CLIENTS = 200, ROUND = 10, ACTIONS = 2, PENDING = 8, PATIENCE = 120 };

/* What a client knows of a channel. */
typedef struct place {
    char epoch[20]; /* empty: it never was a member */
    uint64_t offset;
    int asked; /* an answer is awaited: 1 without a position, 2 with its position */
    int member;
} place;

typedef struct client {
    unsigned number, connection;
    int fd; /* -1: not connected */
    blob out;
    size_t sent;
    reader in;
    int deaf, established;
    char action_epoch[70];
    uint64_t acted;            /* N of the last action */
    uint64_t pending[PENDING]; /* N of those without an answer, in order */
    size_t pending_count;
    place at[STORM_CHANNELS];
} client;

static client clients[CLIENTS];
static int loop, listener, log_fd;
static unsigned port;
static storm_server server;
static blob lines; /* what the clients have got; the server writes to the same file */
static uint64_t rng = 1;
static struct {
    uint64_t got, missed, resumed, recovered, cut, done, repeated, in_doubt;
} counts;

static uint64_t below(uint64_t limit)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (rng >> 33) % limit;
}

/* Returns 1 until patience is over. Nothing is measured: it only ends what hangs. */
static int patient(time_t *since)
{
    if (*since == 0)
        *since = time(NULL);
    if (time(NULL) - *since > PATIENCE)
        fail_msg("waited in vain");
    return 1;
}

/* Whole lines, because the server writes to the file, too. */
static void flush_lines(void)
{
    for (size_t done = 0; done < lines.len;) {
        ssize_t n = write(log_fd, lines.data + done, lines.len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    lines.len = 0;
}

/* ------------------------------------------------------------------ clients */

static size_t room_of(const client *c)
{
    return 1 + c->number % STORM_ROOMS;
}

static const char *name_of(const client *c)
{
    static char name[20];
    snprintf(name, sizeof name, "c%u:%u", c->number, c->connection);
    return name;
}

static void send_text(client *c, const char *text)
{
    client_put_frame(&c->out, &(client_frame){.first = FIN | OP_TEXT,
                                              .payload = text,
                                              .len = strlen(text),
                                              .key = 0x12345678});
}

static void watch(client *c, int op)
{
    struct epoll_event event = {.events = (c->deaf ? 0 : EPOLLIN) |
                                          (c->sent < c->out.len ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = c};
    assert_int_equal(epoll_ctl(loop, op, c->fd, &event), 0);
}

static void client_connects(client *c)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int little = 4096; /* a client that does not read is soon behind */
    char target[100];
    const place *feed = &c->at[0];
    c->connection++;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(c->fd >= 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    if (connect(c->fd, (struct sockaddr *)&there, sizeof there) != 0)
        assert_int_equal(errno, EINPROGRESS);
    snprintf(target, sizeof target, "/feed?client=c%u&epoch=%s&offset=%" PRIu64, c->number,
             feed->epoch, feed->offset);
    if (*feed->epoch == '\0')
        *strchr(target, '&') = '\0';
    c->at[0].asked = *feed->epoch == '\0' ? 1 : 2;
    client_put_request(&c->out, &(client_request){.target = target});
    watch(c, EPOLL_CTL_ADD);
}

/* The connection has ended, or the client ends it. */
static void client_ends(client *c, const char *why)
{
    blob_print(&lines, "cut %s %s\n", name_of(c), why);
    counts.cut++;
    close(c->fd);
    c->fd = -1;
    reader_free(&c->in);
    memset(&c->in, 0, sizeof c->in);
    blob_free(&c->out);
    memset(&c->out, 0, sizeof c->out);
    c->sent = 0;
    c->deaf = c->established = 0;
    for (size_t i = 0; i < STORM_CHANNELS; i++)
        c->at[i].asked = c->at[i].member = 0;
}

static void client_enters_its_room(client *c)
{
    char text[200];
    place *room = &c->at[room_of(c)];
    int n = snprintf(text, sizeof text, "{\"type\":\"subscribe\",\"data\":{\"channel\":\"%s\"",
                     storm_channels[room_of(c)]);
    room->asked = 1;
    if (*room->epoch != '\0') {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"since\":{\"epoch\":\"%s\",\"offset\":%" PRIu64 "}", room->epoch,
                      room->offset);
        room->asked = 2;
    }
    snprintf(text + n, sizeof text - (size_t)n, "}}");
    send_text(c, text);
}

static void client_acts(client *c, uint64_t n)
{
    char text[200];
    snprintf(text, sizeof text,
             "{\"type\":\"action\",\"data\":{\"id\":\"c%u-%" PRIu64
             "\",\"name\":\"act\",\"room\":%zu}}",
             c->number, n, n % 2 ? 0 : room_of(c));
    send_text(c, text);
}

static void client_acts_anew(client *c)
{
    assert_true(c->pending_count < PENDING);
    c->pending[c->pending_count++] = ++c->acted;
    client_acts(c, c->acted);
}

static void client_is_greeted(client *c, const char *epoch)
{
    int same = strcmp(c->action_epoch, epoch) == 0;
    snprintf(c->action_epoch, sizeof c->action_epoch, "%s", epoch);
    c->established = 1;
    if (!same && below(2) == 0)
        c->pending_count = 0; /* they are in doubt */
    for (size_t i = 0; i < c->pending_count; i++)
        client_acts(c, c->pending[i]);
}

static void client_is_answered(client *c, const char *id, const char *result)
{
    uint64_t n = 0;
    size_t i = 0;
    sscanf(id, "c%*u-%" SCNu64, &n);
    blob_print(&lines, "ack %s %s %s\n", name_of(c), id, result);
    while (i < c->pending_count && c->pending[i] != n)
        i++;
    assert_true(i < c->pending_count);
    c->pending_count--;
    memmove(&c->pending[i], &c->pending[i + 1], (c->pending_count - i) * sizeof c->pending[0]);
    counts.done += strcmp(result, "done") == 0;
    counts.repeated += strcmp(result, "repeated") == 0;
    if (strcmp(result, "in_doubt") == 0) {
        counts.in_doubt++;
        client_acts_anew(c);
    }
}

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static uint64_t offset_in(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static size_t index_of(const char *channel)
{
    for (size_t i = 0; i < STORM_CHANNELS; i++)
        if (strcmp(storm_channels[i], channel) == 0)
            return i;
    fail_msg("channel %s", channel);
    return 0;
}

static void client_subscribed(client *c, const json_t *data)
{
    const char *channel = text_in(data, "channel"), *epoch = text_in(data, "epoch");
    place *at = &c->at[index_of(channel)];
    uint64_t head = offset_in(data, "offset");
    int recovered = json_is_true(json_object_get(data, "recovered"));
    assert_true(at->asked > 0);
    if (at->asked == 1)
        blob_print(&lines, "join %s %s %s %" PRIu64 "\n", name_of(c), channel, epoch, head);
    else
        blob_print(&lines, "resume %s %s %s %" PRIu64 " %s %" PRIu64 " %s\n", name_of(c), channel,
                   at->epoch, at->offset, epoch, head,
                   recovered ? "recovered" : text_in(data, "reason"));
    counts.resumed += at->asked == 2;
    counts.recovered += (uint64_t)recovered;
    if (at->asked == 1 || !recovered)
        at->offset = head;
    snprintf(at->epoch, sizeof at->epoch, "%s", epoch);
    at->asked = 0;
    at->member = 1;
}

static void client_gets(client *c, const json_t *message)
{
    const char *type = text_in(message, "type"), *channel = text_in(message, "channel");
    const json_t *data = json_object_get(message, "data");
    char digest[40];
    if (strcmp(type, "text") == 0) {
        place *at = &c->at[index_of(channel)];
        at->offset = offset_in(message, "offset");
        storm_digest(text_in(data, "text"), digest, sizeof digest);
        blob_print(&lines, "got %s %s %s %" PRIu64 " %s\n", name_of(c), channel,
                   text_in(message, "epoch"), at->offset, digest);
        counts.got++;
    } else if (strcmp(type, "subscribed") == 0) {
        client_subscribed(c, data);
    } else if (strcmp(type, "missed") == 0) {
        place *at = &c->at[index_of(text_in(data, "channel"))];
        at->offset = offset_in(data, "to");
        blob_print(&lines, "missed %s %s %s %" PRIu64 " %" PRIu64 "\n", name_of(c),
                   text_in(data, "channel"), at->epoch, offset_in(data, "from"), at->offset);
        counts.missed++;
    } else if (strcmp(type, "connection_established") == 0) {
        client_is_greeted(c, text_in(data, "action_epoch"));
        client_enters_its_room(c);
    } else if (strcmp(type, "ack") == 0) {
        client_is_answered(c, text_in(data, "id"), text_in(data, "result"));
    } else {
        fail_msg("%s gets %s", name_of(c), type);
    }
}

static void client_reads(client *c)
{
    static uint8_t bytes[65536];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        reader_take(&c->in, bytes, (size_t)n);
    assert_null(c->in.fault);
    assert_true(c->in.status == 0 || c->in.status == 101);
    for (size_t i = 0; i < c->in.count; i++) {
        got *g = &c->in.list[i];
        json_t *message;
        if (g->op == OP_TEXT) {
            message = json_loadb((const char *)g->data, g->len, 0, NULL);
            assert_non_null(message);
            client_gets(c, message);
            json_decref(message);
        } else if (g->op == OP_PING) {
            client_put_frame(
                &c->out, &(client_frame){
                             .first = FIN | OP_PONG, .payload = g->data, .len = g->len, .key = 1});
        }
        free(g->data);
    }
    c->in.count = 0;
    if (n <= 0)
        client_ends(c, n == 0 ? "ended" : "reset");
}

static void client_writes(client *c)
{
    while (c->sent < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return; /* reading finds a broken connection */
        c->sent += (size_t)n;
    }
    c->out.len = c->sent = 0;
}

/* Everybody takes what there is; who has no connection makes one, if `connects`. */
static void turn(int connects)
{
    struct epoll_event events[CLIENTS];
    int n = epoll_wait(loop, events, CLIENTS, 1);
    for (int i = 0; i < n; i++)
        client_reads(events[i].data.ptr);
    for (size_t i = 0; i < CLIENTS; i++) {
        client *c = &clients[i];
        if (c->fd < 0 && connects)
            client_connects(c);
        if (c->fd >= 0 && c->out.len > 0) {
            client_writes(c);
            watch(c, EPOLL_CTL_MOD);
        }
    }
}

/* -------------------------------------------------------------------- storm */

static void say(char what)
{
    assert_int_equal(send(server.talk, &what, 1, MSG_NOSIGNAL), 1);
}

/* The server publishes, and the clients take what they can meanwhile. */
static void publish(unsigned count, char what)
{
    char answers[ROUND];
    time_t since = 0;
    unsigned answered = 0;
    for (unsigned i = 0; i < count; i++)
        say(what);
    while (answered < count && patient(&since)) {
        ssize_t n = recv(server.talk, answers, sizeof answers, MSG_DONTWAIT);
        if (n == 0)
            fail_msg("the server has ended");
        answered += n > 0 ? (unsigned)n : 0;
        turn(1);
    }
}

/* Some clients act. */
static void act(unsigned count)
{
    time_t since = 0;
    while (count > 0 && patient(&since)) {
        client *c = &clients[below(CLIENTS)];
        if (c->fd >= 0 && c->established && c->pending_count < PENDING) {
            client_acts_anew(c);
            count--;
        } else {
            turn(1);
        }
    }
}

/* Half of the clients lose their connections, in one of three ways. */
static void disconnect(void)
{
    static const struct linger reset = {1, 0};
    for (size_t i = 0; i < CLIENTS; i++) {
        client *c = &clients[i];
        if (c->fd < 0 || below(2) == 0)
            continue;
        switch (below(3)) {
        case 0:
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            client_ends(c, "reset");
            break;
        case 1:
            client_ends(c, "closed");
            break;
        default:
            shutdown(c->fd, SHUT_WR); /* it gets what comes until the server has ended it */
            break;
        }
    }
}

/* Some stand still for a while. */
static void stall(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        client *c = &clients[i];
        if (c->fd >= 0 && (below(c->deaf ? 8 : 10) == 0)) {
            c->deaf = !c->deaf;
            watch(c, EPOLL_CTL_MOD);
        }
    }
}

static void everybody_reads(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].deaf) {
            clients[i].deaf = 0;
            watch(&clients[i], EPOLL_CTL_MOD);
        }
}

static int connected(void)
{
    int count = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        count += clients[i].fd >= 0;
    return count;
}

/* The server is killed in the middle of its work, and another one is started. */
static void restart(unsigned life)
{
    time_t since = 0;
    for (unsigned i = 0; i < ROUND; i++)
        say(SAY_PUBLISH);
    assert_int_equal(kill(server.pid, SIGKILL), 0);
    assert_int_equal(waitpid(server.pid, NULL, 0), server.pid);
    close(server.talk);
    for (size_t i = 0; i < CLIENTS; i++) /* who waits to be accepted would not hear of the end */
        if (clients[i].fd >= 0 && clients[i].in.status == 0)
            client_ends(&clients[i], "waited");
    everybody_reads();
    while (connected() > 0 && patient(&since))
        turn(0);
    blob_print(&lines, "restart\n");
    flush_lines();
    server = storm_start(listener, log_fd, life);
    assert_true(server.pid > 0);
}

/* Everybody is a member of both channels and has the last message of each. */
static void rest(void)
{
    char line[300] = "";
    uint64_t head[STORM_CHANNELS];
    time_t since = 0;
    int waiting = 1, used;
    everybody_reads();
    while (waiting && patient(&since)) { /* no action follows */
        turn(1);
        waiting = 0;
        for (size_t i = 0; i < CLIENTS; i++)
            waiting |= !clients[i].established || clients[i].pending_count > 0;
    }
    waiting = 1;
    publish(1, SAY_LAST);
    say(SAY_HEADS);
    for (size_t n = 0; strchr(line, '\n') == NULL && patient(&since); turn(1)) {
        ssize_t come = recv(server.talk, line + n, sizeof line - 1 - n, MSG_DONTWAIT);
        n += come > 0 ? (size_t)come : 0;
    }
    for (size_t i = 0, at = 0; i < STORM_CHANNELS; i++, at += (size_t)used)
        assert_int_equal(sscanf(line + at, "%" SCNu64 "%n", &head[i], &used), 1);
    while (waiting && patient(&since)) {
        turn(1);
        waiting = 0;
        for (size_t i = 0; i < CLIENTS; i++) {
            const client *c = &clients[i];
            const place *feed = &c->at[0], *room = &c->at[room_of(c)];
            waiting |= !feed->member || feed->offset != head[0] || !room->member ||
                       room->offset != head[room_of(c)];
        }
    }
    blob_print(&lines, "quiet\n");
    flush_lines();
}

static void listen_here(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(listener, 2 * CLIENTS), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    port = ntohs(here.sin_port);
}

/* Returns the violation of a rule, or NULL. */
static const char *judge(void)
{
    static struct judgement judgement;
    FILE *log = fdopen(dup(log_fd), "r");
    rewind(log);
    judge_log(log, &judgement);
    fclose(log);
    return *judgement.why == '\0' ? NULL : judgement.why;
}

TEST(clients_in_a_storm_get_everything_or_are_told)
{
    const char *how = getenv("STORM"), *path = getenv("STORM_LOG");
    unsigned full = how != NULL && strcmp(how, "full") == 0 ? 10 : 1;
    unsigned messages = 1000 * full, disconnects = 5 * full, restarts = full == 10 ? 3 : 1;
    log_fd = path == NULL ? open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600)
                          : open(path, O_CREAT | O_TRUNC | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    assert_true(log_fd >= 0);
    blob_print(&lines, "loose\nchannel %s 40 40 behind ids=1024\n", storm_channels[0]);
    for (size_t i = 1; i < STORM_CHANNELS; i++)
        blob_print(&lines, "channel %s 10 10 %s ids=1024\n", storm_channels[i],
                   strncmp(storm_channels[i], "session:", 8) == 0 ? "close" : "behind");
    flush_lines();
    loop = epoll_create1(EPOLL_CLOEXEC);
    listen_here();
    server = storm_start(listener, log_fd, 0);
    assert_true(server.pid > 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = (client){.number = i, .fd = -1};
    for (unsigned done = 0, cuts = 0, life = 0; done < messages; done += ROUND) {
        act(ACTIONS);
        publish(ROUND - ACTIONS, SAY_PUBLISH);
        if (below(4) == 0)
            stall();
        if (done >= (cuts + 1) * messages / (disconnects + 1)) {
            disconnect();
            cuts++;
        }
        if (done >= (life + 1) * messages / (restarts + 1))
            restart(++life);
    }
    rest();
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    printf("# %" PRIu64 " got, %" PRIu64 " resumes, %" PRIu64 " recovered, %" PRIu64
           " times missed, %" PRIu64 " cuts, %" PRIu64 " actions done, %" PRIu64
           " repeated, %" PRIu64 " in doubt\n",
           counts.got, counts.resumed, counts.recovered, counts.missed, counts.cut, counts.done,
           counts.repeated, counts.in_doubt);
    for (size_t i = 0; i < CLIENTS; i++)
        client_ends(&clients[i], "end");
    flush_lines();
    blob_free(&lines);
    const char *why = judge();
    if (why != NULL)
        fail_msg("%s", why);
    assert_true(counts.recovered > 0 && counts.recovered < counts.resumed && counts.missed > 0);
    assert_true(counts.done > 0 && counts.repeated > 0 && counts.in_doubt > 0);
    close(log_fd);
    close(loop);
    close(listener);
    close(server.talk);
}
