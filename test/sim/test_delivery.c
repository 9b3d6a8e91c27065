/* SPDX-License-Identifier: MIT */
/*
 * sim/test_delivery.c - pools under random scripts are judged by the rules of delivery
 * (model/README.md).
 *
 * Each run has a seed: clients subscribe, resume, leave, stall, lose their connections and come
 * back with their positions, while messages are published to several channels, with keys, ids and
 * `except`. Channels are cleared, keys erased, and the server is restarted and its channels are
 * restored. Each message carries its position. Every event is a line of a log that the model
 * reads. What the server sends begins like such a line, so a client only adds its own name.
 *
 * A failure prints its seed. `test_delivery SEED` runs it again and prints the log; check_log reads
 * that log, too. DELIVERY_RUNS=N in the environment: so many seeds. DELIVERY_FROM=N: the first one.
 * DELIVERY_PEERS=N: so many clients in each run (at most 50), which last longer; a seed is another
 * run then.
 */
#include <inttypes.h>

#include "../model/model.h"
#include "sim.h"
#include "../unit/toy.h"

enum { CHANNELS = 6, KINDS = 4, CLIENTS_MAX = 50, TEXT_MAX = 4000, KEYS = 10, IDS = 8, STORE = 60 };

static const char *const names[CHANNELS] = {"c0", "c1", "c2", "c3", "c4", "c5"};

/* What a client is to a channel, as far as it knows. */
enum standing { AWAY, ASKED, MEMBER, LEAVING };

typedef struct client {
    char name[24];  /* as the log has it; changes with each connection */
    sim_peer *peer; /* NULL: not connected */
    unsigned connection;
    size_t read;    /* how many frames of its reader it has looked at */
    int closed_for; /* the channel for which it was closed as slow, or -1 */
    struct {
        enum standing standing;
        uint64_t epoch, offset; /* its position */
    } at[CHANNELS];
} client;

/* A message that the host has stored, to restore it after a restart. */
typedef struct stored {
    wspool_channel_position at;
    char *text, *content;
    char key[8];
    unsigned flags;
} stored;

typedef struct world {
    sim *s;
    model *model;
    struct draft *draft; /* what is published now */
    size_t line;
    int loud; /* print the log */
    client clients[CLIENTS_MAX];
    size_t count;
    enum wspool_slow slow[KINDS];
    wspool_history history[KINDS];
    uint32_t queue_bytes[KINDS], queue_messages[KINDS]; /* 0: the pool's */
    enum wspool_priority priority[KINDS];
    uint32_t number; /* of the last publication */
    struct {
        char text[12];
        uint64_t time;
    } ids[CHANNELS][IDS];           /* of publishers: the last ones */
    stored stored[CHANNELS][STORE]; /* the last messages */
    size_t stored_count[CHANNELS];
    int has_room;             /* no publication fails for want of memory */
    int depth;                /* publications that are running */
    struct toy toy;           /* the codec of half of the clients */
    int hooks;                /* that are running */
    uint64_t interval[KINDS]; /* between sends; 0: none */
    int contracts;            /* that render messages; peers of the second one offer "loud" */
    int seeded_plain;         /* messages were restored as the first contract has rendered them */
    unsigned draining;        /* steps until the server that drains is restarted; 0: it does not */
    uint32_t common, longest; /* lengths of publications: of most, and of all */
} world;

static uint64_t running; /* the seed; 0: no run */

/* What all runs together have done. */
static struct model_totals all;
static uint64_t closed_slow, left_behind, repeated, refused, erased, restored;
static uint64_t uncommitted, loud_messages, drains;

static int kind_of(size_t channel)
{
    return (int)(channel % KINDS);
}

static wspool_channel channel_of(size_t channel)
{
    return wspool_channel_of((enum wspool_kind)(WSPOOL_GLOBAL + kind_of(channel)), names[channel],
                             strlen(names[channel]));
}

static int is_keyed(const world *w, size_t channel)
{
    return w->history[kind_of(channel)].max_keys > 0;
}

static size_t index_of(const char *name)
{
    assert_true(name[0] == 'c' && name[1] >= '0' && name[1] < '0' + CHANNELS);
    return (size_t)(name[1] - '0');
}

/* ---------------------------------------------------------------------- log */

__attribute__((format(printf, 2, 3))) static void say(world *w, const char *format, ...)
{
    char line[TEXT_MAX + 400];
    const char *why;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (w->loud) {
        printf("%s\n", line);
        fflush(stdout);
    }
    why = model_line(w->model, ++w->line, line);
    if (why != NULL)
        fail_msg("seed %" PRIu64 ": %s\n    %.300s", w->s->seed, why, line);
}

/* Every third client has the second contract, if there are two. */
static int is_loud(const world *w, const client *c)
{
    return w->contracts == 2 && (c - w->clients) % 3 == 2;
}

/* The client gets a message of the server: "got c1 EPOCH OFFSET CONTENT", "join c1 EPOCH OFFSET",
 * "resume c1 EPOCH OFFSET EPOCH OFFSET RESULT [reset]", "missed c1 EPOCH FROM TO head=OFFSET
 * [reset]", "stays c1 EPOCH OFFSET", "leave c1", "note ...". */
