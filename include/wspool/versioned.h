/* SPDX-License-Identifier: MIT */
/*
 * wspool/versioned.h - reads and writes structs that grow from release to release. For authors of
 * companions: the library and its companions use these for their public structs.
 *
 * Such a struct begins with its size in bytes (size_t), which the host sets, and new members are
 * only appended. So host and library may be of different releases: members that an older host does
 * not know keep their defaults, and members that only a newer host knows must be zero.
 */
#ifndef WSPOOL_VERSIONED_H
#define WSPOOL_VERSIONED_H

#include <stddef.h>
#include <string.h>

#include <wspool/error.h>

/* No struct of any release is larger, in bytes: a larger size was never set. */
#define WSPOOL_VERSIONED_MAX 65536u

/* Copies the host's struct over ours, which has `size` bytes and holds the defaults. Returns 0,
 * or WSPOOL_ERR_INVAL when its size is impossible or it sets a member that we do not know. */
static inline int wspool_versioned_read(void *ours, size_t size, const void *theirs)
{
    size_t i, their_size;
    memcpy(&their_size, theirs, sizeof(their_size));
    if (their_size < sizeof(their_size) || their_size > WSPOOL_VERSIONED_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    for (i = size; i < their_size; i++) {
        if (((const unsigned char *)theirs)[i] != 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    memcpy(ours, theirs, their_size < size ? their_size : size);
    memcpy(ours, &size, sizeof(size));
    return 0;
}

/* Copies our struct of `size` bytes into the host's, as far as that has room. Its size member is
 * not changed. Returns 0, or WSPOOL_ERR_INVAL when its size was not set. */
static inline int wspool_versioned_write(void *theirs, const void *ours, size_t size)
{
    size_t their_size;
    memcpy(&their_size, theirs, sizeof(their_size));
    if (their_size < sizeof(their_size)) {
        return WSPOOL_ERR_INVAL;
    }
    memcpy(theirs, ours, their_size < size ? their_size : size);
    memcpy(theirs, &their_size, sizeof(their_size));
    return 0;
}

/* Writes `size` bytes of defaults into a host's struct of `their_size` bytes and zeroes the
 * rest. Does nothing when `theirs` is NULL or too small for a size. */
static inline void wspool_versioned_init(void *theirs, size_t their_size, const void *defaults,
                                         size_t size)
{
    if (!theirs || their_size < sizeof(their_size)) {
        return;
    }
    memset(theirs, 0, their_size);
    memcpy(theirs, defaults, their_size < size ? their_size : size);
    memcpy(theirs, &their_size, sizeof(their_size));
}

#endif
