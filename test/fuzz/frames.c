/* SPDX-License-Identifier: MIT */
/* fuzz/frames.c - see fuzz/frames.h. */
#include "frames.h"

static const size_t fillings[] = {0,   1,   2,    4,    15,   16,    17,    123,
                                  124, 125, 126,  127,  128,  1000,  1024,  1025,
                                  3,   5,   4095, 4096, 4097, 65535, 65536, 8192};

void fuzz_frame(blob *wire, fuzz_input line)
{
    static uint8_t payload[80000];
    uint8_t letter = fuzz_byte(&line);
    client_frame frame = {.first = letter & 0x20 ? FIN : 0, .payload = payload};
    unsigned how;
    switch (letter | 0x20) {
    case 't':
        frame.first |= OP_TEXT;
        break;
    case 'b':
        frame.first |= OP_BINARY;
        break;
    case 'c':
        frame.first |= OP_CONT;
        break;
    case 'p':
        frame.first |= OP_PING;
        break;
    case 'o':
        frame.first |= OP_PONG;
        break;
    case 'x':
        frame.first |= OP_CLOSE;
        break;
    default:
        blob_add(wire, line.data, line.len);
        return;
    }
    how = fuzz_number(&line, 10);
    frame.len = fillings[fuzz_number(&line, sizeof fillings / sizeof *fillings)];
    memset(payload, 'a', frame.len);
    if (line.len > sizeof payload - frame.len) {
        line.len = sizeof payload - frame.len;
    }
    if (line.len > 0) {
        memcpy(payload + frame.len, line.data, line.len);
    }
    frame.len += line.len;
    frame.key = (uint32_t)fuzz_hash(line.data, line.len);
    frame.unmasked = how == 1;
    frame.form = how == 2 ? 2 : how == 3 ? 8 : 0;
    frame.announced = how == 4 ? frame.len + 1 : how == 7 ? UINT64_C(1) << 63 : 0;
    frame.first |= how == 5 ? 0x40u : how == 6 ? 4u : 0;
    frame.key = how == 8 ? 0 : frame.key;
    if (how == 2 && frame.len > 65535) {
        frame.form = 0;
    }
    if (how == 9) {
        client_put_head(wire, &frame);
    } else {
        client_put_frame(wire, &frame);
    }
}

/* ---------------------------------------------------------------- the judge */

static fuzz_said *say(fuzz_story *story, int what)
{
    if (story->count == story->cap) {
        story->cap = story->cap == 0 ? 16 : story->cap * 2;
        story->list = sim_realloc(story->list, story->cap * sizeof *story->list);
    }
    story->list[story->count] = (fuzz_said){.what = what, .at = story->text.len};
    return &story->list[story->count++];
}

static void fault(fuzz_story *story, int code)
{
    say(story, FUZZ_FAULT)->code = code;
}

/* Returns 1 if these bytes can begin a UTF-8 text. */
static int may_begin(const uint8_t *text, size_t len)
{
    uint8_t whole[4];
    size_t tail = 0;
    if (client_utf8(text, len)) {
        return 1;
    }
    while (tail < 3 && tail < len && (text[len - 1 - tail] & 0xc0) == 0x80) {
        tail++;
    }
    if (tail == len || text[len - 1 - tail] < 0xc2) {
        return 0;
    }
    tail++; /* the leading byte and the bytes after it */
    if (!client_utf8(text, len - tail)) {
        return 0;
    }
    memcpy(whole, text + len - tail, tail);
    size_t want = whole[0] < 0xe0 ? 2 : whole[0] < 0xf0 ? 3 : 4;
    if (tail >= want) {
        return 0;
    }
    /* One second byte must make it valid; any continuation byte will do for the others. */
    for (unsigned second = 0x80; second < 0xc0; second++) {
        uint8_t try[4] = {whole[0], tail > 1 ? whole[1] : (uint8_t)second, 0x80, 0x80};
        for (size_t i = 2; i < tail; i++) {
            try[i] = whole[i];
        }
        if (client_utf8(try, want)) {
            return 1;
        }
    }
    return 0;
}

static void tell_close(fuzz_story *story, const uint8_t *payload, size_t len)
{
    int code = len >= 2 ? payload[0] << 8 | payload[1] : 1005;
    if (len == 1 || (len >= 2 && (code < 1000 || code > 4999 || (code >= 1004 && code <= 1006) ||
                                  (code >= 1015 && code < 3000)))) {
        fault(story, 1002);
    } else if (len > 2 && !client_utf8(payload + 2, len - 2)) {
        fault(story, 1007);
    } else {
        say(story, FUZZ_CLOSE)->code = code;
    }
}

void fuzz_tell(fuzz_story *story, const uint8_t *bytes, size_t len, size_t limit)
{
    unsigned open = 0; /* opcode of the unfinished message, or 0 */
    size_t begin;      /* where it begins in the text */
    size_t at = 0;
    blob_add(&story->text, "", 1); /* allocate, even if the text is empty */
    begin = 1;
    while (len - at >= 2) {
        const uint8_t *head = bytes + at;
        unsigned op = head[0] & 15;
        int fin = (head[0] & 0x80) != 0;
        uint64_t size = head[1] & 127;
        size_t more = size == 126 ? 2 : size == 127 ? 8 : 0;
        uint8_t payload[125];
        if ((head[0] & 0x70) || !(head[1] & 0x80) || (op > 2 && op < 8) || op > 10 ||
            (op >= 8 && (!fin || size > 125))) {
            fault(story, 1002);
            return;
        }
        if (len - at < 6 + more) {
            return;
        }
        if (more > 0) {
            size = 0;
            for (size_t i = 0; i < more; i++) {
                size = size << 8 | head[2 + i];
            }
            if (size < (more == 2 ? 126u : 65536u) || size >> 63) {
                fault(story, 1002);
                return;
            }
        }
        const uint8_t *key = head + 2 + more;
        const uint8_t *from = key + 4;
        size_t have = len - at - 6 - more;
        size_t n = size < have ? (size_t)size : have;
        if (op < 8) {
            if ((op == OP_CONT) != (open != 0)) {
                fault(story, 1002);
                return;
            }
            if (open == 0) {
                open = op;
                begin = story->text.len;
            }
            if (size > limit || story->text.len - begin > limit - size) {
                fault(story, 1009);
                return;
            }
            size_t text = story->text.len - begin + n;
            blob_add(&story->text, from, n);
            uint8_t *start = story->text.data + begin;
            for (size_t i = 0; i < n; i++) {
                start[text - n + i] ^= key[i & 3];
            }
            if (open == OP_TEXT && text > 0 &&
                !(n == size && fin ? client_utf8(start, text) : may_begin(start, text))) {
                fault(story, 1007);
                return;
            }
            if (n == size && fin) {
                fuzz_said *said = say(story, FUZZ_MESSAGE);
                said->op = open;
                said->at = begin;
                said->len = text;
                open = 0;
            }
        } else if (n == size) {
            for (size_t i = 0; i < n; i++) {
                payload[i] = from[i] ^ key[i & 3];
            }
            if (op == OP_CLOSE) {
                tell_close(story, payload, n);
                return;
            }
            /* Control frames may come inside a message: their payload is stored elsewhere. */
            say(story, op == OP_PING ? FUZZ_PING : FUZZ_PONG)->len = n;
        }
        if (n < size) {
            return;
        }
        at += 6 + more + n;
    }
}

void fuzz_story_free(fuzz_story *story)
{
    free(story->list);
    blob_free(&story->text);
    memset(story, 0, sizeof *story);
}
