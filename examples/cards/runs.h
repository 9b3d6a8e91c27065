/* SPDX-License-Identifier: MIT */
/*
 * runs.h - a card is run: a few seconds of pretended work, whose progress is told on the card's
 * own channel.
 */
#ifndef CARDS_RUNS_H
#define CARDS_RUNS_H

#include "app.h"

/* -1: it is running already. */
int runs_start(struct app *app, struct card *card);

/* Ends its run, if it has one: the card is about to go. */
void runs_cancel(struct app *app, struct card *card);

/* Goes on with what is due. */
void runs_tick(struct app *app, uint64_t now);

/* When something will be; UINT64_MAX: never. */
uint64_t runs_deadline(const struct app *app);

/* {"card_id", "percent", "status"} */
json_t *runs_json(const struct card *card, const char *status);

#endif
