/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_client.c - what a server may send to a client: the answer to its request, and frames.
 *
 * Demands:
 * - The same bytes give the same messages, states and output, whether whole, byte by byte or in
 *   random pieces.
 * - No message comes before the client is connected, and none is longer than message_bytes.
 * - The invariants hold after each piece. The memory stays within its bounds, and none is left.
 * - Text is UTF-8.
 *
 * Input: the bytes of the server. The entropy is all zeros, so the key is the same in each run.
 */
#include "fuzz.h"

#include <wspool/client.h>

#include "wire/utf8.h"

const unsigned fuzz_runs = 4000;

enum { LONGEST = 2048, MESSAGE = 1024, MEMORY = 262144 };

/* What happened in a run, as a hash over all of it. */
struct run {
    wspool_clients *clients;
    wspool_id id;
    wspool_stream stream; /* 0: the library has given it up */
    uint64_t trace;       /* of messages and states */
    uint64_t sent;        /* of the output: how it lies between them depends on the pieces */
    size_t live, most;
    int connected;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static void note(struct run *run, const void *bytes, size_t len)
{
    uint64_t hash = fuzz_hash(bytes, len);
    run->trace = run->trace * 31 + hash;
}

static void note_number(struct run *run, uint64_t number)
{
    note(run, &number, sizeof number);
}

/* ------------------------------------------------------------------- hooks */

struct block {
    size_t size;
    size_t unused;
};

static void *take(size_t size, void *user)
{
    struct run *run = user;
    struct block *block = malloc(sizeof *block + size);
    if (!block) {
        abort();
    }
    block->size = size;
    run->live += size;
    run->most = run->live > run->most ? run->live : run->most;
    return block + 1;
}

static void give(void *bytes, void *user)
{
    struct run *run = user;
    struct block *block = (struct block *)bytes - 1;
    run->live -= block->size;
    free(block);
}

static void *resize(void *bytes, size_t size, void *user)
{
    void *larger = take(size, user);
    if (bytes) {
        size_t old = ((struct block *)bytes - 1)->size;
        memcpy(larger, bytes, old < size ? old : size);
        give(bytes, user);
    }
    return larger;
}

static int entropy(void *bytes, size_t len, void *user)
{
    (void)user;
    memset(bytes, 0, len);
    return 0;
}

static void on_status(wspool_clients *clients, wspool_id id, const wspool_client_status *status,
                      void *user)
{
    struct run *run = user;
    (void)clients;
    (void)id;
    run->connected = status->state == WSPOOL_CLIENT_CONNECTED;
    note_number(run, status->state);
    note_number(run, status->cause);
    note_number(run, (uint64_t)status->code);
    note(run, status->reason.data, status->reason.len);
}

static void on_message(wspool_clients *clients, wspool_id id, const void *data, size_t len,
                       int binary, void *user)
{
    struct run *run = user;
    (void)clients;
    (void)id;
    FUZZ_DEMAND(run->connected, "a message of %zu bytes", len);
    FUZZ_DEMAND(len <= MESSAGE, "%zu bytes", len);
    FUZZ_DEMAND(binary || wsp_utf8_is_whole(data, len), "%zu bytes of text", len);
    note_number(run, (uint64_t)binary);
    note(run, data, len);
}

/* --------------------------------------------------------------------- run */

static void pump(struct run *run)
{
    wspool_stream stream;
    wspool_id id;
    unsigned wants;
    while (wspool_clients_next(run->clients, &stream, &id, &wants) == 1) {
        if (wants == WSPOOL_CLIENT_CONNECT) {
            run->stream = stream;
            wspool_clients_connected(run->clients, stream, 0);
        } else if (wants == WSPOOL_CLIENT_CLOSE) {
            run->stream = 0;
        } else {
            const void *bytes;
            size_t len;
            wspool_clients_peek(run->clients, stream, &bytes, &len);
            for (size_t i = 0; i < len; i++) { /* it does not matter how it is cut */
                run->sent = run->sent * 31 + ((const uint8_t *)bytes)[i];
            }
            wspool_clients_ack(run->clients, stream, len, 0);
        }
    }
}

/* Returns the trace. `chance` NULL: whole; 0: byte by byte; else in random pieces. */
static uint64_t play(const uint8_t *data, size_t size, uint64_t *chance)
{
    static const char *const protocols[] = {"one", "two", NULL};
    struct run run = {0};
    wspool_clients_config config;
    wspool_clients_config_init(&config);
    config.url = "ws://x/";
    config.subprotocols = protocols;
    config.mem = (wspool_mem){take, resize, give, &run};
    config.entropy = (wspool_entropy_hook){entropy, NULL};
    config.status = (wspool_client_status_hook){on_status, &run};
    config.message = (wspool_client_message_hook){on_message, &run};
    config.message_bytes = MESSAGE;
    config.attempts = 1;
    FUZZ_DEMAND(wspool_clients_new(&run.clients, &config, 0) == 0, "no group");
    FUZZ_DEMAND(wspool_clients_add(run.clients, NULL, &run.id) == 0, "no client");
    wspool_clients_connect(run.clients, run.id, 0);
    pump(&run);
    for (size_t at = 0; at < size && run.stream;) {
        size_t n = !chance ? size - at : *chance ? fuzz_cut(chance, size - at) : 1;
        uint8_t *piece = fuzz_copy(data + at, n);
        wspool_clients_feed(run.clients, run.stream, piece, n, 0);
        fuzz_free(piece, n);
        pump(&run);
        at += n;
        if (n > 1 || at == size) { /* it takes as long as many bytes do */
            FUZZ_DEMAND(wspool_clients_check(run.clients), "after %zu bytes", at);
        }
    }
    if (run.stream) {
        wspool_clients_gone(run.clients, run.stream, 0);
        pump(&run);
    }
    FUZZ_DEMAND(run.most <= MEMORY, "%zu bytes", run.most);
    wspool_clients_free(run.clients);
    FUZZ_DEMAND(run.live == 0, "%zu bytes are left", run.live);
    return run.trace * 31 + run.sent;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t chance = fuzz_hash(data, size) | 1, none = 0;
    if (size > LONGEST) {
        return 0;
    }
    uint64_t whole = play(data, size, NULL);
    uint64_t single = play(data, size, &none);
    uint64_t cut = play(data, size, &chance);
    FUZZ_DEMAND(whole == single, "byte by byte it is another run");
    FUZZ_DEMAND(whole == cut, "in pieces it is another run");
    return 0;
}
