/* SPDX-License-Identifier: MIT */
/* json/names.c - the text of channels, epochs and times. See wspool/json.h. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include <wspool/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    enum wspool_kind kind;
    const char *prefix;
} kinds[] = {
    {WSPOOL_GLOBAL, "global:"},
    {WSPOOL_ITEM, "item:"},
    {WSPOOL_SESSION, "session:"},
    {WSPOOL_TOPIC, "topic:"},
};

/* Returns 1 if the bytes are UTF-8 without a NUL, otherwise 0. jansson checks the UTF-8; without
 * memory it cannot, and the result is 0. */
static int is_text(const char *bytes, size_t len)
{
    json_t *string = memchr(bytes, '\0', len) ? NULL : json_stringn(bytes, len);
    json_decref(string);
    return string != NULL;
}

int wspool_json_channel_write(wspool_channel channel, char *out)
{
    for (size_t i = 0; out && i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].kind != channel.kind || channel.len > WSPOOL_NAME_MAX ||
            (channel.len > 0 && (!channel.name || !is_text(channel.name, channel.len)))) {
            continue;
        }
        size_t prefix = strlen(kinds[i].prefix);
        memcpy(out, kinds[i].prefix, prefix);
        if (channel.len > 0) {
            memcpy(out + prefix, channel.name, channel.len);
        }
        out[prefix + channel.len] = '\0';
        return 0;
    }
    return WSPOOL_ERR_INVAL;
}

int wspool_json_channel_read(const char *text, size_t len, wspool_channel *channel)
{
    for (size_t i = 0; text && channel && i < sizeof kinds / sizeof *kinds; i++) {
        size_t prefix = strlen(kinds[i].prefix);
        if (len >= prefix && len - prefix <= WSPOOL_NAME_MAX &&
            memcmp(text, kinds[i].prefix, prefix) == 0) {
            *channel = wspool_channel_of(kinds[i].kind, text + prefix, len - prefix);
            return 0;
        }
    }
    return WSPOOL_ERR_INVAL;
}

/* Base 36, most significant digit first. 64 bits take at most 13 digits. */
void wspool_json_epoch_write(uint64_t epoch, char *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char reversed[WSPOOL_JSON_EPOCH_MAX];
    size_t len = 0;
    do {
        reversed[len++] = digits[epoch % 36];
        epoch /= 36;
    } while (epoch > 0);
    for (size_t i = 0; i < len; i++) {
        out[i] = reversed[len - 1 - i];
    }
    out[len] = '\0';
}

uint64_t wspool_json_epoch_read(const char *text)
{
    char canonical[WSPOOL_JSON_EPOCH_MAX];
    uint64_t epoch = 0;
    for (const char *c = text; c && *c; c++) {
        unsigned digit = *c >= '0' && *c <= '9'   ? (unsigned)(*c - '0')
                         : *c >= 'a' && *c <= 'z' ? (unsigned)(*c - 'a') + 10
                                                  : 36;
        if (digit == 36 || epoch > (UINT64_MAX - digit) / 36) {
            return 0;
        }
        epoch = epoch * 36 + digit;
    }
    /* There is one way to write an epoch: "007" is not one. */
    wspool_json_epoch_write(epoch, canonical);
    return text && strcmp(text, canonical) == 0 ? epoch : 0;
}

wspool_channel_position wspool_json_position_read(const char *epoch, const char *offset)
{
    int is_number = offset && *offset != '\0' && strspn(offset, "0123456789") == strlen(offset);
    wspool_channel_position position = {wspool_json_epoch_read(epoch), UINT64_MAX};
    /* Without an epoch the offset 0 asks for the state. A text that is not an epoch does not. */
    if (is_number && (position.epoch > 0 || !epoch || *epoch == '\0')) {
        position.offset = strtoull(offset, NULL, 10); /* beyond: UINT64_MAX */
    }
    return position;
}

/* 9999-12-31T23:59:59.999Z: the last time with a year of four digits. Later times are written as
 * this one. */
#define TIME_LAST UINT64_C(253402300799999)

void wspool_json_time_write(uint64_t milliseconds, char *out)
{
    milliseconds = milliseconds < TIME_LAST ? milliseconds : TIME_LAST;
    time_t seconds = (time_t)(milliseconds / 1000);
    struct tm utc = {0};
    char date[24];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, WSPOOL_JSON_TIME_MAX, "%.19s.%03uZ", date, (unsigned)(milliseconds % 1000));
}
