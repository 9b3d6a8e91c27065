/* SPDX-License-Identifier: MIT */
/*
 * cards.h - the model: up to a thousand cards, in the order they were made.
 *
 * It knows nothing of HTTP and of peers. Reading what a client sent and making a card of it are
 * two steps, and only the last one, which can't fail, changes the board: so a change can be
 * published first, and is not made when that fails.
 */
#ifndef CARDS_CARDS_H
#define CARDS_CARDS_H

#include <jansson.h>
#include <stdint.h>

#define CARDS_MAX 1000
#define CARD_TITLE_MAX 200 /* characters */
#define CARD_ID_MAX 11     /* digits, and the NUL */

struct card {
    char id[CARD_ID_MAX];
    char *title;
    const char *column; /* one of card_columns */
    unsigned percent;   /* of its run */
    uint64_t step_at;   /* when its run goes on; 0: it is not running */
};

struct cards {
    struct card list[CARDS_MAX];
    size_t count;
    unsigned last_id; /* no id is used twice */
    unsigned running;
};

/* Ends in NULL. */
extern const char *const card_columns[];

/* What a client says about a card; NULL: it doesn't say. */
struct card_wish {
    const char *title;
    const char *column;
};

/* Reads a wish, which points into `body`. NULL, or the word for what is wrong with it. */
const char *card_wish_read(const json_t *body, struct card_wish *wish);

/* A card that is not on the board: `from` (NULL: a new one) as the wish would have it. 0, or -1
 * when there is no memory. */
int card_draft(struct cards *cards, const struct card *from, const struct card_wish *wish,
               struct card *draft);
void card_discard(struct card *draft);

/* Puts a draft on the board: a new one at its end, a changed one in its place. */
void cards_put(struct cards *cards, struct card *draft);
void cards_remove(struct cards *cards, struct card *card);
void cards_clear(struct cards *cards);

/* NULL: no such card. It stays where it is until one is removed. */
struct card *cards_find(struct cards *cards, const char *id, size_t len);

/* A new reference; NULL when there is no memory. */
json_t *card_json(const struct card *card);
json_t *cards_json(const struct cards *cards);

/* How many characters a text of valid UTF-8 has; -1 when some are controls other than a line
 * feed and a tab, or all are blank. */
int text_length(const char *text);

#endif
