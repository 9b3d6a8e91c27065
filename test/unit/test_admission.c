/* SPDX-License-Identifier: MIT */
/*
 * unit/test_admission.c - policy/admission.h: the order of the stages, the arguments of the hooks,
 * and the use of their results.
 *
 * Each case judges a request in all three forms of request.h and compares the results. Requests
 * with exactly one fault show which stage refuses, with which status, and which hooks were called
 * before it. The codec of toy.h shows how extensions are negotiated.
 */
#include "request.h"
#include "toy.h"

#include <wspool/wspool.h>

#include "policy/admission.h"

#define KEY_LINE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
#define GOOD_HEADERS \
    "Host: a.example\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: " \
    "13\n" KEY_LINE

/* What a request is checked against, what the hooks return and what they were asked. */
struct door {
    struct wsp_admission admission;
    struct wsp_token_room room;
    wspool_config config;
    wspool_mem mem;
    struct wsp_routes routes;
    struct wsp_origins origins, hosts;
    wspool *pool; /* never dereferenced: any address will do */
    /* the token hook */
    wspool_verdict verdict;
    int tokens;
    char token[64];
    wspool_request seen;
    /* the capacity hook */
    int full;
    int capacities;
    int request_given;
};

#define ID UINT64_C(0x500000007)

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    struct door *d = user;
    assert_ptr_equal(pool, d->pool);
    assert_true(id == ID);
    assert_int_equal(out->size, sizeof *out);
    assert_int_equal(out->kind, WSPOOL_REFUSE); /* the default is a refusal */
    assert_int_equal(out->refusal, 0);
    assert_null(out->identity);
    assert_in_range(request->token.len, 1, sizeof d->token - 1);
    memcpy(d->token, request->token.data, request->token.len);
    d->token[request->token.len] = '\0';
    d->seen = *request;
    d->tokens++;
    *out = d->verdict;
}

static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    struct door *d = user;
    assert_ptr_equal(pool, d->pool);
    assert_true(id == ID);
    d->capacities++;
    d->request_given = request != NULL;
    if (request) {
        assert_int_equal(request->token.len, 0); /* only the token hook may see the token */
        assert_null(request->token.data);
    }
    return d->full;
}

static void open_door(struct door *d)
{
    static const char *const subprotocols[] = {"v1", "v2", NULL};
    memset(d, 0, sizeof *d);
    d->mem = wsp_mem_default;
    wspool_config_init(&d->config);
    d->config.mem = d->mem;
    d->config.subprotocols = subprotocols;
    d->config.token = (wspool_token_hook){on_token, d};
    d->config.capacity = (wspool_capacity_hook){on_capacity, d};
    d->verdict = (wspool_verdict){.size = sizeof d->verdict, .kind = WSPOOL_ACCEPT, .identity = d};
    wspool_route_options options;
    wspool_route_options_init(&options, &d->config);
    options.user = &d->routes;
    assert_int_equal(wsp_routes_add(&d->routes, &d->mem, "/none", WSPOOL_NONE, &options), 0);
    assert_int_equal(wsp_routes_add(&d->routes, &d->mem, "/room/{x}", WSPOOL_ITEM, &options), 0);
    options.flags = WSPOOL_ROUTE_NO_TOKEN;
    assert_int_equal(wsp_routes_add(&d->routes, &d->mem, "/open", WSPOOL_NONE, &options), 0);
    assert_int_equal(wsp_origins_init(&d->origins, &d->mem, NULL), 0);
    d->pool = (wspool *)(void *)&d->tokens;
    d->admission = (struct wsp_admission){.pool = d->pool,
                                          .config = &d->config,
                                          .token = &d->config.token,
                                          .capacity = &d->config.capacity,
                                          .origin = &d->config.origin,
                                          .room = &d->room,
                                          .hosts = &d->hosts,
                                          .routes = &d->routes,
                                          .origins = &d->origins};
}

static void close_door(struct door *d)
{
    wsp_routes_fini(&d->routes, &d->mem);
    wsp_origins_fini(&d->origins, &d->mem);
}

