/* SPDX-License-Identifier: MIT */
/*
 * wspool/error.h - the errors that calls return.
 *
 * A function of the pool that returns int returns 0 or a count on success. It returns one of these
 * negative numbers when the host made a mistake or the machine lacks something. A failed call
 * changes nothing unless its comment says otherwise. What a peer does wrong is never an error of a
 * call: the peer gets an HTTP status or a close code, and the host learns of it through the close
 * hook, the log hook and the counters.
 *
 * The comment of a function lists its errors, one a line, without the prefix WSPOOL_ERR_. Each says
 * when it occurs and what to do next. A NULL pointer where one is needed is INVAL, and not listed.
 *
 *   -1xx  a mistake of the caller, or a race that it can ignore (STALE)
 *   -3xx  a limit or policy of the pool refused
 *   -5xx  memory or entropy is missing, or the library has a bug: the arguments were right
 */
#ifndef WSPOOL_ERROR_H
#define WSPOOL_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* X(name, number, text). The text says what to do next. */
#define WSPOOL_ERRORS(X) \
    X(INVAL, -101, "an argument is out of its range: see the comment of the call") \
    X(STATE, -102, "not possible in the present state: see the comment of the call") \
    X(REENTRANT, -103, "not possible inside a hook: do it after the hook has returned") \
    X(STALE, -104, "no such peer: its id is stale; forget it") \
    X(ABSENT, -105, "no such member or channel: nothing was there to change") \
    X(EXISTS, -106, "already there: nothing was changed") \
    X(FULL, -301, "a limit is reached: wait for the pressure to fall, or raise the limit") \
    X(TOO_BIG, -302, "the message is larger than a queue may hold: send less, or raise the limit") \
    X(NOMEM, -501, "the allocator failed: nothing was changed; free memory and try again") \
    X(ENTROPY, -502, "the entropy hook failed: correct it, since no pool is safe without") \
    X(INTERNAL, -503, "the pool's books do not balance: a bug of the library; please report it")

enum wspool_error {
#define WSPOOL_X(name, number, text) WSPOOL_ERR_##name = number,
    WSPOOL_ERRORS(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_OK = 0
};

/* Any thread. Returns the text of an error; never NULL, must not be freed. -1 is none of them: it
 * comes from calls that set errno (wspool/sockets.h, wspool/uring.h), and its text says so. */
const char *wspool_strerror(int error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
