/* SPDX-License-Identifier: MIT */
/* base/growing.c - see base/growing.h. */
#include "base/growing.h"

#include <string.h>

#include <wspool/error.h>

#define LARGEST 65536u /* no struct of any version: this is a size that was never set */

int wsp_growing_copy(void *ours, size_t size, const void *given)
{
    size_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > LARGEST) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = size; i < given_size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    memcpy(ours, given, given_size < size ? given_size : size);
    memcpy(ours, &size, sizeof size);
    return 0;
}
