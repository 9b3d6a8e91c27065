/* SPDX-License-Identifier: MIT */
/* link/inbound.c - see link/inbound.h. */
#include "link/inbound.h"

#include <string.h>

#include <wspool/error.h>

#include "link/negotiated.h"
#include "wire/mask.h"

/* One is in use during a feed, and one for each peer whose frame was cut. */
#define KEEP 16u
#define KEEP_BYTES (256u * 1024u)

/* Room for output that a codec gets at a time. */
#define DECODE_STEP 4096u

void wsp_inbounds_init(struct wsp_inbounds *inbounds, const wspool_mem *mem,
                       struct wsp_decoders *decoders, const wspool_codec_hook *hook)
{
    *inbounds =
        (struct wsp_inbounds){.mem = mem, .decoders = decoders, .hook = hook, .mask = WSP_MASKED};
    wsp_turn_init(&inbounds->turn, UINT32_MAX, UINT32_MAX);
    wsp_freelist_init(&inbounds->free_list, sizeof(struct wsp_inbound), KEEP);
}

void wsp_inbounds_fini(struct wsp_inbounds *inbounds)
{
    struct wsp_inbound *in;
    while ((in = wsp_freelist_pop(&inbounds->free_list)) != NULL) {
        wsp_bytes_fini(&in->buffer, inbounds->mem);
        wsp_free(inbounds->mem, in);
    }
    inbounds->free_bytes = 0;
}

/* A free one whose buffer came from a route with a larger limit loses the buffer: no peer holds
 * more than one message of its own. */
static struct wsp_inbound *take(struct wsp_inbounds *inbounds, size_t limit)
{
    struct wsp_inbound *in = wsp_freelist_pop(&inbounds->free_list);
    if (!in) {
        return wsp_calloc(inbounds->mem, 1, sizeof *in);
    }
    inbounds->free_bytes -= in->buffer.cap;
    if (in->buffer.cap > limit) {
        wsp_bytes_fini(&in->buffer, inbounds->mem);
    }
    return in;
}

/* Returns the decoder if its frame is complete; discards it otherwise, because it is out of
 * step. */
static void leave_decoder(struct wsp_inbounds *inbounds, struct wsp_inbound *in)
{
    if (in->decoder && in->delivered) {
        wsp_decoder_return(inbounds->decoders, in->decoder);
    } else if (in->decoder) {
        wsp_decoder_discard(inbounds->decoders, in->decoder);
    }
    in->decoder = NULL;
}

/* Tells the codec that a message is complete, or (`final`) that the peer's state is no longer
 * needed. */
static void reset_codec(struct wsp_inbounds *inbounds, struct wsp_inbound *in, int final)
{
    if (in->state) {
        inbounds->hook->reset(wsp_negotiated_decoder(in->negotiated), &in->state, final,
                              inbounds->hook->user);
        in->state = final ? NULL : in->state;
    }
}

void wsp_inbound_unkeep(struct wsp_inbound *in)
{
    *(in->before ? &in->before->behind : &in->queue->first) = in->behind;
    *(in->behind ? &in->behind->before : &in->queue->last) = in->before;
    in->before = in->behind = NULL;
    in->queue->count--;
    in->queue = NULL;
}

static void enqueue(struct wsp_input_queue *queue, struct wsp_inbound *in)
{
    in->queue = queue;
    in->before = queue->last;
    *(in->before ? &in->before->behind : &queue->first) = in;
    queue->last = in;
    queue->count++;
}

void wsp_inbound_drop_tail(struct wsp_inbounds *inbounds, struct wsp_inbound *in)
{
    if (in->queue) {
        wsp_inbound_unkeep(in);
    }
    wsp_bytes_fini(&in->tail, inbounds->mem);
    in->tail_at = 0;
    in->ended = 0;
}

