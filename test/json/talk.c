/* SPDX-License-Identifier: MIT */
/* json/talk.c - see json/talk.h. */
#include "talk.h"

#include <inttypes.h>

#include "json/json.h"

#define OFFSET_LIMIT (INT64_C(1) << 53)

/* The messages of a peer, and its positions. */
struct ear {
    json_t **list; /* the messages; NULL for a binary one */
    size_t count;
    size_t next;
    json_t *positions; /* epoch and last offset by channel */
};

/* ------------------------------------------------------------------ hooks */

/* The invariants of the companion hold. */
static void look(const talk *t)
{
    if (t->json != NULL)
        assert_int_equal(wsp_json_check(t->json), 1);
}

static uint64_t clock_hook(void *user)
{
    const talk *t = user;
    return t->clock;
}

static int subscribe_hook(wspool *pool, wspool_id id, wspool_channel channel, void *user)
{
    talk *t = user;
    assert_ptr_equal(pool, t->s->pool);
    t->asked++;
    t->asker = id;
    snprintf(t->asked_for, sizeof t->asked_for, "%d %.*s", (int)channel.kind, (int)channel.len,
             (const char *)channel.name);
    if (t->asking != NULL)
        t->asking(t, id);
    return t->may;
}

/* Attached before the companion, so that the sim sees every message. */
static int message_before(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    sim *s = user;
    const talk *t = s->test;
    t->sims.message.call(pool, id, message, s);
    return 0;
}

/* Attached after the companion, if the application has no hooks: the sim has to see every open and
 * close. */
static void open_after(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    sim *s = user;
    const talk *t = s->test;
    t->sims.open.call(pool, id, opened, s);
}

static void close_after(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    sim *s = user;
    const talk *t = s->test;
    t->sims.close.call(pool, id, closed, s);
}

/* ------------------------------------------------------------------- life */

talk *talk_new(void)
{
    talk *t = sim_malloc(sizeof *t);
    char time[WSPOOL_JSON_TIME_MAX];
    wspool_json_time_write(0, time); /* the C library keeps what it reads of time zones */
    memset(t, 0, sizeof *t);
    t->s = sim_new(3);
    t->s->test = t;
    t->clock = TALK_CLOCK;
    t->time = TALK_TIME;
    wspool_json_config_init(&t->config);
    t->config.clock.call = clock_hook;
    t->config.clock.user = t;
    t->s->config.wall_clock = (wspool_wall_clock_hook){clock_hook, t};
    t->config.subscribe.call = subscribe_hook;
    t->config.subscribe.user = t;
    return t;
}

static int attach(talk *t)
{
    wspool *pool = t->s->pool;
    wspool_handlers before = {.size = sizeof before, .user = t->s, .message = message_before};
    wspool_handlers after = {
        .size = sizeof after, .user = t->s, .open = open_after, .close = close_after};
    int rc = SIM_IN(wspool_attach(pool, &before));
    if (rc == 0)
        rc = SIM_IN(wspool_json_attach(t->json, pool));
    if (rc == 0 && t->hookless)
        rc = SIM_IN(wspool_attach(pool, &after));
    return rc;
}

static int add_route(talk *t)
{
    wspool_route_options options;
    wspool_route_options_init(&options, &t->s->config);
    options.history = t->history;
    options.priority = t->priority;
    options.slow = WSPOOL_SLOW_BEHIND;
    return SIM_IN(wspool_route(t->s->pool, "/kept/{name}", WSPOOL_SESSION, &options));
}

int talk_start(talk *t)
{
    wspool_config *c = &t->s->config;
    int rc = SIM_IN(wspool_json_new(&t->json, &t->config));
    if (rc != 0)
        return rc;
    t->sims = *c;
    c->message = t->hear;
    if (t->hookless) {
        c->open.call = NULL;
        c->close.call = NULL;
    }
    sim_start(t->s);
    if (t->s->pool == NULL)
        return WSPOOL_ERR_NOMEM;
    rc = attach(t);
    if (rc == 0 && t->history.messages > 0)
        rc = add_route(t);
    if (rc != 0)
        sim_free_pool(t->s);
    return rc;
}

