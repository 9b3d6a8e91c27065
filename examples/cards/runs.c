/* SPDX-License-Identifier: MIT */
/* runs.c - see runs.h. */
#include "runs.h"

#include "peers.h"

#define STEP (150 * WSPOOL_MILLISECOND)
#define STEP_PERCENT 5

json_t *runs_json(const struct card *card, const char *status)
{
    return json_pack("{s:s, s:i, s:s}", "card_id", card->id, "percent", (int)card->percent,
                     "status", status);
}

/* The card has advanced: tells so. If that fails, it is as it was `before`, and -1 is returned. */
static int advance(struct app *app, struct card *card, const struct card *before,
                   const char *status)
{
    const struct store_change change = {.card = card};
    if (peers_publish(app, wspool_item(card->id), "execution_progress", runs_json(card, status),
                      &change) < 0) {
        *card = *before;
        return -1;
    }
    peers_tell(app, RUNS, "run", card->id, !card->step_at, runs_json(card, status));
    app->cards.running += !!card->step_at;
    app->cards.running -= !!before->step_at;
    return 0;
}

int runs_start(struct app *app, struct card *card)
{
    const struct card before = *card;
    card->percent = 0;
    card->step_at = wspool_clock() + STEP;
    return advance(app, card, &before, "running");
}

int runs_cancel(struct app *app, struct card *card)
{
    const struct card before = *card;
    card->step_at = 0;
    return before.step_at ? advance(app, card, &before, "cancelled") : 0;
}

static void step(struct app *app, struct card *card, uint64_t now)
{
    const struct card before = *card;
    int done = card->percent + STEP_PERCENT >= 100;
    card->percent += STEP_PERCENT;
    card->step_at = done ? 0 : now + STEP;
    if (advance(app, card, &before, done ? "done" : "running") < 0) {
        card->step_at = now + STEP; /* not published: this step is repeated */
    }
}

void runs_tick(struct app *app, uint64_t now)
{
    size_t i;
    for (i = 0; app->cards.running > 0 && i < app->cards.count; i++) {
        struct card *card = &app->cards.list[i];
        if (card->step_at && card->step_at <= now) {
            step(app, card, now);
        }
    }
}

uint64_t runs_deadline(const struct app *app)
{
    uint64_t first = UINT64_MAX;
    size_t i;
    for (i = 0; app->cards.running > 0 && i < app->cards.count; i++) {
        const struct card *card = &app->cards.list[i];
        if (card->step_at && card->step_at < first) {
            first = card->step_at;
        }
    }
    return first;
}