int wsp_inbound_keep(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                     struct wsp_input_queue *queue, uint32_t slot, const struct wsp_input *input)
{
    if (!*pin && (*pin = take(inbounds, input->limit)) == NULL) {
        return WSPOOL_ERR_NOMEM;
    }
    struct wsp_inbound *in = *pin;
    const uint8_t *tail = in->tail.data;
    if (input->len == 0) {
        in->tail_at = in->tail.len; /* all of it was read */
    } else if (in->tail.len > 0 && input->bytes >= tail && input->bytes < tail + in->tail.len) {
        in->tail_at = (size_t)(input->bytes - tail); /* a part of it was read, no more */
    } else if (wsp_bytes_append(&in->tail, inbounds->mem, input->bytes, input->len, SIZE_MAX / 4)) {
        return WSPOOL_ERR_NOMEM;
    }
    if (!in->queue) {
        in->slot = slot;
        enqueue(queue, in);
    }
    return 0;
}

void wsp_inbound_fini(struct wsp_inbounds *inbounds, struct wsp_inbound **pin)
{
    struct wsp_inbound *in = *pin;
    if (!in) {
        return;
    }
    *pin = NULL;
    wsp_count_sub(&inbounds->held, in->charged);
    in->charged = 0;
    if (in->tail.cap > 0 || in->queue) {
        wsp_inbound_drop_tail(inbounds, in);
    }
    reset_codec(inbounds, in, 1);
    leave_decoder(inbounds, in);
    if (inbounds->free_bytes + in->buffer.cap > KEEP_BYTES) {
        wsp_bytes_fini(&in->buffer, inbounds->mem);
    }
    if (wsp_freelist_is_full(&inbounds->free_list)) {
        wsp_bytes_fini(&in->buffer, inbounds->mem);
        wsp_free(inbounds->mem, in);
        return;
    }
    in->frame = (struct wsp_frame){0};
    in->buffer.len = 0;
    in->discard = 0;
    in->negotiated = 0;
    in->encoded = 0;
    in->message = 0;
    in->delivered = 0;
    wsp_freelist_push(&inbounds->free_list, &in->item);
    inbounds->free_bytes += in->buffer.cap;
}

/* Releases what the last event showed, after the host has seen it. `in` itself stays for the
 * frame that follows in the same bytes: see begin_frame. */
static void release_delivered(struct wsp_inbounds *inbounds, struct wsp_inbound *in)
{
    leave_decoder(inbounds, in);
    in->delivered = 0;
    if (!wsp_opcode_is_control(in->frame.opcode)) {
        in->message = 0;
        in->buffer.len = 0;
        if (in->encoded) { /* the codec has no part in a plain message */
            reset_codec(inbounds, in, 0);
        }
        if (in->state) {
            wsp_bytes_fini(&in->buffer, inbounds->mem); /* the codec's state may live long */
        }
    }
}

static void fail(struct wsp_inbounds *inbounds, struct wsp_inbound *in, enum wspool_end end,
                 struct wsp_input_result *result)
{
    if (in && in->decoder) {
        in->discard = wsp_decoder_missing(in->decoder);
        wsp_decoder_discard(inbounds->decoders, in->decoder);
        in->decoder = NULL;
    }
    result->kind = WSP_INPUT_ERROR;
    result->end = end;
}

/* Checks the rules of RFC 6455, section 5.4, and the limit, for a header that is valid by
 * itself. */
static int frame_fits(const struct wsp_inbound *in, const struct wsp_frame *frame, size_t limit,
                      enum wspool_end *end)
{
    int in_message = in && in->message != 0;
    if (wsp_opcode_is_control(frame->opcode)) {
        return 1;
    }
    *end = WSPOOL_END_PROTOCOL;
    if ((frame->opcode == WSP_CONTINUATION) != in_message) {
        return 0;
    }
    *end = WSPOOL_END_TOO_BIG;
    uint64_t so_far = in_message ? in->received : 0;
    uint64_t most = limit;
    if (in_message ? in->encoded : frame->rsv != 0) {
        /* The decoded bytes are counted when they are decoded. No sender needs more input than
         * this, and without a bound input that decodes to nothing could go on for ever. */
        most += limit / 4 + 1024;
    }
    return frame->length <= most && so_far <= most - frame->length;
}

