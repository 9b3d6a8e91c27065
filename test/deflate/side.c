/* SPDX-License-Identifier: MIT */
/* deflate/side.c - see deflate/side.h. */
#define _POSIX_C_SOURCE 200809L /* strtok_r, strdup */
#include "side.h"

void side_init(side *s)
{
    memset(s, 0, sizeof *s);
    wspool_deflate_options_init(&s->options);
    s->options.mem = sim_heap_hooks(&s->heap);
}

void side_start(side *s)
{
    assert_int_equal(wspool_deflate_new(&s->deflate, &s->options), 0);
    s->hook = wspool_deflate_codec(s->deflate);
}

void side_stop(side *s)
{
    wspool_deflate_free(s->deflate);
    s->deflate = NULL;
    assert_int_equal(side_live(s), 0);
}

size_t side_live(side *s)
{
    return atomic_load(&s->heap.live_bytes);
}

wspool_deflate_stats side_stats(const side *s)
{
    wspool_deflate_stats stats = {.size = sizeof stats};
    assert_int_equal(wspool_deflate_get_stats(s->deflate, &stats), 0);
    return stats;
}

int side_offer(side *s, unsigned route_flags, const char *offer)
{
    wspool_extension_param params[12];
    wspool_extension extension = {.params = params};
    char *copy = strdup(offer), *rest = NULL;
    assert_non_null(copy);
    for (char *word = strtok_r(copy, "; ", &rest); word != NULL;
         word = strtok_r(NULL, "; ", &rest)) {
        char *value = strchr(word, '=');
        wspool_text name = {word, value != NULL ? (size_t)(value - word) : strlen(word)};
        if (extension.name.data == NULL) {
            extension.name = name;
            continue;
        }
        assert_in_range(extension.param_count, 0, 11);
        params[extension.param_count].name = name;
        params[extension.param_count].value = (wspool_text){NULL, 0};
        if (value != NULL)
            params[extension.param_count].value =
                (wspool_text){value + 1, strcmp(value, "=-") == 0 ? 0 : strlen(value + 1)};
        extension.param_count++;
    }
    memset(&s->negotiated, 0xa5, sizeof s->negotiated);
    s->negotiated.size = sizeof s->negotiated;
    int yes = s->hook.negotiate(&extension, route_flags, &s->negotiated, s->hook.user);
    free(copy);
    return yes;
}

unsigned side_decoder(side *s, unsigned route_flags, const char *offer)
{
    assert_true(side_offer(s, route_flags, offer));
    return s->negotiated.decoder;
}

/* ---------------------------------------------------------------- payloads */

bytes bytes_of(const void *at, size_t len)
{
    bytes b = {malloc(len > 0 ? len : 1), len};
    assert_non_null(b.at);
    if (len > 0)
        memcpy(b.at, at, len);
    return b;
}

bytes bytes_join(bytes a, bytes b)
{
    bytes both = {malloc(a.len + b.len + 1), a.len + b.len};
    assert_non_null(both.at);
    memcpy(both.at, a.at, a.len);
    memcpy(both.at + a.len, b.at, b.len);
    bytes_free(&a);
    bytes_free(&b);
    return both;
}

void bytes_free(bytes *b)
{
    free(b->at);
    *b = (bytes){NULL, 0};
}

bytes some_noise(size_t len, uint64_t seed)
{
    bytes b = {malloc(len + 1), len};
    assert_non_null(b.at);
    for (size_t i = 0; i < len; i++)
        b.at[i] = (uint8_t)sim_mix(&seed);
    return b;
}

bytes some_text(size_t len, uint64_t seed)
{
    bytes b = {malloc(len + 1), len};
    size_t n = 0;
    assert_non_null(b.at);
    while (n < len) {
        size_t run = 1 + sim_mix(&seed) % 40;
        size_t back = n > 0 ? 1 + sim_mix(&seed) % n : 0;
        run = run < len - n ? run : len - n;
        for (size_t i = 0; i < run; i++, n++)
            b.at[n] = sim_mix(&seed) % 8 == 0 || back == 0 ? (uint8_t)('a' + sim_mix(&seed) % 26)
                                                           : b.at[n - back];
    }
    return b;
}

