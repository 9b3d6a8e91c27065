/* SPDX-License-Identifier: MIT */
/*
 * unit/test_decoder.c - wire/decoder.h and wsp_frame_write: reading and writing frames.
 *
 * Frames are decoded with every cut. The library's unmasking is compared with that of wslay, and
 * wsp_frame_write with an independent encoder and with wslay. The tests also check which contexts
 * and how much memory are held meanwhile.
 *
 * wslay has no allocator hook, so this file replaces the two wslay functions that allocate and free
 * a context: they count, and one can be told to fail.
 */
#include "guard.h"

#include <dlfcn.h>
#include <wslay/wslay.h>

#include "frames.h"
#include <wspool/error.h>
#include "wire/decoder.h"

/* ------------------------------------------------------- wslay's own memory */

static struct {
    size_t made, live;
    size_t fail_at; /* counts down; the call that makes it 0 fails */
} contexts;

int wslay_frame_context_init(wslay_frame_context_ptr *context,
                             const struct wslay_frame_callbacks *callbacks, void *user)
{
    int (*real)(wslay_frame_context_ptr *, const struct wslay_frame_callbacks *, void *);
    void *symbol = dlsym(RTLD_NEXT, "wslay_frame_context_init");
    assert_non_null(symbol);
    memcpy(&real, &symbol, sizeof real);
    if (contexts.fail_at > 0 && --contexts.fail_at == 0) {
        return WSLAY_ERR_NOMEM;
    }
    contexts.made++;
    contexts.live++;
    return real(context, callbacks, user);
}

void wslay_frame_context_free(wslay_frame_context_ptr context)
{
    void (*real)(wslay_frame_context_ptr);
    void *symbol = dlsym(RTLD_NEXT, "wslay_frame_context_free");
    assert_non_null(symbol);
    memcpy(&real, &symbol, sizeof real);
    contexts.live -= context != NULL;
    real(context);
}

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_decoders decoders;
};

static void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    memset(&contexts, 0, sizeof contexts);
    w->hooks = test_mem_hooks(&w->mem);
    wsp_decoders_init(&w->decoders, &w->hooks);
}

static void world_close(struct world *w)
{
    wsp_decoders_fini(&w->decoders);
    assert_int_equal(w->mem.live, 0);
    assert_int_equal(contexts.live, 0);
}

/* ---------------------------------------------------------------- writing */

/* Returns the next length to test: each length near those where the header changes, and some of
 * the others. */
static size_t next_length(size_t len)
{
    if (len < 300 || (len >= 65530 && len < 65540)) {
        return len + 1;
    }
    return len < 65530 && len + 997 > 65530 ? 65530 : len + 997;
}

TEST(frame_when_encoded_equals_that_of_an_independent_encoder)
{
    static const enum wsp_opcode opcodes[] = {WSP_TEXT, WSP_BINARY, WSP_CLOSE, WSP_PING, WSP_PONG};
    enum { MOST = 70000 };
    struct world w;
    struct guard guard;
    uint64_t random = 51;
    uint8_t *payload = malloc(MOST), *expected = malloc(MOST + FRAME_HEAD_MAX);
    assert_non_null(payload);
    assert_non_null(expected);
    frame_fill(payload, MOST, &random);
    world_open(&w);
    guard_open(&guard, MOST + FRAME_HEAD_MAX);
    for (size_t len = 0; len <= MOST; len = next_length(len)) {
        size_t kinds = len <= 125 ? 5 : 2;
        for (size_t i = 0; i < kinds; i++) {
            size_t n = frame_server(expected, FRAME_FIN | opcodes[i], payload, len);
            uint8_t *out = (uint8_t *)guard_room_at_end(&guard, n);
            wsp_frame_write(out, opcodes[i], payload, len);
            assert_memory_equal(out, expected, n);
            assert_int_equal(wsp_frame_head_len(len) + len, n);
            assert_int_equal(wsp_frame_encoded_len(out), n);
            out = (uint8_t *)guard_room_at_start(&guard, n);
            wsp_frame_write(out, opcodes[i], payload, len);
            assert_memory_equal(out, expected, n);
        }
    }
    wsp_frame_write(expected, WSP_PING, NULL, 0);
    assert_memory_equal(expected, "\x89\x00", 2);
    guard_close(&guard);
    world_close(&w);
    free(payload);
    free(expected);
}

