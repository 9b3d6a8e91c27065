/* SPDX-License-Identifier: MIT */
/* api.h - the endpoints: a table, and what is checked before one of them is asked. */
#ifndef CARDS_API_H
#define CARDS_API_H

#include "http.h"

/* The whole request is there: answers it. */
enum MHD_Result api_answer(struct app *app, struct request *request);

/* Endpoints that have files of their own: board.c, stats.c. */
typedef enum MHD_Result endpoint(struct app *app, struct request *request);
endpoint board_list, board_create, board_update, board_delete, board_run;
endpoint stats_answer;

/* The body, a JSON object without doubled members; NULL when it is none. A new reference. */
json_t *api_body(const struct request *request);

#endif
