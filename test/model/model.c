/* SPDX-License-Identifier: MIT */
/*
 * model/model.c - see model/model.h. The rules are explained in model/README.md; here each is named
 * where it is checked.
 *
 * A member is a reader of a channel. Its `at` is the offset up to which everything is settled:
 * delivered, skipped for it, or told missing. Each line moves `at` up or breaks a rule.
 */
#define _GNU_SOURCE /* twalk_r, tdestroy */
#include "model.h"

#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 24 }; /* in a line, at most */

struct publication {
    char *content; /* NULL: not published yet (only in a loose log) */
    char *except;  /* a connection "alice:2", or a client "alice"; NULL: nobody */
    char *id;      /* of its publisher; NULL: none */
};

struct epoch {
    char *name;
    struct epoch *older;
    struct publication *list; /* of offset n at n - 1 */
    uint64_t head;            /* the last offset */
    uint64_t count;           /* of its publications */
    uint64_t cap;
    int over; /* nothing is published in it any more */
};

struct channel {
    char *name; /* first, as in each struct that a tree holds */
    struct epoch *epochs;
    uint64_t least, most; /* its history has at least and at most so many of the last messages */
    uint64_t ids;         /* it remembers at least so many ids of publishers */
    int closes;           /* the slow policy is to close */
};

struct member {
    struct channel *channel;
    struct epoch *epoch;
    uint64_t at;
    struct member *next;
};

struct reader {
    char *name;
    struct member *members;
    int cut;
};

struct model {
    void *channels, *readers; /* trees by name */
    int loose;
    size_t line;
    struct model_totals totals;
    struct model_totals since; /* totals at the last restart */
    uint64_t behind, closed, lost;
    int broken;
    char why[600];
};

/* --------------------------------------------------------------- utilities */