struct written {
    uint8_t bytes[64];
    size_t len;
};

static ssize_t write_down(const uint8_t *data, size_t len, int flags, void *user)
{
    struct written *written = user;
    (void)flags;
    assert_true(written->len + len <= sizeof written->bytes);
    memcpy(written->bytes + written->len, data, len);
    written->len += len;
    return (ssize_t)len;
}

static int take_key(uint8_t *key, size_t len, void *user)
{
    (void)user;
    memset(key, 0x55, len);
    return 0;
}

/* T23: one more reason not to send with wslay: a context serves one role only. */
TEST(mask_when_one_was_sent_sticks_to_the_context_of_wslay)
{
    struct wslay_frame_callbacks callbacks = {.send_callback = write_down,
                                              .genmask_callback = take_key};
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = WSLAY_BINARY_FRAME,
                                     .payload_length = 3,
                                     .data = (const uint8_t *)"abc",
                                     .data_length = 3,
                                     .mask = 1};
    struct written written = {.len = 0};
    wslay_frame_context_ptr context = NULL;
    assert_int_equal(wslay_frame_context_init(&context, &callbacks, &written), 0);
    assert_int_equal(wslay_frame_send(context, &frame), 3);
    assert_int_equal(written.len, 9);
    written.len = 0;
    frame.mask = 0;
    frame.data = (const uint8_t *)"abc";
    assert_int_equal(wslay_frame_send(context, &frame), 3);
    assert_int_equal(written.len, 5);
    assert_memory_equal(written.bytes, "\x82\x03", 2);
    int sticks = memcmp(written.bytes + 2, "abc", 3) != 0;
    wslay_frame_context_free(context);
    if (!sticks) {
        print_message("this wslay has lost its sticky mask\n");
        skip();
    }
}

static ssize_t write_far(const uint8_t *data, size_t len, int flags, void *user)
{
    uint8_t **out = user;
    (void)flags;
    memcpy(*out, data, len);
    *out += len;
    return (ssize_t)len;
}

/* The library writes frame headers itself. wslay would write the same bytes. */
TEST(frame_when_written_is_what_wslay_would_send)
{
    enum { MOST = 70000 };
    static uint8_t payload[MOST], ours[MOST + FRAME_HEAD_MAX], theirs[MOST + FRAME_HEAD_MAX];
    struct wslay_frame_callbacks callbacks = {.send_callback = write_far};
    wslay_frame_context_ptr context = NULL;
    uint64_t random = 52;
    uint8_t *out;
    frame_fill(payload, MOST, &random);
    assert_int_equal(wslay_frame_context_init(&context, &callbacks, &out), 0);
    for (size_t len = 0; len <= MOST; len = next_length(len)) {
        for (unsigned rsv = 0; rsv < 2; rsv++) {
            struct wslay_frame_iocb frame = {.fin = 1,
                                             .rsv = rsv ? 4 : 0,
                                             .opcode = WSLAY_TEXT_FRAME,
                                             .payload_length = len,
                                             .data = payload,
                                             .data_length = len};
            out = theirs;
            assert_int_equal(wslay_frame_send(context, &frame), len);
            wsp_frame_write(ours, WSP_TEXT | (rsv ? WSP_RSV1 : 0), payload, len);
            assert_int_equal(out - theirs, wsp_frame_head_len(len) + len);
            assert_memory_equal(ours, theirs, (size_t)(out - theirs));
        }
    }
    wslay_frame_context_free(context);
}

/* ---------------------------------------------------------------- reading */

/* A frame as the peer wrote it, and how it must be understood. */
struct test_frame {
    uint8_t *wire; /* the bytes of the frame, then BEHIND bytes of something else */
    size_t head_len;
    uint8_t *payload;
    size_t len;
    struct wsp_frame head;
};
#define BEHIND 20u

