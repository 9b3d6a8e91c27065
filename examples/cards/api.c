/* SPDX-License-Identifier: MIT */
/* api.c - see api.h. */
#define _GNU_SOURCE
#include "api.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hosts.h"
#include "pages.h"
#include "peers.h"

/* ------------------------------------------------------------ small endpoints */

/* {"subject"} -> {"token", "expires_at"}. This is a demonstration: whoever asks gets a token. */
static enum MHD_Result mint(struct app *app, struct request *request)
{
    char token[TOKEN_ROOM];
    enum MHD_Result result;
    time_t expires_at;
    json_t *body = api_body(request);
    const char *subject = json_string_value(json_object_get(body, "subject"));

    if (!app->demo) {
        result = http_error(request, MHD_HTTP_NOT_FOUND, "only_with_demo");
    } else if (!body) {
        result = http_error(request, MHD_HTTP_BAD_REQUEST, "malformed");
    } else if (!subject || text_length(subject) < 1 || strlen(subject) > TOKEN_SUBJECT_MAX) {
        result = http_error(request, MHD_HTTP_BAD_REQUEST, "bad_subject");
    } else if (json_object_size(body) != 1) {
        result = http_error(request, MHD_HTTP_BAD_REQUEST, "unknown_member");
    } else if (!tokens_rate(app->tokens, glue_client(request->http), wspool_clock())) {
        result = http_error(request, MHD_HTTP_TOO_MANY_REQUESTS, "rate");
    } else {
        expires_at = tokens_mint(app->tokens, subject, token);
        result = http_json(request, MHD_HTTP_OK,
                           expires_at ? json_pack("{s:s, s:I}", "token", token, "expires_at",
                                                  (json_int_t)expires_at)
                                      : NULL);
        explicit_bzero(token, sizeof(token));
    }
    json_decref(body);
    return result;
}

static enum MHD_Result not_built_yet(struct app *app, struct request *request)
{
    (void)app;
    return http_error(request, MHD_HTTP_NOT_IMPLEMENTED, "not_built_yet");
}

/* ------------------------------------------------------------------ the table */

enum access {
    OPEN,    /* open to all clients */
    TOKENED, /* needs a token, if the server asks for tokens */
    LOCAL    /* open to this machine; needs a token from elsewhere */
};

/* Rows with the same path are adjacent; {id} is one segment. */
static const struct row {
    const char *path;
    const char *method;
    enum access access;
    endpoint *answer;
} table[] = {
    {"/health", "GET", OPEN, health_answer},
    {"/dashboard", "GET", OPEN, not_built_yet},
    {"/metrics", "GET", LOCAL, metrics_answer},
    {"/api/token", "POST", OPEN, mint},
    {"/api/cards", "GET", TOKENED, board_list},
    {"/api/cards", "POST", TOKENED, board_create},
    {"/api/cards/poll", "GET", TOKENED, door_poll},
    {"/api/cards/events", "GET", TOKENED, door_events},
    {"/api/cards/{id}", "PATCH", TOKENED, board_update},
    {"/api/cards/{id}", "DELETE", TOKENED, board_delete},
    {"/api/cards/{id}/run", "POST", TOKENED, board_run},
    {"/api/websocket/stats", "GET", LOCAL, stats_answer},
    {"/api/websocket/diagnosis", "GET", LOCAL, diagnosis_answer},
    {NULL, NULL, OPEN, NULL},
};

/* Returns 1 if the path matches the form. Nothing is decoded: our paths need no percent signs,
 * so a path that has one does not match. */
static int path_is(const struct request *request, const char *form)
{
    const char *path = request->path, *end = path + request->path_len;
    const char *id = strstr(form, "{id}");
    size_t before = id ? (size_t)(id - form) : strlen(form);

    if (request->path_len < before || memcmp(path, form, before) != 0) {
        return 0;
    }
    path += before;
    if (id) {
        size_t len = 0;
        while (path + len < end && path[len] != '/') {
            len++;
        }
        path += len;
        form = id + 4;
        return len > 0 && (size_t)(end - path) == strlen(form) &&
               memcmp(path, form, strlen(form)) == 0;
    }
    return path == end;
}

