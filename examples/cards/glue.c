/* SPDX-License-Identifier: MIT */
/*
 * glue.c - see glue.h. This is all the code that a libmicrohttpd server needs for WebSockets.
 *
 * The server must run with MHD_ALLOW_UPGRADE. It must keep the raw target of each request
 * (MHD_OPTION_URI_LOG_CALLBACK), because the pool decodes the target by its own rules. It must
 * report the end of each request (MHD_OPTION_NOTIFY_COMPLETED, glue_completed), because a client
 * may leave before the 101 is sent.
 */
#define _GNU_SOURCE
#include "glue.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *name,
                               size_t name_len, const char *value, size_t value_len)
{
    wspool_header **next = cls;
    (void)kind;
    while (value_len > 0 && strchr(" \t", value[value_len - 1])) {
        value_len--; /* libmicrohttpd does not trim trailing spaces */
    }
    *(*next)++ = (wspool_header){{name, name_len}, {value, value_len}};
    return MHD_YES;
}

/* Called after the 101 was sent. libmicrohttpd keeps 33 KB for as long as it owns the
 * descriptor. So the pool gets a duplicate, and the bytes that were read after the request. */
static void take_over(void *cls, struct MHD_Connection *http, void *con_cls, const char *extra,
                      size_t extra_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct glue *glue = cls;
    (void)http, (void)con_cls;
    wspool_sockets_adopt(glue->sockets, glue->id, fcntl(fd, F_DUPFD_CLOEXEC, 0), extra, extra_len);
    glue->id = 0;
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE); /* the next MHD_run closes `fd` */
    *glue->run_again = 1;
}

enum MHD_Result glue_upgrade(struct glue *glue, struct MHD_Connection *http, const char *method,
                             const char *target, const char *version)
{
    /* The number of headers is bounded: libmicrohttpd has 32 KB for a request head. */
    int count = MHD_get_connection_values_n(http, MHD_HEADER_KIND, NULL, NULL);
    wspool_header headers[count + 1], *next = headers;
    wspool_request request = {.size = sizeof(request),
                              .method = {method, strlen(method)},
                              .target = {target, strlen(target)},
                              .http_major = version[5] - '0', /* HTTP/1.1 */
                              .http_minor = version[7] - '0',
                              .headers = headers,
                              .header_count = (size_t)count,
                              .key = glue_client(http),
                              .began = glue->began};
    wspool *pool = wspool_sockets_pool(glue->sockets);
    wspool_answer answer;

    MHD_get_connection_values_n(http, MHD_HEADER_KIND, collect, &next);
    if (wspool_upgrade(pool, &request, wspool_clock(), &glue->id, &answer) < 0) {
        answer = (wspool_answer){.status = 503, .body = "{\"error\":\"full\"}", .body_len = 16};
    }
    struct MHD_Response *response =
        answer.status == 101 ? MHD_create_response_for_upgrade(take_over, glue)
                             : MHD_create_response_from_buffer(answer.body_len, (void *)answer.body,
                                                               MHD_RESPMEM_MUST_COPY);
    for (size_t i = 0; i < answer.header_count; i++) {
        if (strcmp(answer.headers[i].name, "Connection") != 0) { /* libmicrohttpd adds it */
            MHD_add_response_header(response, answer.headers[i].name, answer.headers[i].value);
        }
    }
    enum MHD_Result queued = MHD_queue_response(http, (unsigned)answer.status, response);
    MHD_destroy_response(response); /* if this failed, the connection ends: see glue_completed */
    return queued;
}

void glue_completed(struct glue *glue)
{
    if (glue->id) {
        wspool_gone(wspool_sockets_pool(glue->sockets), glue->id, WSPOOL_GONE_FAILED,
                    wspool_clock());
    }
}

wspool_text glue_client(struct MHD_Connection *http)
{
    const void *from =
        MHD_get_connection_info(http, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const struct sockaddr_in *v4 = from;
    const struct sockaddr_in6 *v6 = from;
    return v4->sin_family == AF_INET ? (wspool_text){(const char *)&v4->sin_addr, 4}
                                     : (wspool_text){(const char *)&v6->sin6_addr, 8};
}
