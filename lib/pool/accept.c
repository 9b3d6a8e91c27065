/* SPDX-License-Identifier: MIT */
/*
 * pool/accept.c - see pool/accept.h.
 *
 * A head that arrives in one piece is judged in the host's buffer. Only a head that arrives in
 * pieces is gathered, in a handshake object (handshake.h), which also stores the result while a
 * verdict is pending. So before its token is accepted a peer costs its record and that object, and
 * after a refusal the 2 KiB of the answer.
 */
#include "pool/accept.h"

#include <string.h>

#include <wspool/versioned.h>
#include "base/noinline.h"
#include "link/liveness.h"
#include "link/receive.h"
#include "pool/admit.h"
#include "pool/answer.h"
#include "pool/breaker.h"
#include "pool/call.h"
#include "pool/heads.h"
#include "pool/judge.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "pool/renewal.h"
#include "pool/side.h"
#include "pool/stages.h"
#include "wire/http.h"
#include "wire/refusal.h"
#include "wire/text.h"
#include "wire/upgrade.h"

/* ---------------------------------------------------------------------- raw */

/* Queues the 101, and feeds the bytes behind the head. */
static void accept_raw(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry,
                       const uint8_t *rest, size_t rest_len)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_answer answer;
    wsp_upgrade_accept(&answer, entry->accept, entry->subprotocol, wsp_entry_extension(entry));
    wsp_stages_pass(pool, conn, WSPOOL_STAGE_VERDICT);
    if (wsp_queue_answer(pool, peer, &answer)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
        return;
    }
    wsp_stages_pass(pool, conn, WSPOOL_STAGE_FLUSHED);
    conn->flags |= WSP_ANSWERING;
    struct wsp_handshake *handshake = wsp_detach_handshake(peer); /* the entry may point into it */
    wsp_admit(pool, peer, entry);
    wsp_handshake_free(&pool->handshakes, handshake);
    if (rest_len > 0) {
        wsp_conn_receive(&pool->link, conn, rest, rest_len, wsp_message_limit(pool, peer));
    }
}

void wsp_accept_flushed(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_stage_counts *counts = &pool->count.stages[WSPOOL_STAGE_FLUSHED];
    peer->conn.flags = (uint16_t)(peer->conn.flags & ~WSP_ANSWERING);
    wsp_count_add(&counts->passed, 1);
    (void)wsp_stages_took(pool, &peer->conn, counts);
}

/* Keeps bytes that arrive during a pending verdict, up to the limit of a head. */
static void feed_pending(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_handshake *handshake = peer->conn.work.handshake;
    if (len > wsp_handshake_room(&pool->handshakes, handshake)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_EARLY_DATA);
    } else if (wsp_handshake_keep(&pool->handshakes, handshake, bytes, len)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
    }
}

/* Returns 1 if the request is answered now, 0 if it has to be judged, or a refusal. */
static WSP_NOINLINE int answer_plain(wspool *pool, struct wsp_peer *peer,
                                     const wspool_request *request)
{
    wspool_page page = {.size = sizeof page};
    int answer = wsp_judge_plain(pool, peer, request, &page);
    if (answer > 0) {
        wsp_answer_page(pool, peer, &page);
    }
    return answer;
}

static void judge_raw(wspool *pool, struct wsp_peer *peer, wspool_request *request,
                      const uint8_t *rest, size_t rest_len)
{
    struct wsp_entry entry;
    wsp_heads_remove(pool, peer);
    int answer = pool->config.plain.call ? answer_plain(pool, peer, request) : 0;
    if (answer < 0) {
        wsp_refuse(pool, peer, wsp_refusal_of(answer));
    }
    if (answer != 0) {
        return;
    }
    answer = wsp_judge(pool, peer, request, &entry);
    if (answer < 0) {
        wsp_refuse(pool, peer, wsp_refusal_of(answer));
    } else if (answer == WSP_ADMITTED) {
        accept_raw(pool, peer, &entry, rest, rest_len);
    } else if (rest_len > 0) {
        feed_pending(pool, peer, rest, rest_len);
    }
    wsp_entry_fini(&entry, &pool->config.mem);
}

/* Returns 1 if the text is empty or has bytes, else 0. */
static int is_text(wspool_text text)
{
    return text.len == 0 || text.data;
}

