/* SPDX-License-Identifier: MIT */
/*
 * loop/test_tls.c - a host that speaks TLS by OpenSSL, without blocking, on the core calls.
 *
 * When the socket is full, SSL_write asks to be called again with the same buffer: the same
 * address, and no fewer bytes. OpenSSL checks that, because SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is
 * off. So what was given to it stays where it is (wspool_under_way), whatever is published, dropped
 * or closed meanwhile.
 *
 * The sockets are pairs of the Unix kind, which have no delay. The certificate is made here.
 */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wspool/wspool.h>

enum { VECTORS = 4 };

struct line {
    int host_fd, client_fd;
    SSL *host, *client;
    int reading; /* the host reads */
    int blocked; /* the host waits until the socket takes more */
    /* What SSL_write has to be called with again; NULL: nothing */
    const void *retry;
    size_t retry_len;
    uint8_t *copy; /* of these bytes */
};

#include "traffic.h"

static SSL_CTX *host_context, *client_context;
static unsigned retries;

/* -------------------------------------------------------------- certificate */

/* Ed25519: its signatures have one size, so that a round is the same each time. */
BEFORE_ALL
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    signal(SIGPIPE, SIG_IGN);
    assert_true(key && name);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"pool.example", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, NULL) > 0);

    host_context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(host_context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(host_context, key), 1);
    assert_int_equal(SSL_CTX_set_num_tickets(host_context, 0), 1);
    SSL_CTX_clear_mode(host_context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(client_context), certificate), 1);
    SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(client_context,
                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---------------------------------------------------------- the client's end */

static SSL *tls_on(SSL_CTX *context, int fd, int version)
{
    SSL *ssl = SSL_new(context);
    assert_non_null(ssl);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_set_max_proto_version(ssl, version), 1);
    return ssl;
}

static void line_open(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct line *line = &peer->line;
    int room = 1 + (int)pick(traffic, peer->number < SLOW_PEERS ? 10000 : 100000), pair[2];
    int version = pick(traffic, 4) ? TLS1_3_VERSION : TLS1_2_VERSION;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    line->host_fd = pair[0];
    line->client_fd = pair[1];
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    line->host = tls_on(host_context, pair[0], version);
    line->client = tls_on(client_context, pair[1], version);
    SSL_set_accept_state(line->host);
    SSL_set_connect_state(line->client);
    if (pick(traffic, 2))
        SSL_set_mode(line->host, SSL_MODE_ENABLE_PARTIAL_WRITE);
    line->reading = 1;
}