static void frame_make(struct test_frame *f, unsigned first, size_t len, uint64_t *random)
{
    uint8_t key[4];
    struct frame_form form = {.first = first, .key = key};
    frame_fill(key, 4, random);
    f->wire = malloc(FRAME_HEAD_MAX + len + BEHIND);
    f->payload = malloc(len + 1);
    assert_non_null(f->wire);
    assert_non_null(f->payload);
    frame_fill(f->payload, len, random);
    f->len = len;
    size_t n = frame_write(f->wire, &form, f->payload, len);
    memset(f->wire + n, 0x82, BEHIND);
    f->head_len = n - len;
    f->head = (struct wsp_frame){.length = len,
                                 .opcode = first & 15,
                                 .fin = (uint8_t)(first >> 7),
                                 .rsv = first >> 4 & 7,
                                 .masked = 1};
    memcpy(f->head.key, key, 4);
}

static void frame_free(struct test_frame *f)
{
    free(f->wire);
    free(f->payload);
}

/* Gives the decoder `len` bytes of the payload, in a block of exactly that size with `more`
 * bytes behind them, and checks the output. */
static size_t pull_all(struct wsp_decoder *decoder, const struct test_frame *f, size_t done,
                       size_t len, size_t more, int *complete)
{
    uint8_t *copy = malloc(len + more + 1);
    assert_non_null(copy);
    memcpy(copy, f->wire + f->head_len + done, len + more);
    uint8_t *tight = realloc(copy, len + more > 0 ? len + more : 1);
    assert_non_null(tight);
    const uint8_t *src = tight;
    size_t left = len + more;
    for (;;) {
        const uint8_t *chunk = NULL;
        size_t n = 0, before = left, ahead = wsp_decoder_ahead(decoder, left);
        /* Unmask into a buffer of exactly that size, or where wslay has the bytes: both in one
         * frame. */
        uint8_t *place = (done + len) % 2 ? malloc(ahead > 0 ? ahead : 1) : NULL;
        assert_int_equal(ahead, left < f->len - done ? left : f->len - done);
        int answer = wsp_decoder_pull(decoder, &src, &left, place, &chunk, &n);
        assert_int_equal(src - tight, len + more - left);
        if (answer == 0) {
            assert_int_equal(left, 0);
            free(place);
            break;
        }
        assert_int_equal(answer, 1);
        assert_true(n <= 4096);
        assert_true(!place || chunk == place);
        assert_int_equal(before - left, n);
        assert_true(done + n <= f->len);
        if (n > 0) {
            assert_memory_equal(chunk, f->payload + done, n);
        }
        free(place);
        done += n;
        assert_int_equal(wsp_decoder_missing(decoder), f->len - done);
        if (done == f->len) {
            *complete = 1;
            assert_int_equal(left, more); /* none of the bytes behind the frame is consumed */
            break;
        }
    }
    free(tight);
    return done;
}

/* Decodes the whole frame, cut behind each byte whose bit is set in `cuts`, or at random. */
static void decode_cut(struct wsp_decoders *decoders, const struct test_frame *f, uint64_t cuts,
                       uint64_t *random)
{
    struct wsp_decoder *decoder = wsp_decoder_borrow(decoders, &f->head);
    size_t done = 0;
    int complete = 0;
    assert_non_null(decoder);
    assert_int_equal(wsp_decoder_missing(decoder), f->len);
    if (test_below(random, 2)) {
        /* No output yet: the header alone gives none, except when it is the whole frame. */
        done = pull_all(decoder, f, 0, 0, 0, &complete);
        assert_int_equal(done, 0);
    }
    while (!complete) {
        size_t piece = f->len - done;
        if (cuts == UINT64_MAX) {
            piece = f->len ? frame_piece(piece, random) : 0;
        } else {
            for (size_t i = done; i < f->len && i < 64; i++) {
                if (cuts >> i & 1) {
                    piece = i + 1 - done;
                    break;
                }
            }
        }
        size_t more = done + piece == f->len ? (size_t)test_below(random, BEHIND + 1) : 0;
        done = pull_all(decoder, f, done, piece, more, &complete);
    }
    assert_int_equal(done, f->len);
    wsp_decoder_return(decoders, decoder);
}

