/* SPDX-License-Identifier: MIT */
/* fuzz/keep.c - see fuzz/keep.h. */
#include "keep.h"

enum { KEYS = 10 };

static const size_t sizes[] = {0, 1, 5, 20, 125, 126, 200, 1000, 4000, 17000};
static uint8_t text[17000];

/* Few keys, so that they come again; the last is too long. */
static wspool_text key_of(unsigned number)
{
    static const char names[WSPOOL_KEY_MAX + 1] = "abcdefgh";
    return number == 0         ? (wspool_text){NULL, 0}
           : number < KEYS - 1 ? (wspool_text){names + number - 1, 1}
                               : (wspool_text){names, sizeof names};
}

static int is_want_of_room(int rc)
{
    return rc == WSPOOL_ERR_FULL || rc == WSPOOL_ERR_NOMEM || rc == WSPOOL_ERR_TOO_BIG;
}

static size_t hooks_of(const sim *s)
{
    size_t count = 0;
    for (int i = 0; i < SIM_WHATS; i++) {
        count += s->counts[i];
    }
    return count;
}

static void publish(sim *s, wspool_channel channel, unsigned flags, wspool_text key, wspool_text id,
                    size_t len)
{
    wspool_send_options options = {.size = sizeof options, .flags = flags, .key = key, .id = id};
    wspool_tally tally = {.size = sizeof tally};
    wspool_channel_position before, after;
    size_t hooks = hooks_of(s); /* they may publish */
    (void)wspool_position(s->pool, channel, &before);
    int rc = SIM_IN(wspool_broadcast(s->pool, channel, text, len, &options, &tally));
    int invalid = key.len > WSPOOL_KEY_MAX || id.len > WSPOOL_PUBLISH_ID_MAX ||
                  ((flags & WSPOOL_REMOVE) && key.len == 0);
    FUZZ_DEMAND(rc >= 0 || is_want_of_room(rc) || (invalid && rc == WSPOOL_ERR_INVAL), "%d", rc);
    FUZZ_DEMAND(rc < 0 || !invalid, "an invalid message was published");
    if (rc >= 0 && tally.repeated) {
        FUZZ_DEMAND(id.len > 0 && rc == 0 && tally.queued + tally.behind + tally.closed == 0,
                    "repeated, and published");
        FUZZ_DEMAND(tally.position.epoch == before.epoch && tally.position.offset > 0 &&
                        tally.position.offset <= before.offset,
                    "repeated, and never published");
        (void)wspool_position(s->pool, channel, &after);
        FUZZ_DEMAND(hooks_of(s) > hooks ||
                        (after.epoch == before.epoch && after.offset == before.offset),
                    "a repetition uses an offset");
    }
}

static void seed(sim *s, wspool_channel channel, wspool_text key, unsigned flags, size_t len,
                 unsigned step)
{
    wspool_seed_message message = {
        .size = sizeof message, .flags = flags, .data = text, .len = len, .key = key};
    wspool_channel_position at, after;
    int members = wspool_member_count(s->pool, channel);
    (void)wspool_position(s->pool, channel, &at);
    at.epoch = at.offset == 0 ? 42 : at.epoch;
    at.offset += step;
    int rc = SIM_IN(wspool_seed(s->pool, channel, &at, step % 3 == 2 ? NULL : &message));
    FUZZ_DEMAND(rc == 0 || rc == WSPOOL_ERR_STATE || rc == WSPOOL_ERR_EXISTS ||
                    rc == WSPOOL_ERR_INVAL || is_want_of_room(rc),
                "seed: %d", rc);
    FUZZ_DEMAND(rc != 0 || members == 0, "seeded, and has members");
    (void)wspool_position(s->pool, channel, &after);
    FUZZ_DEMAND(rc != 0 || (after.epoch == at.epoch && after.offset == at.offset),
                "seeded, and is elsewhere");
}

static void erase(sim *s, wspool_channel channel, wspool_text key)
{
    int rc = SIM_IN(wspool_erase(s->pool, channel, key));
    FUZZ_DEMAND(rc == 0 || rc == WSPOOL_ERR_ABSENT || rc == WSPOOL_ERR_INVAL || is_want_of_room(rc),
                "erase: %d", rc);
    FUZZ_DEMAND((rc == WSPOOL_ERR_INVAL) == (key.len == 0 || key.len > WSPOOL_KEY_MAX), "%d", rc);
    if (rc == 0) {
        FUZZ_DEMAND(SIM_IN(wspool_erase(s->pool, channel, key)) == WSPOOL_ERR_ABSENT,
                    "erased twice");
    }
}

static void clear(sim *s, wspool_channel channel)
{
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position since = {0, 0};
    int rc = SIM_IN(wspool_clear(s->pool, channel));
    FUZZ_DEMAND(rc == 0 || rc == WSPOOL_ERR_ABSENT, "clear: %d", rc);
    (void)wspool_position(s->pool, channel, &since);
    since.offset = 0;
    rc = wspool_read(s->pool, channel, &since, NULL, 0, &resumed);
    FUZZ_DEMAND(rc == 0 && resumed.count == 0, "cleared, and has %d messages", (int)resumed.count);
}

static void read_some(sim *s, wspool_channel channel, unsigned back)
{
    wspool_read_message list[3];
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position since;
    (void)wspool_position(s->pool, channel, &since);
    since.offset -= back < since.offset ? back : since.offset;
    int n = wspool_read(s->pool, channel, &since, list, 3, &resumed);
    FUZZ_DEMAND(n >= 0 && n <= 3, "read: %d", n);
    uint64_t last = resumed.recovered ? since.offset : 0;
    for (int i = 0; i < n; i++) {
        FUZZ_DEMAND(list[i].offset > last, "not in order");
        FUZZ_DEMAND(channel.kind == WSPOOL_SESSION || list[i].offset == last + 1, "a hole");
        last = list[i].offset;
    }
}

void fuzz_keep(sim *s, wspool_channel channel, fuzz_input *in)
{
    unsigned what = fuzz_number(in, 9), number = fuzz_number(in, KEYS);
    size_t len = sizes[fuzz_number(in, 10)];
    wspool_text key = key_of(number), none = {NULL, 0};
    memset(text, 'k', sizeof text);
    switch (what) {
    case 0:
    case 1:
        publish(s, channel, 0, key, none, len);
        break;
    case 2:
        publish(s, channel, WSPOOL_REMOVE, key, none, len);
        break;
    case 3: /* the texts of keys are ids, too */
        publish(s, channel, 0, key, key, len);
        break;
    case 4:
        seed(s, channel, key, 0, len, 1 + number % 4);
        break;
    case 5:
        seed(s, channel, key, WSPOOL_REMOVE, len, 1);
        break;
    case 6:
        erase(s, channel, key);
        break;
    case 7:
        clear(s, channel);
        break;
    default:
        read_some(s, channel, number);
        break;
    }
}
