/* SPDX-License-Identifier: MIT */
/* model/internal.h - what the files of the model share. See model/model.h. */
#ifndef WSPOOL_TEST_MODEL_INTERNAL_H
#define WSPOOL_TEST_MODEL_INTERNAL_H

#include "model.h"

#include <inttypes.h>
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
    uint64_t forgotten;       /* what lies up to here was not restored, or was cleared */
    uint64_t seeded;          /* the last offset that the host has restored */
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

/* Ends the program if there is no memory. */
void *model_need(void *memory);
char *model_copy(const char *text);
/* Records the first violation. Returns 0, so that a check can return it. */
int model_broken(model *m, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each finds what has this name, or makes it. */
struct channel *model_channel(model *m, const char *name);
struct reader *model_reader(model *m, const char *name);
struct epoch *model_epoch(model *m, struct channel *channel, const char *name);

int model_is_number(const char *word);
uint64_t model_number(const char *word);
/* Returns the value of the option "name=value" among the words from the n-th on, or NULL. */
const char *model_option(char **words, int n, const char *name);

struct publication *model_published(const struct epoch *epoch, uint64_t offset);
/* Is a publication not for this reader? "alice" excepts all connections of alice. */
int model_is_skipped(const struct publication *one, const struct reader *reader);
/* Checks a position that the server has stated as the head, some time ago or now. */
int model_check_stated(model *m, const char *channel, const struct epoch *epoch, uint64_t offset);
/* The member gets nothing more up to `offset`: all of it was skipped, or the rule is broken. */
int model_skip_to(model *m, const struct reader *reader, struct member *member, uint64_t offset,
                  const char *rule);
void model_forget_members(struct reader *reader);

/* Each reads a line, split into words. Returns 1, or 0 after a violation. */
int model_on_again(model *m, char **w);
int model_on_publish(model *m, char **w);
int model_on_seed(model *m, char **w);
int model_on_clear(model *m, char **w);
int model_on_unheard(model *m, char **w);
int model_on_head(model *m, char **w);
int model_on_channel(model *m, char **w);
int model_on_join(model *m, char **w);
int model_on_resume(model *m, char **w);
int model_on_stays(model *m, char **w);
int model_on_got(model *m, char **w);
int model_on_missed(model *m, char **w);
int model_on_leave(model *m, char **w);
int model_on_cut(model *m, char **w);

#endif
