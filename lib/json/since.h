/* SPDX-License-Identifier: MIT */
/*
 * json/since.h - the position that a client says it has reached in a channel.
 *
 * A client gives it as `since` in `subscribe`, or in the query of the path on which it connects.
 * The position is untrusted: it may name an epoch or an offset that never existed.
 */
#ifndef WSP_JSON_SINCE_H
#define WSP_JSON_SINCE_H

#include <stdint.h>

#include <wspool/json.h>

struct wsp_json_since {
    int given;      /* 0: the client gave no position; the other members have no meaning */
    uint64_t epoch; /* 0: not an epoch of this library */
    int64_t offset; /* negative: not an offset */
};

/* Reads `since` of a `subscribe` message. Returns 0, also if there is none, or WSPOOL_ERR_INVAL if
 * it is malformed. */
int wsp_json_since_of_data(const json_t *data, struct wsp_json_since *since);

/* Reads "epoch=E&offset=N" from a raw query. A value that is not an epoch or an offset is not an
 * error: the position is then one that no channel has. */
struct wsp_json_since wsp_json_since_of_query(wspool_text query);

/* Returns NULL if the client has every message up to `head`, otherwise why it may have missed some:
 * the `reason` of `subscribed`. */
const char *wsp_json_since_missed(const struct wsp_json_since *since,
                                  const wspool_channel_position *head);

#endif
