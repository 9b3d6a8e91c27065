/* SPDX-License-Identifier: MIT */
/*
 * sim/client.h - the other end of the wire: what a client writes, and a strict reader of what
 * the pool sends. Written from RFC 6455 alone, so that it shares no mistake with the library.
 */
#ifndef WSPOOL_TEST_SIM_CLIENT_H
#define WSPOOL_TEST_SIM_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------------ bytes */

typedef struct blob {
    uint8_t *data;
    size_t len;
    size_t cap;
} blob;

void blob_add(blob *to, const void *bytes, size_t len);
void blob_text(blob *to, const char *text);
void blob_print(blob *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void blob_free(blob *bytes);

/* Memory of the tests; never fails. */
void *sim_malloc(size_t size);
void *sim_realloc(void *block, size_t size);

/* --------------------------------------------------------------- requests */

#define CLIENT_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define CLIENT_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* NULL: as a good client has it. CLIENT_LEFT_OUT: the header is not there. */
extern const char CLIENT_LEFT_OUT[];

typedef struct client_request {
    const char *method;
    const char *target;
    const char *version; /* "HTTP/1.1" */
    const char *host;
    const char *upgrade;
    const char *connection;
    const char *key;
    const char *ws_version;
    const char *origin;   /* left out */
    const char *protocol; /* left out */
    const char *extra;    /* whole lines, each ending in CRLF */
} client_request;

void client_put_request(blob *to, const client_request *request);

/* ----------------------------------------------------------------- frames */

enum { OP_CONT = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
#define FIN 0x80u

typedef struct client_frame {
    unsigned first; /* FIN, RSV bits and opcode */
    const void *payload;
    size_t len;
    int unmasked;
    int form;           /* length in 2 or 8 bytes though fewer would do; 0: the shortest */
    uint64_t announced; /* length in the head when it is not `len`; 0: it is */
    uint32_t key;
} client_frame;

void client_put_frame(blob *to, const client_frame *frame);
/* Head only: 2 to 14 bytes. */
void client_put_head(blob *to, const client_frame *frame);

/* ----------------------------------------------------------------- reader */

/* A frame, or a message put together; the op is TEXT, BINARY, CLOSE, PING or PONG. */
typedef struct got {
    unsigned op;
    uint8_t *data;
    size_t len;
} got;

/* What a coded message says: its length, at most `max`, or (size_t)-1. */
typedef size_t (*client_unfold)(const uint8_t *in, size_t len, uint8_t *out, size_t max);
#define UNFOLD_MAX (1u << 15)

typedef struct reader {
    int frames;    /* the HTTP answer is behind us: hosted mode begins here */
    blob pending;  /* come and not understood yet */
    int status;    /* of the HTTP answer, when it was whole */
    blob head;     /* status line and headers, ends in NUL */
    blob body;     /* of a refusal; ends in NUL */
    long body_len; /* as announced; -1: not */
    got *list;     /* what came, in order */
    size_t count;
    size_t cap;
    size_t messages; /* of these, TEXT and BINARY */
    size_t pings;
    size_t pongs;
    int close_code; /* 0: no Close came; 1005: one without a code */
    char close_reason[124];
    unsigned partial_op; /* of a fragmented message under way; 0: none */
    blob partial;
    uint64_t total;    /* bytes taken */
    const char *fault; /* the first rule that the pool broke; NULL: none */

    client_unfold unfold; /* of messages with RSV1; NULL: nothing was agreed upon */
    size_t coded;         /* how many of the messages were such */
} reader;

void reader_take(reader *r, const void *bytes, size_t len);
void reader_free(reader *r);

/* The n-th TEXT or BINARY of the list, or NULL. */
const got *reader_message(const reader *r, size_t n);
const got *reader_pong(const reader *r, size_t n);
int got_is(const got *g, const void *bytes, size_t len);

/* Value of a header of the answer, or NULL; it lives in `room`. */
const char *reader_header(const reader *r, const char *name, char *room, size_t size);
/* Is the body {"error":"WORD"}, white space aside? */
int reader_says(const reader *r, const char *word);

/* An independent judge: whole text, 1 when it is UTF-8. */
int client_utf8(const uint8_t *text, size_t len);

#endif