/* All handshakes are taken: the oldest of those that have not said what they want gives way. Most
 * heads are whole after one round trip, so an honest peer loses its place only if max_handshakes
 * newcomers come in that time. */
static WSP_NOINLINE void give_way(wspool *pool, const wspool_open_options *newcomer)
{
    const wspool_config *config = &pool->config;
    if (wsp_limits_are_full(&pool->limits, newcomer->key, pool->link.now) ||
        pool->peers.used >= config->max_peers + config->max_handshakes) {
        return; /* the newcomer would not get the place */
    }
    struct wsp_peer *oldest = wsp_heads_oldest(pool);
    if (oldest) {
        wsp_refuse(pool, oldest, WSPOOL_REFUSED_GAVE_WAY);
    }
}

static void make_way(wspool *pool, const wspool_open_options *newcomer)
{
    if (wsp_count_read(&pool->count.handshakes) >= pool->config.max_handshakes &&
        !wsp_breaker_is_open(pool)) {
        give_way(pool, newcomer);
    }
}

/* There is no place for a new peer, which is not judged then. Counts it if that is because of the
 * breaker, and counts and logs it if its key has all its peers. */
static WSP_NOINLINE void turn_away(wspool *pool, const wspool_open_options *newcomer, int error)
{
    if (error != WSPOOL_ERR_FULL) {
        return;
    }
    if (wsp_breaker_is_open(pool)) {
        wsp_count_add(&pool->count.breaker_refused, 1);
    } else if (wsp_limits_are_full(&pool->limits, newcomer->key, pool->link.now)) {
        wsp_count_add(&pool->count.key_full, 1);
        wsp_log(pool, WSP_LOG_REFUSED,
                (wspool_log_record){.reason = wspool_refusal_reason(WSPOOL_REFUSED_RATE)});
    }
}

/* Options of a host that was compiled against an older or newer header. */
static WSP_NOINLINE int open_converted(wspool *pool, const wspool_open_options *theirs,
                                       uint64_t now, wspool_id *id)
{
    wspool_open_options ours = {0};
    int error = wspool_versioned_read(&ours, sizeof ours, theirs);
    return error ? error : wspool_open(pool, &ours, now, id);
}

int wspool_open(wspool *pool, const wspool_open_options *options, uint64_t now, wspool_id *id)
{
    static const wspool_open_options none = {.size = sizeof none};
    const wspool_open_options *given = options ? options : &none;
    int error;
    if (given->size != sizeof *given) {
        return open_converted(pool, given, now, id);
    }
    if (!pool || !id || !is_text(given->address) || !is_text(given->key) ||
        !is_text(given->subject)) {
        return WSPOOL_ERR_INVAL;
    }
    *id = 0;
    wsp_enter_at(pool, now);
    make_way(pool, given);
    struct wsp_peer *peer = wsp_peer_new(pool, given, &error);
    if (peer) {
        wsp_conn_init(&pool->link, &peer->conn);
        wsp_heads_add(pool, peer);
        *id = wsp_peer_id(peer);
    } else {
        turn_away(pool, given, error);
    }
    wsp_leave(pool);
    return error;
}

/* Keeps a part of a head, at most `head_bytes` of it in all. Returns 0 or WSPOOL_ERR_NOMEM. */
static int gather(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_handshake *handshake = wsp_need_handshake(pool, peer);
    if (!handshake) {
        return WSPOOL_ERR_NOMEM;
    }
    size_t room = wsp_handshake_room(&pool->handshakes, handshake);
    return wsp_handshake_keep(&pool->handshakes, handshake, bytes, len < room ? len : room);
}

