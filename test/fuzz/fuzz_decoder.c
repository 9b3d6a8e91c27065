/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_decoder.c - the frame-header parser (wire/frame.c) and the decoder (wire/decoder.c,
 * wire/mask.c).
 *
 * Decodes a stream three times: our unmasking of the whole stream, wslay's unmasking of random
 * pieces, and ours of single bytes. Demands:
 * - All three find the same frames, the same payload, and the same fault at the same frame. Both
 *   unmaskings agree with a third reading that follows RFC 6455 alone (frames.h).
 * - No chunk is longer than 4 KiB, and none has a byte beyond its frame.
 * - What is missing at the end is exactly what was not given.
 * - Each payload is encoded again, into a block of exactly the announced size. A strict reader
 *   reads it back, and so does the decoder, masked as a client would mask it.
 *
 * Input: one character, from which the random cuts follow, then frames (frames.h).
 */
#include "frames.h"

#include "wire/decoder.h"

const unsigned fuzz_runs = 8000;

enum { LONGEST = 4096, CHUNK = 4096, WIRE_MAX = 100000 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* ----------------------------------------------------------------- reading */

/* All that was decoded, in a form that can be compared: heads, then payload, frame by frame. */
struct account {
    blob text;
    size_t frames;
    int bad;
};

static void note_head(struct account *account, const struct wsp_frame *frame)
{
    uint8_t head[16] = {frame->opcode, frame->fin, frame->rsv, frame->masked};
    memcpy(head + 4, frame->key, 4);
    memcpy(head + 8, &frame->length, 8);
    blob_add(&account->text, head, sizeof head);
    account->frames++;
}

struct reading {
    struct wsp_decoders *decoders;
    struct wsp_frame_parser parser;
    struct wsp_frame frame;
    struct wsp_decoder *decoder;
    struct account *account;
};

/* Decodes the payload that is there. Returns 1 when the frame is complete. */
static int read_payload(struct reading *r, const uint8_t **at, size_t *len)
{
    const uint8_t *chunk;
    size_t n;
    int rc;
    do {
        uint64_t before = wsp_decoder_missing(r->decoder);
        size_t given = *len;
        size_t ahead = wsp_decoder_ahead(r->decoder, *len);
        uint8_t *into = before % 2 ? malloc(ahead + 1) : NULL; /* a buffer of ours, or wslay's */
        rc = wsp_decoder_pull(r->decoder, at, len, into, &chunk, &n);
        FUZZ_DEMAND(rc == 0 || rc == 1, "wslay rejects what the frame-header parser accepted");
        FUZZ_DEMAND(before - wsp_decoder_missing(r->decoder) == given - *len,
                    "what is missing is not what was not given");
        if (rc == 1) {
            FUZZ_DEMAND(n <= CHUNK, "a chunk of %zu", n);
            FUZZ_DEMAND(!into || chunk == into, "the chunk is not where it was asked for");
            blob_add(&r->account->text, chunk, n);
        }
        free(into);
    } while (rc == 1 && wsp_decoder_missing(r->decoder) > 0);
    FUZZ_DEMAND(rc == 1 || *len == 0, "bytes are left, and it wants more");
    return rc == 1;
}

static void read_piece(struct reading *r, const uint8_t *at, size_t len)
{
    const uint8_t *const end = at + len;
    while (!r->account->bad) {
        if (r->decoder == NULL) {
            enum wsp_frame_parsed answer =
                wsp_frame_parser_feed(&r->parser, WSP_MASKED, &at, &len, &r->frame);
            FUZZ_DEMAND(at + len == end, "the input was moved wrongly");
            if (answer == WSP_PARSED_MORE) {
                FUZZ_DEMAND(len == 0, "%zu bytes left", len);
                return;
            }
            if (answer == WSP_PARSED_BAD) {
                r->account->bad = 1;
                return;
            }
            note_head(r->account, &r->frame);
            r->decoder = wsp_decoder_borrow(r->decoders, &r->frame);
            FUZZ_DEMAND(r->decoder != NULL, "no memory");
        }
        if (!read_payload(r, &at, &len)) {
            return;
        }
        wsp_decoder_return(r->decoders, r->decoder);
        r->decoder = NULL;
    }
}

/* Decodes the stream. `most` is the size of the pieces in bytes; 0 means random sizes. */
static void read_all(struct account *account, const blob *wire, int wslay, size_t most,
                     uint64_t chance)
{
    struct wsp_decoders decoders;
    struct reading r = {.decoders = &decoders, .account = account};
    size_t at = 0;
    uint8_t *bytes = fuzz_copy(wire->data, wire->len);
    wsp_decoders_init(&decoders, &wsp_mem_default);
    decoders.wslay_unmasks = wslay;
    while (at < wire->len && !account->bad) {
        size_t left = wire->len - at;
        size_t n = most == 0 ? fuzz_cut(&chance, left) : most < left ? most : left;
        fuzz_show(bytes, at + n, wire->len);
        read_piece(&r, bytes + at, n);
        at += n;
    }
    fuzz_free(bytes, wire->len);
    if (r.decoder != NULL) {
        wsp_decoder_discard(&decoders, r.decoder);
    }
    wsp_decoders_fini(&decoders);
}

static void same(const struct account *a, const struct account *b, const char *what)
{
    FUZZ_DEMAND(a->frames == b->frames && a->bad == b->bad, "%s: %zu frames, bad %d; %zu, bad %d",
                what, a->frames, a->bad, b->frames, b->bad);
    FUZZ_DEMAND(a->text.len == b->text.len &&
                    (a->text.len == 0 || memcmp(a->text.data, b->text.data, a->text.len) == 0),
                "%s: the bytes differ", what);
}

/* -------------------------------------------------------------- both ways */

static void there_and_back(const uint8_t *payload, size_t len, enum wsp_opcode opcode)
{
    static const uint8_t whole = FIN;
    struct account account = {0};
    blob masked = {0};
    reader r = {.frames = 1};
    uint32_t head = wsp_frame_head_len(len);
    uint8_t *ours = malloc(head + len);
    FUZZ_DEMAND(ours != NULL, "no memory");
    wsp_frame_write(ours, opcode, payload, len);
    FUZZ_DEMAND(wsp_frame_encoded_len(ours) == head + len, "the length of an encoded frame");
    reader_take(&r, ours, head + len);
    FUZZ_DEMAND(r.fault == NULL && r.count == 1 && r.pending.len == 0, "%s",
                r.fault != NULL ? r.fault : "not one frame");
    FUZZ_DEMAND(r.list[0].op == (unsigned)opcode && got_is(&r.list[0], payload, len), "another");
    client_put_frame(&masked, &(client_frame){.first = whole | (unsigned)opcode,
                                              .payload = ours + head,
                                              .len = len,
                                              .key = (uint32_t)fuzz_hash(payload, len)});
    read_all(&account, &masked, 0, 0, len);
    FUZZ_DEMAND(account.frames == 1 && !account.bad && account.text.len == 16 + len &&
                    (len == 0 || memcmp(account.text.data + 16, payload, len) == 0),
                "not the same again");
    blob_free(&account.text);
    blob_free(&masked);
    reader_free(&r);
    free(ours);
}

/* ------------------------------------------------------------ a third view */

static void by_hand(struct account *account, const blob *wire)
{
    size_t at = 0;
    while (wire->len - at >= 2) {
        const uint8_t *head = wire->data + at;
        unsigned op = head[0] & 15;
        struct wsp_frame frame = {.opcode = (uint8_t)op,
                                  .fin = head[0] >> 7,
                                  .rsv = head[0] >> 4 & 7,
                                  .masked = head[1] >> 7,
                                  .length = head[1] & 127};
        size_t more = frame.length == 126 ? 2 : frame.length == 127 ? 8 : 0;
        if (frame.rsv || !frame.masked || (op > 2 && op < 8) || op > 10 ||
            (op > 2 && (more > 0 || !frame.fin))) {
            account->bad = 1;
            return;
        }
        if (wire->len - at < 6 + more) {
            return;
        }
        if (more > 0) {
            frame.length = 0;
            for (size_t i = 0; i < more; i++) {
                frame.length = frame.length << 8 | head[2 + i];
            }
            if (frame.length < (more == 2 ? 126u : 65536u) || frame.length >> 63) {
                account->bad = 1;
                return;
            }
        }
        memcpy(frame.key, head + 2 + more, 4);
        note_head(account, &frame);
        at += 6 + more;
        size_t left = wire->len - at;
        size_t n = frame.length < left ? (size_t)frame.length : left;
        blob_add(&account->text, wire->data + at, n);
        uint8_t *text = account->text.data + account->text.len - n;
        for (size_t i = 0; i < n; i++) {
            text[i] ^= frame.key[i & 3];
        }
        at += n;
        if (n < frame.length) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_input line;
    blob wire = {0};
    struct account ours = {0}, wslays = {0}, bytes = {0}, hand = {0};
    uint64_t chance = fuzz_byte(&in);
    size_t at = 0;
    if (size > LONGEST) {
        return 0;
    }
    while (wire.len < WIRE_MAX && fuzz_line(&in, &line)) {
        fuzz_frame(&wire, line);
    }
    read_all(&ours, &wire, 0, wire.len, 0);
    read_all(&wslays, &wire, 1, 0, chance);
    same(&ours, &wslays, "ours whole and wslay's in pieces");
    read_all(&bytes, &wire, 0, wire.len < 600 ? 1 : 0, chance + 1);
    same(&ours, &bytes, "whole and byte by byte");
    by_hand(&hand, &wire);
    same(&ours, &hand, "the library and RFC 6455");
    for (size_t n = 0; n < 4 && at + 16 <= ours.text.len; n++) {
        uint64_t length;
        uint8_t op = ours.text.data[at];
        memcpy(&length, ours.text.data + at + 8, 8);
        at += 16;
        size_t len = length < ours.text.len - at ? (size_t)length : ours.text.len - at;
        if (op != WSP_CONTINUATION && (op != WSP_CLOSE || len == 0)) {
            there_and_back(ours.text.data + at, len, (enum wsp_opcode)op);
        }
        at += len;
    }
    blob_free(&ours.text);
    blob_free(&wslays.text);
    blob_free(&bytes.text);
    blob_free(&hand.text);
    blob_free(&wire);
    return 0;
}