static void client_reads(world *w, client *c, char *text)
{
    char *more;
    char word[16], name[8], epoch[24] = "";
    uint64_t b = 0, d = 0, e = 0;
    size_t channel;
    int n;
    if ((more = strchr(text, '\n')) != NULL)
        *more = '\0';
    n = sscanf(text, "%15s %7s %23s %" SCNu64 " %" SCNu64 " %" SCNu64, word, name, epoch, &b, &d,
               &e);
    int reset = strstr(text, " reset") != NULL;
    if (strcmp(word, "note") == 0)
        return;
    assert_true(n >= 2);
    channel = index_of(name);
    if (strcmp(word, "GOT") == 0) {
        assert_true(is_loud(w, c));
        memcpy(word, "got", 3);
        loud_messages++;
    } else if (strcmp(word, "got") == 0) {
        assert_true(!is_loud(w, c) || w->seeded_plain);
    }
    say(w, "%s %s%s", word, c->name, text + strlen(word));
    if (strcmp(word, "leave") == 0) {
        c->at[channel].standing = AWAY;
        return;
    }
    if (strcmp(word, "missed") == 0) {
        b = reset ? 0 : d;
    } else if (strcmp(word, "resume") == 0) {
        snprintf(epoch, sizeof epoch, "%" PRIu64, d);
        if (strstr(text, " recovered") == NULL)
            b = reset ? 0 : e; /* it goes on from the head, or gets the whole state */
    }
    c->at[channel].epoch = strtoull(epoch, NULL, 10);
    c->at[channel].offset = b;
    if (strcmp(word, "join") == 0 || strcmp(word, "resume") == 0)
        c->at[channel].standing = MEMBER;
}

/* Each client looks at what has come, and notices the end of its connection. */
static void client_looks(world *w, client *c)
{
    const reader *r;
    if (c->peer == NULL)
        return;
    r = &c->peer->reader;
    for (; c->read < r->count; c->read++) {
        got *g = &r->list[c->read];
        char *text;
        if (g->op != OP_TEXT && g->op != OP_BINARY)
            continue;
        text = sim_malloc(g->len + 1);
        memcpy(text, g->data, g->len);
        text[g->len] = '\0';
        client_reads(w, c, text);
        free(text);
    }
}

static void client_ends(world *w, client *c, const char *why)
{
    if (c->closed_for >= 0)
        say(w, "cut %s slow %s", c->name, names[c->closed_for]);
    else
        say(w, "cut %s %s", c->name, why);
    c->peer = NULL;
    for (size_t i = 0; i < CHANNELS; i++)
        c->at[i].standing = AWAY;
}

static void look(world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        client *c = &w->clients[i];
        client_looks(w, c);
        if (c->peer != NULL && c->peer->released)
            client_ends(w, c, "ended");
    }
}

/* -------------------------------------------------------------- the server */

/* Some runs let an allocation fail now and then. */
static int is_memory(const world *w, int rc)
{
    return rc == WSPOOL_ERR_NOMEM && w->s->no_memory;
}

/* An answer that keeps its place in the order of the channel. Without it the client can't know
 * where it is, so the server closes the connection. */
__attribute__((format(printf, 4, 5))) static void answer(world *w, wspool_id id, size_t channel,
                                                         const char *format, ...)
{
    wspool_send_options options = {.size = sizeof options, .kind = channel_of(channel).kind};
    char text[300];
    va_list args;
    int rc;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rc = SIM_IN(wspool_send(w->s->pool, id, text, strlen(text), &options));
    if (rc == 0)
        return;
    assert_true(rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_STATE || is_memory(w, rc));
    rc =
        SIM_IN(wspool_close(w->s->pool, id, 4000, NULL, sim_below(w->s, 2) ? WSPOOL_CLOSE_NOW : 0));
    assert_true(rc == 0 || rc == WSPOOL_ERR_STATE);
}

static wspool_channel_position state_head(world *w, size_t channel)
{
    wspool_channel_position at;
    assert_int_equal(SIM_IN(wspool_position(w->s->pool, channel_of(channel), &at)), 0);
    if (w->depth == 0) /* else the log does not have the present publication yet */
        say(w, "head %s %" PRIu64 " %" PRIu64, names[channel], at.epoch, at.offset);
    return at;
}

static void says_joined(world *w, wspool_id id, size_t channel)
{
    wspool_channel_position at = state_head(w, channel);
    answer(w, id, channel, "join %s %" PRIu64 " %" PRIu64, names[channel], at.epoch, at.offset);
}

static void server_joins(world *w, wspool_id id, size_t channel)
{
    int rc = SIM_IN(wspool_subscribe(w->s->pool, id, channel_of(channel)));
    if (rc == 0)
        says_joined(w, id, channel);
    else
        assert_true(rc == WSPOOL_ERR_EXISTS || rc == WSPOOL_ERR_STATE || is_memory(w, rc));
}

static void server_resumes(world *w, wspool_id id, size_t channel, wspool_channel_position since)
{
    static const char *const reasons[] = {"recovered", "epoch_changed", "too_old",
                                          "unknown_offset"};
    wspool_resumed resumed = {.size = sizeof resumed};
    int rc = SIM_IN(wspool_resume(w->s->pool, id, channel_of(channel), &since, &resumed));
    wspool_channel_position head;
    char epoch[24];
    if (rc != 0) {
        assert_true(rc == WSPOOL_ERR_EXISTS || rc == WSPOOL_ERR_STATE || is_memory(w, rc));
        if (rc == WSPOOL_ERR_EXISTS && resumed.position.epoch != 0)
            answer(w, id, channel, "stays %s %" PRIu64 " %" PRIu64, names[channel],
                   resumed.position.epoch, resumed.position.offset);
        return;
    }
    head = state_head(w, channel);
    assert_true(head.epoch == resumed.position.epoch && head.offset == resumed.position.offset);
    assert_int_equal(resumed.recovered, resumed.lost == WSPOOL_LOST_NOTHING);
    if (!is_keyed(w, channel))
        assert_int_equal(resumed.count, resumed.recovered ? head.offset - since.offset : 0);
    snprintf(epoch, sizeof epoch, "%" PRIu64, since.epoch);
    answer(w, id, channel, "resume %s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %s%s", names[channel],
           since.epoch == 0 ? "-" : epoch, since.offset, head.epoch, head.offset,
           reasons[resumed.lost], resumed.reset ? " reset" : "");
}

static void server_leaves(world *w, wspool_id id, size_t channel)
{
    if (SIM_IN(wspool_unsubscribe(w->s->pool, id, channel_of(channel))) == 0)
        answer(w, id, channel, "leave %s", names[channel]);
}

