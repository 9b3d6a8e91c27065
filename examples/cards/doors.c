/* SPDX-License-Identifier: MIT */
/* doors.c - see doors.h. */
#define _GNU_SOURCE
#include "doors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

#define AT_ONCE 256 /* messages in one answer; the next poll gets more */

/* --------------------------------------------------------------------- waiting */

/* Ends a wait; the request goes on in the next turn of libmicrohttpd. */
static void resume(struct door *door)
{
    *door->link = door->next;
    if (door->next) {
        door->next->link = door->link;
    }
    door->link = NULL;
    MHD_resume_connection(door->http);
    door->app->http_again = 1;
}

static void on_woken(wspool *pool, wspool_waiter *waiter, int woken)
{
    struct door *door = waiter->user;
    (void)pool;
    door->woken = woken ? WOKEN : TIME_IS_UP;
    resume(door);
}

/* Its connection has to give way to another one: see connections.h. */
static void on_given_up(void *user)
{
    struct door *door = user;
    door->may_wait = 0;
    if (wspool_wait_cancel(door->app->pool, &door->waiter) > 0) {
        door->woken = TIME_IS_UP;
        resume(door);
    }
}

/* Suspends the request until there is a message, or its time is over. Returns 0, or -1 if it cannot
 * wait. */
static int suspend(struct door *door)
{
    struct app *app = door->app;
    door->waiter.call = on_woken;
    door->waiter.user = door;
    if (!door->may_wait || app->draining ||
        wspool_wait(app->pool, BOARD, &door->waiter, wspool_clock() + app->poll_time) < 0) {
        return -1;
    }
    door->next = app->doors;
    door->link = &app->doors;
    if (door->next) {
        door->next->link = &door->next;
    }
    app->doors = door;
    MHD_suspend_connection(door->http);
    return 0;
}

void door_completed(struct door *door)
{
    free(door->text);
    if (door->app) {
        wspool_wait_cancel(door->app->pool, &door->waiter);
    }
}

void doors_end(struct app *app)
{
    while (app->doors) {
        on_given_up(app->doors);
    }
}

/* -------------------------------------------------------------------- positions */

/* Sets `at` when the request begins. Returns 0 if the client names no position: then it is the
 * present one. */
static int begin(struct app *app, struct request *request)
{
    struct door *door = &request->door;
    const char *last = http_header(request, "Last-Event-ID"); /* E:N */
    const char *epoch = MHD_lookup_connection_value(request->http, MHD_GET_ARGUMENT_KIND, "epoch");
    char text[WSPOOL_JSON_EPOCH_MAX];

    door->app = app;
    door->http = request->http;
    door->begun = 1;
    door->may_wait = connections_wait(&app->connections, request->http, on_given_up, door);
    if (last && strchr(last, ':')) {
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(last, ":"), last);
        door->at = wspool_json_position_read(text, strchr(last, ':') + 1);
        return 1;
    }
    if (epoch) {
        door->at = wspool_json_position_read(
            epoch, MHD_lookup_connection_value(request->http, MHD_GET_ARGUMENT_KIND, "offset"));
        return 1;
    }
    wspool_position(app->pool, BOARD, &door->at);
    return 0;
}

/* ----------------------------------------------------------------------- a poll */

static enum MHD_Result answer_poll(struct request *request, const wspool_read_message *list,
                                   int count, int recovered)
{
    struct door *door = &request->door;
    struct MHD_Response *response;
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    size_t size = 150, len;
    char *text;
    int i;

    for (i = 0; i < count; i++) {
        size += list[i].len + 1;
    }
    text = malloc(size);
    if (!text) {
        return http_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable");
    }
    len = (size_t)sprintf(text, "{\"messages\":[");
    for (i = 0; i < count; i++) { /* they are JSON already */
        text[len] = ',';
        len += i > 0;
        memcpy(text + len, list[i].data, list[i].len);
        len += list[i].len;
    }
    wspool_json_epoch_write(door->at.epoch, epoch);
    len += (size_t)snprintf(text + len, size - len,
                            "],\"epoch\":\"%s\",\"offset\":%llu,\"recovered\":%s}", epoch,
                            (unsigned long long)door->at.offset, recovered ? "true" : "false");
    response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (response) {
        MHD_add_response_header(response, "Content-Type", "application/json");
        MHD_add_response_header(response, "Cache-Control", "no-store");
    } else {
        free(text);
    }
    return http_send(request, MHD_HTTP_OK, response);
}

