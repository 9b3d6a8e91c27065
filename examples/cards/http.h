/* SPDX-License-Identifier: MIT */
/*
 * http.h - the HTTP server that was there before the sockets came: libmicrohttpd.
 *
 * It has no thread and no timer of its own; main.c watches its epoll descriptor beside the
 * adapter's, and runs both.
 */
#ifndef CARDS_HTTP_H
#define CARDS_HTTP_H

#include "app.h"
#include "glue.h"

#define HTTP_BODY_MAX 65536

/* One request, from its first line to its answer. */
struct request {
    char *target; /* raw: path, then "?" and query if any */
    size_t path_len;
    const char *method;
    const char *version;
    struct MHD_Connection *http;
    char *body; /* NULL when there is none, or it is too big */
    size_t body_len;
    struct glue glue; /* for one that becomes a peer */
};

/* Starts to listen on a numeric address; port 0 takes a free one. Answers the port, or -1 with
 * errno set. */
int http_start(struct app *app, const char *host, unsigned port);
void http_stop(struct app *app);

/* Readable when http_turn has something to do. */
int http_fd(const struct app *app);
/* How long it may sleep, in milliseconds; -1: for ever. */
int http_wait_ms(const struct app *app);
void http_turn(struct app *app);

/* Answers for the handlers of endpoints. `body` is taken over; NULL is a want of memory (503). */
enum MHD_Result http_json(struct request *request, unsigned status, json_t *body);
/* {"error": word} */
enum MHD_Result http_error(struct request *request, unsigned status, const char *word);
/* 405; `allow` names the methods that would be right. */
enum MHD_Result http_wrong_method(struct request *request, const char *allow);
/* Any response: adds what all of them have, and frees it. NULL is a want of memory. */
enum MHD_Result http_send(struct request *request, unsigned status, struct MHD_Response *response);

/* The value of a request header; NULL when it isn't there. */
const char *http_header(const struct request *request, const char *name);

#endif
