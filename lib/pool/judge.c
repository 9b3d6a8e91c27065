/* SPDX-License-Identifier: MIT */
/* pool/judge.c - see pool/judge.h. */
#include "pool/judge.h"

#include "base/noinline.h"
#include "pool/grant.h"
#include "pool/handlers.h"
#include "pool/peers.h"
#include "pool/side.h"
#include "pool/stages.h"
#include "wire/headers.h"
#include "wire/refusal.h"
#include "wire/upgrade.h"
#include "wire/uri.h"

static wspool_text first_of(wspool_text first, wspool_text second)
{
    return first.len > 0 ? first : second;
}

/* Applies one of several verdicts. Returns 1 if the peer may still be admitted. */
static int add_verdict(wspool *pool, struct wsp_asked *asked, wspool_verdict *verdict)
{
    if (verdict->kind == WSPOOL_PENDING) {
        asked->pending++;
        return 1;
    }
    if (verdict->kind != WSPOOL_ACCEPT) {
        return 0;
    }
    if (!asked->identity) {
        asked->identity = verdict->identity;
    } else {
        wsp_identity_free(pool, verdict->identity);
    }
    if (!wsp_verdict_is_valid(verdict)) {
        *verdict = (wspool_verdict){.size = sizeof *verdict};
        return 0;
    }
    asked->subject = first_of(asked->subject, verdict->subject);
    asked->client = first_of(asked->client, verdict->client);
    const struct wsp_validity validity = wsp_validity_of(verdict);
    wsp_validity_narrow(&asked->validity, &validity);
    return 1;
}

/* The token hook that stands for all: attached handlers, then the configuration's. */
static void ask_token(wspool *pool, wspool_id id, const wspool_request *request,
                      wspool_verdict *out, void *user)
{
    const wspool_token_hook *hook = &pool->config.token;
    struct wsp_asked *asked = user;
    for (uint32_t i = 0; i < pool->handlers.count; i++) {
        const wspool_handlers *each = &pool->handlers.list[i];
        wspool_verdict verdict = {.size = sizeof verdict};
        if (each->token) {
            each->token(pool, id, request, &verdict, each->user);
            if (!add_verdict(pool, asked, &verdict)) {
                *out = verdict;
                return;
            }
        }
    }
    if (hook->call) {
        wspool_verdict verdict = {.size = sizeof verdict};
        hook->call(pool, id, request, &verdict, hook->user);
        if (!add_verdict(pool, asked, &verdict)) {
            *out = verdict;
            return;
        }
    }
    out->kind = asked->pending > 0 ? WSPOOL_PENDING : WSPOOL_ACCEPT;
}

static int ask_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    const wspool_capacity_hook *hook = &pool->config.capacity;
    (void)user;
    for (uint32_t i = 0; i < pool->handlers.count; i++) {
        const wspool_handlers *each = &pool->handlers.list[i];
        const int answer = each->capacity ? each->capacity(pool, id, request, each->user) : 0;
        if (answer != 0) {
            return answer;
        }
    }
    return hook->call ? hook->call(pool, id, request, hook->user) : 0;
}

static int ask_origin(wspool *pool, wspool_id id, const wspool_request *request, wspool_text origin,
                      void *user)
{
    const wspool_origin_hook *hook = &pool->config.origin;
    (void)user;
    for (uint32_t i = 0; i < pool->handlers.count; i++) {
        const wspool_handlers *each = &pool->handlers.list[i];
        if (each->origin && each->origin(pool, id, request, origin, each->user) == 1) {
            return 1;
        }
    }
    return hook->call ? hook->call(pool, id, request, origin, hook->user) : 0;
}

static struct wsp_admission admission_of(wspool *pool, const wspool_token_hook *token)
{
    static const wspool_capacity_hook capacity_of_all = {ask_capacity, NULL};
    static const wspool_origin_hook origin_of_all = {ask_origin, NULL};
    return (struct wsp_admission){
        .pool = pool,
        .config = &pool->config,
        .token = pool->handlers.token ? token : &pool->config.token,
        .capacity = pool->handlers.capacity ? &capacity_of_all : &pool->config.capacity,
        .origin = &origin_of_all,
        .routes = &pool->routes,
        .origins = &pool->origins,
        .hosts = &pool->hosts,
        .full = wsp_count_read(&pool->count.peers) + pool->reserved >= pool->config.max_peers,
        .draining = pool->drain.on,
    };
}

