/* SPDX-License-Identifier: MIT */
/* loop/test_proxied.c - loop/proxied.h on wspool/adapters/epoll.h. */
#define CLIENTS 64
#include "on_epoll.h"

#include "proxied.h"
