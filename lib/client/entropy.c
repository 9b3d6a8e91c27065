/* SPDX-License-Identifier: MIT */
/* client/entropy.c - see client/entropy.h. */
#include "client/entropy.h"

#include <string.h>

int wsp_clients_random(struct wspool_clients *clients, void *bytes, size_t len)
{
    if (clients->entropy_left < len) {
        const wspool_entropy_hook *hook = &clients->config.entropy;
        if (hook->call(clients->entropy, sizeof clients->entropy, hook->user) != 0) {
            return WSPOOL_ERR_ENTROPY;
        }
        clients->entropy_left = sizeof clients->entropy;
    }
    clients->entropy_left -= (uint32_t)len;
    memcpy(bytes, clients->entropy + clients->entropy_left, len);
    memset(clients->entropy + clients->entropy_left, 0, len);
    return 0;
}

/* 36 values per byte of the result; the remainder of a division by 36 is a bit uneven, and 22 of
 * them have 113 bits all the same. */
int wsp_clients_random_instance(struct wspool_clients *clients, char *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t bytes[WSPOOL_CLIENT_INSTANCE_LEN];
    int error = wsp_clients_random(clients, bytes, sizeof bytes);
    for (size_t i = 0; !error && i < sizeof bytes; i++) {
        out[i] = digits[bytes[i] % 36];
    }
    out[error ? 0 : sizeof bytes] = '\0';
    return error;
}