/* Gathers a header and borrows what its payload needs. Returns 1 when a frame has begun. */
static int begin_frame(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                       struct wsp_frame_parser *parser, struct wsp_input *input,
                       struct wsp_input_result *result)
{
    struct wsp_frame frame;
    const struct wsp_frame_parser before = *parser;
    const struct wsp_input from = *input;
    enum wspool_end end = WSPOOL_END_PROTOCOL;
    enum wsp_frame_parsed answer =
        wsp_frame_parser_feed(parser, inbounds->mask, &input->bytes, &input->len, &frame);
    if (answer == WSP_PARSED_MORE) {
        if (*pin && (*pin)->message == 0 && !(*pin)->state) {
            wsp_inbound_fini(inbounds, pin); /* an idle peer has none, unless a codec keeps state */
        }
        result->kind = WSP_INPUT_MORE;
        return 0;
    }
    int good = answer == WSP_PARSED_HEAD && frame_fits(*pin, &frame, input->limit, &end);
    if (!*pin && (*pin = take(inbounds, input->limit)) == NULL) {
        *parser = before; /* its length cannot be stored, so the header must be read again */
        *input = from;
        fail(inbounds, NULL, WSPOOL_END_NOMEM, result);
        return 0;
    }
    struct wsp_inbound *in = *pin;
    in->frame = frame;
    in->control_len = 0;
    if (good) {
        in->decoder = wsp_decoder_borrow(inbounds->decoders, &frame);
        end = WSPOOL_END_NOMEM;
    }
    if (!in->decoder) { /* if it is a Close, it is found all the same */
        in->discard = frame.length;
        fail(inbounds, in, end, result);
        return 0;
    }
    if (in->message == 0) {
        in->started = input->now;
        in->received = 0;
        if (!wsp_opcode_is_control(frame.opcode)) {
            in->message = frame.opcode;
            in->encoded = frame.rsv != 0;
            in->negotiated = parser->negotiated;
            in->utf8 = (struct wsp_utf8){0};
        }
    }
    return 1;
}

static void deliver(struct wsp_inbound *in, enum wsp_input_kind kind, uint8_t opcode,
                    const uint8_t *data, size_t len, struct wsp_input_result *result)
{
    in->delivered = 1;
    result->kind = kind;
    result->opcode = opcode;
    result->data = data;
    result->len = len;
    result->encoded = in->encoded;
}

/* Decodes a chunk of a compressed frame into the buffer. Returns 0, or the reason to fail. */
static int decode(struct wsp_inbounds *inbounds, struct wsp_inbound *in, const uint8_t *chunk,
                  size_t len, int ends, size_t limit, enum wspool_end *end)
{
    const wspool_codec_hook *hook = inbounds->hook;
    wspool_decoding piece = {.in = chunk, .in_len = len, .last = ends};
    enum wspool_decoded answer;
    do {
        uint8_t beyond = 0; /* output that arrives here exceeds the limit */
        size_t room = limit - in->buffer.len < DECODE_STEP ? limit - in->buffer.len : DECODE_STEP;
        *end = WSPOOL_END_NOMEM;
        if (wsp_bytes_reserve(&in->buffer, inbounds->mem, room, limit)) {
            return -1;
        }
        uint8_t *const out = room > 0 ? in->buffer.data + in->buffer.len : &beyond;
        piece.out = out;
        piece.out_len = room > 0 ? room : 1;
        size_t left = piece.in_len;
        answer =
            hook->decode(wsp_negotiated_decoder(in->negotiated), &in->state, &piece, hook->user);
        if (answer == WSPOOL_DECODED_NOMEM) {
            return -1;
        }
        /* Decoded output is judged before a decoding error is: so the result does not depend on
         * how the input was cut. */
        size_t made = (size_t)(piece.out - out);
        *end = WSPOOL_END_TOO_BIG;
        if (made > room) {
            return -1;
        }
        *end = WSPOOL_END_BAD_UTF8;
        if (in->message == WSP_TEXT && !wsp_utf8_feed(&in->utf8, out, made)) {
            return -1;
        }
        in->buffer.len += made;
        wsp_turn_spend(&inbounds->turn, made);
        *end = WSPOOL_END_BAD_ENCODING;
        if (answer == WSPOOL_DECODED_BAD ||
            (answer == WSPOOL_DECODED_FULL && made == 0 && piece.in_len == left)) {
            return -1;
        }
    } while (answer == WSPOOL_DECODED_FULL);
    *end = WSPOOL_END_BAD_UTF8;
    return ends && in->message == WSP_TEXT && !wsp_utf8_complete(&in->utf8) ? -1 : 0;
}

