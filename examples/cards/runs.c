/* SPDX-License-Identifier: MIT */
/* runs.c - see runs.h. */
#include "runs.h"

#define STEP (150 * WSPOOL_MILLISECOND)
#define STEP_PERCENT 5

json_t *runs_json(const struct card *card, const char *status)
{
    return json_pack("{s:s, s:i, s:s}", "card_id", card->id, "percent", (int)card->percent,
                     "status", status);
}

static int say(struct app *app, const struct card *card, const char *status)
{
    return wspool_json_broadcast(app->json, app->pool, wspool_item(card->id), "execution_progress",
                                 runs_json(card, status), NULL, NULL);
}

int runs_start(struct app *app, struct card *card)
{
    if (card->step_at) {
        return -1;
    }
    card->percent = 0;
    card->step_at = wspool_clock() + STEP;
    app->cards.running++;
    say(app, card, "running");
    return 0;
}

static void end(struct app *app, struct card *card)
{
    card->step_at = 0;
    app->cards.running--;
}

void runs_cancel(struct app *app, struct card *card)
{
    if (card->step_at) {
        say(app, card, "cancelled");
        end(app, card);
    }
}

static void step(struct app *app, struct card *card, uint64_t now)
{
    int done = card->percent + STEP_PERCENT >= 100;
    card->percent += STEP_PERCENT;
    card->step_at = now + STEP;
    if (say(app, card, done ? "done" : "running") < 0) {
        card->percent -= STEP_PERCENT; /* not published: this step is repeated */
    } else if (done) {
        end(app, card);
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
