/* SPDX-License-Identifier: MIT */
/* api.h - the endpoints: their table, and the checks before an endpoint is called. */
#ifndef CARDS_API_H
#define CARDS_API_H

#include "http.h"

/* Answers a request whose body is complete. */
enum MHD_Result api_answer(struct app *app, struct request *request);

/* Endpoints with files of their own: board.c, doors.c, stats.c, diagnosis.c. */
typedef enum MHD_Result endpoint(struct app *app, struct request *request);
endpoint board_list, board_create, board_update, board_delete, board_run;
endpoint door_poll, door_events;
endpoint stats_answer, metrics_answer, diagnosis_answer, health_answer;

/* Returns the body if it is a JSON object without repeated members, else NULL. A new reference. */
json_t *api_body(const struct request *request);

#endif
