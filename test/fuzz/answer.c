/* SPDX-License-Identifier: MIT */
/* fuzz/answer.c - see fuzz/answer.h. */
#include "answer.h"

#include "fuzz.h"

#include <wspool/handshake.h>

static int is(const char *line, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(line, text, len) == 0;
}

static int begins(const char *line, size_t len, const char *text)
{
    return strlen(text) <= len && memcmp(line, text, strlen(text)) == 0;
}

static int is_number(const char *line, size_t len, const char *name)
{
    size_t at = strlen(name);
    if (!begins(line, len, name) || len == at) {
        return 0;
    }
    while (at < len && line[at] >= '0' && line[at] <= '9') {
        at++;
    }
    return at == len;
}

static int is_refusal_line(const char *line, size_t len, int status)
{
    return is(line, len, "Content-Type: application/json") ||
           is_number(line, len, "Content-Length: ") ||
           is(line, len, status == 426 ? "Connection: close, Upgrade" : "Connection: close") ||
           (status == 401 && is(line, len, "WWW-Authenticate: Bearer")) ||
           (status == 405 && is(line, len, "Allow: GET")) ||
           (status == 426 &&
            (is(line, len, "Upgrade: websocket") || is(line, len, "Sec-WebSocket-Version: 13"))) ||
           ((status == 429 || status == 503) && is_number(line, len, "Retry-After: "));
}

static int is_welcome_line(const char *line, size_t len, const char *accept,
                           const char *const *ours)
{
    static const char key[] = "Sec-WebSocket-Accept: ", name[] = "Sec-WebSocket-Protocol: ";
    if (begins(line, len, key)) {
        return is(line + sizeof key - 1, len - (sizeof key - 1), accept);
    }
    if (begins(line, len, name)) {
        for (; ours != NULL && *ours != NULL; ours++) {
            if (is(line + sizeof name - 1, len - (sizeof name - 1), *ours)) {
                return 1;
            }
        }
        return 0;
    }
    return is(line, len, "Upgrade: websocket") || is(line, len, "Connection: Upgrade");
}

void fuzz_judge_answer(const reader *answer, const char *accept, const char *const *ours)
{
    const char *line = (const char *)answer->head.data;
    const char *end = strstr(line, "\r\n");
    int status = answer->status;
    int lines = 0;
    int word = 0;
    FUZZ_DEMAND(end != NULL && strspn(line, "HTP/1. 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "abcdefghijklmnopqrstuvwxyz") == (size_t)(end - line),
                "a status line like that");
    for (line = end + 2; (end = strstr(line, "\r\n")) != NULL && end != line; line = end + 2) {
        size_t len = (size_t)(end - line);
        FUZZ_DEMAND(status == 101 ? is_welcome_line(line, len, accept, ours)
                                  : is_refusal_line(line, len, status),
                    "%d with the line: %.*s", status, (int)len, line);
        lines++;
    }
    FUZZ_DEMAND(lines >= 3 && lines <= WSPOOL_ANSWER_HEADERS + 2, "%d headers", lines);
    if (status == 101) {
        FUZZ_DEMAND(answer->body.len <= 1, "a body");
        return;
    }
    for (int i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        enum wspool_refusal refusal = (enum wspool_refusal)i;
        word |= wspool_refusal_status(refusal) == status &&
                reader_says(answer, wspool_refusal_reason(refusal));
    }
    FUZZ_DEMAND(word && answer->body_len == (long)answer->body.len - 1, "%d with the body: %.*s",
                status, (int)answer->body.len, (const char *)answer->body.data);
}
