/* SPDX-License-Identifier: MIT */
/*
 * wire/upgrade.c - see wire/upgrade.h.
 *
 * An answer never repeats what a peer sent: the accept value is a digest, the subprotocol is our
 * own copy of the name, and the rest is written here or by the host.
 */
#include "wire/upgrade.h"

#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

#include <wspool/codec.h>
#include "wire/refusal.h"
#include "wire/text.h"

/* All texts of an accepting answer are copied into it. */
_Static_assert(WSP_ACCEPT_LEN + 1 + WSP_SUBPROTOCOL_MAX + 1 + WSPOOL_NEGOTIATED_BYTES <=
                   sizeof(((wspool_answer *)0)->text),
               "wspool_answer.text is too small");

#define KEY_LEN 24 /* base64 of 16 bytes */
#define PLAIN_TEXT "text/plain; charset=utf-8"

/* ------------------------------------------------------------ what is asked */

/* No user, no path, and no comma, which would show that a proxy joined two headers. */
static int is_host(wspool_text host)
{
    return host.len > 0 && wsp_text_is_all(host, WSP_IN_HOST);
}

/* The canonical base64 form of 16 bytes is 22 bytes of the alphabet and two padding bytes; the
 * last of the 22 encodes two bits and four zeros. The content does not matter, so it is not
 * decoded: nettle, which ignores white space, took 1300 instructions for both ways. */
static int is_key(wspool_text key)
{
    return key.len == KEY_LEN &&
           wsp_text_is_all((wspool_text){key.data, KEY_LEN - 2}, WSP_IN_BASE64) &&
           memcmp(key.data + KEY_LEN - 2, "==", 2) == 0 && strchr("AQgw", key.data[KEY_LEN - 3]);
}

int wsp_upgrade_check_head(const struct wsp_headers *headers)
{
    static const enum wsp_header once[] = {WSP_HEADER_HOST, WSP_HEADER_KEY, WSP_HEADER_VERSION,
                                           WSP_HEADER_ORIGIN};
    wspool_text value;
    int there;

    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        if (wsp_headers_only(headers, once[i], &value) < 0) {
            return wsp_refused(WSPOOL_REFUSED_MALFORMED);
        }
    }
    if (wsp_headers_only(headers, WSP_HEADER_HOST, &value) != 1 || !is_host(value) ||
        (headers->authority.len > 0 && !is_host(headers->authority))) {
        return wsp_refused(WSPOOL_REFUSED_HOST);
    }
    /* A body would be read as frames: a request that announces one could smuggle frames in. */
    if (wsp_headers_only(headers, WSP_HEADER_TRANSFER_ENCODING, &value) != 0) {
        return wsp_refused(WSPOOL_REFUSED_BODY);
    }
    there = wsp_headers_only(headers, WSP_HEADER_CONTENT_LENGTH, &value);
    if (there < 0 || (there == 1 && !wsp_text_is(value, "0"))) {
        return wsp_refused(WSPOOL_REFUSED_BODY);
    }
    return 0;
}

int wsp_upgrade_check_version(const struct wsp_headers *headers)
{
    wspool_text value;

    if (!wsp_headers_have(headers, WSP_HEADER_UPGRADE, "websocket") ||
        !wsp_headers_have(headers, WSP_HEADER_CONNECTION, "Upgrade")) {
        return wsp_refused(WSPOOL_REFUSED_UPGRADE);
    }
    if (wsp_headers_only(headers, WSP_HEADER_VERSION, &value) != 1 || !wsp_text_is(value, "13")) {
        return wsp_refused(WSPOOL_REFUSED_VERSION);
    }
    return 0;
}