static void feed_head(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_header headers[256];
    wspool_request request = {.size = sizeof request,
                              .user = peer->user,
                              .address = wsp_side_address(peer->side),
                              .key = wsp_side_key(peer->side),
                              .subject = wsp_subject_text(wsp_side_subject(peer->side))};
    const uint8_t *head = bytes;
    size_t have = len < pool->config.head_bytes ? len : pool->config.head_bytes;
    size_t seen = 0, before = 0;
    if (conn->stage == WSPOOL_STAGE_BYTES) {
        wsp_stages_pass(pool, conn, WSPOOL_STAGE_REQUEST_LINE);
    }
    if (conn->work.handshake) {
        before = conn->work.handshake->head.len;
        if (gather(pool, peer, bytes, len)) {
            wsp_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
            return;
        }
        head = conn->work.handshake->head.data;
        have = conn->work.handshake->head.len;
        seen = conn->work.handshake->seen;
    }
    int end =
        wsp_http_parse((const char *)head, have, seen, &request, headers, pool->config.head_count);
    if (end < 0) {
        wsp_refuse_head(pool, peer, head, have, wsp_refusal_of(end));
    } else if (end > 0) {
        size_t taken = (size_t)end - before; /* of the bytes of this call */
        judge_raw(pool, peer, &request, bytes + taken, len - taken);
    } else if (have == pool->config.head_bytes) {
        wsp_refuse_head(pool, peer, head, have, WSPOOL_REFUSED_HEAD_TOO_LARGE);
    } else if (conn->work.handshake) {
        conn->work.handshake->seen = have;
    } else if (gather(pool, peer, bytes, len)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOMEM);
    } else {
        conn->work.handshake->seen = have;
    }
}

void wsp_accept_feed(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return;
    }
    if (peer->conn.state == WSP_PENDING) {
        feed_pending(pool, peer, bytes, len);
    } else {
        feed_head(pool, peer, bytes, len);
    }
}

void wsp_accept_timer(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    if (conn->deadline > pool->link.now) {
        wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->deadline);
    } else if (!wsp_conn_is_judged(&pool->link, conn, conn->deadline)) {
        return;
    } else if (conn->state == WSP_HEAD) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_TIMEOUT);
    } else if (conn->state == WSP_PENDING) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_VERDICT_TIMEOUT);
    } else {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOT_ADOPTED);
    }
}

/* ------------------------------------------------------------------- hosted */

/* Keeps the place until the host has sent the 101. */
static void reserve_place(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    wsp_stages_pass(pool, conn, WSPOOL_STAGE_VERDICT);
    conn->state = WSP_RESERVED;
    pool->reserved++;
    wsp_conn_await(&pool->link, conn, pool->config.handshake_time);
}

/* Judges a head that the host's server has read as strictly as one that we read. The result is
 * made in the handshake object, where it stays until the peer is adopted. */
