/* SPDX-License-Identifier: MIT */
/*
 * deflate/agree.c - judges an offer of permessage-deflate (RFC 7692, 7.1). See wspool/deflate.h.
 *
 * A client's window of 8 bits is fine, although zlib has none: what was made with a small window
 * is read with any larger one.
 */
#include <stdio.h>
#include <string.h>

#include "deflate/inner.h"

enum { SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER, SERVER_WINDOW, CLIENT_WINDOW, PARAMS };

static const char *const names[PARAMS] = {
    [SERVER_NO_TAKEOVER] = "server_no_context_takeover",
    [CLIENT_NO_TAKEOVER] = "client_no_context_takeover",
    [SERVER_WINDOW] = "server_max_window_bits",
    [CLIENT_WINDOW] = "client_max_window_bits",
};

/* What an offer says of each parameter. */
struct offered {
    int there[PARAMS];
    int window[PARAMS]; /* bits; 15 when nothing was said of them */
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static int is(wspool_text text, const char *word)
{
    size_t i = 0;
    while (i < text.len && word[i] != '\0' && lower(text.data[i]) == word[i]) {
        i++;
    }
    return i == text.len && word[i] == '\0';
}

/* 8 to 15, without sign or leading zero; 0 for all else. */
static int bits(wspool_text text)
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

static int take(struct offered *offered, const wspool_extension_param *param)
{
    int which = 0;
    while (which < PARAMS && !is(param->name, names[which])) {
        which++;
    }
    if (which == PARAMS || offered->there[which]) {
        return 0;
    }
    offered->there[which] = 1;
    if (which == SERVER_NO_TAKEOVER || which == CLIENT_NO_TAKEOVER) {
        return !param->value.data;
    }
    if (!param->value.data) {
        return which == CLIENT_WINDOW; /* it may be left to us, the server's may not */
    }
    offered->window[which] = bits(param->value);
    return offered->window[which] >=
           (which == SERVER_WINDOW ? WSP_DEFLATE_WINDOW_LEAST : WSP_DEFLATE_WINDOW_LEAST - 1);
}

static int lesser(int a, int b)
{
    return a < b ? a : b;
}

/* The room is enough for every parameter at its longest. */
static void add(wspool_agreement *out, const char *name, int window)
{
    size_t len = strlen(out->answer);
    snprintf(out->answer + len, sizeof out->answer - len, window ? "; %s=%d" : "; %s", name,
             window);
}

int wsp_deflate_agree(const wspool_extension *offer, unsigned wishes, wspool_agreement *out,
                      void *user)
{
    const wspool_deflate *self = user;
    struct offered offered = {
        .window =
            {[SERVER_WINDOW] = WSP_DEFLATE_WINDOW_MOST, [CLIENT_WINDOW] = WSP_DEFLATE_WINDOW_MOST},
    };
    if (out->size < sizeof *out || wishes & WSPOOL_DEFLATE_OFF ||
        !is(offer->name, "permessage-deflate")) {
        return 0;
    }
    for (size_t i = 0; i < offer->param_count; i++) {
        if (!take(&offered, &offer->params[i])) {
            return 0;
        }
    }
    int takes_over = wishes & WSPOOL_DEFLATE_TAKEOVER && !offered.there[CLIENT_NO_TAKEOVER];
    int server = lesser(offered.window[SERVER_WINDOW], self->options.server_window);
    int client = lesser(offered.window[CLIENT_WINDOW], self->options.client_window);

    out->form = 1 + (unsigned)(server - WSP_DEFLATE_WINDOW_LEAST);
    out->reading = (takes_over ? WSP_DEFLATE_TAKES_OVER : 0) |
                   (offered.there[CLIENT_WINDOW] ? 0 : WSP_DEFLATE_ITS_WINDOW);
    strcpy(out->answer, "permessage-deflate");
    add(out, names[SERVER_NO_TAKEOVER], 0);
    if (!takes_over) {
        add(out, names[CLIENT_NO_TAKEOVER], 0);
    }
    /* This one may be told unasked: clients must be able to read any window. */
    if (offered.there[SERVER_WINDOW] || server < WSP_DEFLATE_WINDOW_MOST) {
        add(out, names[SERVER_WINDOW], server);
    }
    if (offered.there[CLIENT_WINDOW]) {
        add(out, names[CLIENT_WINDOW], client);
    }
    return 1;
}