/* take_data for a compressed message. */
static int take_encoded(struct wsp_inbounds *inbounds, struct wsp_inbound *in, const uint8_t *chunk,
                        size_t len, int ends, size_t limit, struct wsp_input_result *result)
{
    enum wspool_end end;
    if (decode(inbounds, in, chunk, len, ends, limit, &end)) {
        fail(inbounds, in, end, result);
        return 0;
    }
    if (ends) {
        deliver(in, WSP_INPUT_MESSAGE, in->message, in->buffer.data, in->buffer.len, result);
        return 0;
    }
    return 1;
}

/* Consumes a chunk of a data frame. A chunk of a plain message is already at the end of the
 * buffer. Returns 1 to continue, 0 when the event was set. */
static int take_data(struct wsp_inbounds *inbounds, struct wsp_inbound *in, const uint8_t *chunk,
                     size_t len, size_t limit, struct wsp_input_result *result)
{
    int ends = wsp_decoder_missing(in->decoder) == 0 && in->frame.fin;
    in->received += len; /* of the message: control frames between its fragments do not extend
                            its deadline */
    if (in->encoded) {
        return take_encoded(inbounds, in, chunk, len, ends, limit, result);
    }
    in->buffer.len += len;
    if (in->message == WSP_TEXT) {
        if (!wsp_utf8_feed(&in->utf8, chunk, len) || (ends && !wsp_utf8_complete(&in->utf8))) {
            fail(inbounds, in, WSPOOL_END_BAD_UTF8, result);
            return 0;
        }
    }
    if (ends) {
        const uint8_t *message = in->buffer.len > 0 ? in->buffer.data : (const uint8_t *)"";
        deliver(in, WSP_INPUT_MESSAGE, in->message, message, in->buffer.len, result);
        return 0;
    }
    return 1;
}

/* Sets where the arrived payload must go: NULL when it goes through a codec, or when there is
 * none. Returns 0, or -1 without memory. */
static int place(struct wsp_inbounds *inbounds, struct wsp_inbound *in,
                 const struct wsp_input *input, uint8_t **into)
{
    size_t ahead = wsp_decoder_ahead(in->decoder, input->len);
    *into = NULL;
    if (wsp_opcode_is_control(in->frame.opcode)) {
        *into = in->control + in->control_len;
    } else if (!in->encoded && ahead > 0) {
        if (wsp_bytes_reserve(&in->buffer, inbounds->mem, ahead, input->limit)) {
            return -1;
        }
        *into = in->buffer.data + in->buffer.len;
    }
    return 0;
}

/* The fast path, for a message that is complete in the input and not inside a fragmented one.
 * Returns 1 when the event was set. On any fault it consumes nothing: the slow path finds the
 * fault again and reports it. The message is shown from the buffer, whose length stays 0, and
 * nothing else is recorded, so there is nothing to release. `frame` stays that of an earlier
 * frame, which was no Close. */
