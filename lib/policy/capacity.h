/* SPDX-License-Identifier: MIT */
/*
 * policy/capacity.h - which resources of a sample are above their limits.  Layer 2.
 *
 * Pure: it reads samples, and does not take them. What was above stays above until it is a
 * sixteenth below its limit (hysteresis).
 */
#ifndef WSP_POLICY_CAPACITY_H
#define WSP_POLICY_CAPACITY_H

#include <wspool/capacity.h>

/* Returns a bit for each resource that is above its limit; `before`: those of the sample before. */
unsigned wsp_capacity_above(const wspool_capacity_config *config, const wspool_sample *sample,
                            unsigned before);
/* Returns the refusal for these resources, of which there is at least one: that of the first. */
enum wspool_refusal wsp_capacity_refusal(unsigned above);
/* Fills an estimate but for peer_bytes, which has what a peer takes of all memory. */
void wsp_capacity_estimate(const wspool_capacity_config *config, const wspool_sample *sample,
                           unsigned above, wspool_estimate *estimate);

#endif
