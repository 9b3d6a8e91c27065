/* SPDX-License-Identifier: MIT */
/* json/handler.c - see json/handler.h. */
#include "json/handler.h"

#include <stdlib.h>
#include <string.h>

const struct wsp_json_handler *wsp_json_handler_find(const struct wsp_json_handler *list,
                                                     const char *name)
{
    while (list && strcmp(list->name, name) != 0) {
        list = list->next;
    }
    return list;
}

int wsp_json_handler_set(struct wsp_json_handler **list, const char *name,
                         wspool_json_handler *call, void *user)
{
    struct wsp_json_handler **place = list;
    while (*place && strcmp((*place)->name, name) != 0) {
        place = &(*place)->next;
    }
    struct wsp_json_handler *handler = *place;
    if (!call) {
        if (handler) {
            *place = handler->next;
            free(handler);
        }
        return 0;
    }
    if (!handler) {
        size_t size = strlen(name) + 1;
        handler = calloc(1, sizeof *handler + size);
        if (!handler) {
            return WSPOOL_ERR_NOMEM;
        }
        memcpy(handler->name, name, size);
        *place = handler;
    }
    handler->call = call;
    handler->user = user;
    return 0;
}

void wsp_json_handlers_free(struct wsp_json_handler **list)
{
    while (*list) {
        struct wsp_json_handler *handler = *list;
        *list = handler->next;
        free(handler);
    }
}

int wsp_json_handlers_check(const struct wsp_json_handler *list)
{
    for (; list; list = list->next) {
        if (!list->call || wsp_json_handler_find(list->next, list->name)) {
            return 0;
        }
    }
    return 1;
}
