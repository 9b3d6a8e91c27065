/* SPDX-License-Identifier: MIT */
/*
 * unit/toy.h - a codec for the tests (wspool/codec.h) that encodes run lengths.
 *
 * It can also do what is hard to provoke in a real codec, and it checks that the pool keeps its
 * side of the contract.
 *
 *     struct toy toy = {.mem = &hooks};
 *     config.codec = toy_hook(&toy);
 *     ...
 *     toy_check(&toy);                       // every state was given back
 *
 * An encoded message is a list of pairs (count, byte): that byte, count times. Count 0 is an order:
 *
 *     0 'N'  nothing            0 'B'  answer BAD              0 'M'  answer NOMEM
 *     0 'X'  a bomb: 'x' without end
 *     0 'L'  the last run again, be it of the message before (TOY_TAKEOVER), else BAD
 *
 * Encoded messages begin with 0 'N' and end with one more of these for each encoding above 1, so
 * that encodings differ in length. The client offers "x-toy; form=N; reading=N"; the response of
 * the pool is the same text. Include this file behind cmocka. test/unit and test/sim share it.
 */
#ifndef WSP_TEST_UNIT_TOY_H
#define WSP_TEST_UNIT_TOY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wspool/wspool.h>

#define TOY_TAKEOVER 1u /* a decoder with this bit keeps its state between messages */
#define TOY_MARK UINT64_C(0x746f792073746174)

struct toy {
    const wspool_mem *mem;  /* allocates states and encoded messages */
    int unsure;             /* returns FULL for full output space, also when no output is left */
    int longer;             /* encode returns a result that is not shorter */
    int exact;              /* and of exactly the same length */
    int refuse;             /* encode returns NULL */
    int nonsense;           /* negotiation: see toy_negotiate */
    size_t live;            /* states not freed */
    size_t agrees, encodes; /* calls */
    size_t encodes_of[WSPOOL_ENCODINGS + 1];
    size_t decodes, rests, overs;
    size_t most_room, least_room; /* of output space */
    unsigned route_flags;         /* offered parameters of the last negotiation */
    uint8_t *frame;
};

struct toy_state {
    uint64_t mark;
    unsigned decoder;
    int begun;                     /* a piece of this message was seen */
    int complete;                  /* the message is complete: only `reset` may follow */
    int failed;                    /* only reset(final = 1) may follow */
    int full;                      /* the last result was FULL: the same input must come again */
    size_t left;                   /* input bytes left then */
    int last;                      /* and their last byte */
    int half;                      /* a count is there, its byte is not */
    uint8_t count;                 /* that count */
    uint8_t byte;                  /* byte of the run that is being written */
    uint64_t run;                  /* bytes of the run still to be written */
    uint8_t last_count, last_byte; /* the run before; count 0: none */
};

/* -------------------------------------------------------------- negotiate */

static inline int toy_number(const wspool_extension_param *param, const char *name, unsigned *out)
{
    char digits[8] = {0};
    if (param->name.len != strlen(name) || memcmp(param->name.data, name, param->name.len) != 0 ||
        !param->value.data || param->value.len == 0 || param->value.len >= sizeof digits) {
        return 0;
    }
    memcpy(digits, param->value.data, param->value.len);
    *out = (unsigned)strtoul(digits, NULL, 10);
    return 1;
}

/* Invalid results of the codec, for tests that the pool does not trust them. */
enum toy_nonsense {
    TOY_SENSE,
    TOY_ENCODING_0,
    TOY_ENCODING_16,
    TOY_DECODER_16,
    TOY_NO_END,
    TOY_EMPTY,
    TOY_NEWLINE,
    TOY_TAB,
    TOY_DELETE,
    TOY_NOT_ASCII,
    TOY_TWO, /* the function itself returns neither 0 nor 1 */
    TOY_NONSENSES
};

