/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_json.c - libwspool_json: client messages (lib/json/dispatch.c, names.c) through a pool
 * with the companion attached.
 *
 * Demands, whatever clients send:
 * - The server sends what wspool/json.h says, and publications have consecutive offsets
 *   (test/json/talk.c checks each message).
 * - Each text message gets exactly one answer, not counting publications, unless it closes its
 *   peer.
 * - The `data` of a handler is an object.
 * - No action is done twice, unless instances are forgotten because the table has two places only.
 * - No memory of the pool or of jansson is leaked; the pool's counters balance.
 *
 * Input: four characters (see `begin`), then lines. The first character of a line says what the
 * rest is:
 *     0 ... 5   a text message of that peer            j   a peer connects to that target
 *     b C       the application publishes to C         x P a binary message of P
 *     F P       the first fragment of a text message   c P P sends a Close
 *     t N       time passes                            z N memory fails from the Nth call on
 *     d         drain                                  g P the transport of P ends
 */
#include "../json/talk.h"

#include "fuzz.h"
#include "simmed.h"

const unsigned fuzz_runs = 2500;

enum { LONGEST = 4096, PEERS_MAX = 6, LINES_MAX = 60 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char time[WSPOOL_JSON_TIME_MAX];
    (void)argc;
    (void)argv;
    fuzz_simmed();
    wspool_json_time_write(0, time); /* the C library allocates and keeps time zone data */
    return 0;
}

/* --------------------------------------------------------------- handlers */

static wspool_channel channel_of(unsigned number)
{
    static const wspool_channel channels[] = {{WSPOOL_GLOBAL, "all", 3},
                                              {WSPOOL_ITEM, "a", 1},
                                              {WSPOOL_TOPIC, "\xc3\xa9", 2},
                                              {WSPOOL_SESSION, "", 0}};
    return channels[number % 4];
}

/* The actions that are done: at most one a line. */
static struct {
    char ids[LINES_MAX][WSPOOL_CLIENT_MAX + 20];
    size_t count;
} acted;

static void once(const wspool_json *json)
{
    wspool_text instance;
    uint64_t n;
    char *id = acted.ids[acted.count];
    FUZZ_DEMAND(wspool_json_action_id(json, &instance, &n) == 0, "an action without an id");
    FUZZ_DEMAND(instance.len <= WSPOOL_CLIENT_MAX && n > 0, "an action with a bad id");
    snprintf(id, sizeof acted.ids[0], "%.*s-%llu", (int)instance.len, (const char *)instance.data,
             (unsigned long long)n);
    for (size_t i = 0; i < acted.count; i++) {
        FUZZ_DEMAND(strcmp(id, acted.ids[i]) != 0, "%s is done twice", id);
    }
    acted.count++;
}

static const char *on_chat(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                           void *user)
{
    const talk *t = user;
    (void)id;
    FUZZ_DEMAND(json_is_object(data), "data that is no object");
    if (t->config.action_instances > 2) {
        once(json);
    }
    (void)wspool_json_broadcast(json, pool, channel_of(0), "chat_message", json_deep_copy(data),
                                NULL, NULL);
    return NULL;
}

/* The handler of a message type of the application: it returns one fixed answer. */
static const char *on_app(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                          void *user)
{
    (void)user;
    FUZZ_DEMAND(json_is_object(data), "data that is no object");
    (void)wspool_json_send(json, pool, id, "app_did", json_deep_copy(data));
    return NULL;
}

static const char *on_quit(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                           void *user)
{
    (void)json;
    (void)user;
    FUZZ_DEMAND(json_is_object(data), "data that is no object");
    (void)wspool_close(pool, id, 1000, "quit", 0);
    return NULL;
}

static const char *on_no(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    (void)json;
    (void)pool;
    (void)id;
    (void)user;
    FUZZ_DEMAND(json_is_object(data), "data that is no object");
    return "no_such_card";
}

/* -------------------------------------------------------------------- life */