/* Returns 1 if the call is to be made again later, 0 if the connection has ended. */
static int tls_again(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* After a result of 0: returns 1 if it was the end of the transport, not broken TLS. */
static int tls_is_end(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL ||
           ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static size_t line_read(struct peer *peer, void *bytes, size_t max)
{
    SSL *ssl = peer->line.client;
    size_t have = 0;
    while (have < max) {
        ERR_clear_error();
        int n = SSL_read(ssl, (uint8_t *)bytes + have, (int)(max - have));
        if (n <= 0) {
            peer->ended = !tls_again(ssl, n);
            REQUIRE(peer->traffic, !peer->ended || tls_is_end(ssl, n));
            break;
        }
        have += (size_t)n;
    }
    return have;
}

static size_t line_write(struct peer *peer, const void *bytes, size_t len)
{
    ERR_clear_error();
    int n = len > 0 && peer->id != 0 ? SSL_write(peer->line.client, bytes, (int)len) : 0;
    return n > 0 ? (size_t)n : 0;
}

static void line_cut(struct peer *peer)
{
    close(peer->line.client_fd);
    peer->line.client_fd = -1;
}

static void line_free(struct peer *peer)
{
    SSL_free(peer->line.host);
    SSL_free(peer->line.client);
    close(peer->line.host_fd);
    if (peer->line.client_fd >= 0)
        close(peer->line.client_fd);
    free(peer->line.copy);
}

/* ----------------------------------------------------------------- the host */

static void host_fail(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    assert_int_equal(wspool_gone(traffic->pool, peer->id, WSPOOL_GONE_FAILED, traffic->now), 0);
}

static void host_read(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    uint8_t bytes[4096];
    ERR_clear_error();
    int n = SSL_read(peer->line.host, bytes, 1 + (int)pick(traffic, sizeof(bytes)));
    if (n > 0)
        assert_int_equal(wspool_feed(traffic->pool, peer->id, bytes, (size_t)n, traffic->now), 0);
    else if (!tls_again(peer->line.host, n)) {
        REQUIRE(traffic, peer->cut && tls_is_end(peer->line.host, n));
        wspool_gone(traffic->pool, peer->id, WSPOOL_GONE_EOF, traffic->now);
    }
}

/* SSL_write is to be called again with these bytes. */
static void keep(struct line *line, const struct iovec *vector)
{
    retries++;
    if (line->retry)
        return;
    line->retry = vector->iov_base;
    line->retry_len = vector->iov_len;
    line->copy = sim_realloc(line->copy, vector->iov_len);
    memcpy(line->copy, vector->iov_base, vector->iov_len);
}

static void host_write(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct line *line = &peer->line;
    struct iovec vectors[VECTORS];
    size_t sent = 0, peeked = 0;
    int count = wspool_peek(traffic->pool, peer->id, vectors, 1 + (int)pick(traffic, VECTORS));
    REQUIRE(traffic, count >= 0);
    for (int i = 0; i < count; i++)
        peeked += vectors[i].iov_len;
    if (line->retry) {
        REQUIRE(traffic, count > 0 && vectors[0].iov_base == line->retry);
        REQUIRE(traffic, vectors[0].iov_len == line->retry_len);
        REQUIRE(traffic, memcmp(line->retry, line->copy, line->retry_len) == 0);
    }
    for (int i = 0; i < count; i++) {
        ERR_clear_error();
        int n = SSL_write(line->host, vectors[i].iov_base, (int)vectors[i].iov_len);
        if (n <= 0 && !tls_again(line->host, n)) {
            REQUIRE(traffic, peer->cut && SSL_get_error(line->host, n) == SSL_ERROR_SYSCALL);
            host_fail(peer);
            return;
        }
        if (n <= 0) {
            size_t kept = sent + vectors[i].iov_len;
            keep(line, &vectors[i]);
            assert_int_equal(wspool_under_way(traffic->pool, peer->id, kept, traffic->now), 0);
            break;
        }
        line->retry = NULL;
        sent += (size_t)n;
        if ((size_t)n < vectors[i].iov_len)
            break;
    }
    line->blocked = sent < peeked;
    assert_int_equal(wspool_ack(traffic->pool, peer->id, sent, traffic->now), 0);
}

/* The host's socket remains until the client has seen the end. */
static void host_end(struct peer *peer, unsigned wants)
{
    struct line *line = &peer->line;
    peer->reset = (wants & WSPOOL_RESET) != 0;
    ERR_clear_error();
    if (!peer->reset && !line->retry)
        SSL_shutdown(line->host);
    shutdown(line->host_fd, SHUT_WR);
    assert_int_equal(wspool_release(peer->traffic->pool, peer->id), 0);
    peer->id = 0;
}

static void host_events(struct traffic *traffic)
{
    struct pollfd fds[PEERS];
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &traffic->peers[i];
        short in = peer->line.reading ? POLLIN : 0, out = peer->line.blocked ? POLLOUT : 0;
        fds[i] = (struct pollfd){peer->id ? peer->line.host_fd : -1, (short)(in | out), 0};
    }
    assert_true(poll(fds, PEERS, 0) >= 0);
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &traffic->peers[i];
        if (fds[i].revents & (POLLOUT | POLLERR | POLLHUP) && peer->line.blocked) {
            peer->line.blocked = 0;
            assert_int_equal(wspool_writable(traffic->pool, peer->id, traffic->now), 0);
        }
        if (peer->id && peer->line.reading &&
            (fds[i].revents & (POLLIN | POLLERR | POLLHUP) || SSL_pending(peer->line.host) > 0))
            host_read(peer);
    }
}

static void host_turn(struct traffic *traffic)
{
    host_events(traffic);
    assert_int_equal(wspool_tick(traffic->pool, traffic->now), 0);
    wspool_id id;
    for (unsigned wants; wspool_next(traffic->pool, &id, &wants) == 1;) {
        struct peer *peer = peer_of(traffic->pool, id, traffic);
        peer->line.reading = (wants & WSPOOL_READ) != 0;
        if (wants & WSPOOL_WRITE)
            host_write(peer);
        if (wants & WSPOOL_CLOSE)
            host_end(peer, wants);
    }
    assert_int_equal(wspool_check(traffic->pool), 0);
}

static void run(int compressed)
{
    retries = 0;
    traffic_run(compressed, 2);
    printf("# %u times SSL_write was called again\n", retries);
    assert_true(retries > 0);
}

TEST(frames_arrive_intact_through_tls)
{
    run(0);
}

TEST(compressed_frames_arrive_intact_through_tls)
{
    run(1);
}
