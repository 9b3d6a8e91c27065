/* SPDX-License-Identifier: MIT */
/*
 * unit/test_extension.c - wire/extension.h: the list of extension offers, valid and invalid.
 *
 * Each text is read in both ways: as a host hands it in, and as part of a parsed HTTP head.
 * Inaccessible memory lies around it. Random texts are compared with a second, slower reader.
 */
#include "request.h"

#include "wire/extension.h"

/* Writes all offers of a request as text: "name;param=value;param|name|..."; "!" at the end: the
 * list is invalid. */
static void read_all(const wspool_request *request, char *out, size_t size)
{
    wspool_extension_param params[WSPOOL_EXTENSION_PARAMS];
    wspool_extension offer;
    const struct wsp_headers *headers = headers_of(request);
    struct wsp_elements walk = {0};
    size_t n = 0;
    int more;

    out[0] = '\0';
    while ((more = wsp_extension_next(headers, &walk, &offer, params)) == 1) {
        assert_ptr_equal(offer.params, params);
        assert_true(offer.param_count <= WSPOOL_EXTENSION_PARAMS);
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? "|" : "", (int)offer.name.len,
                              offer.name.data);
        for (size_t i = 0; i < offer.param_count; i++) {
            const wspool_extension_param *p = &params[i];
            assert_true(!p->value.data == (p->value.len == 0));
            n += (size_t)snprintf(out + n, size - n, ";%.*s", (int)p->name.len, p->name.data);
            if (p->value.data) {
                n += (size_t)snprintf(out + n, size - n, "=%.*s", (int)p->value.len, p->value.data);
            }
        }
        assert_true(n < size);
    }
    assert_true(more == 0 || more == -1);
    if (more < 0) {
        snprintf(out + n, size - n, "!");
    } else { /* a second call returns the same */
        assert_int_equal(wsp_extension_next(headers, &walk, &offer, params), 0);
    }
}

static void expect_lines(const char *lines, const char *expected)
{
    char got[2048];

    for (int form = 0; form < REQUEST_FORMS; form++) {
        struct test_request r;
        if (!request_make(&r, form, "/", lines)) {
            continue;
        }
        read_all(&r.request, got, sizeof got);
        request_free(&r);
        if (strcmp(got, expected) != 0) {
            fail_msg("\"%s\" in form %d: read as \"%s\", not as \"%s\"", lines, form, got,
                     expected);
        }
    }
}

static void expect(const char *value, const char *expected)
{
    char lines[2048];

    snprintf(lines, sizeof lines, "Sec-WebSocket-Extensions: %s", value);
    expect_lines(lines, expected);
}

#define H "Sec-WebSocket-Extensions"

TEST(offer_when_lawful_is_read)
{
    expect("a", "a");
    expect("permessage-deflate", "permessage-deflate");
    expect("a;b", "a;b");
    expect("a;b=c", "a;b=c");
    expect("a;b=\"c\"", "a;b=c");
    expect("a;b;c=d;e=\"f\";g", "a;b;c=d;e=f;g");
    expect("a;b=1;b=2", "a;b=1;b=2"); /* a parameter given twice: the codec decides */
    expect("permessage-deflate; client_max_window_bits; server_max_window_bits=10",
           "permessage-deflate;client_max_window_bits;server_max_window_bits=10");
    expect("!#$%&'*+-.^_`|~;!#$%&'*+-.^_`|~=\"!#$%&'*+-.^_`|~\"",
           "!#$%&'*+-.^_`|~;!#$%&'*+-.^_`|~=!#$%&'*+-.^_`|~");
    expect("a;b=1;c=2;d=3;e=4;f=5;g=6;h=7;i=8", "a;b=1;c=2;d=3;e=4;f=5;g=6;h=7;i=8");
}

TEST(list_when_of_several_is_read_in_order)
{
    expect("a, b", "a|b");
    expect("a;x=1,b;y=\"2\",c", "a;x=1|b;y=2|c");
    expect("a,a;b,a", "a|a;b|a");
    expect("a;b=\"c\",d", "a;b=c|d");
}

TEST(element_when_empty_is_no_element)
{
    expect("", "");
    expect(",", "");
    expect(", ,\t,,", "");
    expect(",a", "a");
    expect("a,", "a");
    expect(",,a,,\t ,b;c,,", "a|b;c");
    expect("a, ,!;=", "a!");
}

TEST(blank_when_anywhere_between_is_passed_over)
{
    expect("  a  ;  b  =  c  ", "a;b=c");
    expect("\ta\t;\tb\t=\t\"c\"\t,\td\t", "a;b=c|d");
    expect("a ; b , c ;d = \"e\" ", "a;b|c;d=e");
    /* but not inside a name */
    expect("a b", "!");
    expect("a;b c", "!");
    expect("a;b=c d", "!");
    expect("a;b=\"c d\"", "!");
    expect("a;b=\" c\"", "!");
    expect("a;b=\"c \"", "!");
    expect("a;b=\"c\" d", "!");
}

TEST(name_or_value_when_missing_is_no_list)
{
    expect(";", "!");
    expect(";a", "!");
    expect("a;", "!");
    expect("a; ", "!");
    expect("a;;b", "!");
    expect("a;b;", "!");
    expect("a;=b", "!");
    expect("a; =", "!");
    expect("a;b=", "!");
    expect("a;b= ", "!");
    expect("a;b=;c", "!");
    expect("a=b", "!");
    expect("=", "!");
    expect("a;b==c", "!");
    expect("a;b=c=d", "!");
}

