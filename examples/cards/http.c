/* SPDX-License-Identifier: MIT */
/* http.c - see http.h. */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

#define CONNECTIONS_MAX 1000000 /* at libmicrohttpd's own limit, about 1018, all HTTP would stall */
#define IDLE_SECONDS 30         /* for a connection without activity */
#define DISCARD_MAX (8u << 20)  /* of a body that is too big: read and discarded */

/* -------------------------------------------------------------------- answers */

enum MHD_Result http_send(struct request *request, unsigned status, struct MHD_Response *response)
{
    enum MHD_Result queued;
    if (!response) {
        return MHD_NO; /* closes the connection: there is no memory for an answer */
    }
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    queued = MHD_queue_response(request->http, status, response);
    MHD_destroy_response(response);
    return queued;
}

static struct MHD_Response *json_response(json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE) : NULL;

    json_decref(body);
    if (response) {
        MHD_add_response_header(response, "Content-Type", "application/json");
        MHD_add_response_header(response, "Cache-Control", "no-store");
    } else {
        free(text);
    }
    return response;
}

enum MHD_Result http_json(struct request *request, unsigned status, json_t *body)
{
    return http_send(request, status, json_response(body));
}

enum MHD_Result http_error(struct request *request, unsigned status, const char *word)
{
    struct MHD_Response *response = json_response(json_pack("{s:s}", "error", word));
    if (response && status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    }
    return http_send(request, status, response);
}

enum MHD_Result http_wrong_method(struct request *request, const char *allow)
{
    struct MHD_Response *response =
        json_response(json_pack("{s:s}", "error", "method_not_allowed"));
    if (response) {
        MHD_add_response_header(response, "Allow", allow);
    }
    return http_send(request, MHD_HTTP_METHOD_NOT_ALLOWED, response);
}

const char *http_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->http, MHD_HEADER_KIND, name);
}

/* ------------------------------------------------------------------- requests */

/* Called for the first line of a request. The raw target is available only here. */
static void *on_first_line(void *cls, const char *target, struct MHD_Connection *http)
{
    struct app *app = cls;
    struct request *request = calloc(1, sizeof(*request));
    if (request) {
        request->target = strdup(target);
        request->path_len = strcspn(target, "?");
        request->http = http;
        request->glue.sockets = app->sockets;
    }
    return request;
}

static void on_completed(void *cls, struct MHD_Connection *http, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct request *request = *con_cls;
    (void)cls, (void)http, (void)why;
    if (request) {
        free(request->target);
        free(request->body);
        free(request);
    }
    *con_cls = NULL;
}

/* Reads a part of the body. A body that is too big is read and discarded, because the client may
 * read the answer only after it has sent everything. */
static enum MHD_Result more_body(struct request *request, const char *bytes, size_t len)
{
    char *body;
    request->body_len += len;
    if (request->body_len > HTTP_BODY_MAX) {
        free(request->body);
        request->body = NULL;
        return request->body_len > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    body = realloc(request->body, request->body_len);
    if (!body) {
        return MHD_NO;
    }
    memcpy(body + request->body_len - len, bytes, len);
    request->body = body;
    return MHD_YES;
}

/* Called once after the head, for each part of the body, and once at the end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *http, const char *path,
                                  const char *method, const char *version, const char *part,
                                  size_t *part_len, void **con_cls)
{
    struct request *request = *con_cls;
    const char *length;
    (void)http, (void)path; /* decoded, and so ambiguous */

    if (!request || !request->target) {
        return MHD_NO;
    }
    if (!request->method) {
        request->method = method;
        request->version = version;
        length = http_header(request, "Content-Length");
        return length && strtoull(length, NULL, 10) > DISCARD_MAX
                   ? http_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large")
                   : MHD_YES;
    }
    if (*part_len > 0) {
        size_t len = *part_len;
        *part_len = 0;
        return more_body(request, part, len);
    }
    return api_answer(cls, request);
}

/* ----------------------------------------------------------------------- life */

int http_start(struct app *app, const char *host, unsigned port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    const union MHD_DaemonInfo *bound;
    struct addrinfo *address;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_UPGRADE;

    if (getaddrinfo(host, NULL, &hints, &address) != 0) {
        errno = EINVAL;
        return -1;
    }
    ((struct sockaddr_in *)(void *)address->ai_addr)->sin_port = htons((uint16_t)port);
    errno = 0;
    app->http = MHD_start_daemon(
        flags | (address->ai_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0), (uint16_t)port, NULL,
        NULL, on_request, app, MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_URI_LOG_CALLBACK,
        on_first_line, app, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    freeaddrinfo(address);
    bound = app->http ? MHD_get_daemon_info(app->http, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    return bound ? bound->port : -1;
}

void http_stop(struct app *app)
{
    if (app->http) {
        MHD_stop_daemon(app->http);
    }
}

int http_fd(const struct app *app)
{
    return MHD_get_daemon_info(app->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http_wait_ms(const struct app *app)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(app->http, &ms) != MHD_YES ? -1 : ms > 60000 ? 60000 : (int)ms;
}

void http_turn(struct app *app)
{
    MHD_run(app->http);
}