static const unsigned lawful[] = {FRAME_FIN | 1, FRAME_FIN | 2, FRAME_FIN | 0, 0, 1, 2,
                                  FRAME_FIN | 8, FRAME_FIN | 9, FRAME_FIN | 10};

TEST(frame_when_small_is_decoded_under_every_cut)
{
    struct world w;
    uint64_t random = 53;
    world_open(&w);
    for (int by_wslay = 0; by_wslay < 2; by_wslay++) {
        w.decoders.wslay_unmasks = by_wslay;
        for (size_t len = 0; len <= 9; len++) {
            for (size_t i = 0; i < sizeof lawful / sizeof *lawful; i++) {
                struct test_frame f;
                frame_make(&f, lawful[i], len, &random);
                for (uint64_t cuts = 0; cuts < 1u << (len > 0 ? len - 1 : 0); cuts++) {
                    decode_cut(&w.decoders, &f, cuts, &random);
                }
                frame_free(&f);
            }
        }
        for (size_t len = 10; len <= 64; len++) {
            struct test_frame f;
            frame_make(&f, lawful[len % 9], len, &random);
            for (size_t cut = 0; cut < len; cut++) {
                decode_cut(&w.decoders, &f, UINT64_C(1) << cut, &random);
            }
            /* cut behind each byte but the first */
            decode_cut(&w.decoders, &f, UINT64_MAX - 1, &random);
            frame_free(&f);
        }
    }
    assert_int_equal(contexts.made, 1); /* one context served all frames */
    world_close(&w);
}

TEST(frame_when_large_is_decoded_under_random_cuts)
{
    static const size_t sizes[] = {125,  126,   127,   4095,  4096,  4097,  8191,
                                   8192, 10000, 65535, 65536, 65537, 200000};
    struct world w;
    uint64_t random = 54;
    world_open(&w);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct test_frame f;
        frame_make(&f, sizes[i] > 125 ? FRAME_FIN | 2 : FRAME_FIN | 9, sizes[i], &random);
        for (int round = 0; round < 6; round++) {
            w.decoders.wslay_unmasks = round & 1;
            decode_cut(&w.decoders, &f, round < 4 ? UINT64_MAX : 0, &random);
        }
        frame_free(&f);
    }
    world_close(&w);
}

/* Two decoders get the same pieces: the library unmasks in one of them, wslay in the other. */
TEST(payload_when_we_unmask_is_the_same_as_when_wslay_does)
{
    struct world ours, theirs;
    uint64_t random = 55;
    world_open(&ours);
    world_open(&theirs);
    theirs.decoders.wslay_unmasks = 1;
    for (int round = 0; round < 3000; round++) {
        struct test_frame f;
        size_t len = (size_t)test_below(&random, test_below(&random, 10) ? 150 : 20000), done = 0;
        frame_make(&f, FRAME_FIN | 2, len, &random);
        struct wsp_decoder *a = wsp_decoder_borrow(&ours.decoders, &f.head);
        struct wsp_decoder *b = wsp_decoder_borrow(&theirs.decoders, &f.head);
        assert_non_null(a);
        assert_non_null(b);
        int over = 0;
        while (!over) {
            size_t piece = len > done ? frame_piece(len - done, &random) : 0;
            const uint8_t *from_a = f.wire + f.head_len + done, *from_b = from_a;
            size_t left_a = piece, left_b = piece;
            for (;;) {
                const uint8_t *chunk_a, *chunk_b;
                size_t n_a, n_b;
                int said = wsp_decoder_pull(a, &from_a, &left_a, NULL, &chunk_a, &n_a);
                assert_int_equal(wsp_decoder_pull(b, &from_b, &left_b, NULL, &chunk_b, &n_b), said);
                assert_ptr_equal(from_a, from_b);
                assert_int_equal(left_a, left_b);
                if (said != 1) {
                    assert_int_equal(said, 0);
                    break;
                }
                assert_int_equal(n_a, n_b);
                assert_true(n_a == 0 || memcmp(chunk_a, chunk_b, n_a) == 0);
                over = wsp_decoder_missing(a) == 0;
                assert_int_equal(wsp_decoder_missing(b) == 0, over);
                if (over) {
                    break;
                }
            }
            done += piece;
        }
        assert_int_equal(done, len);
        wsp_decoder_return(&ours.decoders, a);
        wsp_decoder_return(&theirs.decoders, b);
        frame_free(&f);
    }
    wsp_decoders_fini(&ours.decoders);
    assert_int_equal(ours.mem.live, 0);
    world_close(&theirs);
}