talk *talk_default(void)
{
    talk *t = talk_new();
    assert_int_equal(talk_start(t), 0);
    return t;
}

static void listen(sim_peer *p);

void talk_free(talk *t)
{
    sim *s = t->s;
    look(t);
    for (size_t i = 0; i < s->peer_count; i++) {
        struct ear *ear;
        listen(s->peers[i]);
        ear = s->peers[i]->test;
        for (size_t n = 0; n < ear->count; n++)
            json_decref(ear->list[n]);
        json_decref(ear->positions);
        free(ear->list);
        free(ear);
    }
    if (s->pool != NULL) {
        sim_free_pool(s);
        assert_int_equal(s->active, 0);
    }
    SIM_DO(wspool_json_free(t->json));
    sim_free(s);
    free(t);
}

/* -------------------------------------------------------------- the judge */

#define DENY(p, ...) \
    do { \
        print_error("peer %zu was told: %.*s\n", (p)->number, (int)told->len, \
                    (const char *)told->data); \
        fail_msg(__VA_ARGS__); \
    } while (0)

/* Returns 1 if the object has exactly these members; `names` ends with NULL. */
static int has_only(const json_t *object, const char *const *names)
{
    size_t count = 0;
    for (; names[count] != NULL; count++)
        if (json_object_get(object, names[count]) == NULL)
            return 0;
    return json_is_object(object) && json_object_size(object) == count;
}

#define ONLY(object, ...) has_only((object), (const char *const[]){__VA_ARGS__, NULL})

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int is_text(const json_t *object, const char *name)
{
    return json_string_length(json_object_get(object, name)) > 0;
}

/* "2025-07-27T12:09:14.000Z" */
static int is_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    if (text == NULL || strlen(text) != sizeof shape - 1)
        return 0;
    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return 0;
    return memcmp(text + 5, "01", 2) >= 0 && memcmp(text + 5, "12", 2) <= 0 &&
           memcmp(text + 8, "01", 2) >= 0 && memcmp(text + 8, "31", 2) <= 0 &&
           memcmp(text + 11, "23", 2) <= 0 && memcmp(text + 14, "59", 2) <= 0 &&
           memcmp(text + 17, "60", 2) <= 0;
}