/* A message that is published. */
struct draft {
    world *w;
    size_t channel;
    int cancelled;
    int committed;
    wspool_channel_position at; /* where it was committed */
    char text[TEXT_MAX + 200];
    char content[TEXT_MAX + 100];
};

/* The contracts of the pool. A message says its position. */
static int render(world *w, const wspool_publication *p, char *text, size_t size, int loud,
                  wspool_text *message)
{
    if (w->draft != NULL) {
        w->draft->cancelled = sim_below(w->s, 60) == 0;
        if (w->draft->cancelled)
            return WSPOOL_ERR_STATE;
    }
    int n = snprintf(text, size, "%s %.*s %" PRIu64 " %" PRIu64 " %.*s%s", loud ? "GOT" : "got",
                     (int)p->channel.len, (const char *)p->channel.name, p->epoch, p->offset,
                     (int)p->data.len, (const char *)p->data.data,
                     loud ? "\nsaid so loudly that it is longer" : "");
    *message = (wspool_text){text, (size_t)n};
    return sim_below(w->s, 4) == 0 ? WSPOOL_BINARY : 0;
}

static int render_draft(const wspool_publication *p, wspool_text *message, void *user)
{
    static char text[TEXT_MAX + 200];
    world *w = user;
    int result = render(w, p, text, sizeof text, 0, message);
    if (w->draft != NULL && result >= 0)
        memcpy(w->draft->text, text, message->len + 1);
    return result;
}

static int render_loud(const wspool_publication *p, wspool_text *message, void *user)
{
    static char text[TEXT_MAX + 200];
    return render(user, p, text, sizeof text, 1, message);
}

/* The application commits a message, or not. */
static int commit_draft(const wspool_channel_position *at, const wspool_seed_message *message,
                        void *user)
{
    struct draft *draft = user;
    assert_int_equal(draft->committed + draft->cancelled, 0);
    assert_true(message->len == strlen(draft->content) &&
                memcmp(message->data, draft->content, message->len) == 0);
    draft->cancelled = sim_below(draft->w->s, 10) == 0;
    draft->committed = !draft->cancelled;
    draft->at = *at;
    uncommitted += (uint64_t)draft->cancelled;
    return draft->cancelled;
}

static client *client_of(world *w, wspool_id id)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->clients[i].peer != NULL && w->clients[i].peer->id == id)
            return &w->clients[i];
    return NULL;
}

/* Every second client names its instance, so that a message that excepts it is not for its later
 * connections either. (A connection that ends for want of memory may have none.) */
static int names_instance(const world *w, const client *c)
{
    return (c - w->clients) % 2 == 1;
}

static int has_instance(const world *w, const client *c)
{
    wspool_text instance;
    return wspool_client(w->s->pool, c->peer->id, &instance) == 0 && instance.len > 0;
}

/* Returns how many members a message is not for. */
static int excepted(world *w, const client *c, wspool_channel channel)
{
    wspool_text instance, other;
    int count = 0;
    (void)wspool_client(w->s->pool, c->peer->id, &instance);
    if (!has_instance(w, c))
        return SIM_IN(wspool_is_member(w->s->pool, c->peer->id, channel)) == 1;
    for (size_t i = w->s->first_live; i < w->s->peer_count; i++) {
        sim_peer *p = w->s->peers[i];
        if (wspool_client(w->s->pool, p->id, &other) == 0 && other.len == instance.len &&
            instance.len > 0 && memcmp(other.data, instance.data, instance.len) == 0)
            count += SIM_IN(wspool_is_member(w->s->pool, p->id, channel)) == 1;
    }
    return count;
}

static uint32_t draw_length(world *w)
{
    return (uint32_t)sim_below(w->s, sim_below(w->s, 30) == 0 ? w->longest : w->common);
}

/* A new id, or one that was published before and that the channel has to remember. */
static wspool_text draw_id(world *w, size_t channel)
{
    size_t i = (size_t)sim_below(w->s, IDS);
    char *text = w->ids[channel][i].text;
    if (sim_below(w->s, 3) > 0)
        return (wspool_text){NULL, 0};
    if (*text == '\0' || sim_below(w->s, 2) == 0 ||
        w->s->now - w->ids[channel][i].time >= WSPOOL_PUBLISH_ID_TIME) {
        snprintf(text, sizeof w->ids[channel][i].text, "i%u", w->number + 1);
        w->ids[channel][i].time = w->s->now;
    }
    return (wspool_text){text, strlen(text)};
}

static void forget_stored(world *w, size_t channel, size_t count)
{
    stored *list = w->stored[channel];
    for (size_t i = 0; i < count; i++) {
        free(list[i].text);
        free(list[i].content);
    }
    w->stored_count[channel] -= count;
    memmove(list, list + count, w->stored_count[channel] * sizeof *list);
}

static char *copy_of(const char *text)
{
    char *copy = sim_malloc(strlen(text) + 1);
    strcpy(copy, text);
    return copy;
}

static void store(world *w, size_t channel, stored *one)
{
    size_t count = w->stored_count[channel];
    if (count > 0 && w->stored[channel][count - 1].at.epoch != one->at.epoch)
        forget_stored(w, channel, count);
    if (w->stored_count[channel] == STORE)
        forget_stored(w, channel, STORE / 3);
    one->text = copy_of(one->text);
    one->content = copy_of(one->content);
    w->stored[channel][w->stored_count[channel]++] = *one;
}