static int deliver_whole(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                         struct wsp_input *input, struct wsp_input_result *result)
{
    struct wsp_frame frame;
    size_t head = wsp_frame_is_whole(input->bytes, input->len, &frame);
    if (head == 0 || frame.length > input->limit || inbounds->decoders->wslay_unmasks ||
        inbounds->mask != WSP_MASKED) {
        return 0;
    }
    size_t len = (size_t)frame.length;
    if (!*pin) {
        *pin = take(inbounds, input->limit);
    }
    struct wsp_inbound *in = *pin;
    if (!in || (len > in->buffer.cap &&
                wsp_bytes_reserve(&in->buffer, inbounds->mem, len, input->limit))) {
        fail(inbounds, in, WSPOOL_END_NOMEM, result);
        return 1;
    }
    uint8_t *const data = in->buffer.data;
    int ascii = wsp_mask_copy(data, input->bytes + head, len, frame.key);
    if (frame.opcode == WSP_TEXT && !ascii && !wsp_utf8_is_whole(data, len)) {
        return 0;
    }
    input->bytes += head + len;
    input->len -= head + len;
    result->kind = WSP_INPUT_MESSAGE;
    result->opcode = frame.opcode;
    result->data = len > 0 ? data : (const uint8_t *)"";
    result->len = len;
    result->encoded = 0;
    return 1;
}

/* The slow path, for all other input. */
static void gather(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                   struct wsp_frame_parser *parser, struct wsp_input *input,
                   struct wsp_input_result *result)
{
    for (;;) {
        struct wsp_inbound *in = *pin;
        if (!in || !in->decoder) {
            if (!begin_frame(inbounds, pin, parser, input, result)) {
                return;
            }
            in = *pin;
        }
        uint8_t *into;
        const uint8_t *chunk;
        size_t n;
        if (place(inbounds, in, input, &into)) {
            fail(inbounds, in, WSPOOL_END_NOMEM, result);
            return;
        }
        int got = wsp_decoder_pull(in->decoder, &input->bytes, &input->len, into, &chunk, &n);
        if (got == 0) {
            result->kind = WSP_INPUT_MORE;
            return;
        }
        if (got < 0) {
            fail(inbounds, in, WSPOOL_END_PROTOCOL, result);
            return;
        }
        if (wsp_opcode_is_control(in->frame.opcode)) {
            in->control_len = (uint8_t)(in->control_len + n);
            if (wsp_decoder_missing(in->decoder) == 0) {
                deliver(in, WSP_INPUT_CONTROL, in->frame.opcode, in->control, in->control_len,
                        result);
                return;
            }
        } else if (!take_data(inbounds, in, chunk, n, input->limit, result)) {
            return;
        } else if (wsp_decoder_missing(in->decoder) == 0) {
            wsp_decoder_return(inbounds->decoders, in->decoder);
            in->decoder = NULL;
            result->kind = WSP_INPUT_FRAME;
            result->len = (size_t)in->frame.length;
            return;
        }
    }
}

void wsp_inbound_next(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                      struct wsp_frame_parser *parser, struct wsp_input *input,
                      struct wsp_input_result *result)
{
    const struct wsp_inbound *in = *pin;
    if (in && in->delivered) {
        release_delivered(inbounds, *pin);
    }
    if (parser->have == 0 && (!in || (in->message == 0 && !in->decoder && !in->state)) &&
        deliver_whole(inbounds, pin, input, result)) {
        return;
    }
    gather(inbounds, pin, parser, input, result);
}

/* Discards payload, except what a Close may carry. Returns 1 at the end of the frame. */
static int discard_payload(struct wsp_inbound *in, struct wsp_input *input)
{
    size_t n = input->len < in->discard ? input->len : (size_t)in->discard;
    if (in->frame.opcode == WSP_CLOSE) {
        size_t room = sizeof in->control - in->control_len;
        size_t kept = n < room ? n : room;
        wsp_mask_copy(in->control + in->control_len, input->bytes, kept, in->frame.key);
        wsp_mask_turn(in->frame.key, n);
        in->control_len = (uint8_t)(in->control_len + kept);
    }
    input->bytes += n;
    input->len -= n;
    in->discard -= n;
    return in->discard == 0;
}

