/* SPDX-License-Identifier: MIT */
/* transport.c - see transport.h. */
#define _GNU_SOURCE /* getaddrinfo_a */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <wspool/wspool.h>

/* -------------------------------------------------------------------- names */

int transport_resolve(const char *host, const char *port, uint64_t until, struct addrinfo **found)
{
    /* Static: the search may outlive this call. */
    static struct addrinfo hints;
    static struct gaicb search;
    struct gaicb *list[] = {&search};
    hints.ai_socktype = SOCK_STREAM;
    search = (struct gaicb){.ar_name = host, .ar_service = port, .ar_request = &hints};
    int error = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (error) {
        return error;
    }
    for (;;) {
        uint64_t now = wspool_clock(), rest = until > now ? until - now : 0;
        struct timespec left = {(time_t)(rest / WSPOOL_SECOND), (long)(rest % WSPOOL_SECOND)};
        error = gai_error(&search);
        if (error != EAI_INPROGRESS || rest == 0) {
            *found = search.ar_result;
            return error;
        }
        (void)gai_suspend((const struct gaicb *const *)list, 1, &left);
    }
}

/* --------------------------------------------------------------------- TCP */

/* Returns 1 when the socket is ready, 0 when the time is over. */
static int wait_for(int fd, short events, uint64_t until)
{
    for (;;) {
        uint64_t now = wspool_clock();
        int left = until > now ? (int)((until - now) / WSPOOL_MILLISECOND) + 1 : 0;
        struct pollfd one = {fd, events, 0};
        int ready = poll(&one, 1, left);
        if (ready > 0 || (ready == 0 && wspool_clock() >= until)) {
            return ready;
        }
    }
}

static int connect_one(const struct addrinfo *address, uint64_t until, int *fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    *fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return errno;
    }
    (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(*fd, address->ai_addr, address->ai_addrlen) < 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (wait_for(*fd, POLLOUT, until) && getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
            error = errno;
        }
    }
    if (error) {
        close(*fd);
        *fd = -1;
    }
    return error;
}

int transport_connect(struct transport *t, const struct addrinfo *addresses, uint64_t until)
{
    int error = EADDRNOTAVAIL;
    unsigned left = 0;
    *t = (struct transport){.fd = -1};
    for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
        left++;
    }
    for (const struct addrinfo *a = addresses; a && t->fd < 0; a = a->ai_next, left--) {
        uint64_t now = wspool_clock();
        int other = connect_one(a, now < until ? now + (until - now) / left : until, &t->fd);
        /* That something answered says more than that another address cannot be reached. */
        error = other == 0 || error != ECONNREFUSED ? other : error;
    }
    return error;
}

/* --------------------------------------------------------------------- TLS */

/* After a call of OpenSSL: returns 1 when it is to be made again. */
static int wait_for_tls(struct transport *t, int result, uint64_t until)
{
    int error = SSL_get_error(t->ssl, result);
    return error == SSL_ERROR_WANT_READ    ? wait_for(t->fd, POLLIN, until)
           : error == SSL_ERROR_WANT_WRITE ? wait_for(t->fd, POLLOUT, until)
                                           : 0;
}

/* Returns an SSL that accepts a certificate of this host only, or NULL. */
static SSL *new_ssl(const char *host)
{
    static const unsigned char http1[] = "\x08http/1.1";
    struct in6_addr address;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context && SSL_CTX_set_default_verify_paths(context) == 1 ? SSL_new(context) : NULL;
    SSL_CTX_free(context); /* the SSL holds it */
    if (!ssl) {
        return NULL;
    }
    int is_address =
        inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if ((is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
                    : SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1) &&
        SSL_set_alpn_protos(ssl, http1, sizeof http1 - 1) == 0) {
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

enum tls transport_tls(struct transport *t, const char *host, uint64_t until, char *why,
                       size_t why_size)
{
    int result = -1, again = 1;
    snprintf(why, why_size, "out of memory");
    t->ssl = new_ssl(host);
    if (!t->ssl || SSL_set_fd(t->ssl, t->fd) != 1) {
        return TLS_FAILED;
    }
    while (again) {
        ERR_clear_error();
        result = SSL_connect(t->ssl);
        again = result != 1 && wait_for_tls(t, result, until);
    }
    if (result == 1) {
        return TLS_GOOD;
    }
    long verdict = SSL_get_verify_result(t->ssl);
    if (verdict != X509_V_OK) {
        snprintf(why, why_size, "%s", X509_verify_cert_error_string(verdict));
        return TLS_UNTRUSTED;
    }
    if (wspool_clock() >= until) {
        return TLS_TIMEOUT;
    }
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    int absent = ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER ||
                 ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;
    snprintf(why, why_size, "%s", reason ? reason : "the connection ended");
    return absent ? TLS_ABSENT : TLS_FAILED;
}

/* ------------------------------------------------------------------- bytes */

long transport_read(struct transport *t, void *bytes, size_t len, uint64_t until)
{
    for (;;) {
        int again = 0;
        long n;
        ERR_clear_error();
        if (t->ssl) {
            n = SSL_read(t->ssl, bytes, len < INT32_MAX ? (int)len : INT32_MAX);
            int error = SSL_get_error(t->ssl, (int)n);
            int cut = error == SSL_ERROR_SSL &&
                      ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
            if (n <= 0 && (error == SSL_ERROR_ZERO_RETURN || cut)) {
                return READ_END;
            }
            again = n <= 0 && wait_for_tls(t, (int)n, until);
        } else {
            n = recv(t->fd, bytes, len, 0);
            if (n == 0) {
                return READ_END;
            }
            again =
                n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(t->fd, POLLIN, until)));
        }
        if (n > 0 || !again) {
            return n > 0 ? n : wspool_clock() >= until ? READ_TIMEOUT : READ_FAILED;
        }
    }
}

int transport_write(struct transport *t, const void *bytes, size_t len, uint64_t until)
{
    const char *at = bytes;
    while (len > 0) {
        int again = 0;
        long n;
        ERR_clear_error();
        if (t->ssl) {
            n = SSL_write(t->ssl, at, len < INT32_MAX ? (int)len : INT32_MAX);
            again = n <= 0 && wait_for_tls(t, (int)n, until);
        } else {
            n = send(t->fd, at, len, MSG_NOSIGNAL);
            again =
                n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(t->fd, POLLOUT, until)));
        }
        if (n <= 0 && !again) {
            return -1;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

void transport_close(struct transport *t)
{
    SSL_free(t->ssl);
    if (t->fd >= 0) {
        close(t->fd);
    }
    *t = (struct transport){.fd = -1};
}
