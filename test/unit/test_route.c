/* SPDX-License-Identifier: MIT */
/*
 * unit/test_route.c - policy/route.h: valid patterns, which route a path matches, and which policy
 * for slow members a channel gets.
 *
 * Paths and names end at an inaccessible page. Escapes are decoded exactly once, and no escape
 * brings a slash into a name.
 */
#include "guard.h"

#include <wspool/wspool.h>

#include "policy/route.h"

#define NO_ROUTE (-(int)WSPOOL_REFUSED_NO_ROUTE - 1)
#define MALFORMED (-(int)WSPOOL_REFUSED_MALFORMED - 1)

struct table {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_routes routes;
};

static void begin(struct table *t)
{
    memset(t, 0, sizeof *t);
    t->hooks = test_mem_hooks(&t->mem);
}

static void end(struct table *t)
{
    wsp_routes_fini(&t->routes, &t->hooks);
    assert_int_equal(t->routes.count, 0);
    assert_int_equal(t->mem.live, 0);
}

static int add_with(struct table *t, const char *pattern, enum wspool_kind kind, const char *name,
                    enum wspool_slow slow)
{
    wspool_route_options options = {.size = sizeof options,
                                    .flags = WSPOOL_ROUTE_NO_TOKEN,
                                    .name = name,
                                    .user = t,
                                    .slow = slow,
                                    .message_bytes = 4321};
    return wsp_routes_add(&t->routes, &t->hooks, pattern, kind, &options);
}

static int add(struct table *t, const char *pattern, enum wspool_kind kind)
{
    return add_with(t, pattern, kind, "", WSPOOL_SLOW_CLOSE);
}

/* Returns the number of the route and stores the name of its channel. The path ends at an
 * inaccessible page. */
static int match(const struct table *t, const char *path, size_t path_len, char *name, size_t *len)
{
    struct guard guard;
    guard_open(&guard, path_len);
    wspool_text text = {guard_at_end(&guard, path, path_len), path_len};
    char *room = malloc(WSPOOL_NAME_MAX); /* exactly the documented size */
    *len = 999;
    int answer = wsp_routes_match(&t->routes, text, room, len);
    if (answer >= 0) {
        memcpy(name, room, *len);
        name[*len] = '\0';
    }
    free(room);
    guard_close(&guard);
    return answer;
}

static void assert_leads(const struct table *t, const char *path, int route, const char *name)
{
    char got[WSPOOL_NAME_MAX + 1];
    size_t len;
    int answer = match(t, path, strlen(path), got, &len);
    if (answer != route) {
        fail_msg("%s leads to %d, not to %d", path, answer, route);
    }
    if (route >= 0) {
        assert_string_equal(got, name);
        assert_int_equal(len, strlen(name));
    }
}

TEST(pattern_is_taken_when_it_is_lawful)
{
    static const char *const good[] = {
        "/",          "/a",    "/a/b/c",          "/a/",
        "/{x}",       "/{x}/", "/a/{x}",          "/a/{long_one}/b/c",
        "/%7e",       "/a//b", "/r%c3%a4ume/{x}", "/a/.../{x}",
        "/.a/..b/c.", NULL};
    for (size_t i = 0; good[i]; i++) {
        struct table t;
        begin(&t);
        assert_int_equal(add(&t, good[i], WSPOOL_ITEM), 0);
        assert_int_equal(t.routes.count, 1);
        const struct wsp_route *route = &t.routes.list[0];
        assert_int_equal(route->kind, WSPOOL_ITEM);
        assert_int_equal(route->flags, WSPOOL_ROUTE_NO_TOKEN);
        assert_ptr_equal(route->user, &t);
        assert_int_equal(route->message_bytes, 4321);
        end(&t);
    }
}

