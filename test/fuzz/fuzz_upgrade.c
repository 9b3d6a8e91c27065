/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_upgrade.c - from a request to an answer: wire/upgrade.c and the policies (admission,
 * route, origin, token), used as the pool uses them.
 *
 * Demands:
 * - An admitted request is valid: GET, HTTP/1.1, one Host, one complete key, and all upgrade
 *   headers; a second judge, written for this test, allows its Origin.
 * - The hooks are called in their order and once. The token is visible ASCII, within its bounds,
 *   and is part of the request. What is offered to a codec are tokens of the request.
 * - A request gets the same answer in hosted mode and as a parsed head, if both can express it.
 * - The answer fits into exactly its announced size, and into no byte less. It consists of the
 *   library's own words, with the digest of the peer's key.
 *
 * Input: eight characters (see `setting`), then lines: the target, then headers.
 */
#include "fuzz.h"

#include <strings.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

#include "answer.h"
#include "policy/admission.h"
#include "wire/http.h"
#include "wire/text.h"
#include "wire/uri.h"
#include "wire/upgrade.h"

const unsigned fuzz_runs = 40000;

enum { HEADERS = 48, LONGEST = 12000, ROUTES = 4, LISTS = 3 };
#define ID UINT64_C(0x500000007)

/* ---------------------------------------------------------------- the door */

static struct wsp_routes routes;
static struct wsp_origins origins[LISTS], any_host;
static const char *const allowed[] = {"https://a.example", "http://b.example:8080",
                                      "app://c.example:1", NULL};

static const char long_name[] =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
static const char *const names_two[] = {"one", "two", NULL};
static const char *const names_long[] = {long_name, "three", NULL};
static const char *const *const names[] = {NULL, names_two, names_long};

static const enum wspool_token_place places[][WSPOOL_TOKEN_PLACES] = {
    {WSPOOL_TOKEN_AUTHORIZATION, WSPOOL_TOKEN_SUBPROTOCOL, WSPOOL_TOKEN_COOKIE, WSPOOL_TOKEN_QUERY},
    {WSPOOL_TOKEN_QUERY, WSPOOL_TOKEN_COOKIE, WSPOOL_TOKEN_SUBPROTOCOL, WSPOOL_TOKEN_AUTHORIZATION},
    {WSPOOL_TOKEN_COOKIE},
    {WSPOOL_TOKEN_SUBPROTOCOL, WSPOOL_TOKEN_QUERY},
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct {
        const char *pattern;
        enum wspool_kind kind;
        unsigned flags;
    } made[ROUTES] = {{"/echo", WSPOOL_NONE, 0},
                      {"/all", WSPOOL_GLOBAL, 0},
                      {"/room/{name}", WSPOOL_ITEM, 0},
                      {"/open/{name}/door", WSPOOL_TOPIC, WSPOOL_ROUTE_NO_TOKEN}};
    wspool_config config;
    (void)argc;
    (void)argv;
    wspool_config_init(&config);
    for (size_t i = 0; i < ROUTES; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &config);
        options.flags = made[i].flags;
        FUZZ_DEMAND(
            wsp_routes_add(&routes, &wsp_mem_default, made[i].pattern, made[i].kind, &options) == 0,
            "a route");
    }
    FUZZ_DEMAND(wsp_origins_init(&origins[0], &wsp_mem_default, NULL) == 0, "no origins");
    FUZZ_DEMAND(wsp_origins_init(&origins[1], &wsp_mem_default, allowed) == 0, "origins");
    FUZZ_DEMAND(wsp_origins_init(&origins[2], &wsp_mem_default, NULL) == 0, "any origin");
    FUZZ_DEMAND(wsp_hosts_init(&any_host, &wsp_mem_default, NULL) == 0, "any host");
    return 0;
}

struct setting {
    unsigned good; /* bit mask of valid headers to add */
    unsigned form; /* method and version */
    size_t list;   /* which list of origins */
    size_t protocols;
    wspool_config config;
    struct wsp_admission admission;
    struct wsp_token_room room;
    wspool_verdict verdict;
    int capacity;
    int tokens;
    int capacities;
    const wspool_request *request;
    wspool_text target; /* as it came */
};

