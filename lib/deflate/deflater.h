/* SPDX-License-Identifier: MIT */
/*
 * deflate/deflater.h - compresses messages: one zlib stream for each encoding in use.
 *
 * A stream is created for the first message of its encoding and kept, because creating it costs
 * more than compressing a message. It is reset before each message, so that no message refers to an
 * earlier one.
 *
 * A message gets as many bytes of output as it is long. If these do not suffice, compression gains
 * nothing, and it is stopped.
 */
#ifndef WSP_DEFLATE_DEFLATER_H
#define WSP_DEFLATE_DEFLATER_H

#include <wspool/deflate.h>

#include "deflate/memory.h"
#include "deflate/params.h"

/* The output buffer is kept between messages up to this size. A larger one is freed before the next
 * message that needs no more than this. */
#define WSP_DEFLATER_OUTPUT_KEPT ((size_t)64 * 1024)

struct wsp_deflater {
    const wspool_deflate_options *options;
    struct wsp_deflate_memory *memory;
    struct {
        z_stream z;
        int ready; /* the stream was created */
    } streams[WSP_DEFLATE_ENCODINGS];
    uint8_t *output; /* the last message; valid until the next one */
    size_t output_size;
    uint64_t messages, bytes_in, bytes_out; /* compressed so far */
    uint64_t passed;                        /* messages left uncompressed so far */
};

/* Allocates nothing. `options` and `memory` must outlive the deflater, which must not be moved. */
void wsp_deflater_init(struct wsp_deflater *deflater, const wspool_deflate_options *options,
                       struct wsp_deflate_memory *memory);
void wsp_deflater_fini(struct wsp_deflater *deflater);

/* Compresses one message. Returns it and its length in *encoded_len; it is valid until the next
 * call. Returns NULL if the message is to be sent uncompressed: it is shorter than the threshold,
 * would not become shorter, or there is no memory. */
const void *wsp_deflater_encode(struct wsp_deflater *deflater, unsigned encoding,
                                const void *message, size_t len, size_t *encoded_len);

#endif
