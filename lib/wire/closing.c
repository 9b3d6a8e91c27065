/* SPDX-License-Identifier: MIT */
/* wire/closing.c - see wire/closing.h. */
#include "wire/closing.h"

#include <string.h>

#include <wspool/close.h>
#include "wire/utf8.h"

int wsp_close_code_ok(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int is_utf8(const uint8_t *bytes, size_t len)
{
    struct wsp_utf8 state = {0};
    return wsp_utf8_feed(&state, bytes, len) && wsp_utf8_complete(&state);
}

int wsp_close_may_send(int code, const char *reason, size_t len)
{
    return wsp_close_code_ok(code) && len <= WSP_CLOSE_REASON_MAX &&
           (len == 0 || is_utf8((const uint8_t *)reason, len));
}

int wsp_close_parse(const uint8_t *payload, size_t len, int *code)
{
    if (len == 0) {
        *code = WSPOOL_CLOSE_NO_STATUS;
        return 0;
    }
    if (len == 1) {
        return WSPOOL_CLOSE_PROTOCOL;
    }
    *code = payload[0] << 8 | payload[1];
    if (!wsp_close_code_ok(*code)) {
        return WSPOOL_CLOSE_PROTOCOL;
    }
    return is_utf8(payload + 2, len - 2) ? 0 : WSPOOL_CLOSE_BAD_DATA;
}

size_t wsp_close_write(uint8_t payload[125], int code, const char *reason, size_t reason_len)
{
    if (code == WSPOOL_CLOSE_NO_STATUS) {
        return 0;
    }
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason_len > 0) {
        memcpy(payload + 2, reason, reason_len);
    }
    return 2 + reason_len;
}