static int is_channel(const char *text)
{
    static const char *const prefixes[] = {"global:", "item:", "session:", "topic:"};
    for (size_t i = 0; text != NULL && i < 4; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            return strlen(text) - strlen(prefixes[i]) <= WSPOOL_NAME_MAX;
    return 0;
}

/* epoch: a string of letters and digits; offset: an integer, `first` or above. */
static int is_position(const json_t *object, json_int_t first)
{
    const char *epoch = text_of(object, "epoch");
    const json_t *offset = json_object_get(object, "offset");
    return epoch != NULL && strlen(epoch) > 0 && strlen(epoch) < WSPOOL_JSON_EPOCH_MAX &&
           strspn(epoch, "0123456789abcdefghijklmnopqrstuvwxyz") == strlen(epoch) &&
           json_is_integer(offset) && json_integer_value(offset) >= first &&
           json_integer_value(offset) < OFFSET_LIMIT;
}

static int is_action_id(const json_t *object)
{
    return is_text(object, "id") && json_string_length(json_object_get(object, "id")) <= 81;
}

static int is_reason(const char *text)
{
    return text != NULL && (strcmp(text, "epoch_changed") == 0 || strcmp(text, "too_old") == 0 ||
                            strcmp(text, "unknown_offset") == 0);
}

static int is_loose(const sim_peer *p)
{
    const talk *t = p->sim->test;
    return t->loose;
}

/* Returns 1 if a message with this offset may follow, and expects the one behind it from now on. */
static int is_next(json_t *position, json_int_t offset, int may_jump)
{
    json_int_t next = json_integer_value(json_object_get(position, "offset")) + 1;
    int any = json_is_true(json_object_get(position, "any"));
    json_object_set_new(position, "any", json_false());
    return any ? offset <= next : may_jump ? offset >= next : offset == next;
}

static void judge_established(sim_peer *p, const json_t *data, const got *told)
{
    const struct ear *ear = p->test;
    char id[24];
    snprintf(id, sizeof id, "%" PRIu64, p->id);
    if (!ONLY(data, "connection", "heartbeat_seconds", "server", "action_epoch",
              "reconnect_spread") ||
        !is_text(data, "server") || !is_text(data, "action_epoch") ||
        !json_is_integer(json_object_get(data, "heartbeat_seconds")) ||
        json_integer_value(json_object_get(data, "heartbeat_seconds")) < 0 ||
        json_number_value(json_object_get(data, "reconnect_spread")) <= 0 ||
        !is_text(data, "connection") || strcmp(text_of(data, "connection"), id) != 0)
        DENY(p, "no good connection_established");
    if (ear->count > 0)
        DENY(p, "connection_established, but not first of all");
}

/* Returns 1 if `object` has the member only as `true`, or not at all. */
static int is_true_or_absent(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return member == NULL || json_is_true(member);
}

/* Returns the number of members of `object` that are in the list. */
static size_t members_of(const json_t *object, const char *const *names, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += json_object_get(object, names[i]) != NULL;
    return n;
}

/* Offsets of a channel with a keyed history rise, but may jump. */
static int jumps(const sim_peer *p, const char *channel)
{
    const talk *t = p->sim->test;
    return t->history.max_keys > 0 && strncmp(channel, "session:", 8) == 0;
}

static void judge_subscribed(sim_peer *p, const json_t *data, const got *told)
{
    const struct ear *ear = p->test;
    const json_t *recovered = json_object_get(data, "recovered");
    const char *channel = text_of(data, "channel");
    const json_t *position;
    static const char *const members[] = {"channel",   "epoch",  "offset",
                                          "recovered", "reason", "reset"};
    int reason = json_object_get(data, "reason") != NULL;
    int reset = json_object_get(data, "reset") != NULL;
    if (members_of(data, members, 6) != json_object_size(data) ||
        !is_true_or_absent(data, "reset") || (reset && !reason) || !is_channel(channel) ||
        !is_position(data, 0) || !json_is_boolean(recovered) ||
        (reason && (json_is_true(recovered) || !is_reason(text_of(data, "reason")))))
        DENY(p, "no good subscribed");
    position = json_object_get(ear->positions, channel);
    if (position != NULL && !is_loose(p) &&
        (!json_equal(json_object_get(position, "epoch"), json_object_get(data, "epoch")) ||
         !json_equal(json_object_get(position, "offset"), json_object_get(data, "offset"))))
        DENY(p, "subscribed again, at another position than its messages have led to");
    json_object_set_new(ear->positions, channel,
                        json_pack("{s:O, s:O, s:b}", "epoch", json_object_get(data, "epoch"),
                                  "offset", json_object_get(data, "offset"), "any",
                                  (json_is_true(recovered) || reset) && position == NULL));
}

static void judge_unsubscribed(sim_peer *p, const json_t *data, const got *told)
{
    const struct ear *ear = p->test;
    if (!ONLY(data, "channel") || !is_channel(text_of(data, "channel")))
        DENY(p, "no good unsubscribed");
    if (json_object_del(ear->positions, text_of(data, "channel")) != 0 && !is_loose(p))
        DENY(p, "unsubscribed, but was never subscribed");
}

static void judge_pong(sim_peer *p, const json_t *data, const got *told)
{
    if (json_object_size(data) != 0)
        DENY(p, "a pong with data");
}

static void judge_ack(sim_peer *p, const json_t *data, const got *told)
{
    const char *result = text_of(data, "result");
    int in_doubt = strcmp(result, "in_doubt") == 0;
    if (!(in_doubt ? ONLY(data, "id", "result", "next") : ONLY(data, "id", "result")) ||
        !is_action_id(data) || (in_doubt && !json_is_integer(json_object_get(data, "next"))) ||
        (strcmp(result, "done") != 0 && strcmp(result, "repeated") != 0 && !in_doubt))
        DENY(p, "no good ack");
}

static void judge_error(sim_peer *p, const json_t *data, const got *told)
{
    int id = json_object_get(data, "id") != NULL;
    int channel = json_object_get(data, "channel") != NULL;
    if (!(id        ? ONLY(data, "code", "message", "retry", "id")
          : channel ? ONLY(data, "code", "message", "retry", "channel")
                    : ONLY(data, "code", "message", "retry")) ||
        (channel && !json_is_string(json_object_get(data, "channel"))) || !is_text(data, "code") ||
        !is_text(data, "message") || !json_is_boolean(json_object_get(data, "retry")) ||
        (id && !is_action_id(data)))
        DENY(p, "no good error");
}

static void judge_draining(sim_peer *p, const json_t *data, const got *told)
{
    const json_t *seconds = json_object_get(data, "seconds");
    if (!ONLY(data, "seconds") || !json_is_integer(seconds) || json_integer_value(seconds) < 0)
        DENY(p, "no good draining");
}

static void judge_token_expiring(sim_peer *p, const json_t *data, const got *told)
{
    if (!ONLY(data, "expires_at") || !json_is_integer(json_object_get(data, "expires_at")))
        DENY(p, "no good token_expiring");
}

static void judge_auth_renewed(sim_peer *p, const json_t *data, const got *told)
{
    if (json_object_size(data) > 0)
        judge_token_expiring(p, data, told);
}

static void judge_missed(sim_peer *p, const json_t *data, const got *told)
{
    const struct ear *ear = p->test;
    const json_t *from = json_object_get(data, "from"), *to = json_object_get(data, "to");
    const char *reason = text_of(data, "reason");
    json_t *position = json_object_get(ear->positions, text_of(data, "channel"));
    static const char *const members[] = {"channel", "from", "to", "reason", "reset"};
    if (members_of(data, members, 5) != json_object_size(data) ||
        !is_true_or_absent(data, "reset") || !is_channel(text_of(data, "channel")) ||
        !json_is_integer(from) || !json_is_integer(to) || strcmp(reason, "too_old") != 0 ||
        json_integer_value(from) < 1 || json_integer_value(from) > json_integer_value(to))
        DENY(p, "no good missed");
    if (is_loose(p))
        return;
    if (position == NULL ||
        !is_next(position, json_integer_value(from), jumps(p, text_of(data, "channel"))))
        DENY(p, "missed, but not the next one");
    json_object_set_new(position, "offset", json_incref((json_t *)to));
    if (json_object_get(data, "reset") != NULL) /* the state may begin with any offset */
        json_object_set_new(position, "offset", json_integer(0));
}

static const struct {
    const char *type;
    void (*judge)(sim_peer *p, const json_t *data, const got *told);
} types[] = {
    {"connection_established", judge_established},
    {"subscribed", judge_subscribed},
    {"unsubscribed", judge_unsubscribed},
    {"pong", judge_pong},
    {"ack", judge_ack},
    {"error", judge_error},
    {"draining", judge_draining},
    {"missed", judge_missed},
    {"token_expiring", judge_token_expiring},
    {"auth_renewed", judge_auth_renewed},
};

static void judge_publication(sim_peer *p, const json_t *root, const got *told)
{
    const struct ear *ear = p->test;
    const char *channel = text_of(root, "channel");
    json_t *position;
    json_int_t offset;
    static const char *const members[] = {"type", "channel",   "epoch", "offset",
                                          "data", "timestamp", "key",   "removed"};
    if (members_of(root, members, 8) != json_object_size(root) ||
        json_object_get(root, "data") == NULL || !is_channel(channel) || !is_position(root, 1) ||
        !is_true_or_absent(root, "removed") ||
        (json_object_get(root, "key") != NULL ? !is_text(root, "key")
                                              : json_object_get(root, "removed") != NULL))
        DENY(p, "no good publication");
    if (is_loose(p))
        return;
    position = json_object_get(ear->positions, channel);
    if (position == NULL)
        DENY(p, "a publication of a channel that it was never told of");
    offset = json_integer_value(json_object_get(root, "offset"));
    if (!json_equal(json_object_get(position, "epoch"), json_object_get(root, "epoch")) ||
        !is_next(position, offset, jumps(p, channel)))
        DENY(p, "a publication that is not the next one");
    json_object_set_new(position, "offset", json_integer(offset));
}

static void judge(sim_peer *p, const json_t *root, const got *told)
{
    const struct ear *ear = p->test;
    const json_t *data = json_object_get(root, "data");
    if (!json_is_object(root) || !is_text(root, "type") || !is_time(text_of(root, "timestamp")))
        DENY(p, "no envelope");
    if (ear->count == 0 && !is_loose(p) &&
        strcmp(text_of(root, "type"), "connection_established") != 0)
        DENY(p, "the first message is not connection_established");
    if (json_object_get(root, "channel") != NULL) {
        judge_publication(p, root, told);
        return;
    }
    if (!ONLY(root, "type", "data", "timestamp") || !json_is_object(data))
        DENY(p, "no envelope of the contract");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, text_of(root, "type")) == 0)
            types[i].judge(p, data, told);
}