/* wslay checks frames besides the frame-header parser. For a frame that the parser must never
 * let through wslay returns -1. */
TEST(frame_when_wslay_finds_fault_is_minus_one)
{
    static const struct wsp_frame bad[] = {
        {.length = 126, .opcode = WSP_PING, .fin = 1, .masked = 1},
        {.length = UINT64_C(1) << 63, .opcode = WSP_BINARY, .fin = 1, .masked = 1},
        {.length = 5, .opcode = WSP_CLOSE, .fin = 0, .masked = 1},
    };
    struct world w;
    uint8_t bytes[200] = {0};
    world_open(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wsp_decoder *decoder = wsp_decoder_borrow(&w.decoders, &bad[i]);
        const uint8_t *src = bytes, *chunk;
        size_t len = sizeof bytes, n;
        assert_non_null(decoder);
        assert_int_equal(wsp_decoder_pull(decoder, &src, &len, NULL, &chunk, &n), -1);
        wsp_decoder_discard(&w.decoders, decoder);
        assert_int_equal(contexts.live, 0);
        assert_int_equal(w.mem.live, 0);
    }
    world_close(&w);
}

/* ------------------------------------------------------------ whole frames */

struct shown {
    const uint8_t *bytes;
    size_t len;
};

static ssize_t show_bytes(uint8_t *buf, size_t len, int flags, void *user)
{
    struct shown *shown = user;
    size_t n = shown->len < len ? shown->len : len;
    (void)flags;
    memcpy(buf, shown->bytes, n);
    shown->bytes += n;
    shown->len -= n;
    return n > 0 ? (ssize_t)n : -1;
}

/* Frames that wsp_frame_is_whole accepts go neither through the frame-header parser nor through
 * wslay. This test shows that both would see the same frame, for every header that it accepts. */
TEST(head_when_taken_as_whole_is_the_same_to_frame_parser_and_wslay)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = show_bytes};
    const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    size_t taken = 0, all = 65536 + FRAME_HEAD_MAX;
    uint8_t *const bytes = calloc(1, all);
    assert_non_null(bytes);
    memset(&contexts, 0, sizeof contexts);
    for (unsigned first = 0; first < 256; first++) {
        /* each second byte; each long form of the length */
        for (unsigned long at = 0; at < 256 + 65536; at++) {
            struct wsp_frame frame;
            size_t n = 1;
            bytes[0] = (uint8_t)first;
            bytes[n++] = at < 256 ? (uint8_t)at : 0x80 | 126;
            if (at >= 256) {
                bytes[n++] = (uint8_t)((at - 256) >> 8);
                bytes[n++] = (uint8_t)(at - 256);
            }
            memcpy(bytes + n, key, 4);
            if (at == (0x80 | 126) || wsp_frame_is_whole(bytes, all, &frame) == 0) {
                continue; /* that header comes with each of its lengths */
            }
            taken++;
            struct wsp_frame_parser parser = {.have = 0};
            struct wsp_frame judged;
            const uint8_t *src = bytes;
            size_t left = n + 4;
            assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &src, &left, &judged),
                             WSP_PARSED_HEAD);
            assert_memory_equal(&judged, &frame, sizeof frame);
            struct shown shown = {bytes, n + 4 + (frame.length > 0)};
            struct wslay_frame_iocb iocb = {0};
            wslay_frame_context_ptr context = NULL;
            assert_int_equal(wslay_frame_context_init(&context, &callbacks, &shown), 0);
            assert_int_equal(wslay_frame_recv(context, &iocb), frame.length > 0);
            assert_int_equal(iocb.fin, frame.fin);
            assert_int_equal(iocb.rsv, frame.rsv);
            assert_int_equal(iocb.opcode, frame.opcode);
            assert_int_equal(iocb.mask, frame.masked);
            assert_int_equal(iocb.payload_length, frame.length);
            wslay_frame_context_free(context);
        }
    }
    assert_int_equal(taken, 131072);
    free(bytes);
}

