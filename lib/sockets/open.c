/* SPDX-License-Identifier: MIT */
/*
 * sockets/open.c - see sockets/open.h. The public call for keys is here and not in address.c, which
 * libwspool_uring contains, too.
 */
#include "sockets/open.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sockets/address.h"
#include "sockets/transport.h"

/* Returns the options of wspool_open. They point into `address`. */
static wspool_open_options options_of(const wspool_sockets *s, int fd,
                                      const struct sockaddr_storage *from, void *user,
                                      wsp_address *address)
{
    wspool_open_options options = {.size = sizeof options, .user = user};
    struct sockaddr_storage asked;
    socklen_t len = sizeof asked;
    if (s->addresses) {
        if (!from) {
            memset(&asked, 0, sizeof asked);
            (void)getpeername(fd, (struct sockaddr *)&asked, &len); /* or it is empty */
            from = &asked;
        }
        wsp_address_of(address, from);
        options.address = (wspool_text){address->text, address->text_len};
        options.key = (wspool_text){(const char *)address->key, address->key_len};
    }
    return options;
}

int wsp_open_peer(wspool_sockets *s, int fd, const struct sockaddr_storage *from, void *user,
                  wspool_id *out)
{
    uint64_t now = s->now ? s->now : wspool_clock();
    wsp_address address;
    wspool_open_options options = options_of(s, fd, from, user, &address);
    wspool_id id = 0;
    int error = wspool_open(s->pool, &options, now, &id);
    if (error == 0) {
        if (wsp_transport_add(s, id, fd, 0) == 0) {
            *out = id;
            return 0;
        }
        error = errno;
        wspool_gone(s->pool, id, WSPOOL_GONE_FAILED, now);
        wspool_release(s->pool, id);
    } else {
        error = wsp_system_errno(error);
    }
    close(fd);
    s->turned_away++;
    errno = error;
    return -1;
}

int wspool_sockets_key(wspool_text address, unsigned char key[8])
{
    wsp_address read;

    if (!key || !address.data || !wsp_address_read(&read, address.data, address.len)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(key, read.key, read.key_len);
    return (int)read.key_len;
}