/* `except`: a connected client, or NULL. */
static void server_publishes(world *w, size_t channel, const client *except)
{
    struct draft *draft = sim_malloc(sizeof *draft);
    uint32_t length = draw_length(w);
    wspool_id id = except == NULL ? 0 : except->peer->id;
    wspool_send_options options = {.size = sizeof options, .except = id};
    char key[8] = "", more[60] = "", publisher[12];
    wspool_tally tally = {.size = sizeof tally};
    wspool_channel to = channel_of(channel);
    int members = SIM_IN(wspool_member_count(w->s->pool, to));
    char skip[40] = "";
    uint64_t shed = sim_stats(w->s).shed;
    stored one;
    size_t n;
    int rc;
    if (except != NULL) {
        members -= excepted(w, except, to);
        snprintf(skip, sizeof skip, " except=%s", except->name);
        if (has_instance(w, except))
            *strchr(skip, ':') = '\0';
    }
    draft->w = w;
    draft->channel = channel;
    draft->cancelled = draft->committed = 0;
    if (sim_below(w->s, 4) == 0)
        options.commit = (wspool_commit){commit_draft, draft};
    n = (size_t)snprintf(draft->content, sizeof draft->content, "%u-", ++w->number);
    memset(draft->content + n, 'a' + (int)(w->number % 26), length);
    draft->content[n + length] = '\0';
    options.id = draw_id(w, channel);
    snprintf(publisher, sizeof publisher, "%.*s", (int)options.id.len,
             options.id.len > 0 ? (const char *)options.id.data : "");
    if (sim_below(w->s, 6) > 0) {
        options.key = (wspool_text){
            key, (size_t)snprintf(key, sizeof key, "k%d", (int)sim_below(w->s, KEYS))};
        options.flags |= sim_below(w->s, 4) == 0 ? WSPOOL_REMOVE : 0;
    }
    if (is_keyed(w, channel) && *key != '\0')
        snprintf(more, sizeof more, " key=%s%s", key,
                 options.flags & WSPOOL_REMOVE ? " removed" : "");
    w->depth++;
    w->draft = draft;
    rc = SIM_IN(wspool_publish(w->s->pool, to, wspool_text_of("got"),
                               wspool_text_of(draft->content), &options, &tally));
    w->draft = NULL;
    w->depth--;
    if (draft->committed) /* then nothing can fail */
        assert_true(rc >= 0 && draft->at.epoch == tally.position.epoch &&
                    draft->at.offset == tally.position.offset);
    if (rc < 0) {
        assert_true(rc == WSPOOL_ERR_TOO_BIG || rc == WSPOOL_ERR_FULL || is_memory(w, rc) ||
                    (rc == WSPOOL_ERR_STATE && draft->cancelled));
        if (rc == WSPOOL_ERR_FULL && w->has_room) {
            say(w, "refused %s %s", names[channel], key);
            refused++;
        }
    } else if (tally.position.epoch == 0) {
        say(w, "unheard %s", names[channel]);
    } else if (tally.repeated) {
        say(w, "again %s %" PRIu64 " %" PRIu64 " %s", names[channel], tally.position.epoch,
            tally.position.offset, publisher);
        repeated++;
    } else {
        /* Members that were closed before, in the same hook or to make room in pool_bytes, count no
         * more, but wspool_member_count had them. */
        if (w->hooks > 0 || sim_stats(w->s).shed != shed)
            members = (int)(tally.queued + tally.behind + tally.closed);
        say(w,
            "publish %s %" PRIu64 " %" PRIu64
            " %s%s%s%s%s members=%d queued=%u behind=%u closed=%u",
            names[channel], tally.position.epoch, tally.position.offset, draft->content, skip, more,
            *publisher == '\0' ? "" : " id=", publisher, members, tally.queued, tally.behind,
            tally.closed);
        one = (stored){.at = tally.position,
                       .text = draft->text,
                       .content = draft->content,
                       .flags = options.flags};
        memcpy(one.key, key, sizeof key);
        store(w, channel, &one);
        closed_slow += tally.closed;
        left_behind += tally.behind;
    }
    free(draft);
    for (size_t i = 0; i < w->count && tally.closed > 0; i++) {
        client *c = &w->clients[i];
        if (c->peer != NULL && c->peer->ended && c->peer->closed.why == WSPOOL_END_SLOW &&
            c->closed_for < 0)
            c->closed_for = (int)channel;
    }
}

/* What a client asks for: "join c1", "resume c1 EPOCH OFFSET", "leave c1", "say c1". Each has a
 * position, but only a resume reads it. */
static void server_hears(world *w, const sim_event *event)
{
    char text[100], word[16], name[8];
    wspool_channel_position since = {0, 0};
    size_t channel;
    assert_true(event->len < sizeof text);
    memcpy(text, event->data, event->len);
    text[event->len] = '\0';
    assert_true(sscanf(text, "%15s %7s %" SCNu64 " %" SCNu64, word, name, &since.epoch,
                       &since.offset) >= 2);
    channel = index_of(name);
    if (strcmp(word, "join") == 0)
        server_joins(w, event->id, channel);
    else if (strcmp(word, "leave") == 0)
        server_leaves(w, event->id, channel);
    else if (strcmp(word, "resume") == 0)
        server_resumes(w, event->id, channel, since);
    else
        server_publishes(w, channel, client_of(w, event->id));
}

/* A peer that comes by the route of a channel is its member from the beginning. */
static void server_opens(world *w, const sim_event *event)
{
    if (event->len > 0) {
        wspool_channel_position since;
        if (sscanf(event->query, "%" SCNu64 "-%" SCNu64, &since.epoch, &since.offset) == 2 &&
            w->history[kind_of(index_of(event->text))].messages > 0) {
            server_resumes(w, event->id, index_of(event->text), since);
            return;
        }
        says_joined(w, event->id, index_of(event->text));
    }
}

static void server_misses(world *w, const sim_event *event)
{
    size_t channel = index_of(event->text);
    wspool_channel_position head = state_head(w, channel);
    answer(w, event->id, channel,
           "missed %s %" PRIu64 " %" PRIu64 " %" PRIu64 " head=%" PRIu64 "%s", names[channel],
           head.epoch, event->count, event->last, head.offset,
           *event->reason != '\0' ? " reset" : "");
    switch (sim_below(w->s, 24)) {
    case 0:
        server_leaves(w, event->id, channel);
        break;
    case 1:
        (void)SIM_IN(wspool_close(w->s->pool, event->id, 4000, NULL, 0));
        break;
    case 2:
    case 3:
        if (w->depth == 0)
            server_publishes(w, (size_t)sim_below(w->s, CHANNELS), NULL);
        break;
    default:
        break;
    }
}