TEST(pattern_is_refused_when_it_is_not_lawful)
{
    static const char *const bad[] = {
        "", "a", "a/b", "{x}", "/{}", "/{x", "/x}", "/}x{", "/a{x}", "/{x}b", "/{x}/{y}", "/{x}{y}",
        "/{x}/y}", "/{{x}}", "/{x}}", "/{a/b}", "/a?b", "/a#b", "/a b", "/a\tb", "/\x7f",
        "/\xc3\xa4", "/{x}/{", "/{", "/}", "*", "http://a/b",
        /* no request can match these either, with a parameter or without */
        "/a b/{x}", "/a?x/{x}", "/a#x/{x}", "/r\xc3\xa4ume/{x}", "/{x}/a b", "/{x}/a?b", "/{x}?b",
        "/{x}/\xc3\xa4", "/a\x7f/{x}", "/%", "/a%4", "/a%zz/{x}", "/{x}/%4", "/.", "/..", "/a/./b",
        "/a/../b", "/a/..", "/./{x}", "/{x}/..", "/%2e/a", "/%2E./{x}", NULL};
    struct table t;
    begin(&t);
    for (size_t i = 0; bad[i]; i++) {
        if (add(&t, bad[i], WSPOOL_ITEM) != WSPOOL_ERR_INVAL) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(add(&t, NULL, WSPOOL_ITEM), WSPOOL_ERR_INVAL);
    assert_int_equal(t.routes.count, 0);
    end(&t);
}

TEST(name_is_refused_when_it_is_too_long)
{
    char name[WSPOOL_NAME_MAX + 2], got[WSPOOL_NAME_MAX + 1];
    size_t len;
    struct table t;
    begin(&t);
    memset(name, 'n', sizeof name);
    name[WSPOOL_NAME_MAX + 1] = '\0';
    assert_int_equal(add_with(&t, "/a", WSPOOL_GLOBAL, name, 0), WSPOOL_ERR_INVAL);
    name[WSPOOL_NAME_MAX] = '\0';
    assert_int_equal(add_with(&t, "/a", WSPOOL_GLOBAL, name, 0), 0);
    memset(name, 'x', WSPOOL_NAME_MAX); /* the name was the caller's */
    assert_int_equal(match(&t, "/a", 2, got, &len), 0);
    assert_int_equal(len, WSPOOL_NAME_MAX);
    assert_int_equal(got[0], 'n');
    assert_int_equal(got[WSPOOL_NAME_MAX - 1], 'n');
    /* without a name: the empty name */
    assert_int_equal(add_with(&t, "/b", WSPOOL_GLOBAL, NULL, 0), 0);
    assert_leads(&t, "/b", 1, "");
    end(&t);
}

TEST(path_leads_to_a_route_when_it_is_the_pattern)
{
    struct table t;
    begin(&t);
    assert_int_equal(add_with(&t, "/all", WSPOOL_GLOBAL, "everybody", 0), 0);
    assert_int_equal(add(&t, "/", WSPOOL_NONE), 0);
    assert_leads(&t, "/all", 0, "everybody");
    assert_leads(&t, "/", 1, "");
    static const char *const others[] = {"/al", "/alll", "/all/", "//all", "/All",
                                         "/a",  "/A",    "//",    "/%4",   NULL};
    for (size_t i = 0; others[i]; i++) {
        assert_leads(&t, others[i], NO_ROUTE, "");
    }
    end(&t);
}

/* RFC 3986, section 6.2.2: the case of escapes does not count, and an escape of an unreserved
 * character is that character. */
TEST(path_leads_to_a_route_however_its_characters_are_escaped)
{
    struct table t;
    begin(&t);
    assert_int_equal(add(&t, "/echo", WSPOOL_NONE), 0);
    assert_int_equal(add(&t, "/%41-%7e", WSPOOL_NONE), 0);
    assert_int_equal(add(&t, "/r%c3%a4ume/{x}/%62%2f", WSPOOL_NONE), 0);
    assert_int_equal(add(&t, "/a+b", WSPOOL_NONE), 0);
    assert_leads(&t, "/echo", 0, "");
    assert_leads(&t, "/%65cho", 0, "");
    assert_leads(&t, "/%65%63%68%6F", 0, "");
    assert_leads(&t, "/%65%63%68%6f", 0, "");
    assert_leads(&t, "/A-~", 1, "");
    assert_leads(&t, "/%41%2D%7E", 1, "");
    assert_leads(&t, "/r%C3%A4ume/a%20b/b%2F", 2, "a b");
    assert_leads(&t, "/%72%C3%a4u%6de/%61/%62%2f", 2, "a");
    assert_leads(&t, "/a+b", 3, "");
    /* a reserved character and its escape differ; nothing is decoded twice; %2F is no slash */
    static const char *const others[] = {
        "/a%2Bb", "%2Fecho",  "/%2565cho", "/echo%",  "/echo%00",         "/ech%4f",
        "/%65ch", "/%65choo", "/%65cho/",  "/%zzcho", "/r%C3%A4ume/a/b/", "/r%C3%A4ume/a%2Fb%2F",
        NULL};
    for (size_t i = 0; others[i]; i++) {
        assert_leads(&t, others[i], NO_ROUTE, "");
    }
    end(&t);
}

/* Nobody would ever come in by such a route. */
TEST(route_behind_one_that_matches_all_its_paths_is_refused)
{
    struct table t;
    begin(&t);
    assert_int_equal(add(&t, "/r/{x}", WSPOOL_ITEM), 0);
    assert_int_equal(add(&t, "/a", WSPOOL_ITEM), 0);
    assert_int_equal(add(&t, "/{x}/y", WSPOOL_ITEM), 0);
    static const char *const covered[] = {"/a",       "/%61",     "/r/late", "/r/%6cate", "/r/{y}",
                                          "/%72/{x}", "/{a}/%79", "/r/y",    NULL};
    for (size_t i = 0; covered[i]; i++) {
        if (add(&t, covered[i], WSPOOL_ITEM) != WSPOOL_ERR_EXISTS) {
            fail_msg("added: %s", covered[i]);
        }
    }
    assert_int_equal(t.routes.count, 3);
    static const char *const open[] = {"/r", "/r/", "/r/a/b", "/r/{x}/", "/{x}/z", "/{x}", NULL};
    for (size_t i = 0; open[i]; i++) {
        assert_int_equal(add(&t, open[i], WSPOOL_ITEM), 0);
    }
    end(&t);
}

TEST(nobody_comes_in_when_there_is_no_route)
{
    struct table t;
    begin(&t);
    assert_leads(&t, "/", NO_ROUTE, "");
    assert_leads(&t, "/anything", NO_ROUTE, "");
    end(&t);
}

TEST(parameter_is_a_whole_segment_when_the_path_has_one)
{
    struct table t;
    begin(&t);
    assert_int_equal(add(&t, "/room/{name}", WSPOOL_ITEM), 0);
    assert_int_equal(add(&t, "/x/{name}/y", WSPOOL_ITEM), 0);
    assert_leads(&t, "/room/a", 0, "a");
    assert_leads(&t, "/room/{name}", 0, "{name}");
    assert_leads(&t, "/room/..", 0, "..");
    assert_leads(&t, "/room/a+b&c=d", 0, "a+b&c=d");
    assert_leads(&t, "/x/a/y", 1, "a");
    assert_leads(&t, "/x/y/y", 1, "y");
    static const char *const others[] = {
        "/room/", "/room", "/room/a/", "/room/a/b", "/room//a", "/Room/a", "/roomx",  "/x/a",
        "/x/a/",  "/x//y", "/x/y",     "/x/a/b/y",  "/x/a/yy",  "/x/a/Y",  "/x/a/y/", NULL};
    for (size_t i = 0; others[i]; i++) {
        assert_leads(&t, others[i], NO_ROUTE, "");
    }
    end(&t);
}

TEST(parameter_is_decoded_when_it_has_escapes)
{
    struct table t;
    char name[WSPOOL_NAME_MAX + 1];
    size_t len;
    begin(&t);
    assert_int_equal(add(&t, "/r/{x}", WSPOOL_ITEM), 0);
    assert_leads(&t, "/r/a%20b", 0, "a b");
    assert_leads(&t, "/r/%c3%A4", 0, "\xc3\xa4");
    assert_leads(&t, "/r/%2520", 0, "%20"); /* decoded once */
    assert_int_equal(match(&t, "/r/%00", 6, name, &len), 0);
    assert_int_equal(len, 1);
    assert_int_equal(name[0], 0);
    /* no name contains a slash, also not an escaped one */
    assert_leads(&t, "/r/a%2fb", NO_ROUTE, "");
    assert_leads(&t, "/r/%2F", NO_ROUTE, "");
    assert_leads(&t, "/r/%", MALFORMED, "");
    assert_leads(&t, "/r/a%4", MALFORMED, "");
    assert_leads(&t, "/r/%zz", MALFORMED, "");
    end(&t);
}

TEST(parameter_is_refused_when_it_is_too_long)
{
    struct table t;
    char path[3 + 3 * 300], name[WSPOOL_NAME_MAX + 1];
    size_t len;
    begin(&t);
    assert_int_equal(add(&t, "/r/{x}", WSPOOL_ITEM), 0);
    memcpy(path, "/r/", 3);
    for (size_t n = 1; n <= 300; n++) {
        memset(path + 3, 'n', n);
        assert_int_equal(match(&t, path, 3 + n, name, &len), n <= 255 ? 0 : NO_ROUTE);
        assert_true(n > 255 || len == n);
        for (size_t i = 0; i < n; i++) { /* the same name, three times as long */
            memcpy(path + 3 + 3 * i, "%6e", 3);
        }
        assert_int_equal(match(&t, path, 3 + 3 * n, name, &len), n <= 255 ? 0 : NO_ROUTE);
        assert_true(n > 255 || (len == n && name[n - 1] == 'n'));
    }
    memset(path + 3, 'n', sizeof path - 3);
    assert_int_equal(match(&t, path, sizeof path, name, &len), NO_ROUTE);
    end(&t);
}

TEST(first_route_decides_when_several_fit)
{
    struct table t;
    begin(&t);
    assert_int_equal(add_with(&t, "/r/lobby", WSPOOL_TOPIC, "special", 0), 0);
    assert_int_equal(add(&t, "/r/{x}", WSPOOL_ITEM), 0);
    assert_int_equal(add(&t, "/{y}/all", WSPOOL_ITEM), 0);
    assert_leads(&t, "/r/lobby", 0, "special");
    assert_leads(&t, "/r/lob", 1, "lob");
    assert_leads(&t, "/r/all", 1, "all");
    assert_leads(&t, "/s/all", 2, "s");
    assert_int_equal(add(&t, "/r/a/b", WSPOOL_ITEM), 0);
    assert_leads(&t, "/r/a/b", 3, ""); /* route 2 does not match: no segment contains a slash */
    end(&t);
}

TEST(routes_of_one_kind_have_the_same_rules)
{
    static const struct wspool_route_options rules = {
        .size = sizeof rules,
        .name = "",
        .slow = WSPOOL_SLOW_BEHIND,
        .queue_bytes = 1000,
        .queue_messages = 10,
        .history = {.messages = 3, .bytes = 4, .time = 5}};
    struct table t;
    begin(&t);
#define ADD(pattern, kind, options) wsp_routes_add(&t.routes, &t.hooks, pattern, kind, options)
    assert_int_equal(ADD("/none", WSPOOL_NONE, &rules), 0);
    assert_int_equal(add(&t, "/nil", WSPOOL_NONE), 0); /* without a channel */
    assert_int_equal(ADD("/lobby", WSPOOL_ITEM, &rules), 0);
    assert_int_equal(ADD("/r/{x}", WSPOOL_ITEM, &rules), 0);
    assert_int_equal(add(&t, "/all", WSPOOL_GLOBAL), 0);
    /* Two routes that disagree about one kind: the first would decide in silence. */
#define DISAGREE(field, value) \
    do { \
        wspool_route_options other = rules; \
        other.field = (value); \
        assert_int_equal(ADD("/late", WSPOOL_ITEM, &other), WSPOOL_ERR_INVAL); \
    } while (0)
    DISAGREE(slow, WSPOOL_SLOW_CLOSE);
    DISAGREE(queue_bytes, 1001);
    DISAGREE(queue_messages, 9);
    DISAGREE(history.messages, 4);
    DISAGREE(history.bytes, 5);
    DISAGREE(history.time, 0);
    DISAGREE(priority, WSPOOL_HIGH);
    assert_int_equal(t.routes.count, 5);
    assert_int_equal(wsp_routes_check(&t.routes), 1);
    t.routes.list[2].rules.queue_bytes++;
    assert_int_equal(wsp_routes_check(&t.routes), 0);
    end(&t);
}

TEST(nothing_is_changed_when_any_allocation_fails)
{
    struct table t;
    begin(&t);
    for (size_t count = 0; count < 5; count++) {
        size_t n = 1;
        for (;; n++) {
            size_t live = t.mem.live;
            t.mem.fail_at = n;
            const char pattern[] = {'/', (char)('a' + count), '/', '{', 'x', '}', '\0'};
            int answer = add_with(&t, pattern, WSPOOL_ITEM, "name", 0);
            if (answer == 0) {
                break;
            }
            assert_int_equal(answer, WSPOOL_ERR_NOMEM);
            assert_int_equal(t.mem.live, live);
            assert_int_equal(t.routes.count, count);
        }
        assert_int_equal(n, 4); /* pattern, name, list */
        t.mem.fail_at = 0;
        assert_int_equal(t.routes.count, count + 1);
    }
    end(&t);
}

TEST(route_is_refused_when_its_number_can_not_be_kept)
{
    struct table t;
    begin(&t);
    assert_int_equal(add(&t, "/a", WSPOOL_NONE), 0);
    t.routes.count = UINT16_MAX; /* a peer keeps the number of its route in 16 bits */
    assert_int_equal(add(&t, "/b", WSPOOL_NONE), WSPOOL_ERR_INVAL);
    t.routes.count = 1;
    end(&t);
}
