/* SPDX-License-Identifier: MIT */
/* handshake.c - see handshake.h. */
#define _GNU_SOURCE /* strcasestr, memmem */
#include "handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <wspool/wspool.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define BODY 512    /* bytes of a refusal's body that are of interest */
#define KEY_ROOM 25 /* base64 of 16 bytes, with a NUL */

/* ------------------------------------------------------------------ request */

static void make_key(char key[KEY_ROOM], char accept[29])
{
    unsigned char nonce[16] = {0}, digest[SHA_DIGEST_LENGTH];
    char joined[KEY_ROOM + sizeof GUID];
    RAND_bytes(nonce, sizeof nonce); /* any key will do: it is no secret */
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    snprintf(joined, sizeof joined, "%s%s", key, GUID);
    SHA1((const unsigned char *)joined, strlen(joined), digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

/* Returns the length, or 0: it does not fit. */
static size_t write_request(char *out, size_t room, const struct target *target,
                            const struct question *question, const char *key)
{
    int len =
        snprintf(out, room,
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: wspool-doctor\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: %d\r\n"
                 "Sec-WebSocket-Protocol: %s\r\n"
                 "Sec-WebSocket-Extensions: " EXTENSION "; client_max_window_bits\r\n"
                 "%s%s%s%s%s%s\r\n",
                 target->path, target->authority, key, question->version, question->subprotocol,
                 question->origin ? "Origin: " : "", question->origin ? question->origin : "",
                 question->origin ? "\r\n" : "", question->token ? "Authorization: Bearer " : "",
                 question->token ? question->token : "", question->token ? "\r\n" : "");
    return len > 0 && (size_t)len < room ? (size_t)len : 0;
}

/* ------------------------------------------------------------------- answer */

static void keep_body(struct answer *answer, const char *bytes, size_t len)
{
    size_t room = sizeof answer->body - 1 - answer->body_len;
    len = len < room ? len : room;
    memcpy(answer->body + answer->body_len, bytes, len);
    answer->body_len += len;
}

/* Reads the beginning of a refusal's body. Some servers keep the connection open, and do not say how
 * long the body is: what came within a short time is enough. */
static void read_body(struct transport *t, struct answer *answer, uint64_t until)
{
    uint64_t soon = wspool_clock() + 200 * WSPOOL_MILLISECOND;
    char value[VALUE_ROOM], bytes[BODY];
    size_t wanted = BODY;
    if (answer_header(answer, "Content-Length", value)) {
        size_t length = strtoul(value, NULL, 10);
        wanted = length < wanted ? length : wanted;
    }
    while (answer->body_len < wanted) {
        long n = transport_read(t, bytes, sizeof bytes, soon < until ? soon : until);
        if (n <= 0) {
            break;
        }
        keep_body(answer, bytes, (size_t)n);
    }
}

static enum answered read_head(struct transport *t, struct answer *answer, uint64_t until)
{
    size_t len = 0, room = sizeof answer->head - 1;
    const char *end = NULL;
    while (!end) {
        long n = len < room ? transport_read(t, answer->head + len, room - len, until) : 0;
        if (n <= 0) {
            return len == room ? TOO_LONG : n == READ_TIMEOUT ? SILENCE : HUNG_UP;
        }
        len += (size_t)n;
        if (len >= 2 && memcmp(answer->head, "\x15\x03", 2) == 0) {
            return IS_TLS;
        }
        if (memcmp(answer->head, "HTTP/1.", len < 7 ? len : 7) != 0) {
            return NOT_HTTP;
        }
        end = memmem(answer->head, len, "\r\n\r\n", 4);
    }
    size_t head = (size_t)(end - answer->head) + 4;
    if (memchr(answer->head, '\0', head) ||
        sscanf(answer->head, "HTTP/1.%*1[01] %3d", &answer->status) != 1 || answer->status < 100) {
        return NOT_HTTP;
    }
    keep_body(answer, answer->head + head, len - head);
    memset(answer->head + head, 0, sizeof answer->head - head);
    return ANSWERED;
}

enum answered ask(struct transport *t, const struct target *target, const struct question *question,
                  struct answer *answer, uint64_t until)
{
    char request[16384], key[KEY_ROOM];
    memset(answer, 0, sizeof *answer);
    make_key(key, answer->accept);
    size_t len = write_request(request, sizeof request, target, question, key);
    if (len == 0 || transport_write(t, request, len, until)) {
        return HUNG_UP;
    }
    enum answered result = read_head(t, answer, until);
    if (result == ANSWERED && answer->status != 101) {
        read_body(t, answer, until);
    }
    return result;
}

/* -------------------------------------------------------------------- looks */

const char *answer_header(const struct answer *answer, const char *name, char value[VALUE_ROOM])
{
    size_t used = 0, name_len = strlen(name);
    for (const char *line = strstr(answer->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *at = line + name_len + 1;
            at += strspn(at, " \t");
            int len = snprintf(value + used, VALUE_ROOM - used, "%s%.*s", used ? ", " : "",
                               (int)strcspn(at, "\r"), at);
            used += (size_t)len < VALUE_ROOM - used ? (size_t)len : VALUE_ROOM - 1 - used;
        }
    }
    return used ? value : NULL;
}

int answer_lists(const struct answer *answer, const char *name, const char *word)
{
    char value[VALUE_ROOM], *rest = NULL;
    char *item = answer_header(answer, name, value) ? strtok_r(value, ", \t", &rest) : NULL;
    while (item && strcasecmp(item, word) != 0) {
        item = strtok_r(NULL, ", \t", &rest);
    }
    return item != NULL;
}

void answer_reason(const struct answer *answer, char reason[32])
{
    const char *at = strstr(answer->body, "\"error\":");
    if (!at || sscanf(at + 8, " \"%31[a-z_]\"", reason) != 1) {
        reason[0] = '\0';
    }
}

int answer_proxy(const struct answer *answer, char name[32])
{
    static const char *const names[] = {"nginx",   "openresty",  "apache",  "haproxy",
                                        "envoy",   "cloudflare", "varnish", "caddy",
                                        "traefik", "squid",      "awselb",  "akamai"};
    char value[VALUE_ROOM];
    int has_server = answer_header(answer, "Server", value) != NULL;
    for (size_t i = 0; has_server && i < sizeof names / sizeof *names; i++) {
        if (strcasestr(value, names[i])) {
            snprintf(name, 32, "%s", names[i]);
            return 1;
        }
    }
    if (answer_header(answer, "Via", value)) {
        snprintf(name, 32, "%.30s", value);
        return 1;
    }
    return 0;
}

int answer_is_the_proxys(const struct answer *answer)
{
    char name[32];
    return answer_proxy(answer, name) && strcasestr(answer->body, name) != NULL;
}
