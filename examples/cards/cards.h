/* SPDX-License-Identifier: MIT */
/*
 * cards.h - the model: up to a thousand cards, in the order of creation.
 *
 * It knows neither HTTP nor peers. Reading a client's wish and making a draft of the card can fail;
 * putting the draft on the board cannot. So a change can be published before it is made, and is not
 * made if publishing fails.
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
    uint64_t step_at;   /* when its run advances; 0: not running */
};

struct cards {
    struct card list[CARDS_MAX];
    size_t count;
    unsigned last_id; /* no id is used twice */
    unsigned running;
};

/* Ends in NULL. */
extern const char *const card_columns[];

/* Returns the column of this name, or NULL. */
const char *card_column(const char *name);

/* What a client wants of a card; NULL: not given. */
struct card_patch {
    const char *title;
    const char *column;
};

/* Reads a patch, whose texts point into `body`. Returns NULL, or the error word. */
const char *card_patch_read(const json_t *body, struct card_patch *patch);

/* Makes a card that is not on the board: `from` (NULL: a new card) changed by the patch. Returns
 * 0, or -1 if there is no memory. */
int card_draft(struct cards *cards, const struct card *from, const struct card_patch *patch,
               struct card *draft);
void card_discard(struct card *draft);

/* Puts a draft on the board: a new card at the end, a changed one in its place. */
void cards_put(struct cards *cards, struct card *draft);
void cards_remove(struct cards *cards, struct card *card);
void cards_clear(struct cards *cards);

/* Returns the card, or NULL. The pointer is valid until a card is removed. */
struct card *cards_find(struct cards *cards, const char *id, size_t len);

/* Returns a new reference, or NULL if there is no memory. */
json_t *card_json(const struct card *card);
json_t *cards_json(const struct cards *cards);

/* Returns the number of characters of valid UTF-8, or -1 if it has control characters (line feed
 * and tab are allowed) or shows nothing. */
int text_length(const char *text);

#endif
