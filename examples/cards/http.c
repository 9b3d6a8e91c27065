/* SPDX-License-Identifier: MIT */
/* http.c - see http.h. */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"

#define HEADROOM 32            /* connections that give way and are not closed yet */
#define IDLE_SECONDS 30        /* a last resort: see connections.h */
#define DISCARD_MAX (8u << 20) /* of a body that is too big: read and discarded */

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

/* The text is taken over. */
static struct MHD_Response *text_response(const char *type, char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);

    if (response) {
        MHD_add_response_header(response, "Content-Type", type);
        MHD_add_response_header(response, "Cache-Control", "no-store");
    } else {
        free(text);
    }
    return response;
}

static struct MHD_Response *json_response(json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    json_decref(body);
    return text ? text_response("application/json", text, strlen(text)) : NULL;
}

enum MHD_Result http_text(struct request *request, const char *type, char *text, size_t len)
{
    return http_send(request, MHD_HTTP_OK, text_response(type, text, len));
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
    } else if (response &&
               (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE)) {
        MHD_add_response_header(response, "Retry-After", "1");
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

wspool_text http_host(const struct request *request)
{
    const char *host = http_header(request, "Host");
    const char *authority = strstr(request->target, "://");
    if (authority && authority < request->path) {
        authority += 3;
        return (wspool_text){authority, (size_t)(request->path - authority)};
    }
    return (wspool_text){host, host ? strlen(host) : 0};
}

/* ------------------------------------------------------------------- requests */

/* A proxy's request, and any client's, may name scheme and authority before the path. */
static const char *path_of(const char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    return target + scheme + (scheme ? strcspn(target + scheme, "/?") : 0);
}

/* Called for the first line of a request. The raw target is available only here. */
static void *on_first_line(void *cls, const char *target, struct MHD_Connection *http)
{
    struct app *app = cls;
    struct request *request = calloc(1, sizeof(*request));
    if (request) {
        request->target = strdup(target);
        request->path = request->target ? path_of(request->target) : NULL;
        request->path_len = request->path ? strcspn(request->path, "?") : 0;
        request->http = http;
        request->glue.sockets = app->sockets;
        request->glue.run_again = &app->http_again;
        request->glue.began = wspool_clock();
    }
    return request;
}

static void on_completed(void *cls, struct MHD_Connection *http, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct request *request = *con_cls;
    struct app *app = cls;
    (void)why;
    connections_answered(&app->connections, http);
    if (request) {
        glue_completed(&request->glue);
        door_completed(&request->door);
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

int http_start(struct app *app, const struct sockaddr *address, unsigned most)
{
    const union MHD_DaemonInfo *bound, *listener;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME |
                     (address->sa_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0);

    connections_init(&app->connections, most, app->per_address);
    errno = 0;
    app->http = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, app, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_URI_LOG_CALLBACK, on_first_line, app, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        app, MHD_OPTION_NOTIFY_CONNECTION, connections_notify, &app->connections,
        MHD_OPTION_CONNECTION_LIMIT, most + HEADROOM, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (!app->http) {
        return -1;
    }
    /* Connections inherit it: what the kernel holds for a client is bounded from its first byte. */
    listener = MHD_get_daemon_info(app->http, MHD_DAEMON_INFO_LISTEN_FD);
    if (listener) {
        wspool_sockets_limit(app->sockets, listener->listen_fd);
    }
    bound = MHD_get_daemon_info(app->http, MHD_DAEMON_INFO_BIND_PORT);
    return bound ? bound->port : -1;
}

void http_stop(struct app *app)
{
    if (app->http) {
        doors_end(app);
        http_turn(app); /* they are answered */
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
    if (app->http_again) {
        return 0;
    }
    return MHD_get_timeout(app->http, &ms) != MHD_YES ? -1 : ms > 60000 ? 60000 : (int)ms;
}

void http_turn(struct app *app)
{
    connections_tick(&app->connections, wspool_clock());
    app->http_again = 0;
    MHD_run(app->http);
}