/* Checks the messages that have arrived since the last call. */
static void listen(sim_peer *p)
{
    struct ear *ear = p->test;
    const talk *t = p->sim->test;
    look(t);
    const got *told;
    if (ear == NULL) {
        p->test = ear = sim_malloc(sizeof *ear);
        memset(ear, 0, sizeof *ear);
        ear->positions = json_object();
    }
    while ((told = reader_message(&p->reader, ear->count)) != NULL) {
        json_t *root = NULL;
        json_error_t error;
        ear->list = sim_realloc(ear->list, (ear->count + 1) * sizeof(json_t *));
        if (told->op == OP_TEXT && !(p->number < 64 && (t->others >> p->number & 1u))) {
            root = json_loadb((const char *)told->data, told->len, JSON_REJECT_DUPLICATES, &error);
            if (root == NULL)
                DENY(p, "no JSON: %s", error.text);
            judge(p, root, told);
        }
        ear->list[ear->count++] = root;
    }
}

/* ----------------------------------------------------------------- ways in */

const char *const talk_ways[] = {"raw", "byte by byte", "pending", "hosted", "hosted, pending"};

static int is_pending(enum talk_way way)
{
    return way == TALK_PENDING || way == TALK_HOSTED_PENDING;
}

talk *talk_by(enum talk_way way)
{
    talk *t = talk_new();
    t->s->ask_token = is_pending(way);
    t->s->verdict.kind = WSPOOL_PENDING;
    t->s->chop = way == TALK_BYTES ? SIM_BYTES : SIM_WHOLE;
    assert_int_equal(talk_start(t), 0);
    return t;
}