static int holds(wspool_text text, wspool_text part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (memcmp(text.data + i, part.data, part.len) == 0) {
            return 1;
        }
    }
    return 0;
}

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    struct setting *s = user;
    wspool_text token = request->token;
    int there;
    (void)pool;
    FUZZ_DEMAND(id == ID && request == s->request, "another request");
    FUZZ_DEMAND(s->tokens++ == 0 && s->capacities == 0, "asked again, or late");
    FUZZ_DEMAND(token.len > 0 && token.len <= WSPOOL_TOKEN_MAX, "a token of %zu", token.len);
    for (size_t i = 0; i < token.len; i++) {
        FUZZ_DEMAND(token.data[i] >= 33 && token.data[i] <= 126, "a token of odd bytes");
    }
    there = holds(s->target, token) || memchr(s->target.data, '%', s->target.len) != NULL;
    for (size_t i = 0; i < request->header_count && !there; i++) {
        there = holds(request->headers[i].value, token);
    }
    FUZZ_DEMAND(there, "a token that is not in the request");
    FUZZ_DEMAND(out->kind == WSPOOL_REFUSE && out->refusal == 0, "not a no");
    *out = s->verdict;
}

/* Negotiates nothing: only the offer is checked. */
static int on_offer(const wspool_extension *offer, unsigned route_flags, wspool_negotiated *out,
                    void *user)
{
    (void)user;
    FUZZ_DEMAND(route_flags == 0 && out->size == sizeof *out, "no agreement");
    FUZZ_DEMAND(wsp_text_is_token(offer->name), "an extension of another name");
    FUZZ_DEMAND(offer->param_count <= WSPOOL_EXTENSION_PARAMS, "%zu parameters",
                offer->param_count);
    for (size_t i = 0; i < offer->param_count; i++) {
        const wspool_extension_param *param = &offer->params[i];
        FUZZ_DEMAND(wsp_text_is_token(param->name), "a parameter of another name");
        FUZZ_DEMAND(param->value.data == NULL || wsp_text_is_token(param->value), "another value");
    }
    return 0;
}

static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    struct setting *s = user;
    (void)pool;
    FUZZ_DEMAND(id == ID && (request == NULL || request == s->request), "another request");
    FUZZ_DEMAND(s->capacities++ == 0, "asked again");
    return s->capacity;
}

static void set(struct setting *s, fuzz_input *in)
{
    unsigned last;
    memset(s, 0, sizeof *s);
    wspool_config_init(&s->config);
    s->good = fuzz_number(in, 32);
    s->form = fuzz_number(in, 8);
    memcpy(s->config.token_places, places[fuzz_number(in, 4)], sizeof s->config.token_places);
    s->protocols = fuzz_number(in, 3);
    s->config.subprotocols = names[s->protocols];
    s->list = fuzz_number(in, LISTS);
    s->config.any_origin = s->list == 2;
    s->config.mem = wsp_mem_default;
    last = fuzz_number(in, 5);
    if (last > 0) {
        s->config.token = (wspool_token_hook){on_token, s};
        s->verdict.size = sizeof s->verdict;
        s->verdict.kind = (enum wspool_verdict_kind)(last - 1);
    }
    s->verdict.refusal = (enum wspool_refusal)fuzz_number(in, WSPOOL_REFUSAL_COUNT + 2);
    last = fuzz_number(in, 16);
    s->config.codec.negotiate = on_offer;
    s->config.capacity = (wspool_capacity_hook){last & 1 ? on_capacity : NULL, s};
    s->capacity = last & 2 ? -1 : 0;
    s->config.retry_after = last & 2 ? UINT32_MAX : 5;
    s->admission = (struct wsp_admission){.config = &s->config,
                                          .token = &s->config.token,
                                          .capacity = &s->config.capacity,
                                          .origin = &s->config.origin,
                                          .room = &s->room,
                                          .hosts = &any_host,
                                          .routes = &routes,
                                          .origins = &origins[s->list],
                                          .full = last >> 2 == 1,
                                          .draining = last >> 2 == 2};
}

/* ----------------------------------------------------------- second judges */