static void *need(void *memory)
{
    if (memory == NULL) {
        fputs("model: no memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* Records the first violation. Returns 0, so that a check can return it. */
__attribute__((format(printf, 3, 4))) static int broken(model *m, const char *rule,
                                                        const char *format, ...)
{
    va_list args;
    int n;
    if (m->broken)
        return 0;
    n = snprintf(m->why, sizeof m->why, "line %zu: %s: ", m->line, rule);
    va_start(args, format);
    vsnprintf(m->why + n, sizeof m->why - (size_t)n, format, args);
    va_end(args);
    m->broken = 1;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Finds a channel or reader by its name, or makes it. */
static void *named(void **tree, const char *name, size_t size)
{
    void *found = tfind(&name, tree, by_name);
    if (found == NULL) {
        char **made = need(calloc(1, size));
        *made = need(strdup(name));
        found = need(tsearch(made, tree, by_name));
    }
    return *(void **)found;
}

static struct channel *channel_of(model *m, const char *name)
{
    return named(&m->channels, name, sizeof(struct channel));
}

static struct reader *reader_of(model *m, const char *name)
{
    return named(&m->readers, name, sizeof(struct reader));
}

static int is_number(const char *word)
{
    return word != NULL && *word != '\0' && strspn(word, "0123456789") == strlen(word) &&
           strlen(word) < 17;
}

static uint64_t number(const char *word)
{
    return strtoull(word, NULL, 10);
}

/* Returns the value of the option "name=value" among the words from the n-th on, or NULL. */
static const char *option(char **words, int n, const char *name)
{
    size_t len = strlen(name);
    for (; words[n] != NULL; n++)
        if (strncmp(words[n], name, len) == 0 && words[n][len] == '=')
            return words[n] + len + 1;
    return NULL;
}

/* ---------------------------------------------------------------- positions */

/* Finds an epoch of a channel, or begins it. Before its first publication an epoch has offset 0. In
 * an exact log a new epoch ends the one before. */
static struct epoch *epoch_of(model *m, struct channel *channel, const char *name)
{
    struct epoch *epoch = channel->epochs;
    while (epoch != NULL && strcmp(epoch->name, name) != 0)
        epoch = epoch->older;
    if (epoch == NULL) {
        epoch = need(calloc(1, sizeof *epoch));
        epoch->name = need(strdup(name));
        epoch->older = channel->epochs;
        if (epoch->older != NULL && !m->loose) {
            if (channel->least > 0 && epoch->older->head > 0 && !epoch->older->over)
                broken(m, "D1 positions", "%s has a history, and must not begin epoch %s",
                       channel->name, name);
            epoch->older->over = 1;
        }
        channel->epochs = epoch;
    }
    return epoch;
}

static struct publication *published(const struct epoch *epoch, uint64_t offset)
{
    struct publication *one = offset <= epoch->head ? &epoch->list[offset - 1] : NULL;
    return one == NULL || one->content == NULL ? NULL : one;
}

/* Is a publication not for this reader? "alice" excepts all connections of alice. */
static int is_skipped(const struct publication *one, const struct reader *reader)
{
    size_t len = one->except == NULL ? 0 : strlen(one->except);
    return len > 0 && strncmp(one->except, reader->name, len) == 0 &&
           (reader->name[len] == '\0' || reader->name[len] == ':');
}

/* Returns the offset of the last message in this epoch with an id, or 0. Sets *age to the number of
 * other messages with an id since. */
static uint64_t find_id(const struct epoch *epoch, const char *id, uint64_t *age)
{
    *age = 0;
    for (uint64_t offset = epoch->head; offset > 0; offset--) {
        const char *other = epoch->list[offset - 1].id;
        if (other != NULL && strcmp(other, id) == 0)
            return offset;
        *age += other != NULL;
    }
    return 0;
}

static int line_again(model *m, char **w)
{
    const struct epoch *epoch = epoch_of(m, channel_of(m, w[1]), w[2]);
    uint64_t age, offset = find_id(epoch, w[4], &age);
    if (epoch->over || offset == 0 || offset != number(w[3]))
        return broken(m, "D15 once", "%s: no message with the id %s was published at %s %s", w[1],
                      w[4], w[2], w[3]);
    return 1;
}

static int line_publish(model *m, char **w)
{
    struct channel *channel = channel_of(m, w[1]);
    struct epoch *epoch = epoch_of(m, channel, w[2]);
    uint64_t offset = number(w[3]);
    const char *except = option(w, 5, "except");
    const char *members = option(w, 5, "members"), *id = option(w, 5, "id");
    uint64_t age;
    if (epoch->over)
        return broken(m, "D1 positions", "%s: epoch %s is over", w[1], w[2]);
    if (offset == 0 || (!m->loose && offset != epoch->head + 1))
        return broken(m, "D1 positions", "%s: offset %" PRIu64 " follows %" PRIu64, w[1], offset,
                      epoch->head);
    if (published(epoch, offset) != NULL)
        return broken(m, "D1 positions", "%s: a second message at offset %" PRIu64, w[1], offset);
    if (id != NULL && find_id(epoch, id, &age) != 0 && age < channel->ids)
        return broken(m, "D15 once", "%s: a second message with the id %s", w[1], id);
    if (members != NULL) {
        const char *behind = option(w, 5, "behind"), *closed = option(w, 5, "closed");
        const char *queued = option(w, 5, "queued");
        if (!is_number(members) || !is_number(queued) || !is_number(behind) || !is_number(closed))
            return broken(m, "format", "members=, queued=, behind= and closed= need each other");
        if (number(members) != number(queued) + number(behind) + number(closed))
            return broken(m, "D14 numbers", "%s: %s members, but %s queued, %s behind, %s closed",
                          w[1], members, queued, behind, closed);
        m->behind += number(behind);
        m->closed += number(closed);
    }
    if (offset > epoch->cap) {
        uint64_t cap = offset * 2 + 30;
        epoch->list = need(realloc(epoch->list, (size_t)cap * sizeof *epoch->list));
        memset(epoch->list + epoch->cap, 0, (size_t)(cap - epoch->cap) * sizeof *epoch->list);
        epoch->cap = cap;
    }
    if (offset > epoch->head)
        epoch->head = offset;
    epoch->list[offset - 1].content = need(strdup(w[4]));
    epoch->count++;
    if (except != NULL)
        epoch->list[offset - 1].except = need(strdup(except));
    if (id != NULL)
        epoch->list[offset - 1].id = need(strdup(id));
    m->totals.published++;
    m->totals.skipped += except != NULL;
    return 1;
}

static int line_unheard(model *m, char **w)
{
    struct channel *channel = channel_of(m, w[1]);
    if (channel->most > 0)
        return broken(m, "D1 positions", "%s has a history and must record this", w[1]);
    if (channel->epochs != NULL)
        channel->epochs->over = 1;
    return 1;
}

/* A position that the server has stated as the head, some time ago or now. */
static int check_stated(model *m, const char *channel, const struct epoch *epoch, uint64_t offset)
{
    if (offset > epoch->head)
        return broken(m, "D2 head", "%s: %" PRIu64 " was stated, but the last message has %" PRIu64,
                      channel, offset, epoch->head);
    return 1;
}

static int line_head(model *m, char **w)
{
    struct epoch *epoch = epoch_of(m, channel_of(m, w[1]), w[2]);
    if (epoch->over)
        return broken(m, "D1 positions", "%s: epoch %s is over", w[1], w[2]);
    if (!m->loose && number(w[3]) < epoch->head)
        return broken(m, "D2 head", "%s: %s was stated, but the last message has %" PRIu64, w[1],
                      w[3], epoch->head);
    return check_stated(m, w[1], epoch, number(w[3]));
}

/* ------------------------------------------------------------------ members */

static struct member **find(struct reader *reader, const struct channel *channel)
{
    struct member **member = &reader->members;
    while (*member != NULL && (*member)->channel != channel)
        member = &(*member)->next;
    return member;
}

static int begin(model *m, char **w, const char *epoch_name, uint64_t at, uint64_t head)
{
    struct reader *reader = reader_of(m, w[1]);
    struct channel *channel = channel_of(m, w[2]);
    struct epoch *epoch = epoch_of(m, channel, epoch_name);
    struct member **place = find(reader, channel);
    if (reader->cut)
        return broken(m, "D11 the end", "%s was cut and gets something", w[1]);
    if (*place != NULL)
        return broken(m, "D7 join", "%s is a member of %s already", w[1], w[2]);
    if (!check_stated(m, w[2], epoch, head))
        return 0;
    *place = need(calloc(1, sizeof **place));
    **place = (struct member){channel, epoch, at, NULL};
    return 1;
}

static int line_join(model *m, char **w)
{
    m->totals.joined++;
    return begin(m, w, w[3], number(w[4]), number(w[4]));
}

static int line_resume(model *m, char **w)
{
    const struct channel *channel = channel_of(m, w[2]);
    const char *result = w[7];
    uint64_t since = number(w[4]), head = number(w[6]);
    int same = strcmp(w[3], w[5]) == 0, past = same && since <= head;
    uint64_t age = past ? head - since : 0; /* the messages that it has not got */
    int right;
    if (strcmp(result, "recovered") == 0) {
        m->totals.recovered++;
        m->totals.refilled += age;
        if (!past || age > channel->most)
            return broken(m, "D8 recovered", "%s of %s: the history can't have what follows %s %s",
                          w[1], w[2], w[3], w[4]);
        return begin(m, w, w[5], since, head);
    }
    if (strcmp(result, "epoch_changed") == 0) {
        m->totals.epoch_changed++;
        right = !same;
    } else if (strcmp(result, "too_old") == 0) {
        m->totals.too_old++;
        right = past && age > channel->least;
    } else if (strcmp(result, "unknown_offset") == 0) {
        m->totals.unknown_offset++;
        right = same && since > head;
    } else {
        return broken(m, "format", "a result of a resume: %s", result);
    }
    if (!right)
        return broken(m, "D9 reason", "%s of %s: not %s: it had %s %s, the head is %s %s", w[1],
                      w[2], result, w[3], w[4], w[5], w[6]);
    return begin(m, w, w[5], head, head);
}

/* Returns the member that a line is about, if the reader is one, in that epoch. */
static struct member *member_of(model *m, char **w)
{
    struct reader *reader = reader_of(m, w[1]);
    struct member *member = *find(reader, channel_of(m, w[2]));
    if (reader->cut || member == NULL) {
        broken(m, "D11 the end", "%s is no member of %s and gets something", w[1], w[2]);
        return NULL;
    }
    if (w[3] != NULL && strcmp(member->epoch->name, w[3]) != 0) {
        broken(m, "D3 order", "%s of %s is in epoch %s, and was not told of %s", w[1], w[2],
               member->epoch->name, w[3]);
        return NULL;
    }
    return member;
}

/* The reader gets nothing more up to `offset`: all of it was skipped, or a rule is broken. */
static int skip_to(model *m, const struct reader *reader, struct member *member, uint64_t offset,
                   const char *rule)
{
    for (; member->at < offset; member->at++) {
        const struct publication *one = published(member->epoch, member->at + 1);
        if (one == NULL || !is_skipped(one, reader))
            return broken(m, rule, "%s of %s: %" PRIu64 " was neither delivered nor told missing",
                          reader->name, member->channel->name, member->at + 1);
    }
    return 1;
}

static int line_stays(model *m, char **w)
{
    struct member *member = member_of(m, w);
    uint64_t offset = number(w[4]);
    if (member == NULL)
        return 0;
    if (offset < member->at || offset > member->epoch->head)
        return broken(m, "D7 join", "%s of %s is at %" PRIu64 ", not at %" PRIu64, w[1], w[2],
                      member->at, offset);
    return skip_to(m, reader_of(m, w[1]), member, offset, "D7 join");
}

static int line_got(model *m, char **w)
{
    struct member *member = member_of(m, w);
    const struct reader *reader = reader_of(m, w[1]);
    uint64_t offset = number(w[4]);
    const struct publication *one;
    m->totals.got++;
    if (member == NULL)
        return 0;
    if (offset <= member->at)
        return broken(m, "D3 order", "%s of %s: %" PRIu64 " comes after %" PRIu64, w[1], w[2],
                      offset, member->at);
    one = published(member->epoch, offset);
    if (one == NULL)
        return broken(m, "D6 content", "%s of %s: nothing was published at %" PRIu64, w[1], w[2],
                      offset);
    if (!skip_to(m, reader, member, offset - 1, "D4 nothing is lost in silence"))
        return 0;
    if (is_skipped(one, reader))
        return broken(m, "D5 skipped", "%s of %s: %" PRIu64 " was not for it", w[1], w[2], offset);
    if (strcmp(one->content, w[5]) != 0)
        return broken(m, "D6 content", "%s of %s: %" PRIu64 " is %.100s, but %.100s was published",
                      w[1], w[2], offset, w[5], one->content);
    member->at = offset;
    return 1;
}

static int line_missed(model *m, char **w)
{
    struct member *member = member_of(m, w);
    uint64_t from = number(w[4]), to = number(w[5]);
    const char *head_word = option(w, 6, "head");
    uint64_t head;
    m->totals.missed++;
    if (member == NULL)
        return 0;
    head = head_word == NULL ? member->epoch->head : number(head_word);
    if (from > to || from <= member->at || to > head || head > member->epoch->head)
        return broken(m, "D10 missed",
                      "%s of %s: %" PRIu64 " to %" PRIu64 " are missing, but it is at %" PRIu64
                      " and the head is %" PRIu64,
                      w[1], w[2], from, to, member->at, head);
    if (!skip_to(m, reader_of(m, w[1]), member, from - 1, "D4 nothing is lost in silence"))
        return 0;
    if (head - to < member->channel->least)
        return broken(m, "D10 missed", "%s of %s: the history still has %" PRIu64, w[1], w[2], to);
    m->lost += to - from + 1;
    member->at = to;
    return 1;
}

static int line_leave(model *m, char **w)
{
    struct member *member = member_of(m, w);
    m->totals.left++;
    if (member == NULL)
        return 0;
    *find(reader_of(m, w[1]), member->channel) = member->next;
    free(member);
    return 1;
}

static void forget_members(struct reader *reader)
{
    struct member *next;
    for (struct member *member = reader->members; member != NULL; member = next) {
        next = member->next;
        free(member);
    }
    reader->members = NULL;
}

static int line_cut(model *m, char **w)
{
    struct reader *reader = reader_of(m, w[1]);
    m->totals.cut++;
    if (reader->cut)
        return broken(m, "D11 the end", "%s was cut before", w[1]);
    if (w[2] != NULL && strcmp(w[2], "slow") == 0 && w[3] != NULL && !channel_of(m, w[3])->closes)
        return broken(m, "D13 slow", "%s was closed as slow for %s, which does not close", w[1],
                      w[3]);
    reader->cut = 1;
    forget_members(reader);
    return 1;
}

/* ---------------------------------------------------------------- the world */

static int line_channel(model *m, char **w)
{
    struct channel *channel = channel_of(m, w[1]);
    channel->least = number(w[2]);
    channel->most = strcmp(w[3], "all") == 0 ? UINT64_MAX : number(w[3]);
    channel->closes = w[4] != NULL && strcmp(w[4], "close") == 0;
    if (w[4] != NULL && option(w, 5, "ids") != NULL)
        channel->ids = number(option(w, 5, "ids"));
    if (w[4] != NULL && !channel->closes && strcmp(w[4], "behind") != 0)
        return broken(m, "format", "a slow policy: %s", w[4]);
    return 1;
}

static void end_epochs(const void *node, VISIT visit, void *unused)
{
    const struct channel *channel = *(struct channel *const *)node;
    (void)unused;
    if (visit == preorder || visit == leaf)
        for (struct epoch *epoch = channel->epochs; epoch != NULL; epoch = epoch->older)
            epoch->over = 1;
}

static int line_restart(model *m, char **w)
{
    (void)w;
    twalk_r(m->channels, end_epochs, NULL);
    m->totals.restarts++;
    m->since = m->totals;
    m->behind = m->closed = m->lost = 0;
    return 1;
}

static void check_channel(const void *node, VISIT visit, void *owner)
{
    const struct channel *channel = *(struct channel *const *)node;
    if (visit == preorder || visit == leaf)
        for (struct epoch *epoch = channel->epochs; epoch != NULL; epoch = epoch->older)
            if (epoch->count != epoch->head)
                broken(owner, "D1 positions",
                       "%s: nothing was published at some offset below %" PRIu64, channel->name,
                       epoch->head);
}

static void check_reader(const void *node, VISIT visit, void *owner)
{
    const struct reader *reader = *(struct reader *const *)node;
    if (visit == postorder || visit == endorder)
        return;
    for (struct member *member = reader->members; member != NULL; member = member->next)
        if (member->epoch->over)
            broken(owner, "D12 quiet", "%s of %s is in epoch %s, which is over", reader->name,
                   member->channel->name, member->epoch->name);
        else
            skip_to(owner, reader, member, member->epoch->head, "D12 quiet");
}

static int line_quiet(model *m, char **w)
{
    (void)w;
    m->totals.quiets++;
    twalk_r(m->channels, check_channel, m);
    twalk_r(m->readers, check_reader, m);
    return !m->broken;
}

/* Compares the numbers of the pool with each other and with the log. Each may be absent. */
static int line_books(model *m, char **w)
{
    static const char *const names[] = {"published",      "deliveries",  "queued",
                                        "left_behind",    "slow_closes", "sent",
                                        "dropped_closed", "waiting",     "missed"};
    enum { PUBLISHED, DELIVERIES, QUEUED, BEHIND, CLOSED, SENT, DROPPED, WAITING, MISSED, NAMES };
    uint64_t n[NAMES];
    for (int i = 0; i < NAMES; i++) {
        const char *value = option(w, 1, names[i]);
        if (!is_number(value))
            return broken(m, "format", "books without %s=", names[i]);
        n[i] = number(value);
    }
    if (n[DELIVERIES] != n[QUEUED] + n[CLOSED])
        return broken(m, "D14 numbers", "deliveries are not queued + slow closes");
    if (n[QUEUED] != n[SENT] + n[DROPPED] + n[WAITING])
        return broken(m, "D14 numbers", "queued is not sent + dropped + waiting");
    if (n[PUBLISHED] != m->totals.published - m->since.published)
        return broken(m, "D14 numbers", "%" PRIu64 " were published, not %" PRIu64,
                      m->totals.published - m->since.published, n[PUBLISHED]);
    if (n[BEHIND] != m->behind || n[CLOSED] != m->closed)
        return broken(m, "D14 numbers",
                      "the publications left %" PRIu64 " behind and closed %" PRIu64, m->behind,
                      m->closed);
    if (m->lost > n[MISSED])
        return broken(m, "D14 numbers", "readers were told of %" PRIu64 " missing ones", m->lost);
    if (m->totals.got - m->since.got > n[SENT])
        return broken(m, "D14 numbers", "readers got more messages than were sent");
    return 1;
}

static int line_nothing(model *m, char **w)
{
    (void)m;
    (void)w;
    return 1;
}

static int line_loose(model *m, char **w)
{
    (void)w;
    m->loose = 1;
    return 1;
}

/* -------------------------------------------------------------------- lines */

/* The words of each line: its name, the number of words that it needs at least, which of these are
 * offsets or numbers (a bit each), how many it may have. */
static const struct {
    const char *name;
    int (*read)(model *, char **);
    int least, most;
    unsigned numbers;
} lines[] = {
    {"got", line_got, 6, 6, 1u << 4},
    {"publish", line_publish, 5, WORDS, 1u << 3},
    {"head", line_head, 4, 4, 1u << 3},
    {"join", line_join, 5, 5, 1u << 4},
    {"resume", line_resume, 8, 8, 1u << 4 | 1u << 6},
    {"missed", line_missed, 6, 7, 1u << 4 | 1u << 5},
    {"stays", line_stays, 5, 5, 1u << 4},
    {"leave", line_leave, 3, 3, 0},
    {"cut", line_cut, 2, 4, 0},
    {"unheard", line_unheard, 2, 2, 0},
    {"again", line_again, 5, 5, 1u << 3},
    {"channel", line_channel, 4, 6, 1u << 2},
    {"restart", line_restart, 1, 1, 0},
    {"quiet", line_quiet, 1, 1, 0},
    {"books", line_books, 1, WORDS, 0},
    {"stall", line_nothing, 2, 2, 0},
    {"flow", line_nothing, 2, 2, 0},
    {"loose", line_loose, 1, 1, 0},
};

static int read_line(model *m, char *line)
{
    char *w[WORDS + 1] = {NULL};
    char *rest = NULL;
    int n = 0;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word != NULL && n < WORDS;
         word = strtok_r(NULL, " \t\r\n", &rest))
        w[n++] = word;
    if (n == 0 || w[0][0] == '#')
        return 1;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (strcmp(lines[i].name, w[0]) != 0)
            continue;
        if (n < lines[i].least || n > lines[i].most)
            return broken(m, "format", "%s with %d words", w[0], n);
        for (int k = 0; k < n; k++)
            if (lines[i].numbers >> k & 1 && !is_number(w[k]))
                return broken(m, "format", "not a number: %s", w[k]);
        return lines[i].read(m, w);
    }
    return broken(m, "format", "what is this: %.100s", w[0]);
}

const char *model_line(model *m, size_t number, const char *line)
{
    if (!m->broken) {
        char *copy = need(strdup(line));
        m->line = number;
        read_line(m, copy);
        free(copy);
    }
    return m->broken ? m->why : NULL;
}

const struct model_totals *model_totals(const model *m)
{
    return &m->totals;
}

/* --------------------------------------------------------------------- life */

model *model_new(void)
{
    return need(calloc(1, sizeof(model)));
}

static void free_reader(void *node)
{
    struct reader *reader = node;
    forget_members(reader);
    free(reader->name);
    free(reader);
}

static void free_channel(void *node)
{
    struct channel *channel = node;
    struct epoch *older;
    for (struct epoch *epoch = channel->epochs; epoch != NULL; epoch = older) {
        older = epoch->older;
        for (uint64_t i = 0; i < epoch->head; i++) {
            free(epoch->list[i].content);
            free(epoch->list[i].except);
            free(epoch->list[i].id);
        }
        free(epoch->list);
        free(epoch->name);
        free(epoch);
    }
    free(channel->name);
    free(channel);
}

void model_free(model *m)
{
    tdestroy(m->readers, free_reader);
    tdestroy(m->channels, free_channel);
    free(m);
}