static void decide(sim_peer *p)
{
    wspool_verdict verdict;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(SIM_IN(wspool_auth_complete(p->sim->pool, p->id, &verdict)), 0);
    sim_pump(p->sim);
}

sim_peer *talk_come(talk *t, enum talk_way way, const char *target)
{
    client_request request = {.target = target};
    wspool_answer answer;
    sim_peer *p;
    if (is_pending(way))
        request.extra = "Authorization: Bearer t\r\n";
    if (way == TALK_HOSTED || way == TALK_HOSTED_PENDING) {
        assert_int_equal(sim_upgrade(t->s, &request, &answer, &p),
                         way == TALK_HOSTED ? WSPOOL_UPGRADE_ACCEPTED : WSPOOL_UPGRADE_PENDING);
    } else {
        p = sim_connect(t->s, &request);
        sim_pump(t->s);
    }
    if (is_pending(way)) {
        assert_int_equal(p->opened, 0);
        decide(p);
    }
    if (p->waiting)
        assert_int_equal(sim_adopt(p, NULL, 0), 0);
    sim_pump(t->s);
    sim_expect_open(p);
    return p;
}

sim_peer *talk_join(talk *t, const char *target)
{
    char named[400];
    snprintf(named, sizeof named, "%s?client=c%zu", target, t->s->peer_count);
    sim_peer *p = sim_join(t->s, named);
    if (p != NULL)
        talk_skip(p);
    return p;
}