static talk *begin(fuzz_input *in)
{
    static const unsigned depths[] = {16, 1, 3, 512};
    static const uint32_t bursts[] = {10000, 4, 0, 1};
    talk *t = talk_new();
    t->s->keep_heard = 0;
    t->s->keep_journal = 0;
    t->config.depth = depths[fuzz_number(in, 4)];
    t->s->config.abuse_burst = bursts[fuzz_number(in, 4)];
    t->may = fuzz_number(in, 2) == 0 ? 0 : -1;
    int narrow = fuzz_number(in, 2) == 1;
    t->s->config.channels_per_peer = narrow ? 2 : 128;
    t->config.action_instances = narrow ? 2 : 10000;
    FUZZ_DEMAND(talk_start(t) == 0, "no pool");
    FUZZ_DEMAND(SIM_IN(wspool_json_on(t->json, "app", on_app, t)) == 0, "on");
    FUZZ_DEMAND(SIM_IN(wspool_json_on(t->json, "no", on_no, t)) == 0, "on");
    FUZZ_DEMAND(SIM_IN(wspool_json_on(t->json, "ping", on_no, t)) == WSPOOL_ERR_INVAL, "on ping");
    FUZZ_DEMAND(SIM_IN(wspool_json_on_action(t->json, "chat", on_chat, t)) == 0, "on action");
    FUZZ_DEMAND(SIM_IN(wspool_json_on_action(t->json, "quit", on_quit, t)) == 0, "on action");
    FUZZ_DEMAND(SIM_IN(wspool_json_on_action(t->json, "no", on_no, t)) == 0, "on action");
    return t;
}

static sim_peer *peer_of(talk *t, unsigned number)
{
    return t->s->peer_count == 0 ? NULL : t->s->peers[number % t->s->peer_count];
}

/* Counts the messages of a peer that are not publications. Each message is checked once. */
static struct {
    size_t judged;
    size_t count;
} answered[PEERS_MAX];

static size_t answers(const sim_peer *p)
{
    const reader *r = &p->reader;
    size_t *judged = &answered[p->number].judged;
    for (; *judged < r->count; ++*judged) {
        const got *g = &r->list[*judged];
        if (g->op == OP_TEXT) {
            json_t *root = json_loadb((const char *)g->data, g->len, 0, NULL);
            answered[p->number].count += json_object_get(root, "channel") == NULL;
            json_decref(root);
        }
    }
    return answered[p->number].count;
}

static void say(talk *t, sim_peer *p, const fuzz_input *line)
{
    size_t before;
    int open = p != NULL && p->opened && !p->ended && p->reader.partial_op == 0;
    if (!open || t->loose) {
        if (p != NULL) {
            sim_frame(p, FIN | OP_TEXT, line->data, line->len);
            sim_pump(t->s);
        }
        return;
    }
    before = answers(p);
    sim_frame(p, FIN | OP_TEXT, line->data, line->len);
    sim_pump(t->s);
    if (!p->ended && p->reader.close_code == 0) {
        size_t after = answers(p);
        FUZZ_DEMAND(after == before + 1, "%zu answers to one message: %.*s", after - before,
                    (int)line->len, (const char *)line->data);
    }
}

static void operate(talk *t, fuzz_input *line)
{
    static const uint64_t spans[] = {MS, SEC, 31 * SEC, 65 * SEC};
    sim *s = t->s;
    uint8_t what = fuzz_byte(line);
    sim_peer *p;
    char target[300];
    switch (what) {
    case 'j':
        if (s->peer_count < PEERS_MAX) {
            snprintf(target, sizeof target, "%.*s", (int)(line->len < 299 ? line->len : 299),
                     (const char *)line->data);
            (void)sim_connect_to(s, target);
        }
        break;
    case 'b': {
        unsigned number = fuzz_number(line, 4);
        (void)talk_publish(t, channel_of(number), "update", number % 2 ? NULL : "{'id':'7'}");
        break;
    }
    case 'x':
        p = peer_of(t, fuzz_number(line, PEERS_MAX));
        if (p != NULL) {
            sim_frame(p, FIN | OP_BINARY, line->data, line->len);
        }
        break;
    case 'F':
        p = peer_of(t, fuzz_number(line, PEERS_MAX));
        if (p != NULL) {
            t->loose = 1; /* the next answer may be an end or a fault */
            sim_frame(p, OP_TEXT, line->data, line->len);
        }
        break;
    case 'c':
        sim_say_close(peer_of(t, fuzz_number(line, PEERS_MAX)), 1000, NULL);
        break;
    case 'g':
        sim_cut(peer_of(t, fuzz_number(line, PEERS_MAX)), WSPOOL_GONE_EOF);
        break;
    case 't':
        sim_pass(s, spans[fuzz_number(line, 4)]);
        break;
    case 'd':
        FUZZ_DEMAND(SIM_IN(wspool_json_drain(t->json, s->pool, SEC, s->now)) >= 0, "drain");
        break;
    case 'z':
        t->loose = s->no_memory = 1;
        s->heap.fail_at = s->heap.calls + fuzz_number(line, 40);
        s->heap.fail_on = fuzz_number(line, 2) == 1;
        break;
    default:
        if (what >= '0' && what <= '5') {
            say(t, peer_of(t, what - (unsigned)'0'), line);
        }
        return;
    }
    sim_pump(s);
}