static void react(sim *s, const sim_event *event)
{
    world *w = s->test;
    w->hooks++;
    if (event->what == SIM_OPENED)
        server_opens(w, event);
    else if (event->what == SIM_MESSAGE)
        server_hears(w, event);
    else if (event->what == SIM_MISSED)
        server_misses(w, event);
    w->hooks--;
}

/* A pool with a route for each kind of channel, and one without. */
static void server_starts(world *w)
{
    static const char *const patterns[KINDS] = {"/0/{name}", "/1/{name}", "/2/{name}", "/3/{name}"};
    sim *s = w->s;
    wspool_route_options options;
    s->heap.fail_at = 0;
    wspool_handlers contract = {.size = sizeof contract, .user = w, .render = render_draft};
    wspool_handlers loud = {
        .size = sizeof loud, .user = w, .render = render_loud, .subprotocol = "loud"};
    w->draining = 0;
    assert_int_equal(sim_start_bare(s), 0);
    assert_int_equal(wspool_attach(s->pool, &contract), 0);
    if (w->contracts == 2)
        assert_int_equal(wspool_attach(s->pool, &loud), 0);
    wspool_route_options_init(&options, &s->config);
    assert_int_equal(wspool_route(s->pool, "/", WSPOOL_NONE, &options), 0);
    for (int i = 0; i < KINDS; i++) {
        options.slow = w->slow[i];
        options.history = w->history[i];
        options.queue_bytes = w->queue_bytes[i];
        options.queue_messages = w->queue_messages[i];
        options.priority = w->priority[i];
        options.send_interval = w->interval[i];
        assert_int_equal(
            wspool_route(s->pool, patterns[i], (enum wspool_kind)(WSPOOL_GLOBAL + i), &options), 0);
    }
}

/* -------------------------------------------------------------------- steps */

static client *draw(world *w)
{
    return &w->clients[sim_below(w->s, w->count)];
}

static client *draw_connected(world *w)
{
    for (int i = 0; i < 8; i++) {
        client *c = draw(w);
        if (c->peer != NULL && c->peer->opened && !c->peer->ended)
            return c;
    }
    return NULL;
}

/* Mostly the client's own position; sometimes another. */
static wspool_channel_position draw_position(world *w, const client *c, size_t channel)
{
    wspool_channel_position at = {c->at[channel].epoch, c->at[channel].offset};
    switch (sim_below(w->s, 12)) {
    case 0:
        at.offset -= at.offset > 0 ? 1 + sim_below(w->s, at.offset) : 0;
        break;
    case 1:
        at.offset += 1 + sim_below(w->s, 3);
        break;
    case 3: /* all that there is */
        at.epoch = at.offset = 0;
        break;
    case 2:
        at.epoch += sim_below(w->s, 2) == 0 ? 1 : sim_random(w->s);
        break;
    default:
        break;
    }
    return at;
}

static void step_connect(world *w, client *c)
{
    size_t channel = (size_t)sim_below(w->s, CHANNELS);
    char target[100] = "/", offer[80];
    client_request request = {.target = target};
    wspool_answer reply;
    if (w->draining > 0)
        return;
    if (is_loud(w, c))
        request.protocol = "loud";
    if (sim_below(w->s, 2) == 0) {
        snprintf(offer, sizeof offer, "Sec-WebSocket-Extensions: x-toy;form=%u;reading=1\r\n",
                 1 + (unsigned)sim_below(w->s, 7));
        request.extra = offer;
    }
    c->connection++;
    snprintf(c->name, sizeof c->name, "p%u:%u", (unsigned)(c - w->clients), c->connection);
    c->read = 0;
    c->closed_for = -1;
    if (sim_below(w->s, 2) == 0) {
        wspool_channel_position at = draw_position(w, c, channel);
        snprintf(target, sizeof target, "/%d/%s?%" PRIu64 "-%" PRIu64, kind_of(channel),
                 names[channel], at.epoch, at.offset);
        if (c->at[channel].epoch == 0)
            *strchr(target, '?') = '\0';
        c->at[channel].standing = ASKED;
    }
    if (names_instance(w, c))
        snprintf(target + strlen(target), sizeof target - strlen(target), "%cclient=p%u",
                 strchr(target, '?') == NULL ? '?' : '&', (unsigned)(c - w->clients));
    if (w->s->no_memory || sim_below(w->s, 4) > 0) {
        c->peer = sim_connect(w->s, &request);
    } else {
        /* The client is known before its open hook runs. */
        assert_int_equal(sim_upgrade(w->s, &request, &reply, &c->peer), WSPOOL_UPGRADE_ACCEPTED);
        assert_int_equal(sim_adopt(c->peer, NULL, 0), 0);
    }
    if (c->peer != NULL && w->s->config.codec.user != NULL && request.extra != NULL)
        c->peer->reader.unfold = toy_read;
}

static void step_ask(world *w, client *c)
{
    size_t channel = (size_t)sim_below(w->s, CHANNELS);
    enum standing *standing = &c->at[channel].standing;
    wspool_channel_position at = draw_position(w, c, channel);
    const char *word = at.epoch != 0 && sim_below(w->s, 4) > 0 ? "resume" : "join";
    char text[100];
    if (*standing == AWAY) {
        *standing = ASKED;
    } else if (*standing == MEMBER && sim_below(w->s, 8) == 0) {
        word = "leave";
        *standing = LEAVING;
    } else if (sim_below(w->s, 3) > 0) {
        word = "say";
    }
    snprintf(text, sizeof text, "%s %s %" PRIu64 " %" PRIu64, word, names[channel], at.epoch,
             at.offset);
    if (!c->peer->said_close)
        sim_text(c->peer, text);
}

