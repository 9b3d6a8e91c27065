/* SPDX-License-Identifier: MIT */
/*
 * pool/settings.h - defaults and limits of a configuration: see wspool/config.h.  Layer 4.
 */
#ifndef WSP_POOL_SETTINGS_H
#define WSP_POOL_SETTINGS_H

#include <wspool/config.h>

/* Copies a configuration of any size over the defaults, with lists of its own. INVAL, NOMEM. */
int wsp_settings_copy(wspool_config *copy, const wspool_config *given);
void wsp_settings_fini(wspool_config *copy);

#endif
