/* SPDX-License-Identifier: MIT */
/*
 * pool/settings.h - defaults and limits of a configuration: see wspool/config.h.  Layer 4.
 */
#ifndef WSP_POOL_SETTINGS_H
#define WSP_POOL_SETTINGS_H

#include <wspool/config.h>

#define WSP_SMALLEST_QUEUE 256u /* bytes */

/* Copies a configuration of any version's size over the defaults, and copies its lists. Returns
 * 0, INVAL or NOMEM. */
int wsp_settings_copy(wspool_config *copy, const wspool_config *given);
/* Adds a copy of a subprotocol to those of a configuration; NULL: none. INVAL, NOMEM: then nothing
 * was changed. */
int wsp_settings_add_subprotocol(wspool_config *copy, const char *name);
void wsp_settings_fini(wspool_config *copy);

#endif
