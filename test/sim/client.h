/* SPDX-License-Identifier: MIT */
/*
 * sim/client.h - the client's side of a transport: it writes requests and frames, and reads
 * strictly what the pool sends. It follows RFC 6455 alone and shares no code, and so no mistake,
 * with the library.
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

/* Allocates memory for the tests; never fails. */
void *sim_malloc(size_t size);
void *sim_realloc(void *block, size_t size);

/* --------------------------------------------------------------- requests */

#define CLIENT_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define CLIENT_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* NULL stands for the value of a correct client. CLIENT_LEFT_OUT: the header is absent. */
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
    const char *origin;   /* absent by default */
    const char *protocol; /* absent by default */
    const char *extra;    /* whole lines, each ends in CRLF */
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
    /* 2 or 8: length in that many bytes though fewer would do; 0: the shortest form */
    int form;
    uint64_t announced; /* length in the frame header when it is not `len`; 0: it is `len` */
    uint32_t key;
} client_frame;

void client_put_frame(blob *to, const client_frame *frame);
/* Writes the frame header only: 2 to 14 bytes. */
void client_put_head(blob *to, const client_frame *frame);

/* ----------------------------------------------------------------- reader */

/* A control frame or a complete message; the op is TEXT, BINARY, CLOSE, PING or PONG. */
typedef struct got {
    unsigned op;
    uint8_t *data;
    size_t len;
} got;

/* Decodes a compressed message. Returns its length, at most `max`, or (size_t)-1 for an invalid
 * one. */
typedef size_t (*client_unfold)(const uint8_t *in, size_t len, uint8_t *out, size_t max);
#define UNFOLD_MAX (1u << 15)

typedef struct reader {
    int frames;    /* the HTTP response was read: hosted mode begins here */
    blob pending;  /* bytes received and not parsed yet */
    int status;    /* of the HTTP response, when it was complete */
    blob head;     /* status line and headers, ends in NUL */
    blob body;     /* of a refusal; ends in NUL */
    long body_len; /* announced length; -1: none */
    got *list;     /* frames received, in order */
    size_t count;
    size_t cap;
    size_t messages; /* how many of these are TEXT and BINARY */
    size_t pings;
    size_t pongs;
    int close_code; /* 0: no Close was received; 1005: a Close without a code */
    char close_reason[124];
    unsigned partial_op; /* opcode of an unfinished fragmented message; 0: none */
    blob partial;
    uint64_t total;    /* bytes received */
    const char *fault; /* the first rule that the pool broke; NULL: none */

    client_unfold unfold; /* decodes messages with RSV1; NULL: no codec was negotiated */
    size_t encoded;       /* how many of the messages were compressed */
} reader;

void reader_take(reader *r, const void *bytes, size_t len);
void reader_free(reader *r);

/* Returns the n-th TEXT or BINARY of the list, or NULL. */
const got *reader_message(const reader *r, size_t n);
const got *reader_pong(const reader *r, size_t n);
int got_is(const got *g, const void *bytes, size_t len);

/* Returns the value of a header of the response, or NULL. The value is stored in `room`. */
const char *reader_header(const reader *r, const char *name, char *room, size_t size);
/* Returns 1 if the body is {"error":"WORD"}, apart from white space. */
int reader_says(const reader *r, const char *word);

/* An independent check: returns 1 if the whole text is UTF-8. */
int client_utf8(const uint8_t *text, size_t len);

#endif
