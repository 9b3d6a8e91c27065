/* SPDX-License-Identifier: MIT */
/* wire/opening.c - see wire/opening.h. */
#include "wire/opening.h"

#include <string.h>

#include <nettle/base64.h>

#include "wire/text.h"
#include "wire/uri.h"

/* ------------------------------------------------------------------- URLs */

/* Reads "host", "host:80" or "[::1]:80". */
static int split_host(struct wsp_url *url)
{
    wspool_text rest = url->authority;
    const char *colon;

    if (rest.data[0] == '[') {
        const char *end = memchr(rest.data, ']', rest.len);
        if (!end) {
            return -1;
        }
        url->host = (wspool_text){rest.data + 1, (size_t)(end - rest.data) - 1};
        rest = (wspool_text){end + 1, rest.len - (size_t)(end + 1 - rest.data)};
        colon = rest.len > 0 ? rest.data : NULL;
        if (colon && *colon != ':') {
            return -1;
        }
    } else {
        colon = memchr(rest.data, ':', rest.len);
        url->host = (wspool_text){rest.data, colon ? (size_t)(colon - rest.data) : rest.len};
    }
    if (url->host.len == 0) {
        return -1;
    }
    url->port = url->secure ? 443 : 80;
    if (colon) {
        const char *end = rest.data + rest.len;
        uint32_t port = 0;
        for (const char *c = colon + 1; c < end && port <= UINT16_MAX; c++) {
            if (!wsp_text_is_digit(*c)) {
                return -1;
            }
            port = port * 10 + (uint32_t)(*c - '0');
        }
        if (port == 0 || port > UINT16_MAX) {
            return -1;
        }
        url->port = (uint16_t)port;
    }
    return 0;
}

int wsp_url_parse(wspool_text text, struct wsp_url *url)
{
    struct wsp_target target;
    wspool_text scheme;

    if (wsp_uri_split(text, &target) || target.authority.len == 0 ||
        !wsp_text_is_all(target.authority, WSP_IN_HOST)) {
        return -1;
    }
    scheme = (wspool_text){text.data, (size_t)(target.authority.data - text.data) - 3};
    *url = (struct wsp_url){.authority = target.authority,
                            .path = target.path,
                            .query = target.query,
                            .secure = (uint8_t)wsp_text_is(scheme, "wss")};
    if (!url->secure && !wsp_text_is(scheme, "ws")) {
        return -1;
    }
    return split_host(url);
}

/* ---------------------------------------------------------------- request */

void wsp_opening_key(const uint8_t bytes[16], char key[WSP_KEY_LEN + 1],
                     char accept[WSP_ACCEPT_LEN + 1])
{
    base64_encode_raw(key, 16, bytes);
    key[WSP_KEY_LEN] = '\0';
    wsp_upgrade_write_accept((wspool_text){key, WSP_KEY_LEN}, accept);
}

struct writer {
    char *out;
    size_t len, max;
};

static void put(struct writer *writer, wspool_text text)
{
    if (writer->len < writer->max && text.len > 0) {
        size_t room = writer->max - writer->len;
        memcpy(writer->out + writer->len, text.data, text.len < room ? text.len : room);
    }
    writer->len += text.len;
}

static void put_string(struct writer *writer, const char *string)
{
    put(writer, wsp_text_of(string));
}

size_t wsp_opening_write(const struct wsp_opening *opening, char *out, size_t max)
{
    const struct wsp_url *url = opening->url;
    const char *const *one = opening->subprotocols;
    struct writer writer = {out, 0, max};

    put_string(&writer, "GET ");
    put(&writer, url->path);
    if (url->query.len > 0 || opening->query.len > 0) {
        put_string(&writer, "?");
        put(&writer, url->query);
        put_string(&writer, url->query.len > 0 && opening->query.len > 0 ? "&" : "");
        put(&writer, opening->query);
    }
    put_string(&writer, " HTTP/1.1\r\nHost: ");
    put(&writer, url->authority);
    put_string(&writer, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    put_string(&writer, opening->key);
    if (one && *one) {
        put_string(&writer, "\r\nSec-WebSocket-Protocol: ");
        for (; *one; one++) {
            put_string(&writer, *one);
            put_string(&writer, one[1] ? ", " : "");
        }
    }
    if (opening->token.len > 0) {
        put_string(&writer, "\r\nAuthorization: Bearer ");
        put(&writer, opening->token);
    }
    put_string(&writer, "\r\n\r\n");
    return writer.len;
}

/* ----------------------------------------------------------------- answer */

static int is_exactly(wspool_text text, const char *string)
{
    return text.len == strlen(string) && memcmp(text.data, string, text.len) == 0;
}

int wsp_opening_judge(const struct wsp_http_answer *answer, const char *accept,
                      const char *const *offered, const char **subprotocol)
{
    struct wsp_headers headers;
    struct wsp_elements walk = {0};
    wspool_text value;
    int there;

    *subprotocol = NULL;
    wsp_headers_find(&headers, &answer->head);
    if (answer->http_minor < 1 || wsp_headers_only(&headers, WSP_HEADER_UPGRADE, &value) != 1 ||
        !wsp_text_is(value, "websocket") ||
        !wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "Upgrade") ||
        wsp_headers_only(&headers, WSP_HEADER_ACCEPT, &value) != 1 || !is_exactly(value, accept) ||
        wsp_headers_element(&headers, WSP_HEADER_EXTENSIONS, &walk, &value)) {
        return -1;
    }
    there = wsp_headers_only(&headers, WSP_HEADER_PROTOCOL, &value);
    for (const char *const *one = offered; there == 1 && one && *one; one++) {
        if (is_exactly(value, *one)) {
            *subprotocol = *one;
        }
    }
    return there == 0 || *subprotocol ? 0 : -1;
}

uint32_t wsp_opening_retry_after(const struct wsp_http_answer *answer, uint32_t max)
{
    struct wsp_headers headers;
    wspool_text value;
    uint64_t seconds = 0;

    wsp_headers_find(&headers, &answer->head);
    if (wsp_headers_only(&headers, WSP_HEADER_RETRY_AFTER, &value) != 1) {
        return 0;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!wsp_text_is_digit(value.data[i])) {
            return 0;
        }
        seconds = seconds > max ? seconds : seconds * 10 + (uint64_t)(value.data[i] - '0');
    }
    return seconds < max ? (uint32_t)seconds : max;
}
