/* SPDX-License-Identifier: MIT */
/*
 * wspool/close.h - our close codes, and the reasons for which a peer can end.
 *
 * Close codes 1000-1014 are those of RFC 6455, section 7.4.1, and of the IANA registry. Ours are in
 * the private range (RFC 6455, section 7.4.2), and the range tells a client what to do:
 *   40xx  do not connect again with the same request
 *   41xx  connect again after a backoff
 *   42xx  connect again at once
 */
#ifndef WSPOOL_CLOSE_H
#define WSPOOL_CLOSE_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* X(name, code, reason text on the wire) */
#define WSPOOL_CLOSE_CODES(X) \
    X(TOKEN_EXPIRED, 4001, "token expired") \
    X(NOT_ALLOWED, 4002, "not allowed") \
    X(REPLACED, 4003, "replaced by a newer connection") \
    X(PLACE_TAKEN, 4004, "an older connection has the place") \
    X(CONTRACT, 4005, "message contract broken") \
    X(SLOW_CONSUMER, 4100, "slow consumer") \
    X(SHED, 4101, "shed for capacity") \
    X(RATE, 4102, "rate limit") \
    X(ABUSE, 4103, "abuse budget spent") \
    X(DRAIN, 4200, "drain") \
    X(MOVED, 4201, "moved") \
    X(LIFETIME, 4202, "lifetime reached")

enum wspool_close_code {
#define WSPOOL_X(name, code, text) WSPOOL_CLOSE_##name = code,
    WSPOOL_CLOSE_CODES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_CLOSE_NORMAL = 1000,
    WSPOOL_CLOSE_GOING_AWAY = 1001,
    WSPOOL_CLOSE_PROTOCOL = 1002,
    WSPOOL_CLOSE_UNSUPPORTED = 1003,
    WSPOOL_CLOSE_NO_STATUS = 1005, /* never on the wire: the peer's Close had no code */
    WSPOOL_CLOSE_ABNORMAL = 1006,  /* never on the wire: the transport ended without a Close */
    WSPOOL_CLOSE_BAD_DATA = 1007,
    WSPOOL_CLOSE_POLICY = 1008,
    WSPOOL_CLOSE_TOO_BIG = 1009,
    WSPOOL_CLOSE_INTERNAL = 1011,
    WSPOOL_CLOSE_RESTART = 1012,
    WSPOOL_CLOSE_TRY_LATER = 1013
};

/*
 * Why an accepted peer ended. X(name, close code that the pool sends, text). Code 0: no Close is
 * sent, or its code comes from the host or is the peer's own.
 */
#define WSPOOL_ENDS(X) \
    X(PEER_CLOSED, 0, "the peer closed") \
    X(HOST_CLOSED, 0, "the host closed") \
    X(PROTOCOL, 1002, "protocol error") \
    X(BAD_UTF8, 1007, "text that is not UTF-8") \
    X(TOO_BIG, 1009, "message too big") \
    X(ABUSE, 4103, "abuse budget spent") \
    X(SLOW, 4100, "slow consumer") \
    X(SHED, 4101, "shed for capacity") \
    X(MESSAGE_TIMEOUT, 1008, "a message took too long") \
    X(IDLE, 1001, "idle for too long") \
    X(PONG_TIMEOUT, 0, "no answer to a ping") \
    X(FLUSH_TIMEOUT, 0, "output stood still for too long") \
    X(LIFETIME, 4202, "lifetime reached") \
    X(DRAIN, 4200, "drain") \
    X(EOF, 0, "the transport ended without a Close") \
    X(FAILED, 0, "the transport failed") \
    X(NOMEM, 1011, "out of memory") \
    X(POOL_FREED, 0, "the pool was freed") \
    X(BAD_ENCODING, 1007, "compressed data that can't be read") \
    X(INPUT_SHED, 4101, "shed for its incomplete input") \
    X(REPLACED, 4003, "replaced by a newer connection") \
    X(PLACE_TAKEN, 4004, "an older connection has the place") \
    X(RATE, 4102, "rate limit") \
    X(TOKEN_EXPIRED, 4001, "token expired") \
    X(REVOKED, 4002, "token revoked")

enum wspool_end {
#define WSPOOL_X(name, code, text) WSPOOL_END_##name,
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_END_COUNT
};

/* Any thread. Returns a short text for logs and reports; never NULL, must not be freed. */
const char *wspool_end_text(enum wspool_end end);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
