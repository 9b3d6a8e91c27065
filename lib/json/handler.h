/* SPDX-License-Identifier: MIT */
/*
 * json/handler.h - the application's handlers, by name: one list for types, one for actions.
 *
 * Invariants:
 * - a handler has a function to call;
 * - no two handlers of a list have the same name.
 */
#ifndef WSP_JSON_HANDLER_H
#define WSP_JSON_HANDLER_H

#include <wspool/json.h>

struct wsp_json_handler {
    struct wsp_json_handler *next;
    wspool_json_handler *call;
    void *user;
    char name[];
};

/* Returns the handler with this name, or NULL. It is valid until the handler is removed. */
const struct wsp_json_handler *wsp_json_handler_find(const struct wsp_json_handler *list,
                                                     const char *name);

/* Adds a handler, or replaces the one with the same name. `call` NULL removes it. The name is
 * copied. Returns 0 or WSPOOL_ERR_NOMEM. */
int wsp_json_handler_set(struct wsp_json_handler **list, const char *name,
                         wspool_json_handler *call, void *user);

/* Frees all handlers of a list. */
void wsp_json_handlers_free(struct wsp_json_handler **list);

/* Returns 1 if the invariants hold, otherwise 0. */
int wsp_json_handlers_check(const struct wsp_json_handler *list);

#endif
