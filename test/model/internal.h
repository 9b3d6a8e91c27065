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
    struct key *key;
    uint64_t before; /* the message of the same key before it; 0: none */
    int removed;     /* it removes its key */
};

/* A key of a channel, in one epoch. */
struct key {
    struct key *next;
    char *name;
    size_t index;
    uint64_t last;   /* its last message */
    uint64_t newest; /* the same, if the channel still keeps it; 0: it has forgotten the key */
    uint64_t erased; /* its messages up to here were forgotten by the host */
};

struct epoch {
    char *name;
    struct epoch *older;
    struct publication *list; /* of offset n at n - 1 */
    uint64_t head;            /* the last offset */
    uint64_t count;           /* of its publications */
    uint64_t forgotten;       /* what lies up to here was not restored, or was cleared */
    uint64_t restarted;       /* the last offset before the last restart */
    uint64_t present;         /* the last offset that the server knows */
    struct key *keys;
    size_t key_count;
    uint64_t horizon; /* a reader that was before it may have to begin anew */
    uint64_t cap;
    int over; /* nothing is published in it any more */
};

struct channel {
    char *name; /* first, as in each struct that a tree holds */
    struct epoch *epochs;
    uint64_t least, most; /* its history has at least and at most so many of the last messages */
    uint64_t ids;         /* it remembers at least so many ids of publishers */
    uint64_t keys;        /* it keeps the newest message of each of so many keys; 0: of none */
    int keeps_removals;   /* it never forgets a removal */
    int paced;            /* members get the newest of each key only, after an interval */
    int closes;           /* the slow policy is to close */
};

struct member {
    struct channel *channel;
    struct epoch *epoch;
    uint64_t at;
    uint64_t base;   /* it came with the state at this offset; 0: with nothing */
    uint64_t *known; /* of each key by its index: the message that it got since; 0: none */
    size_t known_count;
    int whole;         /* it gets the whole state, also its own messages, up to ... */
    uint64_t whole_to; /* ... this offset at least */
    struct member *next;
};

struct reader {
    char *name;
    struct member *members;
    int cut;
};

struct action {
    char *name;
    uint64_t done; /* restarts before it was done last, and 1; 0: never */
};

struct model {
    void *channels, *readers, *actions; /* trees by name */
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
struct action *model_action(model *m, const char *name);
struct epoch *model_epoch(model *m, struct channel *channel, const char *name);

int model_is_number(const char *word);
uint64_t model_number(const char *word);
/* Returns the value of the option "name=value" among the words from the n-th on, or NULL. */
const char *model_option(char **words, int n, const char *name);
/* Is this word among the words from the n-th on? */
int model_flag(char **words, int n, const char *name);

struct publication *model_published(const struct epoch *epoch, uint64_t offset);
/* Is a publication not for this reader? "alice" excepts all connections of alice. */
int model_is_skipped(const struct publication *one, const struct reader *reader);
/* Checks a position that the server has stated as the head, some time ago or now. */
int model_check_stated(model *m, const char *channel, const struct epoch *epoch, uint64_t offset);

/* Keys, see keys.c. The publication at this offset has this key. */
void model_set_key(struct epoch *epoch, uint64_t offset, const char *name, int removed);
/* The host has made the channel forget a key, or all (NULL), up to this offset. */
void model_erase_keys(struct epoch *epoch, const char *name, uint64_t offset);
/* How many keys have a message that is no removal? */
uint64_t model_count_keys(const struct epoch *epoch);
/* Would this publication add a key? */
int model_is_new_key(const struct epoch *epoch, const char *name);
/* Is there a removal among these offsets which the channel may have forgotten? Or had it no key? */
int model_may_reset(const struct channel *channel, const struct epoch *epoch, uint64_t from,
                    uint64_t to);
/* May a member of a channel with keys do without the message at this offset? */
int model_is_superfluous(const struct member *member, uint64_t offset);
/* The member got the message at this offset. */
void model_learn(struct member *member, uint64_t offset);
/* What the member knows is void. It gets the whole state, up to `head` at least. */
void model_begin_anew(struct member *member, uint64_t head);
void model_free_keys(struct epoch *epoch);

/* The member gets nothing more up to `offset`: all of it was skipped, or the rule is broken. */
int model_skip_to(model *m, const struct reader *reader, struct member *member, uint64_t offset,
                  const char *rule);
void model_forget_members(struct reader *reader);

/* Each reads a line, split into words. Returns 1, or 0 after a violation. */
int model_on_again(model *m, char **w);
int model_on_publish(model *m, char **w);
int model_on_seed(model *m, char **w);
int model_on_clear(model *m, char **w);
int model_on_erase(model *m, char **w);
int model_on_refused(model *m, char **w);
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
int model_on_did(model *m, char **w);
int model_on_ack(model *m, char **w);

#endif