static int is_get(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* ----------------------------------------------------------------- the checks */

/* Answers 405, with the methods in the rows of this path. */
static enum MHD_Result wrong_method(struct request *request, const struct row *row)
{
    const char *path = row->path;
    char allow[64] = "";
    int len = 0;
    for (; row->path && strcmp(row->path, path) == 0; row++) {
        len += snprintf(allow + len, sizeof(allow) - (size_t)len, "%s%s", len > 0 ? ", " : "",
                        is_get(row->method) ? "GET, HEAD" : row->method);
    }
    return http_wrong_method(request, allow);
}

/* A browser says in Origin which page sends a request that changes something. Only our own page
 * may: otherwise any web page could change the board in the name of its reader. */
static int origin_admitted(const struct request *request)
{
    const char *origin = http_header(request, "Origin");
    const char *authority = origin ? strstr(origin, "://") : NULL;
    wspool_text host = http_host(request);
    return !origin || (authority && strlen(authority + 3) == host.len &&
                       strncasecmp(authority + 3, host.data, host.len) == 0);
}

/* A client that names no host is no browser. */
static int host_admitted(const struct app *app, const struct request *request)
{
    wspool_text host = http_host(request);
    return !app->loopback || host.len == 0 || host_is_loopback(host);
}

/* Returns the error word for the request's token, or NULL if it is good. */
static const char *token_problem(const struct app *app, const struct request *request)
{
    const char *text = http_header(request, "Authorization");
    int reason = WSPOOL_REFUSED_TOKEN_EMPTY;

    if (!app->tokens) {
        return NULL;
    }
    if (text && strncasecmp(text, "Bearer", 6) == 0 && (text[6] == ' ' || !text[6])) {
        text += 6 + strspn(text + 6, " ");
    } else if (!(text =
                     MHD_lookup_connection_value(request->http, MHD_COOKIE_KIND, "wspool_token"))) {
        text = MHD_lookup_connection_value(request->http, MHD_GET_ARGUMENT_KIND, "token");
    }
    if (text) {
        reason = tokens_check(app->tokens, text);
    }
    return reason ? wspool_refusal_reason((enum wspool_refusal)reason) : NULL;
}

static enum MHD_Result find_forwarded(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    int *found = cls;
    (void)kind, (void)value;
    *found |= strcasecmp(name, "Forwarded") == 0 || strncasecmp(name, "X-Forwarded-", 12) == 0;
    return MHD_YES;
}

/* Only this machine can reach a loopback address, unless a proxy forwards requests. */
static int from_this_machine(const struct app *app, const struct request *request)
{
    int forwarded = 0;
    MHD_get_connection_values(request->http, MHD_HEADER_KIND, find_forwarded, &forwarded);
    return app->loopback && !forwarded;
}

static enum MHD_Result answer_row(struct app *app, struct request *request, const struct row *row)
{
    const char *problem;
    if (!is_get(request->method) && !origin_admitted(request)) {
        return http_error(request, MHD_HTTP_FORBIDDEN, "origin");
    }
    if (row->access == TOKENED || (row->access == LOCAL && !from_this_machine(app, request))) {
        problem = token_problem(app, request);
        if (problem) {
            return http_error(request, MHD_HTTP_UNAUTHORIZED, problem);
        }
        if (row->access == LOCAL && !app->tokens) {
            return http_error(request, MHD_HTTP_FORBIDDEN, "not_allowed");
        }
    }
    if (request->body_len > HTTP_BODY_MAX) {
        return http_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large");
    }
    return row->answer(app, request);
}

enum MHD_Result api_answer(struct app *app, struct request *request)
{
    const struct row *row = table, *first;

    if (!host_admitted(app, request)) {
        return http_error(request, MHD_HTTP_MISDIRECTED_REQUEST, "host");
    }
    if (peers_path(request->path, request->path_len)) {
        enum MHD_Result result = glue_upgrade(&request->glue, request->http, request->method,
                                              request->target, request->version);
        if (request->glue.id) {
            connections_leave(&app->connections, request->http);
        }
        return result;
    }
    while (row->path && !path_is(request, row->path)) {
        row++;
    }
    if (!row->path) {
        return is_get(request->method) ? pages_answer(app, request)
                                       : http_error(request, MHD_HTTP_NOT_FOUND, "not_found");
    }
    first = row;
    while (row->path && strcmp(row->path, first->path) == 0) {
        if (strcmp(row->method, request->method) == 0 ||
            (is_get(row->method) && is_get(request->method))) {
            return answer_row(app, request, row);
        }
        row++;
    }
    return wrong_method(request, first);
}

json_t *api_body(const struct request *request)
{
    json_t *body = request->body
                       ? json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    if (body && !json_is_object(body)) {
        json_decref(body);
        body = NULL;
    }
    return body;
}
