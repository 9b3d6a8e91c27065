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

#endif
