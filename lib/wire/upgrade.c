/* SPDX-License-Identifier: MIT */
/*
 * wire/upgrade.c - see wire/upgrade.h.
 *
 * An answer never repeats what a peer sent: the accept value is a digest, the subprotocol is our
 * own copy of the name, and the rest is written here.
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

/* ------------------------------------------------------------ what is asked */

/* Returns 1 if the text has only bytes of a host, a bracketed address or a port: no user, no
 * path, and no comma, which would show that a proxy joined two headers. */
static int is_host(wspool_text host)
{
    static const char host_bytes[256] = {"................................"
                                         ".x..xxxxxxxx.xx.xxxxxxxxxxxx.x.."
                                         ".xxxxxxxxxxxxxxxxxxxxxxxxxxx.x.x"
                                         ".xxxxxxxxxxxxxxxxxxxxxxxxxx...x."};
    size_t i = 0;

    while (i < host.len && host_bytes[(unsigned char)host.data[i]] == 'x') {
        i++;
    }
    return host.len > 0 && i == host.len;
}

static int is_base64_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* The canonical base64 form of 16 bytes is 22 bytes of the alphabet and two padding bytes; the
 * last of the 22 encodes two bits and four zeros. The content does not matter, so it is not
 * decoded: nettle, which ignores white space, took 1300 instructions for both ways. */
static int is_key(wspool_text key)
{
    size_t i = 0;

    if (key.len != KEY_LEN || memcmp(key.data + KEY_LEN - 2, "==", 2) != 0) {
        return 0;
    }
    while (i < KEY_LEN - 2 && is_base64_byte(key.data[i])) {
        i++;
    }
    return i == KEY_LEN - 2 && strchr("AQgw", key.data[i - 1]);
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
        !wsp_headers_have(headers, WSP_HEADER_CONNECTION, "upgrade")) {
        return wsp_refused(WSPOOL_REFUSED_UPGRADE);
    }
    if (wsp_headers_only(headers, WSP_HEADER_VERSION, &value) != 1 || !wsp_text_is(value, "13")) {
        return wsp_refused(WSPOOL_REFUSED_VERSION);
    }
    return 0;
}

int wsp_upgrade_check_key(const struct wsp_headers *headers, char accept[WSP_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;
    wspool_text key;

    if (wsp_headers_only(headers, WSP_HEADER_KEY, &key) != 1 || !is_key(key)) {
        return wsp_refused(WSPOOL_REFUSED_KEY);
    }
    sha1_init(&sha1);
    sha1_update(&sha1, key.len, (const uint8_t *)key.data);
    sha1_update(&sha1, sizeof guid - 1, (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(accept, sizeof digest, digest);
    accept[WSP_ACCEPT_LEN] = '\0';
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

void wsp_upgrade_accept(wspool_answer *answer, const char *accept, const char *subprotocol,
                        const char *extension)
{
    char *text = answer->text;

    memset(answer, 0, sizeof(*answer));
    answer->status = 101;
    answer->body = "";
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

    memset(answer, 0, sizeof(*answer));
    answer->status = wspool_refusal_status(refusal);
    answer->refusal = refusal;
    answer->body = "";
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

void wsp_upgrade_drop_body(wspool_answer *answer)
{
    answer->body = "";
    answer->body_len = 0;
}

static const char *status_line(int status)
{
    switch (status) {
    case 101:
        return "HTTP/1.1 101 Switching Protocols\r\n";
    case 400:
        return "HTTP/1.1 400 Bad Request\r\n";
    case 401:
        return "HTTP/1.1 401 Unauthorized\r\n";
    case 403:
        return "HTTP/1.1 403 Forbidden\r\n";
    case 404:
        return "HTTP/1.1 404 Not Found\r\n";
    case 405:
        return "HTTP/1.1 405 Method Not Allowed\r\n";
    case 408:
        return "HTTP/1.1 408 Request Timeout\r\n";
    case 421:
        return "HTTP/1.1 421 Misdirected Request\r\n";
    case 426:
        return "HTTP/1.1 426 Upgrade Required\r\n";
    case 429:
        return "HTTP/1.1 429 Too Many Requests\r\n";
    case 431:
        return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
    case 503:
        return "HTTP/1.1 503 Service Unavailable\r\n";
    case 505:
        return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
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

static void put(struct output *to, const char *data, size_t len)
{
    if (len > to->max - to->len) {
        to->full = 1;
        return;
    }
    if (len > 0) {
        memcpy(to->out + to->len, data, len);
    }
    to->len += len;
}

static void put_string(struct output *to, const char *string)
{
    put(to, string, strlen(string));
}

static void put_header(struct output *to, const char *name, const char *value)
{
    put_string(to, name);
    put_string(to, ": ");
    put_string(to, value);
    put_string(to, "\r\n");
}

int wsp_upgrade_write(const wspool_answer *answer, char *out, size_t max)
{
    struct output to = {out, 0, max, 0};
    char number[24];

    if (answer->status == 0) {
        return 0;
    }
    put_string(&to, status_line(answer->status));
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
    put_string(&to, "\r\n");
    put(&to, answer->body, answer->body_len);
    return to.full ? -1 : (int)to.len;
}
