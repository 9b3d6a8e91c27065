/* SPDX-License-Identifier: MIT */
/* json/actions.c - see json/actions.h. */
#define _XOPEN_SOURCE 700 /* tsearch */
#include "json/actions.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "json/integer.h"

#define N_DIGITS 16u
#define WINDOW 64u /* actions that a client may have sent without an answer, too */

/* -------------------------------------------------------------------- ids */

int wsp_json_action_id_read(const char *text, size_t len, wspool_text *instance, uint64_t *n)
{
    size_t first = len; /* of the digits */
    uint64_t value = 0;
    while (first > 0 && text[first - 1] >= '0' && text[first - 1] <= '9') {
        first--;
    }
    if (first < 2 || text[first - 1] != '-' || first == len || len - first > N_DIGITS ||
        text[first] == '0') {
        return 0;
    }
    for (size_t i = first; i < len; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *instance = (wspool_text){text, first - 1};
    *n = value;
    return value <= WSP_JSON_INTEGER_MAX;
}

enum wsp_json_known wsp_json_action_known(const struct wsp_json_instance *instance, uint64_t n)
{
    if (n > instance->highest) {
        return WSP_JSON_NEW;
    }
    if (n <= instance->doubt) {
        return WSP_JSON_IN_DOUBT;
    }
    uint64_t before = instance->highest - n;
    return before >= WINDOW || instance->window >> before & 1 ? WSP_JSON_REPEATED : WSP_JSON_NEW;
}

void wsp_json_action_done(struct wsp_json_instance *instance, uint64_t n)
{
    if (n > instance->highest + WINDOW) { /* nothing in the window was ever done */
        instance->doubt = n - WINDOW;
        instance->window = 0;
        instance->highest = n;
    }
    for (; instance->highest < n; instance->highest++) {
        if (!(instance->window >> (WINDOW - 1))) { /* this one leaves the window, not done */
            instance->doubt = instance->highest - (WINDOW - 1);
        }
        instance->window <<= 1;
    }
    instance->window |= UINT64_C(1) << (instance->highest - n);
}

/* ------------------------------------------------------------------ table */

void wsp_json_actions_init(struct wsp_json_actions *actions, uint32_t limit,
                           wspool_json_ledger_hook ledger)
{
    *actions = (struct wsp_json_actions){.limit = limit, .ledger = ledger};
}

static int compare_text(wspool_text a, wspool_text b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len > 0 ? memcmp(a.data, b.data, a.len) : 0;
}

/* For the tree. */
static int compare(const void *left, const void *right)
{
    const struct wsp_json_instance *a = left, *b = right;
    int order = compare_text(a->name, b->name);
    return order ? order : compare_text(a->subject, b->subject);
}

static void *find(const struct wsp_json_actions *actions, wspool_text subject, wspool_text name)
{
    const struct wsp_json_instance key = {.subject = subject, .name = name};
    void *const *node = tfind(&key, &actions->tree, compare);
    return node ? *node : NULL;
}

/* An instance of which nothing was ever done, in no list. Returns NULL without memory. */
static struct wsp_json_instance *create(wspool_text subject, wspool_text name)
{
    struct wsp_json_instance *instance = malloc(sizeof *instance + subject.len + name.len);
    if (!instance) {
        return NULL;
    }
    *instance = (struct wsp_json_instance){.window = ~UINT64_C(0)};
    memcpy(instance->bytes, name.data, name.len);
    if (subject.len > 0) {
        memcpy(instance->bytes + name.len, subject.data, subject.len);
    }
    instance->name = (wspool_text){instance->bytes, name.len};
    instance->subject = (wspool_text){instance->bytes + name.len, subject.len};
    return instance;
}

static void link_newest(struct wsp_json_actions *actions, struct wsp_json_instance *instance)
{
    instance->newer = NULL;
    instance->older = actions->newest;
    *(actions->newest ? &actions->newest->newer : &actions->oldest) = instance;
    actions->newest = instance;
}

static void unlink_it(struct wsp_json_actions *actions, struct wsp_json_instance *instance)
{
    *(instance->newer ? &instance->newer->older : &actions->newest) = instance->older;
    *(instance->older ? &instance->older->newer : &actions->oldest) = instance->newer;
}

static void forget(struct wsp_json_actions *actions, struct wsp_json_instance *instance)
{
    tdelete(instance, &actions->tree, compare);
    unlink_it(actions, instance);
    actions->count--;
    free(instance);
}

void wsp_json_actions_fini(struct wsp_json_actions *actions)
{
    while (actions->oldest) {
        forget(actions, actions->oldest);
    }
}

/* The instance may have been forgotten: the action N, and what was sent with it, may be done. */
static void doubt(struct wsp_json_instance *instance, uint64_t n)
{
    if (n > 1) {
        instance->highest = instance->doubt = n + WINDOW - 1;
    }
}

/* Asks the ledger about an instance that sends the action N. Returns 1, or 0 if it cannot tell. */
static int ask_ledger(const struct wsp_json_actions *actions, struct wsp_json_instance *instance,
                      uint64_t n)
{
    uint64_t highest = 0;
    int found =
        actions->ledger.find(instance->subject, instance->name, &highest, actions->ledger.user);
    if (found == 1 && highest > instance->highest) { /* done before the restart, or elsewhere */
        instance->highest = highest;
        instance->window = ~UINT64_C(0);
        instance->doubt = 0;
    } else if (found > 1 && instance->highest == 0) {
        doubt(instance, n);
    }
    return found >= 0;
}

/* Adds an instance that sends the action N first. */
static struct wsp_json_instance *add(struct wsp_json_actions *actions, wspool_text subject,
                                     wspool_text name, uint64_t n)
{
    struct wsp_json_instance *instance = create(subject, name);
    if (!instance) {
        return NULL;
    }
    if (!actions->ledger.find) {
        doubt(instance, n);
    }
    if ((actions->ledger.find && !ask_ledger(actions, instance, n)) ||
        !tsearch(instance, &actions->tree, compare)) {
        free(instance);
        return NULL;
    }
    link_newest(actions, instance);
    if (++actions->count > actions->limit) {
        forget(actions, actions->oldest);
    }
    return instance;
}

struct wsp_json_instance *wsp_json_actions_of(struct wsp_json_actions *actions, wspool_id peer,
                                              wspool_text subject, wspool_text name, uint64_t n)
{
    struct wsp_json_instance *instance = find(actions, subject, name);
    if (!instance) {
        instance = add(actions, subject, name, n);
    } else if (instance->peer != peer && actions->ledger.find &&
               !ask_ledger(actions, instance, n)) {
        return NULL;
    } else {
        unlink_it(actions, instance);
        link_newest(actions, instance);
    }
    if (instance) {
        instance->peer = peer;
    }
    return instance;
}

/* Linear times the depth of the tree. */
int wsp_json_actions_check(const struct wsp_json_actions *actions)
{
    uint32_t count = 0;
    for (const struct wsp_json_instance *i = actions->oldest; i; i = i->newer) {
        const struct wsp_json_instance *next = i->newer ? i->newer->older : actions->newest;
        if (next != i || i->doubt > i->highest || find(actions, i->subject, i->name) != i) {
            return 0;
        }
        count++;
    }
    return count == actions->count && count <= actions->limit;
}