/* --------------------------------------------------------------- mutations
 *
 * Half of them know what a string and a number of JSON are, and where their edges lie. */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Replaces the bytes from `at` to `end` by `n` bytes. */
static size_t replace(uint8_t *data, size_t size, size_t max_size, size_t at, size_t end,
                      const void *bytes, size_t n)
{
    if (size - (end - at) + n > max_size) {
        return size;
    }
    memmove(data + at + n, data + end, size - end);
    memcpy(data + at, bytes, n);
    return size - (end - at) + n;
}

/* Returns the position of the nth byte that is in `set`, counting round, or `size` if none is. */
static size_t nth(const uint8_t *data, size_t size, const char *set, uint64_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += data[i] != 0 && strchr(set, data[i]) != NULL;
    }
    n = count == 0 ? 0 : n % count;
    for (size_t i = 0; count > 0 && i < size; i++) {
        if (data[i] != 0 && strchr(set, data[i]) != NULL && n-- == 0) {
            return i;
        }
    }
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const size_t lengths[] = {0, 1, 2, 8, 31, 32, 33, 63, 64, 65, 66, 128, 254, 255, 256};
    static const char *const values[] = {
        "0",  "-1",  "1",   "9007199254740991",    "null", "true",  "{}", "9007199254740992",
        "[]", "0.5", "1e3", "9223372036854775807", "\"\"", "\"x\"", "-0", "9223372036854775808"};
    uint64_t chance = seed;
    uint8_t bytes[300];
    size_t at, end, n;
    switch (fuzz_mix(&chance) % 6) {
    case 0: /* another string, of a length near a limit */
        at = nth(data, size, "\"", fuzz_mix(&chance)) + 1;
        for (end = at; end < size && data[end] != '"' && data[end] != '\n'; end++) {
        }
        if (at >= size || end >= size) {
            break;
        }
        n = lengths[fuzz_mix(&chance) % (sizeof lengths / sizeof *lengths)];
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)('a' + (end > at ? data[at + i % (end - at)] : 0) % 26);
        }
        return replace(data, size, max_size, at, end, bytes, n);
    case 1: /* another value */
        at = nth(data, size, ":", fuzz_mix(&chance)) + 1;
        for (end = at; end < size && strchr(",}]\n", data[end]) == NULL; end++) {
        }
        if (at >= size) {
            break;
        }
        n = (size_t)(fuzz_mix(&chance) % (sizeof values / sizeof *values));
        return replace(data, size, max_size, at, end, values[n], strlen(values[n]));
    case 2: /* repeat a line */
        at = nth(data, size, "\n", fuzz_mix(&chance)) + 1;
        for (end = at; end < size && data[end] != '\n'; end++) {
        }
        if (at >= size || end >= size || end + 1 - at > sizeof bytes) {
            break;
        }
        n = end + 1 - at;
        memcpy(bytes, data + at, n);
        return replace(data, size, max_size, at, at, bytes, n);
    default:
        break;
    }
    return LLVMFuzzerMutate(data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_input line;
    unsigned lines = 0;
    talk *t;
    if (size > LONGEST) {
        return 0;
    }
    memset(answered, 0, sizeof answered);
    acted.count = 0;
    t = begin(&in);
    while (lines++ < LINES_MAX && fuzz_line(&in, &line)) {
        if (line.len > 0) {
            operate(t, &line);
        }
    }
    t->s->heap.fail_at = 0;
    sim_pump(t->s);
    talk_free(t);
    return 0;
}