void talk_act(sim_peer *p, uint64_t n, const char *name)
{
    talk_print(p, "{\"type\":\"action\",\"data\":{\"id\":\"c%zu-%" PRIu64 "\",\"name\":\"%s\"}}",
               p->number, n, name);
}

void talk_expect_ack(sim_peer *p, uint64_t n, const char *result)
{
    char data[100];
    snprintf(data, sizeof data, "{'id':'c%zu-%" PRIu64 "','result':'%s'}", p->number, n, result);
    talk_expect(p, "ack", data);
}

/* ------------------------------------------------------------------- talk */

static char *with_quotes(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sim_malloc(size);
    for (size_t i = 0; i < size; i++)
        copy[i] = text[i];
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    return copy;
}

/* The text may have been allocated inside a call of the pool, where allocations are counted. */
static void forget(char *quoted)
{
    int inside = sim_inside;
    sim_inside = 0;
    free(quoted);
    sim_inside = inside;
}

void talk_say(sim_peer *p, const char *text)
{
    char *quoted = with_quotes(text);
    if (p != NULL) {
        const talk *t = p->sim->test;
        sim_text(p, quoted);
        sim_pump(p->sim);
        look(t);
    }
    forget(quoted);
}

void talk_print(sim_peer *p, const char *format, ...)
{
    char text[4096];
    va_list list;
    int n;
    va_start(list, format);
    n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    assert_in_range(n, 0, sizeof text - 1);
    sim_text(p, text);
    sim_pump(p->sim);
}

const json_t *talk_next(sim_peer *p)
{
    struct ear *ear;
    listen(p);
    ear = p->test;
    if (ear->next == ear->count)
        fail_msg("peer %zu was told nothing more", p->number);
    if (ear->list[ear->next] == NULL)
        fail_msg("peer %zu was told something in binary", p->number);
    return ear->list[ear->next++];
}

/* Fails and prints both if they differ. */
static void same(const sim_peer *p, const json_t *told, json_t *expected)
{
    assert_non_null(expected);
    if (!json_equal(told, expected)) {
        char *is = json_dumps(told, JSON_COMPACT | JSON_SORT_KEYS);
        char *should = json_dumps(expected, JSON_COMPACT | JSON_SORT_KEYS);
        fail_msg("peer %zu\nwas told: %s\nexpected: %s", p->number, is, should);
    }
    json_decref(expected);
}

static const char *now_of(const sim_peer *p)
{
    const talk *t = p->sim->test;
    return t->time;
}

void talk_expect(sim_peer *p, const char *type, const char *data)
{
    same(p, talk_next(p),
         json_pack("{s:s, s:o, s:s}", "type", type, "data", talk_json(data), "timestamp",
                   now_of(p)));
}

static void expect_error(sim_peer *p, const char *code, int retry, const char *id,
                         const char *channel, int any_channel)
{
    const json_t *told = talk_next(p);
    const json_t *data = json_object_get(told, "data");
    json_t *text = json_object_get(data, "message"); /* any text that is not empty */
    if (any_channel)
        channel = json_string_value(json_object_get(data, "channel"));
    same(p, told,
         json_pack("{s:s, s:{s:s, s:O*, s:b, s:s*, s:s*}, s:s}", "type", "error", "data", "code",
                   code, "message", text, "retry", retry, "id", id, "channel", channel, "timestamp",
                   now_of(p)));
}

void talk_expect_error(sim_peer *p, const char *code, int retry, const char *id)
{
    expect_error(p, code, retry, id, NULL, 1);
}

void talk_expect_channel_error(sim_peer *p, const char *code, int retry, const char *channel)
{
    expect_error(p, code, retry, NULL, channel, 0);
}