/* Judges the request in each form; the results must be the same. */
static int judge(struct door *d, const char *target, const char *headers, struct wsp_entry *entry)
{
    int answer = 0, first = 1;
    for (int encoding = 0; encoding < REQUEST_FORMS; encoding++) {
        struct test_request r;
        if (!request_make(&r, encoding, target, headers)) {
            continue;
        }
        memset(entry, 0xa5, sizeof *entry); /* it need not be initialised */
        int again = wsp_admission_judge(&d->admission, ID, &r.request, entry);
        assert_true(first || answer == again);
        answer = again;
        first = 0;
        /* Clears it: a pointer into the request does not outlive the request. */
        entry->query = (wspool_text){0};
        wsp_entry_fini(entry, &d->mem);
        request_free(&r);
    }
    return answer;
}

TEST(request_comes_in_when_all_is_well)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    assert_int_equal(judge(&d, "/room/a%20b?token=secret&x=1",
                           GOOD_HEADERS "\nSec-WebSocket-Protocol: v9, v2, v1", &entry),
                     WSP_ADMITTED);
    assert_int_equal(entry.stage, WSPOOL_STAGE_VERDICT);
    assert_int_equal(entry.route, 1);
    assert_int_equal(entry.name_len, 3);
    assert_memory_equal(entry.name, "a b", 3);
    assert_string_equal(entry.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_ptr_equal(entry.subprotocol, d.config.subprotocols[1]);
    assert_ptr_equal(entry.identity, &d);
    assert_int_equal(d.tokens, REQUEST_FORMS);
    assert_int_equal(d.capacities, REQUEST_FORMS);
    assert_true(d.request_given);
    /* The arguments of the hooks. */
    assert_string_equal(d.token, "secret");
    assert_ptr_equal(d.seen.route_user, &d.routes);
    assert_int_equal(d.seen.channel.len, 3);
    assert_int_equal(d.seen.subprotocol.len, 2);
    assert_ptr_equal(d.seen.subprotocol.data, d.config.subprotocols[1]);
    close_door(&d);
}

/* Each entry has one fault. The stages come in their order, cheap checks first. */
static const struct fault {
    const char *what;
    enum wspool_stage stage;
    enum wspool_refusal refusal;
    const char *target;  /* NULL: a valid target */
    const char *headers; /* NULL: valid headers */
} faults[] = {
    {"target", WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_MALFORMED, "no slash", NULL},
    {"route", WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_NO_ROUTE, "/nowhere", NULL},
    {"escape", WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_MALFORMED, "/room/%zz", NULL},
    {"host", WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_HOST, NULL, "Upgrade: websocket"},
    {"authority", WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_HOST, "http://u@a.example/none", NULL},
    {"hosts", WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_MALFORMED, NULL, GOOD_HEADERS "\nHost: b"},
    {"body", WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_BODY, NULL, GOOD_HEADERS "\nContent-Length: 1"},
    {"upgrade", WSPOOL_STAGE_VERSION, WSPOOL_REFUSED_UPGRADE, NULL, "Host: a.example"},
    {"version", WSPOOL_STAGE_VERSION, WSPOOL_REFUSED_VERSION, NULL,
     "Host: a.example\nUpgrade: websocket\nConnection: upgrade\nSec-WebSocket-Version: "
     "8\n" KEY_LINE},
    {"key", WSPOOL_STAGE_KEY, WSPOOL_REFUSED_KEY, NULL,
     "Host: a.example\nUpgrade: websocket\nConnection: upgrade\nSec-WebSocket-Version: 13\n"
     "Sec-WebSocket-Key: test"},
    {"subprotocol", WSPOOL_STAGE_KEY, WSPOOL_REFUSED_MALFORMED, NULL,
     GOOD_HEADERS "\nSec-WebSocket-Protocol: a b"},
    {"extensions", WSPOOL_STAGE_KEY, WSPOOL_REFUSED_MALFORMED, NULL,
     GOOD_HEADERS "\nSec-WebSocket-Extensions: a b"},
    {"origin", WSPOOL_STAGE_ORIGIN, WSPOOL_REFUSED_ORIGIN, NULL,
     GOOD_HEADERS "\nOrigin: https://evil.example"},
    {"cookie", WSPOOL_STAGE_ORIGIN, WSPOOL_REFUSED_ORIGIN, NULL, GOOD_HEADERS "\nCookie: a=b"},
    {"no token", WSPOOL_STAGE_TOKEN, WSPOOL_REFUSED_TOKEN_EMPTY, "/none", NULL},
    {"bad token", WSPOOL_STAGE_TOKEN, WSPOOL_REFUSED_TOKEN_MALFORMED, "/none?token=a%20b", NULL},
};