TEST(quote_when_not_around_a_token_is_no_list)
{
    expect("a;b=\"\"", "!");
    expect("a;b=\"", "!");
    expect("a;b=\"c", "!");
    expect("a;b=c\"", "!");
    expect("a;b=\"\"\"", "!");
    expect("a;b=\"c\"d\"", "!");
    expect("a;b='c d'", "!");
    expect("\"a\"", "!");
    expect("a;\"b\"", "!");
    expect("a;\"b\"=c", "!");
    /* A separator is not allowed in a token, so it is not allowed in quotes either. */
    expect("a;b=\"c,d\"", "!");
    expect("a;b=\",\"", "!");
    expect("a;b=\"c;d\"", "!");
    expect("a;b=\"c=d\"", "!");
    expect("a;b=\"c\\,d\"", "!");
}

TEST(backslash_when_in_quotes_declines_the_offer_alone)
{
    expect("a;b=\"c\\d\"", "");
    expect("a;b=\"\\c\", e", "e");
    expect("z, a;x;b=\"\\\\\";y=1, e;f", "z|e;f");
    /* except when something before or behind it is wrong, too */
    expect("a;b=\"c\\d\";", "!");
    expect("a;;b=\"c\\d\"", "!");
    expect("a;b=\"c\\d\";e=, f", "!");
    expect("a;b=\"c\\d\", ;", "!");
    /* outside quotes a backslash is invalid */
    expect("a;b=c\\d", "!");
    expect("a\\b", "!");
    expect("a;b\\c", "!");
}

TEST(params_when_too_many_decline_the_offer_alone)
{
    expect("a;b=1;c=2;d=3;e=4;f=5;g=6;h=7;i=8;j=9", "");
    expect("a;b;c;d;e;f;g;h;i;j;k;l;m, z", "z");
    expect("y, a;b;c;d;e;f;g;h;i;j, z;b", "y|z;b");
    expect("a;b;c;d;e;f;g;h;i;j;", "!"); /* the rest is still checked */
    expect("a;b;c;d;e;f;g;h;i;j=\"", "!");
}

TEST(byte_when_it_is_no_token_s_is_no_list)
{
    for (int c = 1; c < 256; c++) {
        char text[32];
        const char *good = "!#$%&'*+-.^_`|~";
        int token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    strchr(good, c) != NULL;
        if (token || c == ',' || c == ';' || c == '\n') { /* \n separates the lines of this test */
            continue;
        }
        snprintf(text, sizeof text, "a%ca", c);
        expect(text, "!");
        snprintf(text, sizeof text, "a;b=c%cc", c);
        expect(text, "!");
        snprintf(text, sizeof text, "a;b=\"c%cc\"", c);
        expect(text, c == '\\' ? "" : "!");
        snprintf(text, sizeof text, "a;b%cb", c);
        expect(text, c == '=' ? "a;b=b" : "!");
    }
}

/* Bytes that only a host can hand in, because no parsed head contains them. */
TEST(byte_when_nul_or_a_line_s_end_is_no_list)
{
    static const char bad[] = {'\0', '\n', '\r', '\x7f', '\x80', '\xff'};
    struct guard guard;
    char got[256];

    guard_open(&guard, 64);
    for (size_t i = 0; i < sizeof bad; i++) {
        for (size_t at = 0; at < 9; at++) {
            char text[] = "a;b=\"cd\"";
            wspool_header header = {{H, strlen(H)}, {NULL, at == 8 ? 9 : 8}};
            wspool_request request = {
                .size = sizeof request, .headers = &header, .header_count = 1};
            text[at] = bad[i];
            header.value.data = guard_at_end(&guard, text, header.value.len);
            read_all(&request, got, sizeof got);
            assert_string_equal(got, "!");
        }
    }
    guard_close(&guard);
}

TEST(headers_when_several_are_one_list)
{
    expect_lines(H ": a\n" H ": b;c\n" H ": d", "a|b;c|d");
    expect_lines("X: z\n" H ": a, b\nHost: c\nsec-websocket-extensions: d\nX: y", "a|b|d");
    expect_lines(H ":\n" H ": ,\n" H ": a", "a");
    expect_lines(H ": a\n" H ": ;\n" H ": b", "a!");
    /* a quoted text does not continue in the next line */
    expect_lines(H ": a;b=\"\n" H ": \"", "!");
    expect_lines(H ": a;b=\"c\\d\"\n" H ": e", "e");
    expect_lines("Sec-WebSocket-Extension: a\nSec-WebSocket-Extensions2: b\nX: c", "");
    expect_lines("X: y", "");
}

/* Random texts of the characters that have a meaning. Nothing is read beyond their end, and
 * every list that is read is one that a second, slower reader accepts. */
TEST(text_when_random_is_read_without_harm)
{
    static const char alphabet[] = "ab;,=\"\\ \t";
    uint64_t seed = 42;
    size_t good = 0, bad = 0;

    for (int round = 0; round < 4000; round++) {
        char text[24], lines[64], got[512];
        struct test_request r;
        size_t len = (size_t)test_below(&seed, sizeof text - 1);
        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[test_below(&seed, sizeof alphabet - 1)];
        }
        text[len] = '\0';
        snprintf(lines, sizeof lines, H ": %s", text);
        assert_int_equal(request_make(&r, round % 2, "/", lines), 1);
        read_all(&r.request, got, sizeof got);
        request_free(&r);
        size_t got_len = strlen(got);
        if (got_len > 0 && got[got_len - 1] == '!') {
            bad++;
        } else {
            good++;
            assert_null(strstr(text, ";;")); /* not allowed in any valid list */
            assert_null(strstr(text, "=="));
            assert_null(strstr(text, ",;"));
            assert_null(strstr(text, "\"\""));
            assert_true(len == 0 || (text[len - 1] != ';' && text[len - 1] != '='));
        }
    }
    assert_true(good > 100 && bad > 100);
}
