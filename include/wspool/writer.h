/* SPDX-License-Identifier: MIT */
/*
 * wspool/writer.h - where a report is written to, a piece at a time.
 *
 * A report has no size that is known before, and the library has no buffer for it. So it is given
 * to the host in pieces of up to some hundred bytes, which the host sends, stores or counts.
 */
#ifndef WSPOOL_WRITER_H
#define WSPOOL_WRITER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wspool_writer {
    /* Takes the next `len` bytes of a text, which are valid during the call. Returns 0; or another
     * value, and then nothing more is written and the call that writes returns that value. */
    int (*call)(const char *text, size_t len, void *user);
    void *user;
} wspool_writer;

#ifdef __cplusplus
}
#endif

#endif
