/* SPDX-License-Identifier: MIT */
/*
 * board.c - the endpoints of the cards: each change is published to the board's channel.
 *
 * A change is published first and then made. Publishing stores it, too. Making it cannot fail, and
 * no other code reads the cards in between. If publishing fails, the change is not made and the
 * client gets 503.
 */
#include "api.h"

#include <string.h>

#include "peers.h"
#include "runs.h"

static enum MHD_Result unavailable(struct request *request)
{
    return http_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable");
}

static int publish(struct app *app, const char *type, const struct card *card, int deleted)
{
    const struct store_change change = {.card = card, .deleted = deleted};
    json_t *data = card_json(card);
    return data ? peers_publish(app, BOARD, type, data, &change) : WSPOOL_ERR_NOMEM;
}

/* Returns the card that /api/cards/{id} names, or NULL. */
static struct card *named(struct app *app, const struct request *request)
{
    const char *id = request->path + strlen("/api/cards/");
    return cards_find(&app->cards, id, strcspn(id, "/?"));
}

/* The list and its position belong together: nothing is published between the two. */
enum MHD_Result board_list(struct app *app, struct request *request)
{
    wspool_channel_position position;
    char epoch[WSPOOL_JSON_EPOCH_MAX];

    if (wspool_position(app->pool, BOARD, &position) < 0) {
        return unavailable(request);
    }
    wspool_json_epoch_write(position.epoch, epoch);
    return http_json(request, MHD_HTTP_OK,
                     json_pack("{s:o, s:s, s:I}", "cards", cards_json(&app->cards), "epoch", epoch,
                               "offset", (json_int_t)position.offset));
}

/* Creates a card (`card` is NULL) or changes one, as the body says. */
static enum MHD_Result change(struct app *app, struct request *request, const struct card *card)
{
    json_t *body = api_body(request);
    struct card_patch patch;
    struct card draft;
    const char *wrong = card_patch_read(body, &patch);
    enum MHD_Result result;

    if (!wrong && card && !patch.title && !patch.column) {
        wrong = "nothing_to_change";
    } else if (!wrong && !card && !(patch.title && patch.column)) {
        wrong = patch.title ? "bad_column" : "bad_title";
    }
    if (wrong) {
        result = http_error(request, MHD_HTTP_BAD_REQUEST, wrong);
    } else if (!card && app->cards.count == CARDS_MAX) {
        result = http_error(request, MHD_HTTP_CONFLICT, "too_many_cards");
    } else if (card_draft(&app->cards, card, &patch, &draft) < 0) {
        result = unavailable(request);
    } else if (publish(app, card ? "card_updated" : "card_created", &draft, 0) < 0) {
        card_discard(&draft);
        result = unavailable(request);
    } else {
        cards_put(&app->cards, &draft);
        result = http_json(request, card ? MHD_HTTP_OK : MHD_HTTP_CREATED, card_json(&draft));
    }
    json_decref(body);
    return result;
}

enum MHD_Result board_create(struct app *app, struct request *request)
{
    return change(app, request, NULL);
}

enum MHD_Result board_update(struct app *app, struct request *request)
{
    const struct card *card = named(app, request);
    return card ? change(app, request, card)
                : http_error(request, MHD_HTTP_NOT_FOUND, "unknown_card");
}

enum MHD_Result board_delete(struct app *app, struct request *request)
{
    struct card *card = named(app, request);
    if (!card) {
        return http_error(request, MHD_HTTP_NOT_FOUND, "unknown_card");
    }
    if (runs_cancel(app, card) < 0 || publish(app, "card_deleted", card, 1) < 0) {
        return unavailable(request);
    }
    cards_remove(&app->cards, card);
    return http_send(request, MHD_HTTP_NO_CONTENT,
                     MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

enum MHD_Result board_run(struct app *app, struct request *request)
{
    struct card *card = named(app, request);
    if (!card) {
        return http_error(request, MHD_HTTP_NOT_FOUND, "unknown_card");
    }
    if (card->step_at) {
        return http_error(request, MHD_HTTP_CONFLICT, "already_running");
    }
    if (runs_start(app, card) < 0) {
        return unavailable(request);
    }
    return http_json(request, MHD_HTTP_ACCEPTED, runs_json(card, "running"));
}
