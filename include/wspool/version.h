/* SPDX-License-Identifier: MIT */
/*
 * wspool/version.h - the version of the library.
 *
 * The Makefile reads these three lines for the pkg-config files and the names of the shared
 * objects. Before 1.0 any minor release may change the interface and then changes the SONAME.
 */
#ifndef WSPOOL_VERSION_H
#define WSPOOL_VERSION_H

#define WSPOOL_VERSION_MAJOR 0
#define WSPOOL_VERSION_MINOR 1
#define WSPOOL_VERSION_PATCH 0

#define WSPOOL_STRINGIFY_(x) #x
#define WSPOOL_STRINGIFY(x) WSPOOL_STRINGIFY_(x)
#define WSPOOL_VERSION \
    WSPOOL_STRINGIFY(WSPOOL_VERSION_MAJOR) \
    "." WSPOOL_STRINGIFY(WSPOOL_VERSION_MINOR) "." WSPOOL_STRINGIFY(WSPOOL_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Any thread. Returns the version of the library that the program runs with, such as "0.1.0": a
 * static string. WSPOOL_VERSION is that of the headers it was compiled with. */
const char *wspool_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
