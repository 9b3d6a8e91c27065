/* SPDX-License-Identifier: MIT */
/* pool/side.c - see pool/side.h. */
#include "pool/side.h"

#include <stddef.h>
#include <string.h>

#include <wspool/error.h>

static struct wsp_side *make(const wspool_mem *mem, wspool_text address, wspool_text key)
{
    size_t size = offsetof(struct wsp_side, bytes) + address.len + key.len;
    struct wsp_side *side = wsp_alloc(mem, size > sizeof *side ? size : sizeof *side);
    if (side) {
        side->identity = NULL;
        side->address_len = (uint8_t)address.len;
        side->key_len = (uint8_t)key.len;
        if (address.len > 0) {
            memcpy(side->bytes, address.data, address.len);
        }
        if (key.len > 0) {
            memcpy(side->bytes + address.len, key.data, key.len);
        }
    }
    return side;
}

int wsp_side_make(struct wsp_side **side, const wspool_mem *mem, wspool_text address,
                  wspool_text key)
{
    if (address.len > WSP_ADDRESS_MAX || key.len > WSP_PEER_KEY_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    if (address.len == 0 && key.len == 0) {
        return 0;
    }
    *side = make(mem, address, key);
    return *side ? 0 : WSPOOL_ERR_NOMEM;
}

int wsp_side_identify(struct wsp_side **side, const wspool_mem *mem, void *identity)
{
    if (!identity) {
        return 0;
    }
    if (!*side) {
        *side = make(mem, (wspool_text){"", 0}, (wspool_text){"", 0});
    }
    if (!*side) {
        return WSPOOL_ERR_NOMEM;
    }
    (*side)->identity = identity;
    return 0;
}

void *wsp_side_free(struct wsp_side **side, const wspool_mem *mem)
{
    void *identity = wsp_side_identity(*side);
    wsp_free(mem, *side);
    *side = NULL;
    return identity;
}

int wsp_side_check(const struct wsp_side *side)
{
    return !side || ((side->identity || side->address_len > 0 || side->key_len > 0) &&
                     side->address_len <= WSP_ADDRESS_MAX && side->key_len <= WSP_PEER_KEY_MAX);
}
