/* SPDX-License-Identifier: MIT */
/*
 * report/text.h - a text that is written in pieces to the host's writer.  Layer 5.
 *
 * Pieces are gathered in a buffer on the stack of the call that writes. After a writer's error
 * nothing more is written, so callers need not look at each result.
 */
#ifndef WSP_REPORT_TEXT_H
#define WSP_REPORT_TEXT_H

#include <stdint.h>

#include <wspool/writer.h>

struct wsp_text {
    const wspool_writer *writer;
    int error; /* of the writer; 0: none */
    size_t used;
    char buffer[512];
};

void wsp_text_init(struct wsp_text *text, const wspool_writer *writer);
void wsp_text_put(struct wsp_text *text, const char *string);
void wsp_text_put_bytes(struct wsp_text *text, const void *bytes, size_t len);
void wsp_text_put_number(struct wsp_text *text, uint64_t number);
/* Millionths, as a number with six decimals: microseconds as seconds. */
void wsp_text_put_millionths(struct wsp_text *text, uint64_t millionths);
/* Writes what is left. Returns 0, or the writer's error. */
int wsp_text_end(struct wsp_text *text);

#endif