void wsp_upgrade_write_accept(wspool_text key, char accept[WSP_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    sha1_init(&sha1);
    sha1_update(&sha1, key.len, (const uint8_t *)key.data);
    sha1_update(&sha1, sizeof guid - 1, (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(accept, sizeof digest, digest);
    accept[WSP_ACCEPT_LEN] = '\0';
}

int wsp_upgrade_check_key(const struct wsp_headers *headers, char accept[WSP_ACCEPT_LEN + 1])
{
    wspool_text key;

    if (wsp_headers_only(headers, WSP_HEADER_KEY, &key) != 1 || !is_key(key)) {
        return wsp_refused(WSPOOL_REFUSED_KEY);
    }
    wsp_upgrade_write_accept(key, accept);
    return 0;
}

const char *wsp_upgrade_subprotocol(const struct wsp_headers *headers, const char *const *ours,
                                    int *malformed)
{
    const char *chosen = NULL;
    struct wsp_elements walk = {0};
    wspool_text offer;

    *malformed = 0;
    while (wsp_headers_element(headers, WSP_HEADER_PROTOCOL, &walk, &offer)) {
        const char *const *one;

        if (!wsp_text_is_token(offer)) {
            *malformed = 1;
            return NULL;
        }
        if (offer.len > WSP_SUBPROTOCOL_MAX) {
            continue;
        }
        if (offer.len >= 7 && memcmp(offer.data, "bearer.", 7) == 0) {
            continue; /* a token, at the place where a browser can put one */
        }
        for (one = ours; one && *one && !chosen; one++) {
            if (strlen(*one) == offer.len && memcmp(*one, offer.data, offer.len) == 0) {
                chosen = *one;
            }
        }
    }
    return chosen;
}

/* --------------------------------------------------------- what is answered */

/* Begins an answer. Headers and texts are valid as far as they are set: a whole answer is 600
 * bytes. */
static void begin(wspool_answer *answer, int status, enum wspool_refusal refusal)
{
    answer->status = status;
    answer->refusal = refusal;
    answer->header_count = 0;
    answer->body = "";
    answer->body_len = 0;
}

static void add_header(wspool_answer *answer, const char *name, const char *value)
{
    answer->headers[answer->header_count].name = name;
    answer->headers[answer->header_count].value = value;
    answer->header_count++;
}

/* Adds a header with a copy of the value. Returns where the next copy goes. */
static char *add_copy(wspool_answer *answer, const char *name, const char *value, char *text)
{
    size_t size = strlen(value) + 1;
    memcpy(text, value, size);
    add_header(answer, name, text);
    return text + size;
}

/* Returns 1 if the string may be a header's value (RFC 9110, section 5.5): it ends no line. */
static int has_no_control(const char *string)
{
    const unsigned char *c = (const unsigned char *)string;
    while (*c == '\t' || (*c >= ' ' && *c != 0x7f)) {
        c++;
    }
    return *c == '\0';
}

void wsp_upgrade_accept(wspool_answer *answer, const char *accept, const char *subprotocol,
                        const char *extension)
{
    char *text = answer->text;

    begin(answer, 101, (enum wspool_refusal)0);
    add_header(answer, "Upgrade", "websocket");
    add_header(answer, "Connection", "Upgrade");
    text = add_copy(answer, "Sec-WebSocket-Accept", accept, text);
    if (subprotocol && strlen(subprotocol) <= WSP_SUBPROTOCOL_MAX) {
        text = add_copy(answer, "Sec-WebSocket-Protocol", subprotocol, text);
    }
    if (extension) {
        add_copy(answer, "Sec-WebSocket-Extensions", extension, text);
    }
}

void wsp_upgrade_refuse(wspool_answer *answer, enum wspool_refusal refusal, unsigned retry_after)
{
    char *seconds = answer->text + sizeof(answer->text) / 2;

    begin(answer, wspool_refusal_status(refusal), refusal);
    if (answer->status == 0) {
        return;
    }
    snprintf(answer->text, sizeof(answer->text) / 2, "{\"error\":\"%s\"}",
             wspool_refusal_reason(refusal));
    answer->body = answer->text;
    answer->body_len = strlen(answer->text);
    add_header(answer, "Content-Type", "application/json");
    switch (answer->status) {
    case 401:
        add_header(answer, "WWW-Authenticate", "Bearer");
        break;
    case 405:
        add_header(answer, "Allow", "GET");
        break;
    case 426:
        /* A sender of Upgrade must list it in Connection (RFC 9110, section 7.8). */
        add_header(answer, "Connection", "Upgrade");
        add_header(answer, "Upgrade", "websocket");
        add_header(answer, "Sec-WebSocket-Version", "13");
        break;
    case 429:
    case 503:
        snprintf(seconds, sizeof(answer->text) / 2, "%u", retry_after);
        add_header(answer, "Retry-After", seconds);
        break;
    default:
        break;
    }
}

int wsp_upgrade_may_add(const char *name, const char *value)
{
    static const char *const ours[] = {"Connection", "Upgrade", "Content-Length", "Content-Type",
                                       "Transfer-Encoding"};
    static const char prefix[] = "Sec-WebSocket-";
    wspool_text text = wsp_text_of(name);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (wsp_text_is(text, ours[i])) {
            return 0;
        }
    }
    if (text.len >= sizeof prefix - 1 &&
        wsp_text_is((wspool_text){name, sizeof prefix - 1}, prefix)) {
        return 0;
    }
    return wsp_text_is_token(text) && has_no_control(value);
}

int wsp_upgrade_page_is_good(const wspool_page *page)
{
    int bodiless = page->status == 204 || page->status == 205 || page->status == 304;
    size_t type = page->type ? strlen(page->type) : sizeof PLAIN_TEXT - 1;
    return page->status >= 200 && page->status <= 599 && page->status != 426 && type > 0 &&
           type <= WSPOOL_PAGE_MAX && page->body.len <= (bodiless ? 0 : WSPOOL_PAGE_MAX - type) &&
           (page->body.data || page->body.len == 0) && (!page->type || has_no_control(page->type));
}

void wsp_upgrade_page(wspool_answer *answer, const wspool_page *page)
{
    memset(answer, 0, sizeof(*answer));
    answer->status = page->status;
    answer->body = page->body.data;
    answer->body_len = page->body.len;
    if (answer->body_len > 0) {
        add_header(answer, "Content-Type", page->type ? page->type : PLAIN_TEXT);
    }
}

void wsp_upgrade_drop_body(wspool_answer *answer)
{
    answer->body = "";
    answer->body_len = 0;
}

static const char *phrase_of(int status)
{
    switch (status) {
    case 101:
        return "Switching Protocols";
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 421:
        return "Misdirected Request";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "";
    }
}

/* The output, the room it has left, and whether something did not fit. */
struct output {
    char *out;
    size_t len;
    size_t max;
    int full;
};

/* Returns where the next `len` bytes go, or NULL if there is no room for them. */
static char *put(struct output *to, size_t len)
{
    if (len > to->max - to->len) {
        to->full = 1;
        return NULL;
    }
    to->len += len;
    return to->out + to->len - len;
}

static void put_text(struct output *to, const char *text, size_t len)
{
    char *at = put(to, len);
    if (at && len > 0) {
        memcpy(at, text, len);
    }
}

static void put_string(struct output *to, const char *string)
{
    put_text(to, string, strlen(string));
}

static void put_header(struct output *to, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    char *at = put(to, name_len + value_len + sizeof ": \r\n" - 1);
    if (at) {
        memcpy(at, name, name_len);
        memcpy(at + name_len, ": ", 2);
        memcpy(at + name_len + 2, value, value_len);
        memcpy(at + name_len + 2 + value_len, "\r\n", 2);
    }
}

int wsp_upgrade_write(const wspool_answer *answer, wspool_text added, char *out, size_t max)
{
    struct output to = {out, 0, max, 0};
    char number[24];

    if (answer->status == 0) {
        return 0;
    }
    snprintf(number, sizeof number, "HTTP/1.1 %d ", answer->status);
    put_string(&to, number);
    put_string(&to, phrase_of(answer->status)); /* may be empty (RFC 9112, section 4) */
    put_string(&to, "\r\n");
    for (size_t i = 0; i < answer->header_count; i++) {
        if (answer->status == 101 || strcmp(answer->headers[i].name, "Connection") != 0) {
            put_header(&to, answer->headers[i].name, answer->headers[i].value);
        }
    }
    if (answer->body_len > 0) {
        snprintf(number, sizeof number, "%zu", answer->body_len);
        put_header(&to, "Content-Length", number);
    }
    if (answer->status != 101) {
        /* Here the connection ends, too. */
        put_header(&to, "Connection", answer->status == 426 ? "close, Upgrade" : "close");
    }
    put_text(&to, added.data, added.len);
    put_string(&to, "\r\n");
    put_text(&to, answer->body, answer->body_len);
    return to.full ? -1 : (int)to.len;
}