static inline int toy_negotiate(const wspool_extension *offer, unsigned route_flags,
                                wspool_negotiated *out, void *user)
{
    struct toy *toy = user;
    unsigned encoding = 1, decoder = 0;
    toy->agrees++;
    toy->route_flags = route_flags;
    assert_true(out->size == sizeof *out);
    assert_true(offer->name.len > 0 && offer->param_count <= WSPOOL_EXTENSION_PARAMS);
    if (offer->name.len != 5 || memcmp(offer->name.data, "x-toy", 5) != 0) {
        return 0;
    }
    for (size_t i = 0; i < offer->param_count; i++) {
        const wspool_extension_param *param = &offer->params[i];
        assert_true(param->name.len > 0);
        assert_true(!param->value.data == (param->value.len == 0));
        if (!toy_number(param, "form", &encoding) && !toy_number(param, "reading", &decoder)) {
            return 0;
        }
    }
    memset(out->answer, 0xa5, sizeof out->answer); /* bytes behind the NUL must not matter */
    out->encoding = encoding;
    out->decoder = decoder;
    snprintf(out->answer, sizeof out->answer, "x-toy; form=%u; reading=%u", encoding, decoder);
    switch ((enum toy_nonsense)toy->nonsense) {
    case TOY_ENCODING_0:
        out->encoding = 0;
        break;
    case TOY_ENCODING_16:
        out->encoding = WSPOOL_ENCODINGS + 1;
        break;
    case TOY_DECODER_16:
        out->decoder = WSPOOL_DECODERS;
        break;
    case TOY_NO_END:
        memset(out->answer, 'a', sizeof out->answer);
        break;
    case TOY_EMPTY:
        out->answer[0] = '\0';
        break;
    case TOY_NEWLINE:
        memcpy(out->answer, "x\r\ny: z", 8);
        break;
    case TOY_TAB:
        out->answer[1] = '\t';
        break;
    case TOY_DELETE:
        out->answer[1] = '\x7f';
        break;
    case TOY_NOT_ASCII:
        out->answer[1] = '\xe4';
        break;
    case TOY_TWO:
        return 2;
    case TOY_SENSE:
    case TOY_NONSENSES:
        break;
    }
    return 1;
}

/* ----------------------------------------------------------------- encode */

/* Writes the pairs of a message and returns their length. `out` must have space for 2 * len +
 * 32. */
static inline size_t toy_write(uint8_t *out, unsigned encoding, const void *message, size_t len)
{
    const uint8_t *bytes = message;
    size_t n = 0;
    out[n++] = 0;
    out[n++] = 'N';
    for (size_t i = 0; i < len;) {
        size_t run = 1;
        while (run < 255 && i + run < len && bytes[i + run] == bytes[i]) {
            run++;
        }
        out[n++] = (uint8_t)run;
        out[n++] = bytes[i];
        i += run;
    }
    for (unsigned i = 1; i < encoding; i++) {
        out[n++] = 0;
        out[n++] = 'N';
    }
    return n;
}

static inline void toy_forget_frame(struct toy *toy)
{
    if (toy->frame) {
        toy->mem->free(toy->frame, toy->mem->user);
        toy->frame = NULL;
    }
}

static inline const void *toy_encode(unsigned encoding, const void *message, size_t len,
                                     size_t *encoded_len, void *user)
{
    struct toy *toy = user;
    assert_in_range(encoding, 1, WSPOOL_ENCODINGS);
    assert_true(len >= 1 && message && encoded_len);
    toy->encodes++;
    toy->encodes_of[encoding]++;
    toy_forget_frame(toy); /* the frame had to stay valid until now, and no longer */
    if (toy->refuse) {
        return NULL;
    }
    toy->frame = toy->mem->malloc(2 * len + 32, toy->mem->user);
    if (!toy->frame) {
        return NULL;
    }
    *encoded_len = toy_write(toy->frame, encoding, message, len);
    if (toy->longer || toy->exact) {
        *encoded_len = len + (toy->longer != 0);
    }
    return toy->frame;
}

/* ----------------------------------------------------------------- decode */

static inline enum wspool_decoded toy_order(struct toy_state *state, uint8_t order)
{
    switch (order) {
    case 'N':
        return WSPOOL_DECODED_ALL;
    case 'X':
        state->run = UINT64_MAX;
        state->byte = 'x';
        return WSPOOL_DECODED_ALL;
    case 'L':
        if (state->last_count == 0) {
            return WSPOOL_DECODED_BAD;
        }
        state->run = state->last_count;
        state->byte = state->last_byte;
        return WSPOOL_DECODED_ALL;
    case 'M':
        return WSPOOL_DECODED_NOMEM;
    default:
        return WSPOOL_DECODED_BAD;
    }
}

