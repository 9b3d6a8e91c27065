/* SPDX-License-Identifier: MIT */
/*
 * transport.h - names, TCP and TLS (OpenSSL), each call with a time at which it gives up
 * (wspool_clock).
 */
#ifndef DOCTOR_TRANSPORT_H
#define DOCTOR_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

struct addrinfo;

struct transport {
    int fd; /* -1: none */
    SSL *ssl;
};

enum { READ_END = 0, READ_TIMEOUT = -1, READ_FAILED = -2 };

/* Looks a name up. Returns 0 and the addresses (freeaddrinfo), or EAI_...; EAI_INPROGRESS: there was
 * no answer in time. Call it once: the search may go on behind it. */
int transport_resolve(const char *host, const char *port, uint64_t until, struct addrinfo **found);

/* Tries the addresses one after the other. Returns 0 or an errno: ETIMEDOUT if nothing answered. */
int transport_connect(struct transport *t, const struct addrinfo *addresses, uint64_t until);

enum tls {
    TLS_GOOD,
    TLS_UNTRUSTED, /* the certificate is wrong */
    TLS_ABSENT,    /* what answers does not speak TLS */
    TLS_TIMEOUT,
    TLS_FAILED
};
/* Speaks TLS from now on, to a server that proves to be `host` by a certificate that this machine
 * trusts. SSL_CERT_FILE and SSL_CERT_DIR say which ones, as OpenSSL documents. Otherwise `why` is
 * the reason. */
enum tls transport_tls(struct transport *t, const char *host, uint64_t until, char *why,
                       size_t why_size);

/* Reads at least one byte. Returns how many, or READ_... */
long transport_read(struct transport *t, void *bytes, size_t len, uint64_t until);
/* Writes all. Returns 0 or -1. */
int transport_write(struct transport *t, const void *bytes, size_t len, uint64_t until);
void transport_close(struct transport *t);

#endif
