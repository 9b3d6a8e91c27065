/* SPDX-License-Identifier: MIT */
/*
 * runs.h - runs of cards: a few seconds of simulated work. Progress is published on the card's own
 * channel, for those who follow one card, and on a keyed channel, for those who look at all.
 */
#ifndef CARDS_RUNS_H
#define CARDS_RUNS_H

#include "app.h"

/* Starts a run of a card that is not running. Returns 0, or -1 if it cannot be published. */
int runs_start(struct app *app, struct card *card);

/* Ends the run of a card, if any: the card is about to be deleted. Returns 0, or -1 if that cannot
 * be published: then it goes on. */
int runs_cancel(struct app *app, struct card *card);

/* Advances every run that is due. */
void runs_tick(struct app *app, uint64_t now);

/* Returns when the next run is due; UINT64_MAX: none. */
uint64_t runs_deadline(const struct app *app);

/* {"card_id", "percent", "status"} */
json_t *runs_json(const struct card *card, const char *status);

#endif
