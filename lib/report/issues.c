/* SPDX-License-Identifier: MIT */
/* report/issues.c - see report/issues.h. */
#include "report/issues.h"

#define CAUSES(...) \
    { \
        __VA_ARGS__, WSPOOL_ISSUE_COUNT \
    }

static const struct text {
    const char *description, *solution, *components;
    /* ends with WSPOOL_ISSUE_COUNT; all zero: none */
    enum wspool_issue_name causes[WSPOOL_CAUSES_MAX + 1];
} texts[WSPOOL_ISSUE_COUNT] = {
    [WSPOOL_ISSUE_NO_SECRET] =
        {"There is no secret, so no token can be made or judged: every client gets 401.",
         "Set a secret of 32 random bytes or more before the start (openssl rand -base64 32), the "
         "same for whoever makes the tokens.",
         "configuration, tokens", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_SHORT_SECRET] =
        {"The secret is shorter than 32 bytes, so it can be guessed from a token, offline.",
         "Set a secret of 32 random bytes or more; keep the old one beside it until its tokens "
         "have "
         "expired.",
         "configuration, tokens", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_BLANK_TOKENS] =
        {"Clients connect without a token or with an empty one, and get 401 empty_token.",
         "Look for clients that connect before they have logged in, or after their token was "
         "removed. A client must not connect with an empty token.",
         "clients, login", CAUSES(WSPOOL_ISSUE_NO_SECRET)},
    [WSPOOL_ISSUE_INVALID_TOKENS] = {"Clients have tokens that cannot be accepted, and get 401.",
                                     "Compare secret, issuer and audience of whoever makes the "
                                     "tokens with those of this server. "
                                     "After a change of the secret keep the old one beside it.",
                                     "tokens, login",
                                     CAUSES(WSPOOL_ISSUE_NO_SECRET, WSPOOL_ISSUE_SHORT_SECRET)},
    [WSPOOL_ISSUE_QUERY_TOKENS] =
        {"Clients send their tokens in the query of the address, which proxies and servers write "
         "to "
         "their logs.",
         "Send them as a subprotocol (browsers) or in Authorization, and take the query out of "
         "token_places.",
         "clients, configuration", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_EXPIRED_TOKENS] =
        {"Clients come with tokens that have expired, or are closed when theirs expires.",
         "Let clients renew their tokens when they are told (token_expiring), and get a fresh one "
         "before they connect again. Compare the clocks of the machines.",
         "clients, login", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_SLOW_VERDICTS] =
        {"Verdicts on tokens did not come within verdict_time, and the clients got 503.",
         "Look at whoever judges the tokens: it is slow or gone. A cache of good verdicts makes a "
         "pool independent of it for a while.",
         "tokens", CAUSES(WSPOOL_ISSUE_PROCESSOR)},
    [WSPOOL_ISSUE_OUT_OF_MEMORY] =
        {"Allocations failed: clients were refused with 503, or closed.",
         "Give the process more memory, or lower pool_bytes, history_bytes and input_bytes.",
         "memory", CAUSES(WSPOOL_ISSUE_MEMORY, WSPOOL_ISSUE_OWN_MEMORY)},
    [WSPOOL_ISSUE_CAPACITY] =
        {"Clients were refused for lack of capacity (429 or 503).",
         "See which resource is used up. Raise its limit if the machine has more of it, or add a "
         "machine.",
         "pool, machine",
         CAUSES(WSPOOL_ISSUE_CONNECTIONS, WSPOOL_ISSUE_MEMORY, WSPOOL_ISSUE_PROCESSOR,
                WSPOOL_ISSUE_FILES)},
    [WSPOOL_ISSUE_MEMORY] =
        {"The memory of the machine or of its control group is used up to more than it should be.",
         "Find what takes it: own_bytes says how much of it is the pool's. Add memory, or lower "
         "the "
         "limits of queues and histories.",
         "machine", CAUSES(WSPOOL_ISSUE_OWN_MEMORY)},
    [WSPOOL_ISSUE_OWN_MEMORY] =
        {"The pool has used up most of the memory that it may take.",
         "Look for slow readers and long histories; raise own_bytes if the machine has more.",
         "pool", CAUSES(WSPOOL_ISSUE_SLOW_READERS)},
    [WSPOOL_ISSUE_PROCESSOR] =
        {"The processor is used up to more than its threshold: everything takes longer.",
         "Find what takes it (perf top). Compression costs most of what a pool does; a second "
         "machine or pool shares the load.",
         "machine", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_FILES] =
        {"Most of the open files that the process may have are used up: each client is one.",
         "Raise the limit (LimitNOFILE of the service, ulimit -n), or lower max_peers.",
         "configuration", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_CONNECTIONS] =
        {"Most of the places for peers are taken: the next ones are refused.",
         "Raise max_peers if the estimate says that more fit; look for clients that connect twice.",
         "configuration", CAUSES(WSPOOL_ISSUE_DUPLICATES, WSPOOL_ISSUE_CHURN)},
    [WSPOOL_ISSUE_PRESSURE] = {"Processes of this machine wait for memory.",
                               "Add memory, or move something to another machine.", "machine",
                               CAUSES(WSPOOL_ISSUE_MEMORY)},
    [WSPOOL_ISSUE_SHED] = {"Peers were closed because pool_bytes or input_bytes was used up.",
                           "Look for slow readers, or raise the limit.", "pool",
                           CAUSES(WSPOOL_ISSUE_SLOW_READERS)},
    [WSPOOL_ISSUE_FEW_CONNECT] = {"Less than 95 of 100 attempts to connect succeed.",
                                  "See the other issues: they say in which stage the attempts end.",
                                  "clients, server",
                                  CAUSES(WSPOOL_ISSUE_BLANK_TOKENS, WSPOOL_ISSUE_INVALID_TOKENS,
                                         WSPOOL_ISSUE_CAPACITY, WSPOOL_ISSUE_HANDSHAKES_FAIL)},
    [WSPOOL_ISSUE_HANDSHAKES_FAIL] = {"Requests are no WebSocket handshakes, or are malformed.",
                                      "Look at the stage in which most end. A proxy that drops "
                                      "Upgrade and Connection gives 426; "
                                      "wspool's doctor finds it from outside.",
                                      "clients, proxy", CAUSES(WSPOOL_ISSUE_OLD_VERSIONS)},
    [WSPOOL_ISSUE_OLD_VERSIONS] =
        {"Clients ask for a version of WebSocket that is not 13, or speak HTTP before 1.1.",
         "Update these clients; or a proxy between lowers the version of HTTP (nginx: "
         "proxy_http_version 1.1).",
         "clients, proxy", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_PREMATURE_CLOSES] = {"Clients leave before their handshake is answered.",
                                       "If they leave while a token is judged, that takes too long "
                                       "for them; if they leave before "
                                       "their request, something probes the port.",
                                       "clients, network",
                                       CAUSES(WSPOOL_ISSUE_SLOW_VERDICTS,
                                              WSPOOL_ISSUE_SLOW_HANDSHAKES, WSPOOL_ISSUE_CAPACITY)},
    [WSPOOL_ISSUE_SLOW_HANDSHAKES] =
        {"One of 20 handshakes takes more than 500 ms.",
         "See which stage takes the time: request_line and headers are the client's and the "
         "network's, token is that of whoever judges tokens, flushed is the host's loop.",
         "network, tokens", CAUSES(WSPOOL_ISSUE_SLOW_VERDICTS, WSPOOL_ISSUE_PROCESSOR)},
    [WSPOOL_ISSUE_PROXY_TIMEOUT] =
        {"Connections are lost after having been silent for a round time: something between ends "
         "what is idle.",
         "Set ping_interval below that time (half of it), or raise the time-out of the proxy, load "
         "balancer or firewall.",
         "proxy", CAUSES(WSPOOL_ISSUE_RARE_PINGS)},
    [WSPOOL_ISSUE_HEARTBEAT] =
        {"Peers do not answer pings and are closed: their machines or networks are gone, or they "
         "stand still.",
         "A few are normal for phones. Many at once point to a network or a proxy that has lost "
         "its "
         "connections.",
         "network, clients", CAUSES(WSPOOL_ISSUE_PROCESSOR)},
    [WSPOOL_ISSUE_CHURN] =
        {"Most connections last less than ten seconds: clients connect again and again.",
         "Let clients keep one connection for each page and wait longer after each failure. See "
         "the "
         "reasons of the ends.",
         "clients", CAUSES(WSPOOL_ISSUE_DUPLICATES, WSPOOL_ISSUE_EXPIRED_TOKENS)},
    [WSPOOL_ISSUE_DUPLICATES] =
        {"Clients connect a second time with the name of a client that is there.",
         "A client instance must have one connection, and a name of its own for each page.",
         "clients", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_SLOW_READERS] = {"Peers do not read as fast as messages are published to them: "
                                   "they are closed, fall "
                                   "behind, or hold memory.",
                                   "Publish less or smaller messages to them, use a keyed history "
                                   "or max_rate, or let them fall "
                                   "behind instead of closing them.",
                                   "clients, channels", CAUSES(WSPOOL_ISSUE_SMALL_QUEUES)},
    [WSPOOL_ISSUE_ABUSE] =
        {"Peers were closed because they sent more pings, fragments or errors than they may, "
         "or more than their key may.",
         "If these are your clients, find what they repeat; if not, nothing is to be done.",
         "clients", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_MISSED] =
        {"Peers that were behind have missed messages that their channel's history had forgotten.",
         "Keep more messages (history), or publish less.", "channels",
         CAUSES(WSPOOL_ISSUE_SLOW_READERS)},
    [WSPOOL_ISSUE_SHORT_HISTORY] =
        {"Clients that come back cannot get all that they missed: the history does not reach back "
         "so "
         "far, or the channel began anew.",
         "Keep messages for longer than the outages last; a database behind the channel "
         "(wspool_seed) survives restarts.",
         "channels", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_LEAKING_CHANNELS] =
        {"There are many more channels than before, with members, and nothing was ever published "
         "to "
         "most of them.",
         "Unsubscribe peers from what they no longer show; limit channels_per_peer.",
         "clients, channels", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_ORIGINS] =
        {"Pages of other origins, or for another host, were refused (403, 421).",
         "If they are yours, add them to config.origins and config.hosts; if not, nothing is to be "
         "done.",
         "configuration, clients", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_RARE_PINGS] =
        {"Pings are further apart than 55 s, or off: proxies end what is silent for 60 s.",
         "Set ping_interval to 30 s, the default.", "configuration", CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_SMALL_QUEUES] =
        {"A queue is smaller than a message may be, so a message that a client may send cannot be "
         "given to others.",
         "Set queue_bytes to a few times message_bytes.", "configuration",
         CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_NO_MONITOR] =
        {"Nothing looks at memory, processor and files, so peers are admitted until something "
         "ends.",
         "Attach a monitor (wspool/capacity.h) and give it to the diagnosis.", "configuration",
         CAUSES(WSPOOL_ISSUE_COUNT)},
    [WSPOOL_ISSUE_BOOKS] = {"The pool's counters do not balance: the library has a bug.",
                            "Please report it, with the numbers of wspool_stats.", "library",
                            CAUSES(WSPOOL_ISSUE_COUNT)},
};