void talk_expect_subscribed(sim_peer *p, const char *channel, wspool_channel_position at,
                            const char *met)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    char reason[20];
    size_t len = strcspn(met, " ");
    int recovered = strcmp(met, "recovered") == 0, reset = strcmp(met + len, " reset") == 0;
    snprintf(reason, sizeof reason, "%.*s", (int)len, met);
    wspool_json_epoch_write(at.epoch, epoch);
    same(p, talk_next(p),
         json_pack("{s:s, s:{s:s, s:s, s:I, s:b, s:s*, s:o*}, s:s}", "type", "subscribed", "data",
                   "channel", channel, "epoch", epoch, "offset", (json_int_t)at.offset, "recovered",
                   recovered, "reason", recovered || *met == '\0' ? NULL : reason, "reset",
                   reset ? json_true() : NULL, "timestamp", now_of(p)));
}

void talk_expect_missed(sim_peer *p, const char *channel, uint64_t from, uint64_t to)
{
    char data[400];
    snprintf(data, sizeof data,
             "{'channel':'%s','from':%" PRIu64 ",'to':%" PRIu64 ",'reason':'too_old'}", channel,
             from, to);
    talk_expect(p, "missed", data);
}

void talk_expect_publication(sim_peer *p, const char *type, const char *channel,
                             wspool_channel_position at, const char *data)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(at.epoch, epoch);
    same(p, talk_next(p),
         json_pack("{s:s, s:s, s:s, s:I, s:o, s:s}", "type", type, "channel", channel, "epoch",
                   epoch, "offset", (json_int_t)at.offset, "data", talk_json(data), "timestamp",
                   now_of(p)));
}

void talk_expect_keyed(sim_peer *p, wspool_channel channel, uint64_t offset, const char *key,
                       const char *data)
{
    const talk *t = p->sim->test;
    char name[WSPOOL_JSON_CHANNEL_MAX], epoch[WSPOOL_JSON_EPOCH_MAX];
    assert_int_equal(wspool_json_channel_write(channel, name), 0);
    wspool_json_epoch_write(talk_at(t, channel).epoch, epoch);
    same(p, talk_next(p),
         json_pack("{s:s, s:s, s:s, s:I, s:s*, s:o*, s:o, s:s}", "type",
                   data == NULL ? "removed" : "put", "channel", name, "epoch", epoch, "offset",
                   (json_int_t)offset, "key", key, "removed", data == NULL ? json_true() : NULL,
                   "data", talk_json(data == NULL ? "{}" : data), "timestamp", now_of(p)));
}

void talk_expect_silence(sim_peer *p)
{
    const struct ear *ear;
    listen(p);
    ear = p->test;
    if (ear->next < ear->count) {
        const got *told = reader_message(&p->reader, ear->next);
        DENY(p, "peer %zu was told more than it should", p->number);
    }
}

void talk_skip(sim_peer *p)
{
    struct ear *ear;
    listen(p);
    ear = p->test;
    ear->next = ear->count;
}

wspool_channel_position talk_at(const talk *t, wspool_channel channel)
{
    wspool_channel_position at;
    assert_int_equal(wspool_position(t->s->pool, channel, &at), 0);
    return at;
}

const char *talk_target_at(const talk *t, wspool_channel session, uint64_t offset)
{
    static char target[100];
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(talk_at(t, session).epoch, epoch);
    snprintf(target, sizeof target, "/kept/%.*s?epoch=%s&offset=%d", (int)session.len,
             (const char *)session.name, epoch, (int)offset);
    return target;
}

int talk_is_member(const talk *t, wspool_channel channel, const sim_peer *p)
{
    wspool_id ids[64];
    int n = wspool_members(t->s->pool, channel, ids, 64);
    assert_in_range(n, 0, 64);
    while (n-- > 0)
        if (ids[n] == p->id)
            return 1;
    return 0;
}

int talk_publish(talk *t, wspool_channel channel, const char *type, const char *data)
{
    return SIM_IN(wspool_json_broadcast(t->json, t->s->pool, channel, type,
                                        data == NULL ? NULL : talk_json(data), NULL, NULL));
}

json_t *talk_json(const char *text)
{
    char *quoted = with_quotes(text);
    json_t *value = json_loads(quoted, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (value == NULL)
        fail_msg("the test has written no JSON: %s", quoted);
    forget(quoted);
    return value;
}