/* ----------------------------------------------------------------- memory */

TEST(decoder_when_discarded_anywhere_leaks_nothing_and_is_not_used_again)
{
    struct world w;
    uint64_t random = 56;
    struct test_frame f;
    world_open(&w);
    frame_make(&f, FRAME_FIN | 2, 300, &random);
    for (size_t at = 0; at < 300; at++) {
        size_t made = contexts.made;
        struct wsp_decoder *decoder = wsp_decoder_borrow(&w.decoders, &f.head);
        int complete = 0;
        assert_non_null(decoder);
        assert_int_equal(contexts.made, made + 1);
        assert_int_equal(contexts.live, 1);
        assert_int_equal(pull_all(decoder, &f, 0, at, 0, &complete), at);
        wsp_decoder_discard(&w.decoders, decoder);
        assert_int_equal(contexts.live, 0);
        assert_int_equal(w.mem.live, 0);
        assert_int_equal(w.decoders.free_list.count, 0);
    }
    decode_cut(&w.decoders, &f, UINT64_MAX, &random); /* the next frame is decoded in step */
    frame_free(&f);
    world_close(&w);
}

TEST(decoders_when_given_back_serve_again_and_a_few_are_kept)
{
    enum { MANY = 40, KEPT = 16 };
    struct world w;
    uint64_t random = 57;
    struct test_frame f;
    struct wsp_decoder *decoders[MANY];
    world_open(&w);
    frame_make(&f, FRAME_FIN | 1, 50, &random);
    for (size_t i = 0; i < MANY; i++) {
        int complete = 0;
        decoders[i] = wsp_decoder_borrow(&w.decoders, &f.head);
        assert_non_null(decoders[i]);
        assert_int_equal(pull_all(decoders[i], &f, 0, i, 0, &complete), i);
    }
    assert_int_equal(contexts.live, MANY);
    for (size_t i = 0; i < MANY; i++) {
        int complete = 0;
        pull_all(decoders[i], &f, i, 50 - i, 0, &complete);
        assert_true(complete);
        wsp_decoder_return(&w.decoders, decoders[i]);
        assert_int_equal(w.decoders.free_list.count, i < KEPT ? i + 1 : KEPT);
    }
    assert_int_equal(contexts.live, KEPT);
    assert_int_equal(w.mem.live, KEPT);
    size_t calls = w.mem.calls, made = contexts.made;
    for (int i = 0; i < 100; i++) {
        decode_cut(&w.decoders, &f, UINT64_MAX, &random);
    }
    assert_int_equal(w.mem.calls, calls);
    assert_int_equal(contexts.made, made);
    frame_free(&f);
    world_close(&w);
}

TEST(borrow_when_there_is_no_memory_is_null_and_leaks_nothing)
{
    struct world w;
    uint64_t random = 58;
    struct test_frame f;
    world_open(&w);
    frame_make(&f, FRAME_FIN | 1, 50, &random);
    w.mem.fail_at = 1;
    assert_null(wsp_decoder_borrow(&w.decoders, &f.head));
    assert_int_equal(w.mem.live, 0);
    contexts.fail_at = 1;
    assert_null(wsp_decoder_borrow(&w.decoders, &f.head));
    assert_int_equal(w.mem.live, 0);
    assert_int_equal(contexts.live, 0);
    decode_cut(&w.decoders, &f, UINT64_MAX, &random);
    w.mem.fail_at = 1;
    /* a decoder from the free list allocates nothing */
    decode_cut(&w.decoders, &f, UINT64_MAX, &random);
    assert_int_equal(w.mem.failures, 1);
    frame_free(&f);
    world_close(&w);
}
