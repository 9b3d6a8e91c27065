/* SPDX-License-Identifier: MIT */
/* policy/admission.c - see policy/admission.h. */
#include "policy/admission.h"

#include <string.h>

#include "policy/token.h"
#include "wire/extension.h"
#include "wire/refusal.h"
#include "wire/uri.h"

static int check_request_line(const struct wsp_admission *admission, wspool_request *request,
                              struct wsp_entry *entry)
{
    wspool_text path;
    size_t name_len = 0;
    if (request->method.len != 3 || memcmp(request->method.data, "GET", 3) != 0) {
        return wsp_refused(WSPOOL_REFUSED_METHOD);
    }
    if (request->http_major < 1 || (request->http_major == 1 && request->http_minor < 1)) {
        return wsp_refused(WSPOOL_REFUSED_HTTP_VERSION);
    }
    if (wsp_uri_split(request->target, &path, &entry->query)) {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    int route = wsp_routes_match(admission->routes, path, entry->name, &name_len);
    if (route < 0) {
        return route;
    }
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
    entry->negotiated = (wspool_negotiated){.encoding = 0};
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

/* Limits a refusal that the host chose to those that a token's verdict may have. */
static int refuse_verdict(enum wspool_refusal refusal)
{
    int known = refusal >= 0 && refusal < WSPOOL_REFUSAL_COUNT;
    switch (known ? wspool_refusal_status(refusal) : 0) {
    case 401:
    case 403:
    case 429:
    case 503:
        return wsp_refused(refusal);
    default:
        return wsp_refused(WSPOOL_REFUSED_TOKEN_INVALID);
    }
}

static int take_verdict(const wspool_verdict *verdict, struct wsp_entry *entry)
{
    if (verdict->kind != WSPOOL_ACCEPT) {
        return refuse_verdict(verdict->refusal);
    }
    entry->identity = verdict->identity;
    return WSP_ADMITTED;
}

static int check_token(const struct wsp_admission *admission, wspool_id id,
                       const struct wsp_headers *headers, wspool_request *request,
                       struct wsp_entry *entry)
{
    const wspool_token_hook *token = admission->token;
    char scratch[WSPOOL_TOKEN_MAX];
    wspool_verdict verdict = {.size = sizeof verdict};
    if (!token->call || (admission->routes->list[entry->route].flags & WSPOOL_ROUTE_NO_TOKEN)) {
        return WSP_ADMITTED;
    }
    int error = wsp_token_find(headers, admission->config->token_places, scratch, &request->token);
    if (error) {
        return error;
    }
    token->call(admission->pool, id, request, &verdict, token->user);
    request->token = (wspool_text){0};
    return verdict.kind == WSPOOL_PENDING ? WSP_POSTPONED : take_verdict(&verdict, entry);
}

static int check_capacity(const struct wsp_admission *admission, wspool_id id,
                          const wspool_request *request, struct wsp_entry *entry)
{
    const wspool_capacity_hook *capacity = admission->capacity;
    entry->stage = WSPOOL_STAGE_CAPACITY;
    if (capacity->call && capacity->call(admission->pool, id, request, capacity->user) != 0) {
        return wsp_refused(WSPOOL_REFUSED_CAPACITY);
    }
    entry->stage = WSPOOL_STAGE_VERDICT;
    return WSP_ADMITTED;
}

int wsp_admission_judge(const struct wsp_admission *admission, wspool_id id,
                        wspool_request *request, struct wsp_entry *entry)
{
    struct wsp_headers headers;
    int answer;
    entry->stage = WSPOOL_STAGE_REQUEST_LINE;
    if ((answer = check_request_line(admission, request, entry)) < 0) {
        return answer;
    }
    entry->stage = WSPOOL_STAGE_HEADERS;
    wsp_headers_find(&headers, request);
    if ((answer = wsp_upgrade_check_head(&headers)) < 0) {
        return answer;
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
    if (!wsp_origins_admit(admission->origins, &headers)) {
        return wsp_refused(WSPOOL_REFUSED_ORIGIN);
    }
    entry->stage = WSPOOL_STAGE_TOKEN;
    if ((answer = check_token(admission, id, &headers, request, entry)) != WSP_ADMITTED) {
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