/* Stores the result while `pending` verdicts are awaited. */
static int postpone(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry,
                    uint32_t pending)
{
    struct wsp_conn *conn = &peer->conn;
    struct wsp_handshake *handshake = wsp_need_handshake(pool, peer);
    if (!handshake || wsp_handshake_keep_entry(&pool->handshakes, handshake, entry)) {
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    handshake->pending = pending;
    conn->state = WSP_PENDING;
    wsp_conn_await(&pool->link, conn, pool->config.verdict_time);
    if (!(conn->flags & WSP_HOSTED)) { /* a hosted peer has no transport here yet */
        wsp_conn_mark_ready(&pool->link, conn);
    }
    return WSP_POSTPONED;
}

/* Between begin_judging and end_judging hooks judge a peer; what they do to it takes effect
 * afterwards. */
static void begin_judging(wspool *pool, struct wsp_peer *peer)
{
    pool->judged = peer;
    pool->judged_answer = WSP_ADMITTED;
}

/* Returns `answer`, or the refusal that a hook has caused. */
static int end_judging(wspool *pool, int answer)
{
    pool->judged = NULL;
    return pool->judged_answer < 0 ? pool->judged_answer : answer;
}

/* An identity goes to the peer's side record, unless there is one already. Returns `answer`, or a
 * refusal when there is no memory. */
static WSP_NOINLINE int keep_identity(wspool *pool, struct wsp_peer *peer, int answer,
                                      void *identity)
{
    if (wsp_side_identity(peer->side)) {
        wsp_identity_free(pool, identity);
    } else if (wsp_side_identify(&peer->side, &pool->config.mem, identity)) {
        wsp_identity_free(pool, identity);
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    return answer;
}

/* What a verdict says of a peer that may be admitted. Returns `answer`, or a refusal when there is
 * no memory. */
static WSP_NOINLINE int keep_names(wspool *pool, struct wsp_peer *peer, int answer,
                                   wspool_text subject, wspool_text client)
{
    return answer >= 0 && wsp_peer_name(pool, peer, subject, client)
               ? wsp_refused(WSPOOL_REFUSED_NOMEM)
               : answer;
}

/* How long it is valid. Returns `answer`, or a refusal. */
static WSP_NOINLINE int keep_validity(wspool *pool, struct wsp_peer *peer, int answer,
                                      const struct wsp_validity *validity)
{
    const int given = (validity->expires | validity->issued) != 0;
    const int fault = given && answer >= 0 ? wsp_grant_narrow(pool, peer, validity) : 0;
    return fault ? fault : answer;
}

/* All verdicts are there, if the peer is admitted: its token may be revoked, or too old. Returns
 * `answer`, or a refusal. */
static WSP_NOINLINE int check_token(wspool *pool, struct wsp_peer *peer, int answer, uint32_t route)
{
    const struct wsp_grant *grant = wsp_grant_of(peer);
    struct wsp_validity validity = grant ? grant->validity : (struct wsp_validity){0};
    if (answer != WSP_ADMITTED || !wsp_judge_has_token(pool, route)) {
        return answer;
    }
    answer = wsp_grant_judge(pool, wsp_subject_text(wsp_side_subject(peer->side)), &validity);
    return answer == WSP_ADMITTED ? keep_validity(pool, peer, answer, &validity) : answer;
}

/* Counts where a token was found, and where empty ones were; index 0: nowhere. */
static void count_places(struct wsp_counters *count, const struct wsp_token_search *search)
{
    wsp_count_add(&count->token_found[search->found], 1);
    for (unsigned place = 1; search->blank >> place; place++) {
        wsp_count_add(&count->token_blank[place], search->blank >> place & 1u);
    }
    if (search->found == WSPOOL_TOKEN_NONE && search->blank == 0) {
        wsp_count_add(&count->token_blank[WSPOOL_TOKEN_NONE], 1);
    }
}

int wsp_judge(wspool *pool, struct wsp_peer *peer, wspool_request *request, struct wsp_entry *entry)
{
    struct wsp_asked asked = {0};
    struct wsp_token_room room;
    const wspool_token_hook all = {ask_token, &asked};
    struct wsp_admission admission = admission_of(pool, &all);
    room.used = 0;
    admission.room = &room;
    begin_judging(pool, peer);
    int answer = wsp_admission_judge(&admission, wsp_peer_id(peer), request, entry);
    wsp_stages_pass(pool, &peer->conn, entry->stage);
    if (entry->search.done) {
        count_places(&pool->count, &entry->search);
    }
    void *identity = asked.identity ? asked.identity : entry->identity;
    if (identity) {
        answer = keep_identity(pool, peer, answer, identity);
    }
    wspool_text subject = first_of(asked.subject, entry->subject);
    wspool_text client = first_of(asked.client, entry->client);
    if (subject.len > 0 || client.len > 0) {
        answer = keep_names(pool, peer, answer, subject, client);
    }
    wsp_validity_narrow(&asked.validity, &entry->validity);
    answer = keep_validity(pool, peer, answer, &asked.validity);
    if (wsp_grant_is_judged(pool)) {
        answer = check_token(pool, peer, answer, entry->route);
    }
    wsp_token_room_wipe(&room);
    answer = end_judging(pool, answer);
    return answer == WSP_POSTPONED ? postpone(pool, peer, entry, asked.pending ? asked.pending : 1)
                                   : answer;
}

/* Returns 1 if the request is valid and for a host of ours, and asks for no WebSocket. If it is not
 * valid, admission says why. */
static int is_plain(const wspool *pool, const wspool_request *request)
{
    struct wsp_headers headers;
    struct wsp_target target;
    wsp_uri_split(request->target, &target); /* it was split before */
    wsp_headers_find(&headers, request);
    headers.authority = target.authority;
    return wsp_upgrade_check_head(&headers) == 0 &&
           (pool->hosts.count == 0 || wsp_hosts_admit(&pool->hosts, &headers)) &&
           !wsp_headers_have(&headers, WSP_HEADER_UPGRADE, "websocket");
}

int wsp_judge_plain(wspool *pool, struct wsp_peer *peer, const wspool_request *request,
                    wspool_page *page)
{
    const wspool_plain_hook *hook = &pool->config.plain;
    if (!hook->call || !is_plain(pool, request)) {
        return 0;
    }
    begin_judging(pool, peer);
    hook->call(pool, wsp_peer_id(peer), request, page, hook->user);
    return end_judging(pool, wsp_upgrade_page_is_good(page));
}

int wsp_judge_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict)
{
    struct wsp_admission admission = admission_of(pool, NULL);
    struct wsp_handshake *handshake = peer->conn.work.handshake;
    struct wsp_entry *entry = wsp_handshake_entry(handshake);
    handshake->pending--;
    begin_judging(pool, peer);
    if (verdict->kind == WSPOOL_ACCEPT && handshake->pending > 0) {
        int early = verdict->identity ? keep_identity(pool, peer, WSP_POSTPONED, verdict->identity)
                                      : WSP_POSTPONED;
        early = keep_names(pool, peer, early, verdict->subject, verdict->client);
        const struct wsp_validity validity = wsp_validity_of(verdict);
        early = keep_validity(pool, peer, early, &validity);
        return end_judging(pool, early);
    }
    int answer = wsp_admission_resume(&admission, wsp_peer_id(peer), verdict, entry);
    wsp_stages_pass(pool, &peer->conn, entry->stage);
    answer = entry->identity ? keep_identity(pool, peer, answer, entry->identity) : answer;
    answer = keep_names(pool, peer, answer, entry->subject, entry->client);
    answer = keep_validity(pool, peer, answer, &entry->validity);
    answer = check_token(pool, peer, answer, entry->route);
    return end_judging(pool, answer);
}

int wsp_judge_has_token(const wspool *pool, uint32_t route)
{
    return (pool->handlers.token || pool->config.token.call) &&
           !(pool->routes.list[route].flags & WSPOOL_ROUTE_NO_TOKEN);
}

int wsp_judge_token(wspool *pool, struct wsp_peer *peer, wspool_text token, struct wsp_asked *asked)
{
    const wspool_request request = {.size = sizeof request,
                                    .token = token,
                                    .user = peer->user,
                                    .route_user = pool->routes.list[peer->conn.route].user,
                                    .address = wsp_side_address(peer->side),
                                    .key = wsp_side_key(peer->side),
                                    .subject = wsp_subject_text(wsp_side_subject(peer->side))};
    wspool_verdict verdict = {.size = sizeof verdict};
    ask_token(pool, wsp_peer_id(peer), &request, &verdict, asked);
    if (verdict.kind == WSPOOL_REFUSE) {
        return wsp_verdict_refused(verdict.refusal);
    }
    return verdict.kind == WSPOOL_PENDING ? WSP_POSTPONED : WSP_ADMITTED;
}
