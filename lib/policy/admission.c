/* SPDX-License-Identifier: MIT */
/* policy/admission.c - see policy/admission.h. */
#include "policy/admission.h"

#include <string.h>

#include "base/noinline.h"
#include "policy/token.h"
#include "wire/extension.h"
#include "wire/refusal.h"
#include "wire/uri.h"

static int find_route(const struct wsp_admission *admission, wspool_request *request,
                      struct wsp_target *target, struct wsp_entry *entry)
{
    size_t name_len = 0;
    if (wsp_uri_split(request->target, target)) {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    int route = wsp_routes_match(admission->routes, target->path, entry->name, &name_len);
    if (route < 0) {
        return route;
    }
    entry->query = target->query;
    entry->route = (uint16_t)route;
    entry->name_len = (uint16_t)name_len;
    request->channel = (wspool_text){entry->name, name_len};
    request->route_user = admission->routes->list[route].user;
    return 0;
}

static int check_subprotocol(const struct wsp_admission *admission,
                             const struct wsp_headers *headers, wspool_request *request,
                             struct wsp_entry *entry)
{
    int malformed = 0;
    entry->subprotocol =
        wsp_upgrade_subprotocol(headers, admission->config->subprotocols, &malformed);
    if (entry->subprotocol) {
        request->subprotocol = (wspool_text){entry->subprotocol, strlen(entry->subprotocol)};
    } else {
        entry->unanswered = headers->first[WSP_HEADER_PROTOCOL] != NULL;
    }
    return malformed ? wsp_refused(WSPOOL_REFUSED_MALFORMED) : 0;
}

/* Returns 1 if what the codec wrote may be sent, and fits into a peer's record. */
static int negotiated_is_valid(const wspool_negotiated *negotiated)
{
    const char *end = memchr(negotiated->answer, '\0', sizeof negotiated->answer);
    if (negotiated->encoding < 1 || negotiated->encoding > WSPOOL_ENCODINGS ||
        negotiated->decoder >= WSPOOL_DECODERS || !end || end == negotiated->answer) {
        return 0;
    }
    for (const char *c = negotiated->answer; c < end; c++) {
        if (*c < ' ' || *c > '~') {
            return 0;
        }
    }
    return 1;
}

/* Finds the first offer that the codec accepts. The whole header must be a valid list. */
static int check_extensions(const struct wsp_admission *admission,
                            const struct wsp_headers *headers, struct wsp_entry *entry)
{
    const wspool_codec_hook *codec = &admission->config->codec;
    unsigned route_flags = admission->routes->list[entry->route].codec;
    wspool_extension_param params[WSPOOL_EXTENSION_PARAMS];
    wspool_extension offer;
    struct wsp_elements walk = {0};
    int more;
    while ((more = wsp_extension_next(headers, &walk, &offer, params)) > 0) {
        wspool_negotiated negotiated = {.size = sizeof negotiated};
        if (codec->negotiate && entry->negotiated.encoding == 0 &&
            codec->negotiate(&offer, route_flags, &negotiated, codec->user) == 1 &&
            negotiated_is_valid(&negotiated)) {
            entry->negotiated = negotiated;
        }
    }
    return more < 0 ? wsp_refused(WSPOOL_REFUSED_MALFORMED) : 0;
}

static int check_caps(const struct wsp_admission *admission)
{
    if (admission->draining) {
        return wsp_refused(WSPOOL_REFUSED_DRAINING);
    }
    return admission->full ? wsp_refused(WSPOOL_REFUSED_FULL) : 0;
}

/* Returns, as a negative answer, the refusal that a hook chose, or `otherwise` if it may not choose
 * that one. */
static int chosen(int refusal, int of_token, enum wspool_refusal otherwise)
{
    const int known = refusal >= 0 && refusal < WSPOOL_REFUSAL_COUNT;
    const int status = known ? wspool_refusal_status((enum wspool_refusal)refusal) : 0;
    const int allowed =
        status == 429 || status == 503 || (of_token && (status == 401 || status == 403));
    return wsp_refused(allowed ? (enum wspool_refusal)refusal : otherwise);
}

int wsp_verdict_refused(enum wspool_refusal refusal)
{
    return chosen((int)refusal, 1, WSPOOL_REFUSED_TOKEN_INVALID);
}

static int take_verdict(const wspool_verdict *verdict, struct wsp_entry *entry)
{
    if (verdict->kind != WSPOOL_ACCEPT) {
        return wsp_verdict_refused(verdict->refusal);
    }
    entry->identity = verdict->identity;
    if (!wsp_verdict_is_valid(verdict)) {
        return wsp_refused(WSPOOL_REFUSED_TOKEN_INVALID);
    }
    entry->subject = verdict->subject;
    entry->client = verdict->client;
    entry->validity = wsp_validity_of(verdict);
    return WSP_ADMITTED;
}

static WSP_NOINLINE int ask_origin(const struct wsp_admission *admission, wspool_id id,
                                   const struct wsp_headers *headers, const wspool_request *request)
{
    const wspool_origin_hook *hook = admission->origin;
    wspool_text origin;
    return hook->call && wsp_headers_only(headers, WSP_HEADER_ORIGIN, &origin) == 1 &&
           hook->call(admission->pool, id, request, origin, hook->user) == 1;
}

/* Sets *trusted when the page may use the cookies of its browser. */
static int check_origin(const struct wsp_admission *admission, wspool_id id,
                        const struct wsp_headers *headers, const wspool_request *request,
                        int *trusted)
{
    enum wsp_origin_kind kind = wsp_origins_judge(admission->origins, headers);
    *trusted = kind == WSP_ORIGIN_TRUSTED;
    if (kind != WSP_ORIGIN_STRANGE || admission->config->any_origin) {
        return 0;
    }
    *trusted = ask_origin(admission, id, headers, request);
    return *trusted ? 0 : wsp_refused(WSPOOL_REFUSED_ORIGIN);
}

static int check_token(const struct wsp_admission *admission, wspool_id id,
                       const struct wsp_headers *headers, int trusted, wspool_request *request,
                       struct wsp_entry *entry)
{
    const wspool_token_hook *token = admission->token;
    wspool_verdict verdict = {.size = sizeof verdict};
    struct wsp_target target;
    if (!token->call || (admission->routes->list[entry->route].flags & WSPOOL_ROUTE_NO_TOKEN)) {
        return WSP_ADMITTED;
    }
    wspool_text found = {NULL, 0};
    int error = wsp_token_find(headers, admission->config->token_places, trusted,
                               admission->room->bytes, &found, &entry->search);
    if (error) {
        return error;
    }
    if (entry->query.len > 0) {
        if (wsp_token_hide(request, admission->config->token_places, &admission->config->mem,
                           &entry->copy)) {
            return wsp_refused(WSPOOL_REFUSED_NOMEM);
        }
        wsp_uri_split(request->target, &target); /* it was split before */
        entry->query = target.query;
    }
    admission->room->used = found.data == admission->room->bytes ? found.len : 0;
    request->token = found;
    token->call(admission->pool, id, request, &verdict, token->user);
    request->token = (wspool_text){0};
    return verdict.kind == WSPOOL_PENDING ? WSP_POSTPONED : take_verdict(&verdict, entry);
}

static int check_capacity(const struct wsp_admission *admission, wspool_id id,
                          const wspool_request *request, struct wsp_entry *entry)
{
    const wspool_capacity_hook *capacity = admission->capacity;
    entry->stage = WSPOOL_STAGE_CAPACITY;
    const int answer =
        capacity->call ? capacity->call(admission->pool, id, request, capacity->user) : 0;
    if (answer != 0) {
        return chosen(answer, 0, WSPOOL_REFUSED_CAPACITY);
    }
    entry->stage = WSPOOL_STAGE_VERDICT;
    return WSP_ADMITTED;
}

/* Texts are valid once they are set: they are most of an entry, and few are set. */
static void entry_init(struct wsp_entry *entry)
{
    entry->stage = WSPOOL_STAGE_REQUEST_LINE;
    entry->search.done = 0;
    entry->query = (wspool_text){NULL, 0};
    entry->copy = NULL;
    entry->unanswered = 0;
    entry->subprotocol = NULL;
    entry->negotiated.encoding = 0;
    entry->negotiated.decoder = 0;
    entry->identity = NULL;
    entry->subject = entry->client = (wspool_text){NULL, 0};
    entry->validity = (struct wsp_validity){0, 0};
}

int wsp_admission_judge(const struct wsp_admission *admission, wspool_id id,
                        wspool_request *request, struct wsp_entry *entry)
{
    struct wsp_headers headers;
    struct wsp_target target;
    int answer, trusted;
    entry_init(entry);
    if ((answer = find_route(admission, request, &target, entry)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_HEADERS;
    wsp_headers_find(&headers, request);
    headers.authority = target.authority;
    if ((answer = wsp_upgrade_check_head(&headers)) < 0) {
        return answer;
    }
    if (admission->hosts->count > 0 && !wsp_hosts_admit(admission->hosts, &headers)) {
        return wsp_refused(WSPOOL_REFUSED_OTHER_HOST);
    }
    entry->stage = WSPOOL_STAGE_VERSION;
    if ((answer = wsp_upgrade_check_version(&headers)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_KEY;
    if ((answer = wsp_upgrade_check_key(&headers, entry->accept)) < 0 ||
        (answer = check_subprotocol(admission, &headers, request, entry)) < 0 ||
        (answer = check_extensions(admission, &headers, entry)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_CAPS;
    if ((answer = check_caps(admission)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_ORIGIN;
    if ((answer = check_origin(admission, id, &headers, request, &trusted)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_TOKEN;
    if ((answer = check_token(admission, id, &headers, trusted, request, entry)) != WSP_ADMITTED) {
        return answer;
    }
    return check_capacity(admission, id, request, entry);
}

int wsp_admission_resume(const struct wsp_admission *admission, wspool_id id,
                         const wspool_verdict *verdict, struct wsp_entry *entry)
{
    int answer = take_verdict(verdict, entry);
    if (answer == WSP_ADMITTED) {
        /* Meanwhile the pool may have become full, or begun to drain. */
        entry->stage = WSPOOL_STAGE_CAPS;
        answer = check_caps(admission);
    }
    return answer == WSP_ADMITTED ? check_capacity(admission, id, NULL, entry) : answer;
}