/* A message to one peer lies between those of the channels. */
static void step_note(world *w, const client *c)
{
    char text[TEXT_MAX + 100];
    int n = snprintf(text, sizeof text, "note %0*d", 1 + (int)draw_length(w), 0);
    int rc = SIM_IN(wspool_send(w->s->pool, c->peer->id, text, (size_t)n, NULL));
    assert_true(rc == 0 || rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_STATE ||
                rc == WSPOOL_ERR_TOO_BIG || is_memory(w, rc));
}

static void step_cut(world *w, client *c)
{
    client_looks(w, c);
    if (sim_below(w->s, 4) == 0) {
        sim_say_close(c->peer, 1000, NULL); /* still reads until the connection has ended */
        return;
    }
    sim_cut(c->peer, sim_below(w->s, 3) == 0 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
    sim_flow(c->peer);
    client_ends(w, c, "cut");
}

static void step_stall(world *w, client *c)
{
    switch (sim_below(w->s, 4)) {
    case 0:
        sim_stall(c->peer);
        say(w, "stall %s", c->name);
        break;
    case 1:
        c->peer->room = (size_t)sim_below(w->s, 3000);
        break;
    default:
        sim_flow(c->peer);
        say(w, "flow %s", c->name);
        break;
    }
}

/* May a host that stores the newest message of each key have left out this one? */
static int is_dispensable(const stored *list, size_t count, size_t i)
{
    size_t k = i + 1;
    while (k < count && strcmp(list[k].key, list[i].key) != 0)
        k++;
    return *list[i].key == '\0' || k < count;
}

/* The host gives a channel what it had before a restart: its position, or the last messages, of
 * which it may have lost some. */
static void host_restores(world *w, size_t channel)
{
    const stored *list = w->stored[channel];
    size_t count = w->stored_count[channel], i = count == 0 ? 0 : sim_below(w->s, count + 1);
    int rc = 0, loses = sim_below(w->s, 3) == 0;
    for (; i < count && rc == 0 && w->history[kind_of(channel)].messages > 0; i++) {
        const stored *one = &list[i];
        wspool_seed_message message = {.size = sizeof message,
                                       .flags = one->flags,
                                       .data = one->text,
                                       .len = strlen(one->text),
                                       .key = {one->key, strlen(one->key)}};
        if (loses && sim_below(w->s, 6) == 0 &&
            (!is_keyed(w, channel) || is_dispensable(list, count, i)))
            continue;
        if (sim_below(w->s, 2) == 0) {
            message.type = wspool_text_of("got");
            message.flags &= WSPOOL_REMOVE;
            message.data = one->content;
            message.len = strlen(one->content);
        } else {
            w->seeded_plain = 1;
        }
        rc = SIM_IN(wspool_seed(w->s->pool, channel_of(channel), &one->at, &message));
        if (rc == 0) {
            int keyed = is_keyed(w, channel) && *one->key != '\0';
            say(w, "seed %s %" PRIu64 " %" PRIu64 " %s%s%s%s", names[channel], one->at.epoch,
                one->at.offset, one->content, keyed ? " key=" : "", keyed ? one->key : "",
                keyed && one->flags & WSPOOL_REMOVE ? " removed" : "");
            restored++;
        }
    }
    if (count > 0 && rc == 0) { /* the last position is not used again */
        rc = SIM_IN(wspool_seed(w->s->pool, channel_of(channel), &list[count - 1].at, NULL));
        if (rc == 0)
            say(w, "seed %s %" PRIu64 " %" PRIu64, names[channel], list[count - 1].at.epoch,
                list[count - 1].at.offset);
    }
    if (rc != 0) { /* what it keeps now is not known */
        assert_true(rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_TOO_BIG || is_memory(w, rc));
        if (SIM_IN(wspool_clear(w->s->pool, channel_of(channel))) == 0)
            say(w, "clear %s", names[channel]);
    }
}

static void step_restart(world *w)
{
    look(w);
    for (size_t i = 0; i < w->count; i++)
        if (w->clients[i].peer != NULL)
            client_ends(w, &w->clients[i], "restart");
    say(w, "restart");
    sim_lose_pool(w->s);
    server_starts(w);
    for (size_t i = 0; i < CHANNELS; i++)
        if (sim_below(w->s, 3) > 0)
            host_restores(w, i);
}

static void step_drain(world *w)
{
    uint64_t window = sim_below(w->s, 3) == 0 ? 0 : sim_below(w->s, 2 * SEC);
    assert_int_equal(wspool_drain(w->s->pool, window, 0, w->s->now), 0);
    w->draining = 1 + (unsigned)sim_below(w->s, 30);
    drains++;
}

/* The host makes a channel forget everything, or a key. */
static void step_forget(world *w)
{
    size_t channel = (size_t)sim_below(w->s, CHANNELS);
    char key[8];
    wspool_text text = {key, (size_t)snprintf(key, sizeof key, "k%d", (int)sim_below(w->s, KEYS))};
    int rc;
    if (!is_keyed(w, channel) || sim_below(w->s, 8) == 0) {
        rc = SIM_IN(wspool_clear(w->s->pool, channel_of(channel)));
        if (rc == 0)
            say(w, "clear %s", names[channel]);
        forget_stored(w, channel, w->stored_count[channel]);
    } else {
        rc = SIM_IN(wspool_erase(w->s->pool, channel_of(channel), text));
        if (rc == 0)
            say(w, "erase %s %s", names[channel], key);
        erased += rc == 0;
    }
    assert_true(rc == 0 || rc == WSPOOL_ERR_ABSENT || is_memory(w, rc) ||
                (rc == WSPOOL_ERR_FULL && !w->has_room));
}

static void step_publish(world *w)
{
    const client *except = sim_below(w->s, 5) == 0 ? draw_connected(w) : NULL;
    size_t channel = (size_t)sim_below(w->s, CHANNELS);
    /* Most go to few channels, so that queues and histories overflow. */
    if (sim_below(w->s, 2) == 0)
        channel = (size_t)(w->s->seed % CHANNELS);
    server_publishes(w, channel, except);
}

static void books(world *w)
{
    wspool_statistics st = sim_stats(w->s);
    say(w,
        "books published=%" PRIu64 " deliveries=%" PRIu64 " queued=%" PRIu64 " left_behind=%" PRIu64
        " slow_closes=%" PRIu64 " sent=%" PRIu64 " dropped_closed=%" PRIu64 " waiting=%" PRIu64
        " missed=%" PRIu64,
        st.published, st.deliveries, st.queued, st.left_behind, st.slow_closes, st.sent,
        st.dropped_closed, st.waiting, st.missed);
}

/* Returns 1 while a connection is about to end. */
static int somebody_ends(const world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const sim_peer *p = w->clients[i].peer;
        if (p != NULL && (p->ended || p->said_close || p->reader.close_code != 0))
            return 1;
    }
    return 0;
}