static inline enum wspool_decoded toy_go_on(const struct toy *toy, struct toy_state *state,
                                            wspool_decoding *piece)
{
    for (;;) {
        size_t n = state->run < piece->out_len ? (size_t)state->run : piece->out_len;
        memset(piece->out, state->byte, n);
        piece->out += n;
        piece->out_len -= n;
        state->run -= n;
        if (state->run > 0 || (piece->out_len == 0 && (toy->unsure || piece->in_len > 0))) {
            return WSPOOL_DECODED_FULL;
        }
        if (piece->in_len == 0) {
            return piece->last && state->half ? WSPOOL_DECODED_BAD : WSPOOL_DECODED_ALL;
        }
        uint8_t byte = *piece->in++;
        piece->in_len--;
        if (!state->half) {
            state->count = byte;
            state->half = 1;
            continue;
        }
        state->half = 0;
        if (state->count == 0) {
            enum wspool_decoded answer = toy_order(state, byte);
            if (answer != WSPOOL_DECODED_ALL) {
                return answer;
            }
        } else {
            state->run = state->last_count = state->count;
            state->byte = state->last_byte = byte;
        }
    }
}

static inline enum wspool_decoded toy_decode(unsigned decoder, void **kept, wspool_decoding *piece,
                                             void *user)
{
    struct toy *toy = user;
    toy->decodes++;
    assert_true(decoder < WSPOOL_DECODERS);
    assert_true(piece->out && piece->out_len > 0);
    assert_true(piece->in || piece->in_len == 0);
    toy->most_room = piece->out_len > toy->most_room ? piece->out_len : toy->most_room;
    toy->least_room =
        toy->least_room == 0 || piece->out_len < toy->least_room ? piece->out_len : toy->least_room;
    if (!*kept) {
        struct toy_state *made = toy->mem->malloc(sizeof *made, toy->mem->user);
        if (!made) {
            return WSPOOL_DECODED_NOMEM;
        }
        *made = (struct toy_state){.mark = TOY_MARK, .decoder = decoder};
        *kept = made;
        toy->live++;
    }
    struct toy_state *state = *kept;
    assert_true(state->mark == TOY_MARK); /* otherwise it was freed before */
    assert_int_equal(state->decoder, decoder);
    assert_int_equal(state->failed, 0);
    assert_int_equal(state->complete, 0);
    if (state->full) { /* the input that was left must come again, and nothing else */
        assert_true(state->left == piece->in_len);
        assert_int_equal(state->last, piece->last);
    }
    state->begun = 1;
    enum wspool_decoded answer = toy_go_on(toy, state, piece);
    state->full = answer == WSPOOL_DECODED_FULL;
    state->left = piece->in_len;
    state->last = piece->last;
    state->failed = answer == WSPOOL_DECODED_BAD || answer == WSPOOL_DECODED_NOMEM;
    state->complete = answer == WSPOOL_DECODED_ALL && piece->last;
    return answer;
}

static inline void toy_reset(unsigned decoder, void **kept, int final, void *user)
{
    struct toy *toy = user;
    struct toy_state *state = *kept;
    assert_non_null(state);
    assert_true(state->mark == TOY_MARK);
    assert_int_equal(state->decoder, decoder);
    assert_true(final == 0 || final == 1);
    assert_true(toy->live > 0);
    if (final) {
        toy->overs++;
    } else {
        assert_int_equal(state->complete, 1);
        assert_int_equal(state->failed, 0);
        toy->rests++;
    }
    if (!final && (decoder & TOY_TAKEOVER)) {
        *state = (struct toy_state){.mark = TOY_MARK,
                                    .decoder = decoder,
                                    .last_count = state->last_count,
                                    .last_byte = state->last_byte};
        return;
    }
    state->mark = 0;
    toy->mem->free(state, toy->mem->user);
    toy->live--;
    *kept = NULL;
}

/* ---------------------------------------------------------- for the tests */

static inline wspool_codec_hook toy_hook(struct toy *toy)
{
    return (wspool_codec_hook){.negotiate = toy_negotiate,
                               .encode = toy_encode,
                               .decode = toy_decode,
                               .reset = toy_reset,
                               .user = toy};
}

/* Checks that every state and the last encoded message were freed. */
static inline void toy_check(struct toy *toy)
{
    assert_int_equal(toy->live, 0);
    toy_forget_frame(toy);
}

/* Decodes an encoded message as a client does. Returns the length of the message, which is
 * written to `out`, or (size_t)-1 for an invalid one. Independent of the decoder above, which
 * works on pieces. */
static inline size_t toy_read(const uint8_t *in, size_t len, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += 2) {
        if (i + 1 == len || (in[i] == 0 && in[i + 1] != 'N') || in[i] > max - n) {
            return SIZE_MAX;
        }
        memset(out + n, in[i + 1], in[i]);
        n += in[i];
    }
    return n;
}

#endif
