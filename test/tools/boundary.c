/* SPDX-License-Identifier: MIT */
/*
 * tools/boundary.c - wslay, nettle and zlib for MemorySanitizer, which has not compiled them.
 *
 * The linker redirects each of their functions to one here (msan.wrap in test.mk). What a library
 * reads must be initialized, or MemorySanitizer reports it. What a library writes is initialized.
 */
#include <sanitizer/msan_interface.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <wslay/wslay.h>
#include <zlib.h>

/* NAME is redirected to __wrap_NAME; __real_NAME is the library's. */
#define REDIRECT(type, name, ...) \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

#define WRITTEN(at, len) __msan_unpoison(at, len)
#define READ(at, len) __msan_check_mem_is_initialized(at, len)

/* ----------------------------------------------------------------------- wslay */

REDIRECT(int, wslay_frame_context_init, wslay_frame_context_ptr *context,
         const struct wslay_frame_callbacks *callbacks, void *user)
{
    READ(callbacks, sizeof *callbacks);
    int status = __real_wslay_frame_context_init(context, callbacks, user);
    WRITTEN(context, sizeof *context);
    WRITTEN(&status, sizeof status);
    return status;
}

/* The payload keeps the state in which the callback has given it. */
REDIRECT(ssize_t, wslay_frame_recv, wslay_frame_context_ptr context, struct wslay_frame_iocb *frame)
{
    __msan_unpoison_param(8); /* those of the callback: wslay sets no shadow of them */
    ssize_t n = __real_wslay_frame_recv(context, frame);
    WRITTEN(frame, sizeof *frame);
    WRITTEN(&n, sizeof n);
    return n;
}

/* ---------------------------------------------------------------------- nettle */

REDIRECT(void, nettle_sha1_init, struct sha1_ctx *sha1)
{
    __real_nettle_sha1_init(sha1);
    WRITTEN(sha1, sizeof *sha1);
}

REDIRECT(void, nettle_sha1_update, struct sha1_ctx *sha1, size_t len, const uint8_t *data)
{
    READ(data, len);
    __real_nettle_sha1_update(sha1, len, data);
}

REDIRECT(void, nettle_sha1_digest, struct sha1_ctx *sha1, size_t len, uint8_t *digest)
{
    __real_nettle_sha1_digest(sha1, len, digest);
    WRITTEN(digest, len);
}

REDIRECT(void, nettle_base64_encode_raw, char *dst, size_t len, const uint8_t *src)
{
    READ(src, len);
    __real_nettle_base64_encode_raw(dst, len, src);
    WRITTEN(dst, BASE64_ENCODE_RAW_LENGTH(len));
}

/* ------------------------------------------------------------------------ zlib */

REDIRECT(int, deflateInit2_, z_stream *z, int level, int method, int window, int memory,
         int strategy, const char *version, int size)
{
    __msan_unpoison_param(8); /* of the stream's allocator */
    int status = __real_deflateInit2_(z, level, method, window, memory, strategy, version, size);
    WRITTEN(z, sizeof *z);
    WRITTEN(&status, sizeof status);
    return status;
}

REDIRECT(int, inflateInit2_, z_stream *z, int window, const char *version, int size)
{
    __msan_unpoison_param(8);
    int status = __real_inflateInit2_(z, window, version, size);
    WRITTEN(z, sizeof *z);
    WRITTEN(&status, sizeof status);
    return status;
}

/* Runs one step of deflate or inflate. */
static int step(int (*real)(z_stream *, int), z_stream *z, int flush)
{
    uint8_t *out = z->next_out;
    READ(z->next_in, z->avail_in);
    __msan_unpoison_param(8);
    int status = real(z, flush);
    WRITTEN(z, sizeof *z);
    WRITTEN(out, (size_t)(z->next_out - out));
    WRITTEN(&status, sizeof status);
    return status;
}

REDIRECT(int, deflate, z_stream *z, int flush)
{
    return step(__real_deflate, z, flush);
}

REDIRECT(int, inflate, z_stream *z, int flush)
{
    return step(__real_inflate, z, flush);
}
