/* SPDX-License-Identifier: MIT */
/*
 * deflate/negotiate.c - see deflate/negotiate.h.
 *
 * client_max_window_bits=8 is accepted although zlib has no raw deflate with 8 bits: a larger
 * window reads what was compressed with a smaller one.
 */
#include "deflate/negotiate.h"

#include <stdio.h>
#include <string.h>

#include "deflate/params.h"

enum { SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER, SERVER_WINDOW, CLIENT_WINDOW, PARAMS };

static const char *const names[PARAMS] = {
    [SERVER_NO_TAKEOVER] = "server_no_context_takeover",
    [CLIENT_NO_TAKEOVER] = "client_no_context_takeover",
    [SERVER_WINDOW] = "server_max_window_bits",
    [CLIENT_WINDOW] = "client_max_window_bits",
};

/* The offered parameters. */
struct offered {
    int present[PARAMS];
    int window[PARAMS]; /* bits: 15 if the offer gives none */
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Compares without regard to case; `word` is in lower case. */
static int equals(wspool_text text, const char *word)
{
    size_t i = 0;
    while (i < text.len && word[i] != '\0' && lower(text.data[i]) == word[i]) {
        i++;
    }
    return i == text.len && word[i] == '\0';
}

/* Returns 8 to 15 for a decimal number without sign or leading zero, 0 for anything else. */
static int window_bits(wspool_text text)
{
    const char *digits = text.data;
    if (text.len == 1 && (digits[0] == '8' || digits[0] == '9')) {
        return digits[0] - '0';
    }
    if (text.len == 2 && digits[0] == '1' && digits[1] >= '0' && digits[1] <= '5') {
        return 10 + digits[1] - '0';
    }
    return 0;
}

/* Adds one parameter to the offered ones. Returns 0 if the offer has to be declined for it. */
static int add_offered(struct offered *offered, const wspool_extension_param *param)
{
    int which = 0;
    while (which < PARAMS && !equals(param->name, names[which])) {
        which++;
    }
    if (which == PARAMS || offered->present[which]) {
        return 0;
    }
    offered->present[which] = 1;
    if (which == SERVER_NO_TAKEOVER || which == CLIENT_NO_TAKEOVER) {
        return !param->value.data;
    }
    if (!param->value.data) {
        return which == CLIENT_WINDOW; /* only this one may come without a value (7.1.2.2) */
    }
    offered->window[which] = window_bits(param->value);
    return offered->window[which] >=
           (which == SERVER_WINDOW ? WSP_DEFLATE_WINDOW_MIN : WSP_DEFLATE_WINDOW_MIN - 1);
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

/* Appends a parameter to the answer; `window` 0: without a value. The buffer is large enough for
 * all parameters at their longest. */
static void answer(wspool_negotiated *out, const char *name, int window)
{
    size_t len = strlen(out->answer);
    snprintf(out->answer + len, sizeof out->answer - len, window ? "; %s=%d" : "; %s", name,
             window);
}

int wsp_deflate_negotiate(const wspool_deflate_options *options, const wspool_extension *offer,
                          unsigned route_flags, wspool_negotiated *out)
{
    struct offered offered = {
        .window =
            {[SERVER_WINDOW] = WSP_DEFLATE_WINDOW_MAX, [CLIENT_WINDOW] = WSP_DEFLATE_WINDOW_MAX},
    };
    if (out->size < sizeof *out || route_flags & WSPOOL_DEFLATE_OFF ||
        !equals(offer->name, "permessage-deflate")) {
        return 0;
    }
    for (size_t i = 0; i < offer->param_count; i++) {
        if (!add_offered(&offered, &offer->params[i])) {
            return 0;
        }
    }
    int takeover = route_flags & WSPOOL_DEFLATE_TAKEOVER && !offered.present[CLIENT_NO_TAKEOVER];
    int server_window = min(offered.window[SERVER_WINDOW], options->server_window);
    int client_window = min(offered.window[CLIENT_WINDOW], options->client_window);

    out->encoding = wsp_deflate_encoding_of_window(server_window);
    out->decoder = (takeover ? WSP_DEFLATE_DECODER_TAKEOVER : 0) |
                   (offered.present[CLIENT_WINDOW] ? 0 : WSP_DEFLATE_DECODER_ANY_WINDOW);
    strcpy(out->answer, "permessage-deflate");
    /* The server never takes its context over (wspool/codec.h), whether it says so or not. A client
     * that did not offer this may fail the connection when it is answered, as Netty's does. */
    if (offered.present[SERVER_NO_TAKEOVER]) {
        answer(out, names[SERVER_NO_TAKEOVER], 0);
    }
    if (!takeover) {
        answer(out, names[CLIENT_NO_TAKEOVER], 0);
    }
    /* A server may answer server_max_window_bits unasked, client_max_window_bits only if the client
     * offered it (7.1.2). */
    if (offered.present[SERVER_WINDOW] || server_window < WSP_DEFLATE_WINDOW_MAX) {
        answer(out, names[SERVER_WINDOW], server_window);
    }
    if (offered.present[CLIENT_WINDOW]) {
        answer(out, names[CLIENT_WINDOW], client_window);
    }
    return 1;
}