TEST(request_is_refused_at_its_stage_when_one_thing_is_wrong)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const struct fault *f = &faults[i];
        struct door d;
        struct wsp_entry entry;
        open_door(&d);
        int answer = judge(&d, f->target ? f->target : "/none?token=t",
                           f->headers ? f->headers : GOOD_HEADERS, &entry);
        if (answer != -(int)f->refusal - 1 || entry.stage != f->stage) {
            fail_msg("%s: refused with %d at %d", f->what, -answer - 1, entry.stage);
        }
        assert_int_equal(d.tokens, 0); /* the hooks of the host are called last */
        assert_int_equal(d.capacities, 0);
        assert_null(entry.identity);
        close_door(&d);
    }
}

/* A full pool refuses before any hook is called, but only after the request was found valid. */
TEST(request_is_refused_when_the_pool_is_full_or_draining)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    d.admission.full = 1;
    assert_int_equal(judge(&d, "/none", GOOD_HEADERS "\nOrigin: null", &entry), REFUSED(FULL));
    assert_int_equal(entry.stage, WSPOOL_STAGE_CAPS);
    assert_int_equal(judge(&d, "/none", "Host: a.example", &entry), REFUSED(UPGRADE));
    d.admission.draining = 1;
    assert_int_equal(judge(&d, "/none", GOOD_HEADERS, &entry), REFUSED(DRAINING));
    d.admission.full = 0;
    assert_int_equal(judge(&d, "/open", GOOD_HEADERS, &entry), REFUSED(DRAINING));
    assert_int_equal(d.tokens + d.capacities, 0);
    close_door(&d);
}

TEST(token_is_not_asked_for_when_the_route_is_open_or_nobody_judges)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    assert_int_equal(judge(&d, "/open", GOOD_HEADERS, &entry), WSP_ADMITTED);
    assert_int_equal(judge(&d, "/open?token=t", GOOD_HEADERS, &entry), WSP_ADMITTED);
    assert_null(entry.identity);
    assert_int_equal(d.tokens, 0);
    assert_true(d.capacities > 0); /* the capacity hook is called on every route */
    d.config.token.call = NULL;
    assert_int_equal(judge(&d, "/none", GOOD_HEADERS, &entry), WSP_ADMITTED);
    d.config.capacity.call = NULL;
    assert_int_equal(judge(&d, "/none", GOOD_HEADERS, &entry), WSP_ADMITTED);
    assert_int_equal(entry.stage, WSPOOL_STAGE_VERDICT);
    close_door(&d);
}

TEST(token_is_looked_for_in_the_configured_places_only)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    memset(d.config.token_places, 0, sizeof d.config.token_places);
    d.config.token_places[0] = WSPOOL_TOKEN_AUTHORIZATION;
    assert_int_equal(judge(&d, "/none?token=t", GOOD_HEADERS, &entry), REFUSED(TOKEN_EMPTY));
    assert_int_equal(
        judge(&d, "/none?token=t", GOOD_HEADERS "\nAuthorization: Bearer other", &entry),
        WSP_ADMITTED);
    assert_string_equal(d.token, "other");
    close_door(&d);
}

/* All refusals that exist, and some values that are none. */
TEST(refusal_of_a_verdict_is_taken_when_it_is_one_of_a_verdict)
{
    for (int n = -2; n < WSPOOL_REFUSAL_COUNT + 3; n++) {
        struct door d;
        struct wsp_entry entry;
        int status =
            n >= 0 && n < WSPOOL_REFUSAL_COUNT ? wspool_refusal_status((enum wspool_refusal)n) : 0;
        int kept = status == 401 || status == 403 || status == 429 || status == 503;
        int expected = kept ? -n - 1 : REFUSED(TOKEN_INVALID);
        open_door(&d);
        d.verdict.kind = WSPOOL_REFUSE;
        d.verdict.refusal = (enum wspool_refusal)n;
        assert_int_equal(judge(&d, "/none?token=t", GOOD_HEADERS, &entry), expected);
        assert_int_equal(entry.stage, WSPOOL_STAGE_TOKEN);
        assert_null(entry.identity); /* a refusal carries no identity */
        assert_int_equal(d.capacities, 0);
        assert_int_equal(wsp_admission_resume(&d.admission, ID, &d.verdict, &entry), expected);
        assert_null(entry.identity);
        assert_int_equal(d.capacities, 0);
        close_door(&d);
    }
}

