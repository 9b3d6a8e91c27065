/* SPDX-License-Identifier: MIT */
/*
 * model/model.c - see model/model.h: the lines of the log, and the rules about all channels and
 * readers. model/README.md explains the rules; the code names each where it is checked.
 */
#define _GNU_SOURCE /* twalk_r, tdestroy */
#include "internal.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>

/* --------------------------------------------------------------- utilities */

void *model_need(void *memory)
{
    if (memory == NULL) {
        fputs("model: no memory\n", stderr);
        exit(2);
    }
    return memory;
}

char *model_copy(const char *text)
{
    return model_need(strdup(text));
}

int model_broken(model *m, const char *rule, const char *format, ...)
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
        char **made = model_need(calloc(1, size));
        *made = model_copy(name);
        found = model_need(tsearch(made, tree, by_name));
    }
    return *(void **)found;
}

struct channel *model_channel(model *m, const char *name)
{
    return named(&m->channels, name, sizeof(struct channel));
}

struct reader *model_reader(model *m, const char *name)
{
    return named(&m->readers, name, sizeof(struct reader));
}

struct action *model_action(model *m, const char *name)
{
    return named(&m->actions, name, sizeof(struct action));
}

int model_is_number(const char *word)
{
    return word != NULL && *word != '\0' && strspn(word, "0123456789") == strlen(word) &&
           strlen(word) < 17;
}

uint64_t model_number(const char *word)
{
    return strtoull(word, NULL, 10);
}

const char *model_option(char **words, int n, const char *name)
{
    size_t len = strlen(name);
    for (; words[n] != NULL; n++)
        if (strncmp(words[n], name, len) == 0 && words[n][len] == '=')
            return words[n] + len + 1;
    return NULL;
}

int model_flag(char **words, int n, const char *name)
{
    for (; words[n] != NULL; n++)
        if (strcmp(words[n], name) == 0)
            return 1;
    return 0;
}

/* ---------------------------------------------------------------- the world */

static void end_epochs(const void *node, VISIT visit, void *unused)
{
    const struct channel *channel = *(struct channel *const *)node;
    (void)unused;
    if (visit == preorder || visit == leaf)
        for (struct epoch *epoch = channel->epochs; epoch != NULL; epoch = epoch->older) {
            epoch->over = 1;
            epoch->restarted = epoch->head;
        }
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
                model_broken(owner, "D1 positions",
                             "%s: nothing was published at some offset below %" PRIu64,
                             channel->name, epoch->head);
}

static void check_reader(const void *node, VISIT visit, void *owner)
{
    const struct reader *reader = *(struct reader *const *)node;
    if (visit == postorder || visit == endorder)
        return;
    for (struct member *member = reader->members; member != NULL; member = member->next)
        if (member->epoch->over)
            model_broken(owner, "D12 quiet", "%s of %s is in epoch %s, which is over", reader->name,
                         member->channel->name, member->epoch->name);
        else if (model_skip_to(owner, reader, member, member->epoch->head, "D12 quiet"))
            member->whole = 0;
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
        const char *value = model_option(w, 1, names[i]);
        if (!model_is_number(value))
            return model_broken(m, "format", "books without %s=", names[i]);
        n[i] = model_number(value);
    }
    if (n[DELIVERIES] != n[QUEUED] + n[CLOSED])
        return model_broken(m, "D14 numbers", "deliveries are not queued + slow closes");
    if (n[QUEUED] != n[SENT] + n[DROPPED] + n[WAITING])
        return model_broken(m, "D14 numbers", "queued is not sent + dropped + waiting");
    if (n[PUBLISHED] != m->totals.published - m->since.published)
        return model_broken(m, "D14 numbers", "%" PRIu64 " were published, not %" PRIu64,
                            m->totals.published - m->since.published, n[PUBLISHED]);
    if (n[BEHIND] != m->behind || n[CLOSED] != m->closed)
        return model_broken(m, "D14 numbers",
                            "the publications left %" PRIu64 " behind and closed %" PRIu64,
                            m->behind, m->closed);
    if (m->lost > n[MISSED])
        return model_broken(m, "D14 numbers", "readers were told of %" PRIu64 " missing ones",
                            m->lost);
    if (m->totals.got - m->since.got > n[SENT])
        return model_broken(m, "D14 numbers", "readers got more messages than were sent");
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
    {"got", model_on_got, 6, 6, 1u << 4},
    {"publish", model_on_publish, 5, WORDS, 1u << 3},
    {"head", model_on_head, 4, 4, 1u << 3},
    {"join", model_on_join, 5, 5, 1u << 4},
    {"resume", model_on_resume, 8, 9, 1u << 4 | 1u << 6},
    {"missed", model_on_missed, 6, 8, 1u << 4 | 1u << 5},
    {"stays", model_on_stays, 5, 5, 1u << 4},
    {"leave", model_on_leave, 3, 3, 0},
    {"cut", model_on_cut, 2, 4, 0},
    {"unheard", model_on_unheard, 2, 2, 0},
    {"again", model_on_again, 5, 5, 1u << 3},
    {"seed", model_on_seed, 4, 7, 1u << 3},
    {"clear", model_on_clear, 2, 2, 0},
    {"erase", model_on_erase, 3, 3, 0},
    {"refused", model_on_refused, 3, 3, 0},
    {"channel", model_on_channel, 4, 9, 1u << 2},
    {"did", model_on_did, 2, 2, 0},
    {"ack", model_on_ack, 4, 4, 0},
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
            return model_broken(m, "format", "%s with %d words", w[0], n);
        for (int k = 0; k < n; k++)
            if (lines[i].numbers >> k & 1 && !model_is_number(w[k]))
                return model_broken(m, "format", "not a number: %s", w[k]);
        return lines[i].read(m, w);
    }
    return model_broken(m, "format", "what is this: %.100s", w[0]);
}

const char *model_line(model *m, size_t number, const char *line)
{
    if (!m->broken) {
        char *copy = model_need(strdup(line));
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
    return model_need(calloc(1, sizeof(model)));
}

static void free_reader(void *node)
{
    struct reader *reader = node;
    model_forget_members(reader);
    free(reader->name);
    free(reader);
}

static void free_action(void *node)
{
    struct action *action = node;
    free(action->name);
    free(action);
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
        model_free_keys(epoch);
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
    tdestroy(m->actions, free_action);
    free(m);
}
