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
        side->party = NULL;
        side->place = 0;
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

/* A party with room for a client instance of that length. Returns NULL without memory. */
static struct wsp_party *party_with_room(const wspool_mem *mem, struct wsp_party *old, size_t len)
{
    size_t size = offsetof(struct wsp_party, client) + len;
    struct wsp_party *party = wsp_resize(mem, old, 1, size > sizeof *party ? size : sizeof *party);
    if (party && !old) {
        *party = (struct wsp_party){0};
    }
    return party;
}

/* Makes what is missing of record and party, with room for a client instance of that length; a party
 * with room 0 stays where it is. Returns the party, or NULL with nothing changed. */
static struct wsp_party *need_party(struct wsp_side **side, const wspool_mem *mem,
                                    size_t client_len)
{
    struct wsp_side *named = *side ? *side : make(mem, (wspool_text){"", 0}, (wspool_text){"", 0});
    struct wsp_party *party = named ? named->party : NULL;
    if (named && (!party || client_len > 0)) {
        party = party_with_room(mem, party, client_len);
    }
    if (!party) {
        if (!*side) {
            wsp_free(mem, named);
        }
        return NULL;
    }
    named->party = party;
    *side = named;
    return party;
}

int wsp_side_name(struct wsp_side **side, const wspool_mem *mem, wspool_text client,
                  struct wsp_subject *subject)
{
    struct wsp_party *party = need_party(side, mem, client.len);
    if (!party) {
        return WSPOOL_ERR_NOMEM;
    }
    if (client.len > 0) {
        memcpy(party->client, client.data, client.len);
        party->client_len = (uint8_t)client.len;
    }
    if (subject) {
        party->subject = subject;
    }
    return 0;
}

int wsp_side_grant(struct wsp_side **side, const wspool_mem *mem, struct wsp_grant *grant)
{
    struct wsp_party *party = need_party(side, mem, 0);
    if (!party) {
        return WSPOOL_ERR_NOMEM;
    }
    party->grant = grant;
    return 0;
}

void *wsp_side_replace_identity(struct wsp_side *side, void *identity)
{
    void *old = side->identity;
    side->identity = identity;
    return old;
}

void *wsp_side_free(struct wsp_side **side, const wspool_mem *mem)
{
    void *identity = wsp_side_identity(*side);
    if (*side) {
        wsp_free(mem, (*side)->party);
    }
    wsp_free(mem, *side);
    *side = NULL;
    return identity;
}

int wsp_side_check(const struct wsp_side *side)
{
    if (!side) {
        return 1;
    }
    const struct wsp_party *party = side->party;
    return (side->identity || side->address_len > 0 || side->key_len > 0 || party) &&
           (!party || ((party->subject || party->client_len > 0 || party->grant) &&
                       party->client_len <= WSPOOL_CLIENT_MAX)) &&
           side->address_len <= WSP_ADDRESS_MAX && side->key_len <= WSP_PEER_KEY_MAX;
}