TEST(verdict_is_a_no_when_it_is_none_that_we_know)
{
    for (int kind = -1; kind < 6; kind++) {
        struct door d;
        struct wsp_entry entry;
        open_door(&d);
        d.verdict.kind = (enum wspool_verdict_kind)kind;
        d.verdict.refusal = WSPOOL_REFUSED_NOT_ALLOWED;
        int expected = kind == WSPOOL_ACCEPT    ? WSP_ADMITTED
                       : kind == WSPOOL_PENDING ? WSP_POSTPONED
                                                : REFUSED(NOT_ALLOWED);
        assert_int_equal(judge(&d, "/none?token=t", GOOD_HEADERS, &entry), expected);
        assert_true((entry.identity != NULL) == (kind == WSPOOL_ACCEPT));
        assert_true((d.capacities > 0) == (kind == WSPOOL_ACCEPT));
        if (kind == WSPOOL_PENDING) {
            assert_int_equal(entry.stage, WSPOOL_STAGE_TOKEN);
        }
        close_door(&d);
    }
}

TEST(capacity_is_a_no_when_it_is_anything_but_zero)
{
    static const int answers[] = {1, -1, 2, 1 << 30, 256};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct door d;
        struct wsp_entry entry;
        open_door(&d);
        d.full = answers[i];
        assert_int_equal(judge(&d, "/none?token=t", GOOD_HEADERS, &entry), REFUSED(CAPACITY));
        assert_int_equal(entry.stage, WSPOOL_STAGE_CAPACITY);
        /* the hook gave an identity, and the caller must free it */
        assert_ptr_equal(entry.identity, &d);
        close_door(&d);
    }
}

/* ------------------------------------------------------------------ codec */

#define OFFERS GOOD_HEADERS "\nSec-WebSocket-Extensions: "
#define NEGOTIATED "x-toy; form=2; reading=3"

TEST(offer_that_comes_first_is_taken_when_there_are_many)
{
    static const struct {
        const char *headers;
        const char *negotiated; /* NULL: nothing was negotiated */
        unsigned encoding, decoder;
        size_t asked;
    } cases[] = {
        {GOOD_HEADERS, NULL, 0, 0, 0},
        {OFFERS, NULL, 0, 0, 0},
        {OFFERS "x-toy;form=2;reading=3", NEGOTIATED, 2, 3, 1},
        {OFFERS "x-toy;form=2;reading=3, x-toy;form=4", NEGOTIATED, 2, 3, 1},
        {OFFERS "other, x-toy;form=2;reading=3, x-toy", NEGOTIATED, 2, 3, 2},
        {OFFERS "other\nSec-WebSocket-Extensions: x-toy; reading = \"3\"; form=2", NEGOTIATED, 2, 3,
         2},
        {OFFERS "x-toy;unknown, x-toy;form=2;reading=3", NEGOTIATED, 2, 3, 2},
        {OFFERS "x-toy;form=0, x-toy;form=2;reading=3", NEGOTIATED, 2, 3, 2},
        {OFFERS "x-toy;form=16, x-toy;reading=16, x-toy;form=2;reading=3", NEGOTIATED, 2, 3, 3},
        {OFFERS "x-toy;form=15;reading=15", "x-toy; form=15; reading=15", 15, 15, 1},
        {OFFERS "a, b;c, d;e=f", NULL, 0, 0, 3},
        /* the offer is skipped */
        {OFFERS "x-toy;a=\"\\b\", x-toy;a;b;c;d;e;f;g;h;i", NULL, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct door d;
        struct wsp_entry entry;
        struct toy toy = {.mem = NULL};
        open_door(&d);
        d.config.codec = toy_hook(&toy);
        assert_int_equal(judge(&d, "/open", cases[i].headers, &entry), WSP_ADMITTED);
        assert_int_equal(entry.negotiated.encoding, cases[i].encoding);
        assert_int_equal(entry.negotiated.decoder, cases[i].decoder);
        if (cases[i].negotiated) {
            assert_string_equal(wsp_entry_extension(&entry), cases[i].negotiated);
        } else {
            assert_null(wsp_entry_extension(&entry));
        }
        /* the codec is asked once per form of the request, and not again */
        assert_true(toy.agrees == (REQUEST_FORMS - 1) * cases[i].asked ||
                    toy.agrees == REQUEST_FORMS * cases[i].asked);
        close_door(&d);
    }
}

TEST(list_of_extensions_is_refused_when_malformed_even_behind_an_negotiation)
{
    static const char *const bad[] = {
        OFFERS ";",
        OFFERS "x-toy;",
        OFFERS "x-toy, ;",
        OFFERS "x-toy, a b",
        OFFERS "x-toy\nSec-WebSocket-Extensions: a;b=\"",
        OFFERS "x-toy, a;b=\"c d\"",
        OFFERS "a;b;c;d;e;f;g;h;i;j;=",
    };
    /* without a codec extensions are ignored, but a malformed header is not */
    for (int with = 0; with < 2; with++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct door d;
            struct wsp_entry entry;
            struct toy toy = {.mem = NULL};
            open_door(&d);
            if (with) {
                d.config.codec = toy_hook(&toy);
            }
            assert_int_equal(judge(&d, "/open", bad[i], &entry), REFUSED(MALFORMED));
            assert_int_equal(entry.stage, WSPOOL_STAGE_KEY);
            close_door(&d);
        }
    }
}

