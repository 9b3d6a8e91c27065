/* SPDX-License-Identifier: MIT */
/*
 * pool/mailbox.c - see pool/mailbox.h.
 *
 * Any thread pushes a node onto a list with one compare-and-swap; the pool's thread takes the whole
 * list at once and reverses it. The wake hook runs for the first node after each emptying: the flag
 * is cleared before the list is taken, so a later node wakes the pool again, and no node is left
 * behind. A node may be read before its thread has set the flag. Then the wake is useless, and the
 * tick that it causes clears the flag although the list is empty.
 *
 * Invariants:
 * - each node has a verdict: accept or refuse, never pending;
 * - the list ends. Other threads only add nodes before the first one, so the pool's thread may walk
 *   it.
 */
#include "pool/mailbox.h"

#include <string.h>

#include <wspool/versioned.h>
#include "pool/accept.h"
#include "pool/peers.h"

struct wsp_mailbox_node {
    struct wsp_mailbox_node *next;
    wspool_id id;
    wspool_verdict verdict; /* its texts are in `bytes` */
    char bytes[];
};

/* Copies a text to *room, and moves *room behind the copy. */
static wspool_text copy_text(char **room, wspool_text text)
{
    wspool_text copy = {*room, text.len};
    if (text.len > 0) {
        memcpy(*room, text.data, text.len);
        *room += text.len;
    }
    return copy;
}

int wspool_auth_complete(wspool *pool, wspool_id id, const wspool_verdict *verdict)
{
    wspool_verdict copy = {0};
    if (!pool || !verdict || wspool_versioned_read(&copy, sizeof copy, verdict) ||
        (copy.kind != WSPOOL_ACCEPT && copy.kind != WSPOOL_REFUSE) ||
        !wsp_verdict_is_valid(&copy)) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_mailbox_node *node =
        wsp_alloc(&pool->config.mem, sizeof *node + copy.subject.len + copy.client.len);
    if (!node) {
        return WSPOOL_ERR_NOMEM;
    }
    node->id = id;
    char *room = node->bytes;
    copy.subject = copy_text(&room, copy.subject);
    copy.client = copy_text(&room, copy.client);
    node->verdict = copy;
    node->next = atomic_load_explicit(&pool->mailbox.nodes, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->mailbox.nodes, &node->next, node,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    if (pool->config.wake.call && atomic_exchange(&pool->mailbox.woken, 1) == 0) {
        pool->config.wake.call(pool->config.wake.user);
    }
    return 0;
}

/* Takes all nodes, the oldest first. */
static struct wsp_mailbox_node *take_all(struct wsp_mailbox *mailbox)
{
    struct wsp_mailbox_node *oldest = NULL;
    atomic_store(&mailbox->woken, 0);
    struct wsp_mailbox_node *node = atomic_exchange(&mailbox->nodes, NULL);
    while (node) {
        struct wsp_mailbox_node *next = node->next;
        node->next = oldest;
        oldest = node;
        node = next;
    }
    return oldest;
}

void wsp_mailbox_drain(wspool *pool)
{
    struct wsp_mailbox_node *node = take_all(&pool->mailbox);
    while (node) {
        struct wsp_mailbox_node *next = node->next;
        wsp_accept_verdict(pool, node->id, &node->verdict);
        wsp_free(&pool->config.mem, node);
        node = next;
    }
}

void wsp_mailbox_fini(wspool *pool)
{
    struct wsp_mailbox_node *node = take_all(&pool->mailbox);
    while (node) {
        struct wsp_mailbox_node *next = node->next;
        if (node->verdict.kind == WSPOOL_ACCEPT) {
            wsp_identity_free(pool, node->verdict.identity);
        }
        wsp_free(&pool->config.mem, node);
        node = next;
    }
}

int wsp_mailbox_check(const wspool *pool)
{
    const struct wsp_mailbox_node *node =
        atomic_load_explicit(&pool->mailbox.nodes, memory_order_acquire);
    const struct wsp_mailbox_node *behind = node; /* half as fast: the walk meets it if the list has
                                                 a cycle */
    for (unsigned steps = 0; node; steps++) {
        if (node->verdict.kind != WSPOOL_ACCEPT && node->verdict.kind != WSPOOL_REFUSE) {
            return 0;
        }
        node = node->next;
        behind = steps & 1u ? behind->next : behind;
        if (node == behind) {
            return 0;
        }
    }
    return 1;
}
