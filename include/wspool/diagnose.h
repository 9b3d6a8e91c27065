/* SPDX-License-Identifier: MIT */
/*
 * wspool/diagnose.h - what is wrong with a pool, and what to do about it.
 *
 *     wspool_diagnose_options options = {.size = sizeof options, .before = &a_minute_ago};
 *     wspool_diagnosis diagnosis = {.size = sizeof diagnosis};
 *     wspool_diagnose(pool, &options, &diagnosis);
 *
 * A diagnosis reads what the pool has counted, and changes nothing. The same numbers give the same
 * diagnosis. It names issues, each with the numbers that show it, what it comes from, and what to do.
 *
 * Counters only grow, so an issue that is over would be named for ever. Give the numbers of some time
 * ago (`before`), for example of a minute, and what happened since is judged.
 */
#ifndef WSPOOL_DIAGNOSE_H
#define WSPOOL_DIAGNOSE_H

#include <wspool/capacity.h>
#include <wspool/stats.h>
#include <wspool/writer.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum wspool_issue_type {
    WSPOOL_ISSUE_TOKEN,
    WSPOOL_ISSUE_RESOURCE,
    WSPOOL_ISSUE_CONNECTION,
    WSPOOL_ISSUE_CONFIGURATION
};

enum wspool_severity {
    WSPOOL_SEVERITY_LOW,
    WSPOOL_SEVERITY_MEDIUM,
    WSPOOL_SEVERITY_HIGH,
    WSPOOL_SEVERITY_CRITICAL
};

/* The issues. X(name, type, severity, word). Those whose severity depends on how much there is of
 * them have the lower one here. */
#define WSPOOL_ISSUES(X) \
    X(NO_SECRET, TOKEN, CRITICAL, "no_secret") \
    X(SHORT_SECRET, TOKEN, CRITICAL, "short_secret") \
    X(BLANK_TOKENS, TOKEN, MEDIUM, "blank_tokens") \
    X(INVALID_TOKENS, TOKEN, MEDIUM, "invalid_tokens") \
    X(QUERY_TOKENS, TOKEN, LOW, "query_tokens") \
    X(EXPIRED_TOKENS, TOKEN, MEDIUM, "expired_tokens") \
    X(SLOW_VERDICTS, TOKEN, HIGH, "slow_verdicts") \
    X(OUT_OF_MEMORY, RESOURCE, CRITICAL, "out_of_memory") \
    X(CAPACITY, RESOURCE, HIGH, "capacity_refusals") \
    X(MEMORY, RESOURCE, MEDIUM, "memory") \
    X(OWN_MEMORY, RESOURCE, HIGH, "own_memory") \
    X(PROCESSOR, RESOURCE, HIGH, "processor") \
    X(FILES, RESOURCE, HIGH, "files") \
    X(CONNECTIONS, RESOURCE, HIGH, "connections") \
    X(PRESSURE, RESOURCE, HIGH, "pressure") \
    X(SHED, RESOURCE, HIGH, "peers_shed") \
    X(FEW_CONNECT, CONNECTION, HIGH, "few_connect") \
    X(HANDSHAKES_FAIL, CONNECTION, MEDIUM, "handshakes_fail") \
    X(OLD_VERSIONS, CONNECTION, MEDIUM, "old_versions") \
    X(PREMATURE_CLOSES, CONNECTION, MEDIUM, "premature_closes") \
    X(SLOW_HANDSHAKES, CONNECTION, MEDIUM, "slow_handshakes") \
    X(PROXY_TIMEOUT, CONNECTION, HIGH, "proxy_timeout") \
    X(HEARTBEAT, CONNECTION, MEDIUM, "heartbeat") \
    X(CHURN, CONNECTION, MEDIUM, "reconnect_churn") \
    X(DUPLICATES, CONNECTION, MEDIUM, "duplicate_clients") \
    X(SLOW_READERS, CONNECTION, MEDIUM, "slow_readers") \
    X(ABUSE, CONNECTION, LOW, "abuse") \
    X(MISSED, CONFIGURATION, MEDIUM, "missed_messages") \
    X(SHORT_HISTORY, CONFIGURATION, MEDIUM, "short_history") \
    X(LEAKING_CHANNELS, CONFIGURATION, MEDIUM, "leaking_channels") \
    X(ORIGINS, CONFIGURATION, MEDIUM, "origins_refused") \
    X(RARE_PINGS, CONFIGURATION, MEDIUM, "rare_pings") \
    X(SMALL_QUEUES, CONFIGURATION, MEDIUM, "small_queues") \
    X(NO_MONITOR, CONFIGURATION, LOW, "no_monitor") \
    X(BOOKS, CONFIGURATION, CRITICAL, "books")