static uint64_t longest_interval(const world *w)
{
    uint64_t longest = 0;
    for (int i = 0; i < KINDS; i++)
        longest = w->interval[i] > longest ? w->interval[i] : longest;
    return longest;
}

/* Every connection takes what there is. */
static void rest(world *w)
{
    unsigned async = w->s->async;
    int rounds = 1000;
    uint32_t number;
    for (size_t i = 0; i < w->count; i++)
        if (w->clients[i].peer != NULL)
            sim_flow(w->clients[i].peer);
    w->s->async = 0;
    do { /* a missed hook may publish, and its answer waits for flush_delay again */
        number = w->number;
        sim_pass(w->s, longest_interval(w) + w->s->config.flush_delay +
                           (somebody_ends(w) ? 100 * MS : 0));
        look(w);
    } while ((sim_stats(w->s).waiting > 0 || somebody_ends(w) || w->number != number) &&
             rounds-- > 0);
    assert_int_equal(sim_stats(w->s).waiting, 0);
    say(w, "quiet");
    books(w);
    w->s->async = async;
}

static void step(world *w)
{
    client *c = draw(w);
    if (w->s->no_memory && sim_below(w->s, 20) == 0)
        w->s->heap.fail_at = w->s->heap.calls + 1 + sim_below(w->s, 20);
    uint64_t what = sim_below(w->s, 40);
    if (c->peer == NULL) {
        if (what < 20)
            step_connect(w, c);
    } else if (what < 12 && c->peer->opened && !c->peer->ended) {
        step_ask(w, c);
    } else if (what < 15) {
        step_stall(w, c);
    } else if (what < 17) {
        step_cut(w, c);
    } else if (what < 19 && c->peer->id != 0) {
        step_note(w, c);
    }
    if (what >= 22)
        for (uint64_t n = 1 + sim_below(w->s, 3); n > 0; n--)
            step_publish(w);
    else if (what == 21)
        sim_pass(w->s,
                 sim_below(w->s, 3) == 0 ? sim_below(w->s, 20 * SEC) : sim_below(w->s, 100 * MS));
    else if (what == 20)
        sim_pump(w->s);
    sim_turn(w->s);
    look(w);
    if (sim_below(w->s, 60) == 0)
        step_forget(w);
    if (sim_below(w->s, 200) == 0)
        rest(w);
    if (sim_below(w->s, 10) == 0)
        (void)state_head(w, (size_t)sim_below(w->s, CHANNELS));
    if (sim_below(w->s, 500) == 0)
        step_drain(w);
    if (w->draining > 0 ? --w->draining == 0 : sim_below(w->s, 500) == 0)
        step_restart(w);
}

/* ---------------------------------------------------------------------- run */

static void draw_config(world *w)
{
    sim *s = w->s;
    wspool_config *config = &s->config;
    config->queue_messages = 4 + (uint32_t)sim_below(s, 50);
    config->queue_bytes = 2500 + (uint32_t)sim_below(s, 20000);
    w->longest = config->queue_bytes / 3 < TEXT_MAX ? config->queue_bytes / 3 : TEXT_MAX;
    w->common = sim_below(s, 5) == 0 ? 600 : 60;
    if (sim_below(s, 8) == 0) { /* peers are shed */
        config->pool_bytes = 36000 + sim_below(s, 50000);
        w->common = 2000;
    }
    if (sim_below(s, 5) == 0)
        config->history_bytes = 65536;
    if (sim_below(s, 4) == 0)
        config->flush_delay = 5 * MS;
    s->no_memory = sim_below(s, 5) == 0;
    w->has_room =
        !s->no_memory && config->pool_bytes > 1u << 20 && config->history_bytes >= 1u << 20;
    w->toy.mem = &config->mem;
    if (sim_below(s, 2) == 0)
        config->codec = toy_hook(&w->toy);
    say(w, "# queues of %u messages, %u bytes; pool_bytes %" PRIu64 "; flush_delay %" PRIu64,
        config->queue_messages, config->queue_bytes, config->pool_bytes, config->flush_delay);
    config->abuse_burst = 0;
    config->turn_deliveries = sim_below(s, 4) == 0 ? 20 : 400;
    s->chop = sim_below(s, 4) == 0 ? SIM_WHOLE : SIM_RANDOM;
    s->async = sim_below(s, 2) == 0 ? 0 : 15;
    w->contracts = 1 + (int)sim_below(s, 2);
    s->says_away = (int)sim_below(s, 2);
    s->keep_journal = s->keep_heard = 0;
    s->react = react;
    s->test = w;
}

