/* SPDX-License-Identifier: MIT */
/*
 * wspool/capacity.h - refuses new peers while the machine, or the pool, is short of something.
 *
 * A monitor looks at connections, memory, processor, open files and pressure in intervals, on the
 * pool's tick. While one of them is above its limit, new peers are refused: 503 with a reason of
 * its own, and Retry-After. Open peers stay, and are served as before. It is a capacity handler and
 * a tick handler, as any host could attach them (wspool/handlers.h).
 *
 *     wspool_capacity_config config;
 *     wspool_capacity *monitor;
 *     wspool_capacity_config_init(&config);
 *     config.memory_bytes = 1024 * 1048576;           // no more than 1 GiB in use
 *     wspool_capacity_new(&monitor, &config);
 *     wspool_capacity_attach(monitor, pool, now);     // before the first peer
 *     ...
 *     wspool_free(pool);
 *     wspool_capacity_free(monitor);
 *
 * Limits    A peer is refused while a resource is strictly above its limit: 100 % is never above
 *           100. Once above, it counts as above until it is at a sixteenth below the limit, so that
 *           a value near the limit does not change the answer with each sample. Connections and own
 *           memory are known exactly and need no such distance.
 * Samples   The answer is that of the last sample: nothing is waited for. The default sample reads
 *           a few files of /proc and /sys: about 50 us in each interval, and no memory is
 *           allocated. A host may give samples of its own (`sample`).
 * Failures  What cannot be read counts as above its limit, until it can be read again. What does
 *           not exist on this machine (no control group with a limit, no pressure information) was
 *           not measured and never refuses.
 * Threads   one monitor, one pool, that pool's thread.
 */
#ifndef WSPOOL_CAPACITY_H
#define WSPOOL_CAPACITY_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What can be short, in the order in which a refusal names it. X(name, reason of the refusal, what a
 * sample has of it) */
#define WSPOOL_RESOURCES(X) \
    X(CONNECTIONS, "capacity_connections", "open peers and `max_peers`") \
    X(FILES, "capacity_files", "open descriptors of the process, and RLIMIT_NOFILE") \
    X(OWN_MEMORY, "capacity_own_memory", "bytes that the pool holds, and `own_bytes`") \
    X(MEMORY, "capacity_memory", "bytes in use: of the control group, or else of the machine") \
    X(CPU, "capacity_cpu", "processor time since the last sample, in hundredths of a percent") \
    X(PRESSURE, "capacity_pressure", \
      "time of the last 10 s in which a task waited for memory, in hundredths of a percent")

enum wspool_resource {
#define WSPOOL_X(name, reason, help) WSPOOL_RESOURCE_##name,
    WSPOOL_RESOURCES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_RESOURCE_COUNT
};

/* Room for resources of later versions. */
#define WSPOOL_RESOURCES_MAX 16

enum wspool_measured {
    WSPOOL_NOT_MEASURED = 0, /* there is no such thing here: never refuses */
    WSPOOL_MEASURED,
    WSPOOL_NOT_READABLE /* it is there and could not be read: refuses */
};

/* One resource at one moment. `all` is what there is; 0: it has no end, and percentages of it do
 * not count. Processor and pressure: 10,000. */
typedef struct wspool_amount {
    enum wspool_measured measured;
    uint64_t used, all;
} wspool_amount;

typedef struct wspool_sample {
    size_t size;                            /* sizeof(wspool_sample), set by the monitor */
    wspool_amount of[WSPOOL_RESOURCES_MAX]; /* index: enum wspool_resource */
} wspool_sample;

/* Takes a sample: fills MEMORY, CPU, FILES and PRESSURE of a zeroed struct; the monitor knows the
 * others. Must return at once, and must not call the pool. `now` is the pool's time. Default: the
 * operating system's. */
typedef struct wspool_sample_hook {
    void (*call)(wspool_sample *sample, uint64_t now, void *user);
    void *user;
} wspool_sample_hook;