enum wspool_issue_name {
#define WSPOOL_X(name, type, severity, word) WSPOOL_ISSUE_##name,
    WSPOOL_ISSUES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_ISSUE_COUNT
};

/* A number that shows an issue. `name` and `unit` are constants. */
typedef struct wspool_evidence {
    const char *name;
    const char *unit;
    uint64_t value;
} wspool_evidence;

#define WSPOOL_EVIDENCE_MAX 6
#define WSPOOL_CAUSES_MAX 4

/* All texts are constants. */
typedef struct wspool_issue {
    enum wspool_issue_name name;
    enum wspool_issue_type type;
    enum wspool_severity severity;
    const char *word;        /* of WSPOOL_ISSUES */
    const char *description; /* what it is, and what clients see of it */
    const char *solution;    /* what to do */
    const char *components;  /* who is concerned, separated by ", " */
    uint32_t evidence_count, cause_count;
    wspool_evidence evidence[WSPOOL_EVIDENCE_MAX];
    /* Issues that are there, too, and cause this one: the nearest first. */
    enum wspool_issue_name causes[WSPOOL_CAUSES_MAX];
} wspool_issue;

/* Percentages are in hundredths. Times are the bounds of histograms: less than twice the time. */
typedef struct wspool_diagnosis_metrics {
    uint64_t connects,
        connects_failed;      /* peers that were accepted, and that were refused or left */
    uint32_t connect_percent; /* accepted of both; 10,000 if there were none */
    uint64_t handshake_p50, handshake_p95; /* microseconds */
    uint64_t round_trip_p50, round_trip_p95;
    uint64_t queue_age_p95;
    uint64_t
        ended_by_failure; /* peers that ended by EOF, FAILED, a time-out, or for what they sent */
    uint64_t peers, channels; /* now */
    uint64_t own_bytes;       /* memory of the pool, by the monitor; 0: there is none */
    uint32_t memory_percent, cpu_percent, files_percent, connections_percent; /* by the monitor */
    uint64_t room; /* so many more peers fit; UINT64_MAX: not known */
} wspool_diagnosis_metrics;

typedef struct wspool_diagnosis {
    size_t size;          /* sizeof(wspool_diagnosis), set by the caller */
    int success;          /* 1: no issue is HIGH or CRITICAL */
    uint32_t issue_count; /* the most severe first, then in the order of WSPOOL_ISSUES */
    wspool_issue issues[WSPOOL_ISSUE_COUNT];
    wspool_diagnosis_metrics metrics;
} wspool_diagnosis;

#define WSPOOL_SECRET_UNKNOWN UINT32_MAX

typedef struct wspool_diagnose_options {
    size_t size;                     /* sizeof(wspool_diagnose_options) */
    const wspool_statistics *before; /* what happened since is judged. NULL: all that happened */
    const wspool_capacity *capacity; /* the pool's monitor; NULL: none */
    uint32_t secret_bytes; /* length of the secret of tokens; 0: there should be one and is not;
                              WSPOOL_SECRET_UNKNOWN: it is not known, or none is needed */
} wspool_diagnose_options;

/* Diagnoses a pool, on its thread. Allocates nothing. Linear in peers and channels, a few
 * nanoseconds each. `options` may be NULL.
 *   INVAL  a size is not set, or *before was not filled by wspool_stats. */
int wspool_diagnose(const wspool *pool, const wspool_diagnose_options *options,
                    wspool_diagnosis *diagnosis);

/* Any thread. Writes a diagnosis as Markdown for people. Returns 0, what the writer returned, or
 *   INVAL  a NULL argument, or the diagnosis was not made by wspool_diagnose. */
int wspool_diagnosis_write(const wspool_diagnosis *diagnosis, const wspool_writer *writer);

/* Any thread. Never NULL. */
const char *wspool_issue_type_name(enum wspool_issue_type type);
const char *wspool_severity_name(enum wspool_severity severity);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