void zlib_deflater(z_stream *z, int window, int level)
{
    memset(z, 0, sizeof *z);
    assert_int_equal(deflateInit2(z, level, Z_DEFLATED, -window, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

void zlib_inflater(z_stream *z, int window)
{
    memset(z, 0, sizeof *z);
    assert_int_equal(inflateInit2(z, -window), Z_OK);
}

bytes zlib_deflate(z_stream *z, const void *message, size_t len, int flush)
{
    size_t room = len + len / 8 + 1024;
    bytes out = {malloc(room), 0};
    assert_non_null(out.at);
    z->next_in = (Bytef *)(uintptr_t)message;
    z->avail_in = (uInt)len;
    z->next_out = out.at;
    z->avail_out = (uInt)room;
    assert_in_range(deflate(z, flush), Z_OK, Z_STREAM_END);
    assert_int_equal(z->avail_in, 0);
    assert_true(z->avail_out > 6);
    out.len = room - z->avail_out;
    return out;
}

static void cut_tail(bytes *payload)
{
    assert_true(payload->len >= 4);
    assert_memory_equal(payload->at + payload->len - 4, "\0\0\xff\xff", 4);
    payload->len -= 4;
}

bytes payload_of(const void *message, size_t len, int window, int level)
{
    z_stream z;
    zlib_deflater(&z, window, level);
    bytes payload = zlib_deflate(&z, message, len, Z_SYNC_FLUSH);
    deflateEnd(&z);
    cut_tail(&payload);
    bytes exact = bytes_of(payload.at, payload.len);
    bytes_free(&payload);
    return exact;
}

bytes zlib_inflate(z_stream *z, bytes payload, size_t step)
{
    bytes whole = bytes_join(bytes_of(payload.at, payload.len), bytes_of("\0\0\xff\xff", 4));
    bytes out = {malloc(step), 0};
    int result;
    z->next_in = whole.at;
    z->avail_in = (uInt)whole.len;
    do {
        out.at = realloc(out.at, out.len + step);
        assert_non_null(out.at);
        z->next_out = out.at + out.len;
        z->avail_out = (uInt)step;
        result = inflate(z, Z_SYNC_FLUSH);
        out.len += step - z->avail_out;
    } while (result == Z_OK && z->avail_out == 0);
    if ((result != Z_OK && result != Z_BUF_ERROR) || z->avail_in > 0)
        bytes_free(&out);
    bytes_free(&whole);
    return out;
}

/* ---------------------------------------------------------------- the pool */

static size_t part(size_t most, size_t left, uint64_t *seed)
{
    size_t n = most == 0 ? left : *seed != 0 ? 1 + sim_mix(seed) % most : most;
    return n < left ? n : left;
}

enum wspool_decoded side_read(side *s, unsigned decoder, void **state, bytes payload, cut how,
                              bytes *out)
{
    size_t most = how.most == 0 ? 100000 : how.most;
    size_t taken = 0, calls = 0;
    enum wspool_decoded answer = WSPOOL_DECODED_ALL;
    int last;
    *out = (bytes){malloc(most + 1), 0};
    assert_non_null(out->at);
    do {
        size_t len = part(how.piece, payload.len - taken, &how.seed);
        last = taken + len == payload.len && (!how.tail_alone || len == 0);
        bytes input = bytes_of(payload.at + taken, len); /* so that sanitizers see its end */
        wspool_decoding piece = {.in = input.at, .in_len = len, .last = last};
        taken += len;
        do {
            size_t room = part(how.room, most - out->len, &how.seed);
            if (room == 0 && answer != WSPOOL_DECODED_FULL)
                room = 1; /* never none: what is left of the input may come to nothing */
            if (room == 0)
                break;
            uint8_t *place = malloc(room);
            assert_non_null(place);
            const uint8_t *in = piece.in;
            size_t in_len = piece.in_len;
            piece.out = place;
            piece.out_len = room;
            answer = s->hook.decode(decoder, state, &piece, s->hook.user);
            assert_true(piece.in_len <= in_len && piece.in + piece.in_len == in + in_len);
            assert_true(piece.out_len <= room && piece.out + piece.out_len == place + room);
            if (answer == WSPOOL_DECODED_FULL)
                assert_int_equal(piece.out_len, 0);
            else if (answer == WSPOOL_DECODED_ALL)
                assert_int_equal(piece.in_len, 0);
            memcpy(out->at + out->len, place, room - piece.out_len);
            out->len += room - piece.out_len;
            free(place);
            assert_true(++calls < ((size_t)1 << 22));
            if (out->len > most) {
                out->len--;
                answer = WSPOOL_DECODED_FULL;
            }
        } while (answer == WSPOOL_DECODED_FULL);
        bytes_free(&input);
    } while (answer == WSPOOL_DECODED_ALL && !last);
    return answer;
}