TEST(extensions_are_ignored_when_there_is_no_codec)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    assert_int_equal(judge(&d, "/open", OFFERS "x-toy, permessage-deflate; a=b", &entry),
                     WSP_ADMITTED);
    assert_int_equal(entry.negotiated.encoding, 0);
    assert_null(wsp_entry_extension(&entry));
    close_door(&d);
}

TEST(negotiation_is_not_taken_when_it_is_nonsense)
{
    for (int nonsense = TOY_SENSE; nonsense < TOY_NONSENSES; nonsense++) {
        struct door d;
        struct wsp_entry entry;
        struct toy toy = {.mem = NULL, .nonsense = nonsense};
        open_door(&d);
        d.config.codec = toy_hook(&toy);
        assert_int_equal(judge(&d, "/open", OFFERS "x-toy, x-toy;form=3", &entry), WSP_ADMITTED);
        assert_int_equal(entry.negotiated.encoding, nonsense == TOY_SENSE);
        assert_true(!wsp_entry_extension(&entry) == (nonsense != TOY_SENSE));
        close_door(&d);
    }
}

/* Makes a response of the longest accepted length: its NUL is the last byte of the buffer. */
static int negotiate_at_length(const wspool_extension *offer, unsigned route_flags,
                               wspool_negotiated *out, void *user)
{
    (void)offer, (void)route_flags;
    memset(out->answer, '~', sizeof out->answer);
    if (*(int *)user) {
        out->answer[sizeof out->answer - 1] = '\0';
    }
    out->answer[0] = ' ';
    out->encoding = 1;
    return 1;
}

TEST(negotiation_is_taken_when_it_just_fits)
{
    for (int fits = 0; fits < 2; fits++) {
        struct door d;
        struct wsp_entry entry;
        open_door(&d);
        d.config.codec = (wspool_codec_hook){.negotiate = negotiate_at_length, .user = &fits};
        assert_int_equal(judge(&d, "/open", OFFERS "x", &entry), WSP_ADMITTED);
        assert_int_equal(entry.negotiated.encoding, fits);
        assert_int_equal(fits ? strlen(wsp_entry_extension(&entry)) : WSPOOL_NEGOTIATED_BYTES - 1,
                         WSPOOL_NEGOTIATED_BYTES - 1);
        close_door(&d);
    }
}