void wsp_inbound_abandon(struct wsp_inbounds *inbounds, struct wsp_inbound *in)
{
    if (in->decoder) { /* cut by the host's own close */
        in->discard = wsp_decoder_missing(in->decoder);
        leave_decoder(inbounds, in);
        wsp_mask_turn(in->frame.key, in->control_len); /* the rest of a Close continues here */
    }
    if (in->delivered) {
        in->frame.opcode = WSP_CONTINUATION; /* it was processed as a whole */
    }
    in->buffer.len = 0;
    if (in->buffer.cap > WSP_INBOUND_KEPT) {
        wsp_bytes_fini(&in->buffer, inbounds->mem);
    }
    reset_codec(inbounds, in, 1);
    in->message = 0;
    in->delivered = 0;
}

void wsp_inbound_discard(struct wsp_inbounds *inbounds, struct wsp_inbound **pin,
                         struct wsp_frame_parser *parser, struct wsp_input *input,
                         struct wsp_input_result *result)
{
    if (!*pin && (*pin = take(inbounds, input->limit)) == NULL) {
        fail(inbounds, NULL, WSPOOL_END_NOMEM, result);
        return;
    }
    struct wsp_inbound *in = *pin;
    wsp_inbound_abandon(inbounds, in);
    for (;;) {
        if (in->discard > 0 && !discard_payload(in, input)) {
            break;
        }
        if (in->frame.opcode == WSP_CLOSE && parser->have == 0) {
            deliver(in, WSP_INPUT_CONTROL, WSP_CLOSE, in->control, in->control_len, result);
            return;
        }
        if (wsp_frame_parser_feed(parser, inbounds->mask, &input->bytes, &input->len, &in->frame) ==
            WSP_PARSED_MORE) {
            break;
        }
        in->control_len = 0;
        in->discard = in->frame.length;
    }
    result->kind = WSP_INPUT_MORE;
}

int wsp_inbound_check(const struct wsp_inbound *in)
{
    if (in->decoder && (in->discard > 0 || wsp_decoder_missing(in->decoder) > in->frame.length)) {
        return 0;
    }
    return wsp_bytes_check(&in->buffer) && wsp_utf8_check(&in->utf8) &&
           (in->buffer.len == 0 || in->message != 0) && in->message <= WSP_BINARY &&
           (in->negotiated != 0 || (!in->state && !in->encoded)) &&
           in->control_len <= WSP_CONTROL_MAX;
}

static int queue_check(const struct wsp_input_queue *queue)
{
    uint32_t count = 0;
    for (const struct wsp_inbound *in = queue->first; in; in = in->behind) {
        if (++count > queue->count || in->queue != queue || in->tail_at > in->tail.len ||
            (in->behind ? in->behind->before : queue->last) != in) {
            return 0;
        }
    }
    return count == queue->count;
}

int wsp_inbounds_check(const struct wsp_inbounds *inbounds)
{
    size_t bytes = 0;
    if (!wsp_freelist_check(&inbounds->free_list)) {
        return 0;
    }
    for (const struct wsp_free_item *item = inbounds->free_list.first; item; item = item->next) {
        const struct wsp_inbound *in = (const void *)item;
        if (in->decoder || in->message != 0 || in->delivered || in->state || in->discard > 0 ||
            !wsp_inbound_check(in)) {
            return 0;
        }
        bytes += in->buffer.cap;
    }
    return queue_check(&inbounds->unread) && queue_check(&inbounds->partly) &&
           bytes == inbounds->free_bytes && bytes <= KEEP_BYTES;
}