static int judge_hosted(wspool *pool, struct wsp_peer *peer, wspool_request *request)
{
    struct wsp_handshake *handshake = wsp_need_handshake(pool, peer);
    if (!handshake) {
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    enum wspool_stage stage = WSPOOL_STAGE_REQUEST_LINE;
    int answer = wsp_http_judge_line(request);
    if (answer == 0) {
        stage = WSPOOL_STAGE_HEADERS;
        answer = wsp_http_judge_headers(request, pool->config.head_count, pool->config.head_bytes);
    }
    if (answer < 0) {
        wsp_stages_pass(pool, &peer->conn, stage);
        return answer;
    }
    answer = wsp_judge(pool, peer, request, &handshake->entry);
    if (answer == WSP_ADMITTED &&
        wsp_handshake_keep_entry(&pool->handshakes, handshake, &handshake->entry)) {
        answer = wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    wsp_entry_fini(&handshake->entry, &pool->config.mem);
    return answer;
}

static int upgrade(wspool *pool, struct wsp_peer *peer, wspool_request *request, wspool_id *id,
                   wspool_answer *answer)
{
    peer->conn.flags |= WSP_HOSTED;
    wsp_conn_init(&pool->link, &peer->conn);
    if (request->began > 0 && request->began < pool->link.now) {
        wsp_stages_pass(pool, &peer->conn, WSPOOL_STAGE_REQUEST_LINE);
        peer->conn.since = request->began;
    }
    int judged = judge_hosted(pool, peer, request);
    if (judged < 0) {
        wsp_refuse(pool, peer, wsp_refusal_of(judged));
        wsp_upgrade_refuse(answer, wsp_refusal_of(judged), pool->config.retry_after);
        if (wsp_text_same(request->method, wsp_text_of("HEAD"))) {
            wsp_upgrade_drop_body(answer);
        }
        return WSPOOL_UPGRADE_REFUSED;
    }
    *id = wsp_peer_id(peer);
    if (judged == WSP_POSTPONED) {
        return WSPOOL_UPGRADE_PENDING;
    }
    const struct wsp_entry *entry = &peer->conn.work.handshake->entry;
    wsp_upgrade_accept(answer, entry->accept, entry->subprotocol, wsp_entry_extension(entry));
    reserve_place(pool, peer);
    return WSPOOL_UPGRADE_ACCEPTED;
}

/* Copies the host's request. Returns 1 if it is good, else 0. */
static int read_request(wspool_request *request, const wspool_request *given)
{
    if (given && given->size == sizeof *request) {
        *request = *given;
    } else {
        *request = (wspool_request){0};
        if (!given || wspool_versioned_read(request, sizeof *request, given)) {
            return 0;
        }
    }
    return (request->header_count == 0 || request->headers) && is_text(request->method) &&
           is_text(request->target) && is_text(request->address) && is_text(request->key) &&
           is_text(request->subject);
}

int wspool_upgrade(wspool *pool, const wspool_request *given, uint64_t now, wspool_id *id,
                   wspool_answer *answer)
{
    wspool_request request;
    int result = wsp_call(pool, id && answer && read_request(&request, given), WSP_OUTSIDE);
    if (result) {
        return result;
    }
    *id = 0;
    memset(answer, 0, sizeof *answer);
    wsp_enter_at(pool, now);
    wspool_open_options newcomer = {.user = request.user,
                                    .address = request.address,
                                    .key = request.key,
                                    .subject = request.subject};
    make_way(pool, &newcomer);
    struct wsp_peer *peer = wsp_peer_new(pool, &newcomer, &result);
    if (peer) {
        result = upgrade(pool, peer, &request, id, answer);
    } else {
        turn_away(pool, &newcomer, result);
    }
    wsp_leave(pool);
    return result;
}

int wspool_adopt(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, bytes || len == 0, WSP_OUTSIDE, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_RESERVED) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter_at(pool, now);
    struct wsp_handshake *handshake = wsp_detach_handshake(peer);
    pool->reserved--;
    wsp_accept_flushed(pool, peer); /* what it has waited counts for FLUSHED, as in raw mode */
    peer->conn.since = pool->link.now;
    wsp_stages_pass(pool, &peer->conn, WSPOOL_STAGE_FLUSHED);
    wsp_admit(pool, peer, wsp_handshake_entry(handshake));
    wsp_handshake_free(&pool->handshakes, handshake);
    if (len > 0) {
        wsp_count_add(&pool->count.received_bytes, len);
        wsp_conn_receive(&pool->link, &peer->conn, bytes, len, wsp_message_limit(pool, peer));
    }
    wsp_leave(pool);
    return 0;
}

/* ------------------------------------------------------------------ verdict */

static void admit_pending(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_handshake *handshake = peer->conn.work.handshake;
    const wspool_verdict_hook *hook = &pool->config.verdict;
    if (peer->conn.flags & WSP_HOSTED) {
        wspool_answer answer;
        const struct wsp_entry *entry = &handshake->entry;
        wsp_upgrade_accept(&answer, entry->accept, entry->subprotocol, wsp_entry_extension(entry));
        reserve_place(pool, peer);
        if (hook->call) {
            hook->call(pool, wsp_peer_id(peer), &answer, hook->user);
        }
        return;
    }
    const struct wsp_entry *entry = wsp_handshake_entry(handshake);
    struct wsp_bytes kept = handshake->head;
    size_t early = entry->query.len;
    handshake->head = (struct wsp_bytes){0};
    accept_raw(pool, peer, entry, early < kept.len ? kept.data + early : NULL, kept.len - early);
    wsp_handshake_forget(&pool->handshakes, &kept);
}

void wsp_accept_verdict(wspool *pool, wspool_id id, const wspool_verdict *verdict)
{
    struct wsp_peer *peer = wsp_peer_find(pool, id);
    if (peer && peer->conn.state == WSP_OPEN && wsp_renewal_of(peer)) {
        wsp_renewal_verdict(pool, peer, verdict);
        return;
    }
    if (!peer || peer->conn.state != WSP_PENDING) {
        if (verdict->kind == WSPOOL_ACCEPT) {
            wsp_identity_free(pool, verdict->identity);
        }
        return;
    }
    int answer = wsp_judge_verdict(pool, peer, verdict);
    if (answer < 0) {
        wsp_refuse(pool, peer, wsp_refusal_of(answer));
    } else if (answer == WSP_ADMITTED) {
        admit_pending(pool, peer);
    }
}