TEST(route_flags_of_the_route_are_told_to_the_codec)
{
    struct door d;
    struct wsp_entry entry;
    struct toy toy = {.mem = NULL, .route_flags = 77};
    open_door(&d);
    d.config.codec = toy_hook(&toy);
    wspool_route_options options;
    wspool_route_options_init(&options, &d.config);
    assert_int_equal(options.codec, 0);
    options.flags = WSPOOL_ROUTE_NO_TOKEN;
    options.codec = 0xfedcba98u;
    assert_int_equal(wsp_routes_add(&d.routes, &d.mem, "/wish", WSPOOL_NONE, &options), 0);
    assert_int_equal(judge(&d, "/open", OFFERS "x-toy", &entry), WSP_ADMITTED);
    assert_int_equal(toy.route_flags, 0);
    assert_int_equal(judge(&d, "/wish", OFFERS "x-toy", &entry), WSP_ADMITTED);
    assert_int_equal(toy.route_flags, 0xfedcba98u);
    close_door(&d);
}

TEST(late_verdict_is_followed_by_what_may_have_changed)
{
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    d.verdict.kind = WSPOOL_PENDING;
    assert_int_equal(judge(&d, "/none?token=t", GOOD_HEADERS, &entry), WSP_POSTPONED);
    struct wsp_entry postpone = entry;
    int asked = d.tokens;
    wspool_verdict yes = {.size = sizeof yes, .kind = WSPOOL_ACCEPT, .identity = &yes};

    assert_int_equal(wsp_admission_resume(&d.admission, ID, &yes, &entry), WSP_ADMITTED);
    assert_int_equal(entry.stage, WSPOOL_STAGE_VERDICT);
    assert_ptr_equal(entry.identity, &yes);
    assert_int_equal(d.capacities, 1);
    assert_false(d.request_given);
    assert_string_equal(entry.accept, postpone.accept);

    entry = postpone;
    d.admission.full = 1;
    assert_int_equal(wsp_admission_resume(&d.admission, ID, &yes, &entry), REFUSED(FULL));
    assert_ptr_equal(entry.identity, &yes);
    d.admission.draining = 1;
    assert_int_equal(wsp_admission_resume(&d.admission, ID, &yes, &entry), REFUSED(DRAINING));
    assert_int_equal(d.capacities, 1);
    d.admission.full = d.admission.draining = 0;
    d.full = 1;
    assert_int_equal(wsp_admission_resume(&d.admission, ID, &yes, &entry), REFUSED(CAPACITY));
    assert_int_equal(entry.stage, WSPOOL_STAGE_CAPACITY);
    assert_int_equal(d.tokens, asked); /* the token is judged once */
    close_door(&d);
}

static int asked_origins;

static int on_origin(wspool *pool, wspool_id id, const wspool_request *request, wspool_text origin,
                     void *user)
{
    struct door *d = user;
    assert_ptr_equal(pool, d->pool);
    assert_true(id == ID);
    assert_int_equal(request->token.len, 0);
    asked_origins++;
    return text_equals(origin, "https://later.example") ? 1
           : text_equals(origin, "https://2.example")   ? 2
                                                        : 0;
}

