/* SPDX-License-Identifier: MIT */
/*
 * json/since.h - the position that a client says it has reached in a channel.
 *
 * A client gives it as `since` in `subscribe`, or in the query of the path on which it connects.
 * The position is untrusted: it may name an epoch or an offset that never existed. The pool judges
 * it (wspool_resume).
 */
#ifndef WSP_JSON_SINCE_H
#define WSP_JSON_SINCE_H

#include <wspool/json.h>

/* Reads `since` of a `subscribe` message. Returns 1; 0 if there is none; or WSPOOL_ERR_INVAL if it
 * is malformed. */
int wsp_json_since_of_data(const json_t *data, wspool_channel_position *since);

/* Reads "epoch=E&offset=N" from a raw query. Returns 1, or 0 if there is no epoch, unless the
 * offset is 0: that asks for the state, the position {0, 0}. A value that is
 * not an epoch or an offset is not an error: the position is then one that no channel reaches. */
int wsp_json_since_of_query(wspool_text query, wspool_channel_position *since);

#endif
