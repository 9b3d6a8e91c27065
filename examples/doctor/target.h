/* SPDX-License-Identifier: MIT */
/* target.h - the URL of an endpoint in its parts (RFC 6455, section 3). */
#ifndef DOCTOR_TARGET_H
#define DOCTOR_TARGET_H

struct target {
    int secure;          /* the scheme is wss */
    char host[256];      /* a name or an address, without brackets */
    char port[6];        /* in decimal */
    char authority[264]; /* for Host: as in the URL, without a default port */
    char path[4096];     /* with the query */
    char origin[300];    /* of pages that this host itself serves */
};

/* Returns NULL, or what is wrong with the URL. */
const char *target_parse(struct target *target, const char *url);

#endif