TEST(origin_hook_is_asked_about_strangers_only)
{
    static const struct {
        const char *headers;
        int asked, answer;
    } cases[] = {
        {GOOD_HEADERS, 0, WSP_ADMITTED},
        {GOOD_HEADERS "\nOrigin: http://a.example", 0, WSP_ADMITTED},
        {GOOD_HEADERS "\nOrigin: https://later.example", 1, WSP_ADMITTED},
        {GOOD_HEADERS "\nOrigin: https://2.example", 1, REFUSED(ORIGIN)}, /* only 1 is a yes */
        {GOOD_HEADERS "\nOrigin: anything", 1, REFUSED(ORIGIN)},
        {GOOD_HEADERS "\nCookie: a=b", 0, REFUSED(ORIGIN)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct door d;
        struct wsp_entry entry;
        open_door(&d);
        d.config.origin = (wspool_origin_hook){on_origin, &d};
        asked_origins = 0;
        assert_int_equal(judge(&d, "/open", cases[i].headers, &entry), cases[i].answer);
        assert_int_equal(asked_origins, cases[i].asked * REQUEST_FORMS);
        close_door(&d);
    }
}

/* Any page can make a browser send its cookies. */
TEST(cookie_is_a_token_only_when_the_origin_is_trusted)
{
    static const struct {
        const char *origin;
        int any_origin, answer;
    } cases[] = {
        {"\nOrigin: http://a.example", 0, WSP_ADMITTED},
        {"\nOrigin: http://a.example", 1, WSP_ADMITTED},
        {"\nOrigin: https://later.example", 0, WSP_ADMITTED}, /* by the hook */
        {"\nOrigin: https://later.example", 1, REFUSED(TOKEN_EMPTY)},
        {"\nOrigin: https://evil.example", 1, REFUSED(TOKEN_EMPTY)},
        {"\nOrigin: null", 1, REFUSED(TOKEN_EMPTY)},
        {"", 1, REFUSED(TOKEN_EMPTY)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct door d;
        struct wsp_entry entry;
        char headers[512];
        open_door(&d);
        d.config.origin = (wspool_origin_hook){on_origin, &d};
        d.config.any_origin = cases[i].any_origin;
        snprintf(headers, sizeof headers, "%s\nCookie: wspool_token=c%s", GOOD_HEADERS,
                 cases[i].origin);
        if (judge(&d, "/none", headers, &entry) != cases[i].answer) {
            fail_msg("case %zu", i);
        }
        close_door(&d);
    }
}

TEST(hosts_that_are_not_listed_are_refused)
{
    static const char *const list[] = {"a.example", NULL};
    struct door d;
    struct wsp_entry entry;
    open_door(&d);
    assert_int_equal(wsp_hosts_init(&d.hosts, &d.mem, list), 0);
    assert_int_equal(judge(&d, "/open", GOOD_HEADERS, &entry), WSP_ADMITTED);
    assert_int_equal(judge(&d, "http://evil.example/open", GOOD_HEADERS, &entry),
                     REFUSED(OTHER_HOST));
    assert_int_equal(entry.stage, WSPOOL_STAGE_HEADERS);
    assert_int_equal(judge(&d, "/open",
                           "Host: evil.example\nOrigin: http://evil.example\nUpgrade: websocket\n"
                           "Connection: Upgrade\nSec-WebSocket-Version: 13\n" KEY_LINE,
                           &entry),
                     REFUSED(OTHER_HOST));
    wsp_origins_fini(&d.hosts, &d.mem);
    close_door(&d);
}

static const char *const targets[] = {"/none?token=secret", "/none?a=b&token=secret",
                                      "/none?token=secret&a=b", "/none?a=b&token=secret&c=d"};

static void look_for_the_secret(struct door *d)
{
    for (size_t i = 0; i < d->seen.target.len; i++) {
        assert_int_not_equal(d->seen.target.data[i], 's');
    }
}

static int see_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    struct door *d = user;
    (void)pool;
    (void)id;
    d->seen = *request;
    look_for_the_secret(d);
    return 0;
}

TEST(query_is_without_the_token_when_hooks_see_it)
{
    static const char *const left[] = {"", "a=b", "a=b", "a=b&c=d"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct door d;
        struct wsp_entry entry = {0};
        struct test_request r;
        open_door(&d);
        d.config.capacity = (wspool_capacity_hook){see_capacity, &d};
        assert_true(request_make(&r, REQUEST_PARSED, targets[i], GOOD_HEADERS));
        assert_int_equal(wsp_admission_judge(&d.admission, ID, &r.request, &entry), WSP_ADMITTED);
        assert_string_equal(d.token, "secret");
        assert_true(text_equals(entry.query, left[i]));
        wsp_entry_fini(&entry, &d.mem);
        request_free(&r);
        close_door(&d);
    }
}

/* A browser closes a connection when it offered subprotocols and none was chosen. */
TEST(offers_without_an_answer_are_noted)
{
    static const struct {
        const char *offer;
        int unanswered;
    } cases[] = {{"", 0},
                 {"\nSec-WebSocket-Protocol: v1", 0},
                 {"\nSec-WebSocket-Protocol: bearer.t, v1", 0},
                 {"\nSec-WebSocket-Protocol: bearer.t", 1},
                 {"\nSec-WebSocket-Protocol: v9", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct door d;
        struct wsp_entry entry;
        char headers[512];
        open_door(&d);
        snprintf(headers, sizeof headers, "%s%s", GOOD_HEADERS, cases[i].offer);
        assert_int_equal(judge(&d, "/open", headers, &entry), WSP_ADMITTED);
        assert_int_equal(entry.unanswered, cases[i].unanswered);
        close_door(&d);
    }
}