static wspool_text header(const wspool_request *r, const char *name, int *times)
{
    wspool_text value = {"", 0};
    *times = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        if (r->headers[i].name.len == strlen(name) &&
            strncasecmp(r->headers[i].name.data, name, strlen(name)) == 0) {
            value = r->headers[i].value;
            ++*times;
        }
    }
    return value;
}

/* Writes host:port of an authority in lower case. Returns 0 if it is malformed. */
static int authority(const char *text, const char *scheme, char *out, size_t size)
{
    const char *port = strrchr(text, ':');
    if (port != NULL && strchr(port, ']') != NULL) {
        port = NULL; /* a colon inside an IPv6 address */
    }
    if (port == NULL) {
        port = strcmp(scheme, "http") == 0 || strcmp(scheme, "ws") == 0     ? ":80"
               : strcmp(scheme, "https") == 0 || strcmp(scheme, "wss") == 0 ? ":443"
                                                                            : NULL;
        return port != NULL && (size_t)snprintf(out, size, "%s%s", text, port) < size;
    }
    return (size_t)snprintf(out, size, "%s", text) < size;
}

/* Returns 1 if a page with this Origin may connect to this Host. Texts as sent. */
static int may_come(wspool_text origin, wspool_text host, int list)
{
    char scheme[600], other[600], mine[600], theirs[600];
    char *rest;
    if (origin.len >= 500 || host.len >= 500) {
        return 1; /* too long for this judge */
    }
    snprintf(scheme, sizeof scheme, "%.*s", (int)origin.len, origin.data);
    snprintf(other, sizeof other, "%.*s", (int)host.len, host.data);
    for (char *c = scheme; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    for (char *c = other; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    rest = strstr(scheme, "://");
    if (rest == NULL || strlen(scheme) != origin.len) {
        return 0;
    }
    *rest = '\0';
    if (!authority(rest + 3, scheme, theirs, sizeof theirs)) {
        return 0;
    }
    if (authority(other, scheme, mine, sizeof mine) && strcmp(mine, theirs) == 0) {
        return 1;
    }
    return list && ((strcmp(scheme, "https") == 0 && strcmp(theirs, "a.example:443") == 0) ||
                    (strcmp(scheme, "http") == 0 && strcmp(theirs, "b.example:8080") == 0) ||
                    (strcmp(scheme, "app") == 0 && strcmp(theirs, "c.example:1") == 0));
}

static void digest(wspool_text key, char accept[WSP_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    struct sha1_ctx sha1;
    uint8_t sum[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, key.len, (const uint8_t *)key.data);
    sha1_update(&sha1, strlen(guid), (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof sum, sum);
    base64_encode_raw(accept, sizeof sum, sum);
    accept[WSP_ACCEPT_LEN] = '\0';
}

/* Checks a request that passed the wire's checks, whether or not it was admitted. */
static void demand_sound(const struct setting *s, const wspool_request *r,
                         const struct wsp_entry *entry)
{
    int hosts, keys, there, cookies, lengths;
    wspool_text host = header(r, "Host", &hosts);
    wspool_text key = header(r, "Sec-WebSocket-Key", &keys);
    wspool_text version = header(r, "Sec-WebSocket-Version", &there);
    wspool_text origin, length;
    struct wsp_target target;
    FUZZ_DEMAND(hosts == 1 && host.len > 0 && memchr(host.data, ',', host.len) == NULL, "Host");
    FUZZ_DEMAND(keys == 1 && key.len == 24 && memcmp(key.data + 22, "==", 2) == 0, "the key");
    FUZZ_DEMAND(there == 1 && version.len == 2 && memcmp(version.data, "13", 2) == 0, "13");
    FUZZ_DEMAND(r->method.len == 3 && memcmp(r->method.data, "GET", 3) == 0, "GET");
    FUZZ_DEMAND(r->http_major == 1 && r->http_minor >= 1, "HTTP/1.1");
    (void)header(r, "Transfer-Encoding", &there);
    length = header(r, "Content-Length", &lengths);
    FUZZ_DEMAND(there == 0 && lengths <= 1 && (lengths == 0 || length.data[0] == '0'), "a body");
    (void)header(r, "Upgrade", &there);
    FUZZ_DEMAND(there > 0, "Upgrade");
    (void)header(r, "Connection", &there);
    FUZZ_DEMAND(there > 0, "Connection");
    FUZZ_DEMAND(entry->name_len <= WSPOOL_NAME_MAX && entry->route < ROUTES, "the route");
    FUZZ_DEMAND(entry->query.len == 0 ||
                    (entry->query.data > r->target.data &&
                     entry->query.data + entry->query.len == r->target.data + r->target.len),
                "the query");
    FUZZ_DEMAND(memchr(entry->name, '/', entry->name_len) == NULL, "a slash in a name");
    FUZZ_DEMAND(!s->admission.full && !s->admission.draining, "full");
    if (s->list == 2) {
        return;
    }
    FUZZ_DEMAND(wsp_uri_split(r->target, &target) == 0, "the target");
    host = target.authority.len > 0 ? target.authority : host;
    origin = header(r, "Origin", &there);
    (void)header(r, "Cookie", &cookies);
    FUZZ_DEMAND(there == 1 ? may_come(origin, host, s->list == 1) : cookies == 0,
                "from Origin %.*s to Host %.*s", (int)origin.len, origin.data, (int)host.len,
                host.data);
}

/* ---------------------------------------------------------------- answers */

static void write_answer(const struct setting *s, const wspool_answer *answer, const char *accept)
{
    reader r = {.body_len = -1};
    char text[WSP_UPGRADE_MAX];
    int len = wsp_upgrade_write(answer, (wspool_text){0}, text, sizeof text);
    char *room;
    FUZZ_DEMAND(len > 0 && len <= WSP_UPGRADE_MAX, "%d bytes", len);
    FUZZ_DEMAND(answer->header_count <= WSPOOL_ANSWER_HEADERS, "too many headers");
    room = fuzz_copy(text, (size_t)len);
    FUZZ_DEMAND(wsp_upgrade_write(answer, (wspool_text){0}, room, (size_t)len) == len,
                "it fits exactly");
    fuzz_free(room, (size_t)len);
    room = fuzz_copy(text, (size_t)len - 1);
    FUZZ_DEMAND(wsp_upgrade_write(answer, (wspool_text){0}, room, (size_t)len - 1) == -1,
                "it fits into less");
    fuzz_free(room, (size_t)len - 1);
    reader_take(&r, text, (size_t)len);
    FUZZ_DEMAND(r.fault == NULL && r.status == answer->status, "%s", r.fault ? r.fault : "?");
    fuzz_judge_answer(&r, accept, names[s->protocols]);
    reader_free(&r);
}

/* The answer as a number: 0 admitted, 1 pending, or a refusal. */
static int judge(struct setting *s, wspool_request *request)
{
    struct wsp_entry entry = {.stage = WSPOOL_STAGE_BYTES};
    wspool_answer answer;
    char accept[WSP_ACCEPT_LEN + 1] = "";
    int keys;
    s->request = request;
    s->target = request->target;
    s->tokens = s->capacities = 0;
    int rc = wsp_admission_judge(&s->admission, ID, request, &entry);
    FUZZ_DEMAND(rc <= WSP_POSTPONED && rc >= -(int)WSPOOL_REFUSAL_COUNT, "%d", rc);
    FUZZ_DEMAND(rc != WSP_POSTPONED ||
                    (s->tokens == 1 && s->capacities == 0 && s->verdict.kind == WSPOOL_PENDING),
                "pending without a pending hook");
    if (s->tokens > 0 || rc >= 0) {
        demand_sound(s, request, &entry);
    }
    if (rc == WSP_POSTPONED) {
        wspool_verdict verdict = s->verdict;
        verdict.kind = s->verdict.refusal % 2 ? WSPOOL_ACCEPT : WSPOOL_REFUSE;
        rc = wsp_admission_resume(&s->admission, ID, &verdict, &entry);
        FUZZ_DEMAND(rc <= 0 && (rc < 0) >= (verdict.kind == WSPOOL_REFUSE), "%d", rc);
    }
    if (rc == WSP_ADMITTED) {
        int open = (routes.list[entry.route].flags & WSPOOL_ROUTE_NO_TOKEN) != 0;
        FUZZ_DEMAND(s->tokens == (s->config.token.call != NULL && !open), "the token");
        FUZZ_DEMAND(!s->tokens || s->verdict.kind != WSPOOL_REFUSE, "refused and admitted");
        FUZZ_DEMAND(s->capacities == (s->config.capacity.call != NULL), "the capacity");
        FUZZ_DEMAND(!s->capacities || s->capacity == 0, "full and admitted");
        digest(header(request, "Sec-WebSocket-Key", &keys), accept);
        FUZZ_DEMAND(strcmp(entry.accept, accept) == 0, "another digest");
        wsp_upgrade_accept(&answer, entry.accept, entry.subprotocol, wsp_entry_extension(&entry));
    } else {
        enum wspool_refusal refusal = (enum wspool_refusal)(-rc - 1);
        FUZZ_DEMAND(wspool_refusal_status(refusal) >= 400, "%s", wspool_refusal_reason(refusal));
        wsp_upgrade_refuse(&answer, refusal, s->config.retry_after);
    }
    write_answer(s, &answer, accept);
    wsp_entry_fini(&entry, &wsp_mem_default);
    return rc;
}

/* --------------------------------------------------------------- requests */

static const char *const good[] = {
    "Host: pool.example", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"};
static const char *const methods[] = {"GET", "GET", "GET", "GET", "GET", "HEAD", "get", ""};
static const int versions[][2] = {{1, 1}, {1, 1}, {1, 1}, {2, 0}, {1, 0}, {1, 1}, {1, 1}, {0, 9}};

static wspool_text trimmed(wspool_text text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

static void add_header(wspool_request *request, wspool_header *headers, const char *line,
                       size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name = colon != NULL ? (size_t)(colon - line) : len;
    wspool_text value = {line + name, len - name};
    if (colon != NULL) {
        value.data++;
        value.len--;
    }
    headers[request->header_count].name = (wspool_text){line, name};
    headers[request->header_count++].value = trimmed(value);
}

static void as_head(blob *head, const wspool_request *r)
{
    blob_print(head, "%.*s ", (int)r->method.len, r->method.data);
    blob_add(head, r->target.data, r->target.len);
    blob_print(head, " HTTP/%d.%d\r\n", r->http_major, r->http_minor);
    for (size_t i = 0; i < r->header_count; i++) {
        blob_add(head, r->headers[i].name.data, r->headers[i].name.len);
        blob_text(head, ":");
        blob_add(head, r->headers[i].value.data, r->headers[i].value.len);
        blob_text(head, "\r\n");
    }
    blob_text(head, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setting s;
    fuzz_input in = {data, size};
    fuzz_input line = {NULL, 0};
    wspool_header headers[HEADERS], parsed[HEADERS];
    wspool_request request = {.size = sizeof request, .headers = headers};
    wspool_request again = {.size = sizeof again};
    blob head = {0};
    char *bytes;
    int rc;
    if (size > LONGEST) {
        return 0;
    }
    set(&s, &in);
    (void)fuzz_line(&in, &line);
    request.method = (wspool_text){methods[s.form], strlen(methods[s.form])};
    request.target = (wspool_text){(const char *)line.data, line.len};
    request.http_major = versions[s.form][0];
    request.http_minor = versions[s.form][1];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (s.good >> i & 1) {
            add_header(&request, headers, good[i], strlen(good[i]));
        }
    }
    while (request.header_count < HEADERS && fuzz_line(&in, &line)) {
        add_header(&request, headers, (const char *)line.data, line.len);
    }
    as_head(&head, &request);
    if (wsp_http_judge_line(&request) ||
        wsp_http_judge_headers(&request, HEADERS, head.len + HEADERS)) {
        blob_free(&head);
        return 0;
    }
    rc = judge(&s, &request);
    bytes = fuzz_copy(head.data, head.len);
    if (wsp_http_parse(bytes, head.len, 0, &again, parsed, HEADERS) == (int)head.len) {
        int other = judge(&s, &again);
        FUZZ_DEMAND(rc == other, "handed in: %d, parsed: %d", rc, other);
    }
    fuzz_free(bytes, head.len);
    blob_free(&head);
    return 0;
}