/* Called again when the request has waited. */
enum MHD_Result door_poll(struct app *app, struct request *request)
{
    struct door *door = &request->door;
    wspool_read_message list[AT_ONCE];
    wspool_resumed resumed = {.size = sizeof(resumed)};
    int known = door->begun || begin(app, request);
    int count = wspool_read(app->pool, BOARD, &door->at, list, AT_ONCE, &resumed);

    if (known && resumed.recovered && count == 0 && door->woken == NEW && suspend(door) == 0) {
        return MHD_YES;
    }
    door->at = count > 0 ? (wspool_channel_position){door->at.epoch, list[count - 1].offset}
                         : resumed.position;
    return answer_poll(request, list, count, known && resumed.recovered);
}

/* --------------------------------------------------------------------- a stream */

/* Makes the next event. `id` is the position behind it: the client shows it when it comes back. */
static void set_event(struct door *door, const char *type, const void *data, size_t len)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    size_t size = len + 100;
    char *text = malloc(size);
    int head;

    if (text) {
        wspool_json_epoch_write(door->at.epoch, epoch);
        head = snprintf(text, size, "id: %s:%llu\n%sdata: ", epoch,
                        (unsigned long long)door->at.offset, type);
        memcpy(text + head, data, len);
        memcpy(text + head + len, "\n\n", 2);
        door->text = text;
        door->len = (size_t)head + len + 2;
        door->written = 0;
    }
}

/* Messages are missing: the client must fetch the board again, and continues from here. */
static void set_lost(struct door *door)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX], data[100];
    int len;
    wspool_json_epoch_write(door->at.epoch, epoch);
    len = snprintf(data, sizeof(data), "{\"epoch\":\"%s\",\"offset\":%llu,\"recovered\":false}",
                   epoch, (unsigned long long)door->at.offset);
    set_event(door, "event: subscribed\n", data, (size_t)len);
}

/* Returns 1 if there is something to write, 0 if the stream waits, or -1 at its end. */
static int next_event(struct door *door)
{
    wspool_read_message message;
    wspool_resumed resumed = {.size = sizeof(resumed)};
    int silent = door->woken == TIME_IS_UP;

    door->woken = NEW;
    if (wspool_read(door->app->pool, BOARD, &door->at, &message, 1, &resumed) > 0) {
        door->at.offset = message.offset;
        set_event(door, "", message.data, message.len);
    } else if (!resumed.recovered) {
        door->at = resumed.position;
        set_lost(door);
    } else if (silent) { /* a comment: it shows whether the client is still there */
        door->text = strdup(":\n\n");
        door->len = 3;
        door->written = 0;
    } else {
        return suspend(door);
    }
    return door->text ? 1 : -1;
}

static ssize_t write_stream(void *cls, uint64_t position, char *out, size_t max)
{
    struct door *door = cls;
    size_t len;
    int is;
    (void)position;

    if (!door->text && (is = next_event(door)) <= 0) {
        return is < 0 ? MHD_CONTENT_READER_END_OF_STREAM : 0;
    }
    len = door->len - door->written < max ? door->len - door->written : max;
    memcpy(out, door->text + door->written, len);
    door->written += len;
    if (door->written == door->len) {
        free(door->text);
        door->text = NULL;
    }
    return (ssize_t)len;
}

enum MHD_Result door_events(struct app *app, struct request *request)
{
    struct door *door = &request->door;
    struct MHD_Response *response;

    if (begin(app, request)) {
        door->text = strdup(":\n\n"); /* the client sees at once that it is connected */
        door->len = 3;
    } else {
        set_lost(door);
    }
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, write_stream, door, NULL);
    if (response) {
        MHD_add_response_header(response, "Content-Type", "text/event-stream");
        MHD_add_response_header(response, "Cache-Control", "no-store");
        MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* for nginx */
    }
    return http_send(request, MHD_HTTP_OK, response);
}