static void draw_channels(world *w)
{
    for (int i = 0; i < KINDS; i++) {
        unsigned least = 0, most = 0;
        wspool_history *history = &w->history[i];
        w->slow[i] = sim_below(w->s, 3) == 0 ? WSPOOL_SLOW_CLOSE : WSPOOL_SLOW_BEHIND;
        if (sim_below(w->s, 8) > 0) {
            static const uint32_t limits[] = {1, 2, 5, 20, 100, 1000};
            least = most = history->messages = limits[sim_below(w->s, 6)];
            if (sim_below(w->s, 4) == 0)
                history->bytes = 500 + (uint32_t)sim_below(w->s, 10000);
            if (sim_below(w->s, 6) == 0)
                history->time = 1 + sim_below(w->s, 2 * SEC);
            if (sim_below(w->s, 2) == 0) {
                static const uint32_t keys[] = {3, 8, KEYS, 1000};
                history->max_keys = keys[sim_below(w->s, 4)];
                least--; /* room for a message is made before it is committed */
                if (sim_below(w->s, 2) == 0)
                    history->tombstone_time = 1 + sim_below(w->s, 2 * SEC);
            }
            if (history->bytes > 0 || history->time > 0 || !w->has_room)
                least = 0;
            if (history->max_keys > 0 && w->slow[i] == WSPOOL_SLOW_BEHIND &&
                sim_below(w->s, 2) == 0)
                w->interval[i] = 1 + sim_below(w->s, 300 * MS);
        }
        if (sim_below(w->s, 4) == 0) {
            w->queue_bytes[i] = 256 + (uint32_t)sim_below(w->s, w->s->config.queue_bytes - 256);
            w->queue_messages[i] = 1 + (uint32_t)sim_below(w->s, w->s->config.queue_messages);
        }
        if (sim_below(w->s, 2) == 0)
            w->priority[i] = (enum wspool_priority)((int)sim_below(w->s, 3) - 1);
        for (size_t k = (size_t)i; k < CHANNELS; k += KINDS)
            say(w, "channel %s %u %u %s ids=%d keys=%u%s%s", names[k], least, most,
                w->slow[i] == WSPOOL_SLOW_CLOSE ? "close" : "behind", WSPOOL_PUBLISH_IDS,
                history->max_keys,
                history->max_keys >= KEYS && history->tombstone_time == 0 ? " removals=kept" : "",
                w->interval[i] > 0 ? " paced" : "");
    }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static void add(struct model_totals *to, const struct model_totals *from)
{
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *term = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += term[i];
}

static void run(uint64_t seed, int loud)
{
    world *w = sim_malloc(sizeof *w);
    sim *s = sim_new(seed);
    uint64_t steps, peers = setting("DELIVERY_PEERS", 0);
    memset(w, 0, sizeof *w);
    running = seed;
    w->s = s;
    w->loud = loud;
    w->model = model_new();
    w->count = 2 + (size_t)sim_below(s, sim_below(s, 4) == 0 ? CLIENTS_MAX - 1 : 10);
    w->count = peers > 0 && peers <= CLIENTS_MAX ? (size_t)peers : w->count;
    draw_config(w);
    draw_channels(w);
    server_starts(w);
    steps = 50 + sim_below(s, 400) + peers * 10;
    while (steps-- > 0)
        step(w);
    rest(w);
    add(&all, model_totals(w->model));
    model_free(w->model);
    toy_forget_frame(&w->toy);
    for (size_t i = 0; i < CHANNELS; i++)
        forget_stored(w, i, w->stored_count[i]);
    sim_free(s);
    free(w);
    running = 0;
}

TEST(readers_when_under_random_scripts_got_or_were_told_everything)
{
    uint64_t runs = setting("DELIVERY_RUNS", sim_slow() ? 10 : 200);
    uint64_t from = setting("DELIVERY_FROM", 1);
    uint64_t begin = wspool_clock();
    for (uint64_t seed = from; seed < from + runs; seed++)
        run(seed, 0);
    printf("# %" PRIu64 " runs in %.1f s: %" PRIu64 " published, %" PRIu64 " got, %" PRIu64
           " joins, %" PRIu64 " leaves, %" PRIu64 " cuts, %" PRIu64 " restarts, %" PRIu64
           " closed as slow, %" PRIu64 " left behind, %" PRIu64 " recovered, %" PRIu64
           " refilled, %" PRIu64 " epoch_changed, %" PRIu64 " too_old, %" PRIu64
           " unknown_offset, %" PRIu64 " missed (%" PRIu64 " reset), %" PRIu64 " repeated, %" PRIu64
           " refused, %" PRIu64 " erased, %" PRIu64 " restored, %" PRIu64 " not committed, %" PRIu64
           " in the second contract, %" PRIu64 " drains\n",
           runs, (double)(wspool_clock() - begin) / 1e9, all.published, all.got, all.joined,
           all.left, all.cut, all.restarts, closed_slow, left_behind, all.recovered, all.refilled,
           all.epoch_changed, all.too_old, all.unknown_offset, all.missed, all.reset, repeated,
           refused, erased, restored, uncommitted, loud_messages, drains);
    if (runs < 100)
        return;
    /* All of it was tried. */
    assert_true(all.got > 0 && all.skipped > 0 && all.left > 0 && all.restarts > 0);
    assert_true(closed_slow > 0);
    assert_true(left_behind > 0 && all.refilled > 0 && all.missed > 0);
    assert_true(all.epoch_changed > 0 && all.too_old > 0 && all.unknown_offset > 0);
    assert_true(uncommitted > 0 && loud_messages > 0 && drains > 0);
    assert_true(all.reset > 0 && repeated > 0 && refused > 0 && erased > 0 && restored > 0);
}

static void tell_seed(void)
{
    if (running != 0)
        printf("# seed %" PRIu64 " failed; for its log: DELIVERY_PEERS=%" PRIu64
               " test_delivery %" PRIu64 "\n",
               running, setting("DELIVERY_PEERS", 0), running);
}

BEFORE_ALL
{
    atexit(tell_seed);
    if (test_argc == 2) {
        run(strtoull(test_argv[1], NULL, 10), 1);
        exit(0);
    }
}
