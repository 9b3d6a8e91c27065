/* SPDX-License-Identifier: MIT */
/*
 * link/forms.h - one message in each form that its readers take.  Floor 2.
 *
 * Without a codec there is one form: plain. With one (wspool/codec.h), peers that agreed to the
 * same parameters share a form, and a message is encoded once for each form that one of its
 * readers takes, when the first of them is come upon. Where that does not pay, or there is no
 * room, the plain image does: it is lawful for everybody.
 *
 * Invariants: the plain image is made first; every image is held until wsp_images_fini, so that
 * making one can't write over another.
 */
#ifndef WSP_LINK_FORMS_H
#define WSP_LINK_FORMS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include "link/link.h"
#include "wire/block.h"

_Static_assert(WSPOOL_FORMS <= 15 && WSPOOL_READINGS <= 16, "a form and a reading fit in a byte");

/* What a codec and a peer have agreed upon, in a byte: the form of what it is sent, and how what
 * it sends is read. 0: nothing. */
static inline uint8_t wsp_coding(unsigned form, unsigned reading)
{
    return (uint8_t)(form | reading << 4);
}
static inline unsigned wsp_coding_form(uint8_t coding)
{
    return coding & 15u;
}
static inline unsigned wsp_coding_reading(uint8_t coding)
{
    return coding >> 4;
}

struct wsp_images {
    const void *message;
    size_t len;
    uint8_t opcode;
    uint32_t made; /* bit f: runs[f] is there */
    struct wsp_run runs[1 + WSPOOL_FORMS];
};

/* Encodes a message in a form other than plain. 1 and *image, which holds nothing yet; 0 when it
 * is to be sent plain. */
int wsp_form_encode(struct wsp_link *link, unsigned form, uint8_t opcode, const void *message,
                    size_t len, struct wsp_run *image);

void wsp_images_init(struct wsp_images *images, const struct wsp_run *plain, uint8_t opcode,
                     const void *message, size_t len);
void wsp_images_fini(struct wsp_images *images);

/* The slow half of wsp_images_of. */
const struct wsp_run *wsp_images_make(struct wsp_link *link, struct wsp_images *images,
                                      unsigned form);
/* The image for readers of that form; 0 is plain. */
static inline const struct wsp_run *wsp_images_of(struct wsp_link *link, struct wsp_images *images,
                                                  unsigned form)
{
    return images->made >> form & 1u ? &images->runs[form] : wsp_images_make(link, images, form);
}

#endif