typedef struct wspool_capacity_config {
    size_t size;           /* sizeof(wspool_capacity_config) */
    uint32_t max_peers;    /* open peers: 500; refused at this number. wspool_config.max_peers
                                  counts, too: the lower one wins. 0: no limit of its own */
    uint64_t own_bytes;    /* memory of the pool: records, queues, histories, input: 0, no limit */
    uint64_t memory_bytes; /* memory in use: 0, no limit */
    uint32_t memory_percent;   /* of the memory that there is: 85 */
    uint32_t cpu_percent;      /* 85 */
    uint32_t files_percent;    /* 85 */
    uint32_t pressure_percent; /* 100: it does not refuse */
    uint64_t interval;         /* nanoseconds between two samples: 1 s. At least 10 ms */
    uint32_t peer_bytes;       /* what a peer takes of the memory beside the pool's part: the kernel
                                  and the host's own record. For the estimate: 4096 */
    wspool_sample_hook sample;
    wspool_mem mem; /* all NULL (the default): malloc, realloc and free of the C library */
} wspool_capacity_config;

/* Any thread. Writes the defaults. Use the macro. */
void wspool_capacity_config_init_sized(wspool_capacity_config *config, size_t size);
#define wspool_capacity_config_init(config) \
    wspool_capacity_config_init_sized((config), sizeof(wspool_capacity_config))

typedef struct wspool_capacity wspool_capacity;

/* Makes a monitor. `config` may be NULL: the defaults. On error *monitor is NULL.
 *   INVAL  a percentage is above 100, the interval is too short, or the size is not set. Correct
 *          the configuration.
 *   NOMEM  malloc failed. Free memory and try again. */
int wspool_capacity_new(wspool_capacity **monitor, const wspool_capacity_config *config);

/* Frees a monitor. The pool that it is attached to must have been freed. NULL is allowed. */
void wspool_capacity_free(wspool_capacity *monitor);

/* Attaches a monitor to a pool, and takes the first sample.
 *   EXISTS  it is attached already. Use one for each pool.
 * The other errors are those of wspool_attach. */
int wspool_capacity_attach(wspool_capacity *monitor, wspool *pool, uint64_t now);

/* The last sample, and what it means. */
typedef struct wspool_capacity_state {
    size_t size;          /* sizeof(wspool_capacity_state), set by the caller */
    wspool_sample sample; /* with CONNECTIONS and OWN_MEMORY of this moment */
    uint64_t at;          /* when the sample was taken, in the pool's time */
    unsigned above;       /* bit n: the resource n is above its limit, so that peers are refused */
} wspool_capacity_state;

/* Copies the state.
 *   INVAL  state->size is not set.
 *   STATE  the monitor is attached to no pool. */
int wspool_capacity_get(const wspool_capacity *monitor, wspool_capacity_state *state);

/* How many more peers fit. */
typedef struct wspool_estimate {
    size_t size;                       /* sizeof(wspool_estimate), set by the caller */
    uint64_t peers;                    /* so many more, by the resource that ends first */
    enum wspool_resource first;        /* that one; without any limit CONNECTIONS */
    uint64_t peer_bytes;               /* measured bytes of a peer, with config.peer_bytes */
    uint64_t by[WSPOOL_RESOURCES_MAX]; /* by each resource alone; UINT64_MAX: no limit is known */
} wspool_estimate;

/* Estimates from the last sample and from the memory that the present peers take, each with one
 * descriptor. The same sample and the same pool give the same estimate. Processor and pressure are
 * 0 or unlimited: what one more peer costs of them is not known.
 *   INVAL  estimate->size is not set.
 *   STATE  the monitor is attached to no pool. */
int wspool_capacity_estimate(const wspool_capacity *monitor, wspool_estimate *estimate);

/* Any thread. Returns the name of a resource as in the refusal; never NULL. */
const char *wspool_resource_name(enum wspool_resource resource);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