static const struct {
    enum wspool_issue_type type;
    enum wspool_severity severity;
    const char *word;
} rows[WSPOOL_ISSUE_COUNT] = {
#define WSPOOL_X(name, type, severity, word) \
    {WSPOOL_ISSUE_##type, WSPOOL_SEVERITY_##severity, word},
    WSPOOL_ISSUES(WSPOOL_X)
#undef WSPOOL_X
};

wspool_issue wsp_issue_of(enum wspool_issue_name name)
{
    return (wspool_issue){.name = name,
                          .type = rows[name].type,
                          .severity = rows[name].severity,
                          .word = rows[name].word,
                          .description = texts[name].description,
                          .solution = texts[name].solution,
                          .components = texts[name].components};
}

uint32_t wsp_issue_causes(enum wspool_issue_name name, const enum wspool_issue_name **causes)
{
    uint32_t count = 0;
    *causes = texts[name].causes;
    while (count < WSPOOL_CAUSES_MAX && texts[name].causes[count] != WSPOOL_ISSUE_COUNT) {
        count++;
    }
    return count;
}

const char *wspool_issue_type_name(enum wspool_issue_type type)
{
    static const char *const names[] = {"token", "resource", "connection", "configuration"};
    return (unsigned)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

const char *wspool_severity_name(enum wspool_severity severity)
{
    static const char *const names[] = {"low", "medium", "high", "critical"};
    return (unsigned)severity < sizeof names / sizeof *names ? names[severity] : "unknown";
}
