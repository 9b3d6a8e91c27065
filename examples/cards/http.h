/* SPDX-License-Identifier: MIT */
/*
 * http.h - the existing HTTP server, to which sockets are added: libmicrohttpd.
 *
 * It has no thread and no timer of its own. main.c polls its epoll descriptor beside the adapter's,
 * and runs both.
 */
#ifndef CARDS_HTTP_H
#define CARDS_HTTP_H

#include "app.h"
#include "doors.h"
#include "glue.h"

#define HTTP_BODY_MAX 65536

/* One request, from its first line to its answer. */
struct request {
    char *target;     /* raw: path, then "?" and query if any */
    const char *path; /* in target; behind the authority if that has one (RFC 9112, 3.2.2) */
    size_t path_len;
    const char *method;
    const char *version;
    struct MHD_Connection *http;
    char *body; /* NULL if there is none, or if it is too big */
    size_t body_len;
    struct glue glue; /* for a request that becomes a peer */
    struct door door; /* for a request that waits for messages */
};

struct sockaddr;

/* Listens; `most` is the limit of connections. Returns the port, or -1 with errno set. */
int http_start(struct app *app, const struct sockaddr *address, unsigned most);
void http_stop(struct app *app);

/* Readable when http_turn has something to do. */
int http_fd(const struct app *app);
/* Returns how long the loop may sleep for libmicrohttpd, in milliseconds; -1: without limit. For
 * app->connections see connections_deadline. */
int http_wait_ms(const struct app *app);
void http_turn(struct app *app);

/* Answers for the endpoints. `body` is taken over; NULL means no memory (503). */
enum MHD_Result http_json(struct request *request, unsigned status, json_t *body);
/* As http_json, for a text from malloc. */
enum MHD_Result http_text(struct request *request, const char *type, char *text, size_t len);
/* {"error": word} */
enum MHD_Result http_error(struct request *request, unsigned status, const char *word);
/* Answers 405; `allow` lists the allowed methods. */
enum MHD_Result http_wrong_method(struct request *request, const char *allow);
/* Sends any response: adds the common headers, and frees it. NULL means no memory. */
enum MHD_Result http_send(struct request *request, unsigned status, struct MHD_Response *response);

/* Returns the value of a request header, or NULL. */
const char *http_header(const struct request *request, const char *name);
/* Returns the host, and port if any, that the client asks for; empty: it does not say. */
wspool_text http_host(const struct request *request);

#endif
