/* SPDX-License-Identifier: MIT */
/*
 * wspool/json.h - libwspool_json: the message contract wspool.v1.json, on jansson.
 *
 * A companion library: it attaches to a pool and includes public headers only. Link it with
 * `pkg-config --libs wspool_json`.
 *
 *     wspool_json *json;
 *     wspool_new(&pool, &config, now);
 *     wspool_json_new(&json, NULL);
 *     wspool_json_on_action(json, "chat", on_chat, app);
 *     wspool_json_attach(json, pool);                 // before the first peer
 *     ...
 *     wspool_json_broadcast(json, pool, wspool_global("cards"), "card_updated",
 *                           json_pack("{s:s, s:s}", "id", "7", "title", "Paint"), NULL, NULL);
 *     ...
 *     wspool_free(pool);
 *     wspool_json_free(json);                         // after the pool
 *
 * Conventions
 *   Errors      as in wspool/wspool.h: 0 or a count, or a negative wspool_error.
 *   Threads     one companion, one pool, one thread. All calls must be made on the pool's thread,
 *               except where a comment says "any thread".
 *   References  a call that takes a json_t *data takes over the caller's reference, also when it
 *               fails. NULL means {}.
 *   UTF-8       strings given to the library must be UTF-8.
 *
 * ------------------------------------------------------------------ the contract
 *
 * Every message is a JSON object in a WebSocket text message, its envelope:
 *
 *   from the client  {"type", "data"}               `data` is an object; {} if it is absent
 *   from the server  {"type", "data", "timestamp"}  `timestamp`: ISO 8601, UTC, milliseconds
 *   a publication    the same with "channel", "epoch" and "offset" beside "type", and with "key"
 *                    and "removed" where it has them
 *
 *   channel   "global:NAME", "item:ID", "session:ID" or "topic:NAME"
 *   epoch     a string of letters and digits. It changes when a channel starts to count anew
 *   offset    an integer below 2^53: the number of a message in its channel and epoch, from 1
 *   position  an epoch and an offset: those of the last message received. Offset 0: none yet
 *   key       a string: what a publication is about. A channel with a keyed history
 *             (wspool_history.max_keys) keeps the newest publication of each key: its state
 *
 * Each type below names the rules of delivery that it follows, D1 to D19 of test/model/README.md.
 *
 * ------- Messages of a client
 *
 *   subscribe    {"type":"subscribe","data":{"channel":"item:42",
 *                                            "since":{"epoch":"1a2b","offset":7}}}
 *                Asks to become a member of a channel. `since` is optional: the client's position.
 *                {"offset":0} without an epoch asks for the state: what the channel keeps. The
 *                hook wspool_json_config.subscribe decides. Answer: subscribed, and then what the
 *                client has missed; or the error malformed (`since` is not a position),
 *                bad_channel, not_allowed, too_many_channels or unavailable. Rules D7, D8, D9.
 *   unsubscribe  {"type":"unsubscribe","data":{"channel":"item:42"}}
 *                Leaves a channel. Answer: unsubscribed, or the error bad_channel or
 *                not_subscribed. Rule D11.
 *   ping         {"type":"ping"}
 *                Answer: pong. No rule.
 *   action       {"type":"action","data":{"id":"k3f9x-17","name":"chat","text":"hello"}}
 *                Calls the handler that the application has registered for `name`, once for each
 *                `id`: see "Actions" below. Answer: ack, or an error, with this id. Rule D19.
 *   auth         {"type":"auth","data":{"token":"eyJhbGciOi..."}}
 *                A new token, before the one with which the client has connected expires. Answer:
 *                auth_renewed, or the error token_refused, unavailable or auth_unexpected: then
 *                the old token still counts. The new one must be for the same user. No rule.
 *   other types  {"type":"move_card","data":{"card":"7","column":2}}
 *                Calls the handler that the application has registered for the type. Answer: what
 *                the handler sends, or an error. No rule: it belongs to no channel.
 *
 * ------- Messages of the server
 *
 *   connection_established
 *                {"type":"connection_established","data":{"connection":"4294967299",
 *                 "heartbeat_seconds":30,"server":"wspool/0.1.0","action_epoch":"3w5e11264sgsf",
 *                 "reconnect_spread":1},"timestamp":"2025-07-27T12:09:14.042Z"}
 *                The first message on a connection, once. `heartbeat_seconds` is the interval of
 *                the server's WebSocket pings, rounded down; 0: it sends none. `action_epoch` is a
 *                string of letters and digits: see "Actions". `reconnect_spread` is a number of
 *                seconds above 0. When the connection ends, a client waits a random time between 0
 *                and this before its first attempt to connect again, so that all clients of a
 *                server that has stopped do not come at once. It does not wait if it has ended the
 *                connection itself. If that attempt fails, it backs off: 1, 2, 4 ... 30 s, each
 *                time a random part of it. No rule: it belongs to no channel.
 *   subscribed   {"type":"subscribed","data":{"channel":"item:42","epoch":"1a2b","offset":9,
 *                 "recovered":true},"timestamp":"..."}
 *                The client is a member, and the channel's last message has this offset.
 *                `recovered` is true if the client gave its position and misses nothing: the
 *                publications behind that position follow, here those with the offsets 8 and 9,
 *                and then new ones. Otherwise the client gets the publications behind `offset`. If
 *                it gave a position, then
 *
 *                {"type":"subscribed","data":{"channel":"item:42","epoch":"1a2b","offset":9,
 *                 "recovered":false,"reason":"too_old"},"timestamp":"..."}
 *
 *                says that it misses some, and `reason` is:
 *                   epoch_changed   the channel has started anew since
 *                   too_old         there were messages since that the channel's history does not
 *                                   have (wspool_route_options.history); in a keyed history, one
 *                                   that removed a key
 *                   unknown_offset  the position is ahead of the channel, or is not a position
 *                The client then fetches the state of the application anew. If the channel has a
 *                keyed history, it need not: there is `"reset":true` beside the reason. What the
 *                client knows of this channel is void, and the whole state follows, up to
 *                `offset`; a client whose `since` asked for the state gets the same, recovered.
 *                A client that connects on a path with a channel gets `subscribed`, too. It gives
 *                its position in the query: ?epoch=1a2b&offset=7, or ?offset=0 to ask for the
 *                state. A client that is a member already gets as `offset` that of the last
 *                publication before this message, and `recovered` is true if this is also its
 *                `since`. A channel keeps its epoch while it has members. Rules D2, D7, D8, D9,
 *                D17.
 *   missed       {"type":"missed","data":{"channel":"item:42","from":12,"to":340,
 *                 "reason":"too_old"},"timestamp":"..."}
 *                The client was slower than the channel, and the history has forgotten the
 *                publications with these offsets before it could get them. It stands in their
 *                place: 341 is next. The client fetches the state of the application anew. With
 *                `"reset":true`, as in `subscribed`, the whole state follows instead, and its
 *                offsets begin anew. Rules D10, D17.
 *   unsubscribed {"type":"unsubscribed","data":{"channel":"item:42"},"timestamp":"..."}
 *                The client is no member any more. Rule D11.
 *   token_expiring
 *                {"type":"token_expiring","data":{"expires_at":1753618200},"timestamp":"..."}
 *                The client's token expires at this time (seconds since 1970): in 20 to 30 s, or
 *                less if it is a short one. The client sends a new one with `auth`; otherwise its
 *                connection is closed then (4001). No rule.
 *   auth_renewed {"type":"auth_renewed","data":{"expires_at":1753621800},"timestamp":"..."}
 *                The new token counts, until `expires_at`; if that is absent, it does not expire.
 *                No rule.
 *   pong         {"type":"pong","data":{},"timestamp":"..."}
 *                No rule.
 *   ack          {"type":"ack","data":{"id":"k3f9x-17","result":"done"},"timestamp":"..."}
 *                `result` is `done`, `repeated`, or
 *                {"type":"ack","data":{"id":"k3f9x-17","result":"in_doubt","next":81},
 *                 "timestamp":"..."}
 *                with the lowest N that is not in doubt: see "Actions". Rule D19.
 *   error        {"type":"error","data":{"code":"unknown_type","message":"...","retry":false},
 *                 "timestamp":"..."}
 *                `message` is text for a log. `retry` is true if the same request may succeed
 *                later. The error of an action has its `id`, if that was a string of 1 to 81
 *                bytes. The error of a subscribe or unsubscribe has its `channel`, if that was a
 *                string of at most 263 bytes. Codes:
 *                   malformed          not JSON, not an envelope, nested too deeply, a member that
 *                                      occurs twice or has the wrong type
 *                   unknown_type       no handler for this type
 *                   unknown_action     no handler for this action
 *                   bad_id             the id of an action is missing or is not INSTANCE-N
 *                   no_client          an action on a connection without a client instance:
 *                                      connect with ?client=INSTANCE
 *                   wrong_client       the id of an action has another client instance than its
 *                                      connection
 *                   bad_channel        `channel` is missing or is not a channel
 *                   not_allowed        the subscribe hook has refused
 *                   not_subscribed     the client is not a member of the channel
 *                   too_many_channels  the client is a member of channels_per_peer channels;
 *                                      `retry` is true
 *                   unavailable        the server cannot do it now, for lack of memory or of its
 *                                      ledger; `retry` is true
 *                   token_refused      the new token is not accepted: `message` is the reason, as
 *                                      for a request (WSPOOL_REFUSALS), for example "expired"
 *                   auth_unexpected    no token is judged on this connection, or the last `auth`
 *                                      has no answer yet
 *                and the codes of the application's handlers. No rule.
 *   draining     {"type":"draining","data":{"seconds":5},"timestamp":"..."}
 *                The server stops. It closes its connections during the next `seconds`. No rule:
 *                it belongs to no channel.
 *   publication  {"type":"card_updated","channel":"global:cards","epoch":"1a2b","offset":9,
 *                 "data":{"id":"7"},"timestamp":"..."}
 *                A message to all members of a channel; `type` is the application's. If it has a
 *                key, it replaces what was published with this key before:
 *
 *                {"type":"card_updated","channel":"global:cards","epoch":"1a2b","offset":10,
 *                 "key":"7","data":{"id":"7"},"timestamp":"..."}
 *
 *                and with `"removed":true` it removes that:
 *
 *                {"type":"card_deleted","channel":"global:cards","epoch":"1a2b","offset":11,
 *                 "key":"7","removed":true,"data":{"id":"7"},"timestamp":"..."}
 *
 *                Offsets rise. They may jump: a client does not get what has it as `except`, or,
 *                after an absence, what a newer publication with the same key has replaced. Rules
 *                D1, D3, D4, D5, D6, D16.
 *
 * ------- Actions
 *
 * An action is done at most once within an action epoch, however often the client sends it and on
 * whatever connection. So a client repeats an action whose answer it has missed:
 *
 *   The client connects to /ws?client=k3f9x, is told an action_epoch, and sends
 *      {"type":"action","data":{"id":"k3f9x-17","name":"chat","text":"hello"}}
 *   The connection is lost. It connects again, is told the same action_epoch, and sends the same:
 *      {"type":"action","data":{"id":"k3f9x-17","name":"chat","text":"hello"}}
 *   The server has done it, but its answer was lost. It does nothing, and answers
 *      {"type":"ack","data":{"id":"k3f9x-17","result":"repeated"},"timestamp":"..."}
 *
 *   id        INSTANCE-N. INSTANCE is the client instance of the connection (wspool_client): a
 *             random text that a page or a run of a program chooses once, and gives in the query
 *             of each of its connections: ?client=k3f9x. N is an integer from 1 to 2^53 - 1,
 *             without leading zeros, one higher for each new action.
 *   answer    ack, done      the handler was called now and has succeeded.
 *             ack, repeated  the handler has succeeded with this id before. It was not called now.
 *             ack, in_doubt  the handler was not called now. The server does not know whether it
 *                            has succeeded with this id before.
 *             error          the action is not done. It is as if the id had never been sent: the
 *                            client may send it again, or not.
 *
 * The server remembers the actions of a client instance until it stops, or until
 * wspool_json_config.action_instances other instances have acted. When an instance that it does not
 * remember sends N 1, this is new. When it sends another N first, this may be a repetition: all up
 * to N and the 63 above are in doubt.
 *
 * What a client does:
 *   - It sends its actions in the order of N, and has at most 64 without an answer. (One that was
 *     refused or left out is in doubt, with all below it, when one that is 64 higher is done.)
 *   - When it has connected again and the action epoch is the same, it first repeats all actions
 *     without an answer, in their order. If the action epoch is another one, these are in doubt,
 *     and it does not repeat them.
 *   - in_doubt for an id that it has sent for the first time: nothing has happened. It sends the
 *     action again, under the number `next` or a higher one that it has not used.
 *   - in_doubt for an id that it has sent before: it finds out whether the action has had its
 *     effect (in the state of the application, or by asking its user), and if not sends it again
 *     like that.
 *
 * An application can store what was done beside the effect (wspool_json_config.ledger). Then
 * nothing is in doubt because the server has forgotten or was restarted.
 *
 * Order: `subscribed` stands before the publications that follow it: those behind the client's
 * position if that is recovered, the state if there is `reset`, else those behind `offset`.
 * `missed` stands in the place of the publications that it names. pong, error and ack have no fixed
 * place among publications.
 *
 * Limits: a client's message has at most message_bytes (wspool/config.h) and nests at most
 * wspool_json_config.depth deep. Each error costs one unit of the peer's abuse budget; a peer that
 * exhausts it is closed with 4103.
 *
 * Close codes of the companion, besides those of the pool:
 *   1003  the client sent a binary message (see wspool_json_config.binary)
 *   1011  no memory to tell a client where it is; or it cannot be told what it has missed
 *   4005  the path names a channel that is not UTF-8 or contains a NUL
 */
#ifndef WSPOOL_JSON_H
#define WSPOOL_JSON_H

#include <jansson.h>

#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The subprotocol that wspool_json_attach offers. A client that requests none speaks the same
 * contract. */
#define WSPOOL_JSON_SUBPROTOCOL "wspool.v1.json"

typedef struct wspool_json wspool_json;

/* Decides whether a peer may become a member of a channel that it asks for. Returns 0 to permit it,
 * anything else to refuse it with `not_allowed`. The channel's name is valid during the call. The
 * hook may do what a message hook may do. */
typedef struct wspool_json_subscribe_hook {
    int (*call)(wspool *pool, wspool_id id, wspool_channel channel, void *user);
    void *user;
} wspool_json_subscribe_hook;

/* Returns the time of day for timestamps: milliseconds since 1970-01-01, UTC. */
typedef struct wspool_json_clock_hook {
    uint64_t (*call)(void *user);
    void *user;
} wspool_json_clock_hook;

/* The application's ledger: what it has stored of the actions that are done, as the highest N of
 * each client instance of each subject. The handler of an action stores N in the transaction that
 * has the effect (wspool_json_action_id). Then an action is done once even if the server is killed,
 * or if a client comes to another server with the same ledger. Set wspool_json_config.action_epoch,
 * too: clients repeat actions in the same epoch only.
 *
 * `find` is called before the first action of a client instance on each connection. `subject` is
 * empty if the peer has none. Both texts are valid during the call. It must not call the pool or
 * the companion. It returns
 *   1         *highest is set. Each N up to it gets `repeated`. (Also one that its handler refused,
 *             if a later one was done and the server was restarted since: the ledger does not tell.
 *             A client that must know waits for each answer before its next action.)
 *   0         no action of this instance is done, so that each N is new
 *   2         the ledger has forgotten old instances, maybe this one: N 1 is new, and any other N
 *             is in doubt, as without a ledger
 *   negative  it cannot be known now: the client gets the error `unavailable` */
typedef struct wspool_json_ledger_hook {
    int (*find)(wspool_text subject, wspool_text instance, uint64_t *highest, void *user);
    void *user;
} wspool_json_ledger_hook;

typedef struct wspool_json_config {
    size_t size;                          /* sizeof(wspool_json_config) */
    const char *server;                   /* `server` of connection_established. Copied. Default
                                             "wspool/VERSION". Not NULL */
    unsigned depth;                       /* how deep a client's message may nest objects and
                                             arrays, 1 to 512. Default 16 */
    wspool_json_subscribe_hook subscribe; /* optional. Absent: every `subscribe` is refused, and
                                             peers have the channel of their route only */
    wspool_json_clock_hook clock;         /* default: the system's clock. Not absent. The time of
                                             publications is wspool_config.wall_clock's */
    int binary;                           /* 0 (default): a binary message closes the peer with
                                             1003. 1: it is left to the next message handler */
    uint32_t action_instances;            /* client instances whose actions are known; the one that
                                             acted longest ago is forgotten. At least 1. Default
                                             10,000. Each takes 130 bytes, and those of its text and
                                             its subject: 4.5 MB at most */
    const char *action_epoch;             /* 1 to 64 letters and digits. Copied. Set it with a
                                             ledger, which stores it, and only then. NULL (default):
                                             made of the pool's entropy when the companion is
                                             attached */
    wspool_json_ledger_hook ledger;       /* optional. Absent: what is remembered is all */
    uint64_t reconnect_spread;            /* nanoseconds, at most WSPOOL_TIME_MAX:
                                             `reconnect_spread` of connection_established. 0
                                             (default): by the number of peers: 1 s for up to 500,
                                             2 s more for each further 500, at most 30 s */
} wspool_json_config;

/* Writes the defaults. Any thread. Use the macro: `size` tells the library which version of the
 * struct the host was compiled with. */
void wspool_json_config_init_sized(wspool_json_config *config, size_t size);
#define wspool_json_config_init(config) wspool_json_config_init_sized((config), sizeof(*(config)))

/* Creates a companion. `config` may be NULL for the defaults; it is copied. Any thread. On error
 * *json is NULL.
 *   INVAL  a member is outside its range or missing, config->size is not set, or a member is set
 *          that this version of the library does not have. Correct the configuration.
 *   NOMEM  the allocator failed. Free memory and try again. */
int wspool_json_new(wspool_json **json, const wspool_json_config *config);

/* Frees a companion. The pool that it is attached to must have been freed. NULL is allowed. */
void wspool_json_free(wspool_json *json);

/* Attaches the companion to a pool, and offers WSPOOL_JSON_SUBPROTOCOL beside the subprotocols of
 * wspool_config. Call it after wspool_new, before the first peer, and before other handlers are
 * attached that send messages when a peer opens: connection_established must be the first message.
 * The hooks of wspool_config run after the companion:
 *   open     connection_established and `subscribed` are queued already; what was missed is not
 *   missed   the message `missed` is queued already
 *   message  gets binary messages only, if wspool_json_config.binary is 1
 *   close    the companion has forgotten the peer
 * On error nothing is attached. Its errors are those of wspool_attach, and
 *   EXISTS   this companion is attached already. Create one for each pool.
 *   ENTROPY  the pool's entropy hook failed, so there is no action epoch. Correct the hook. */
int wspool_json_attach(wspool_json *json, wspool *pool);

/* A handler of the application for a type or an action. `data` is the envelope's data, an object,
 * valid during the call (json_incref it to keep it). The handler may do what a message hook may
 * do; it may also replace and remove handlers. Returns
 *   NULL    done. An action is acknowledged, and its id is not given to a handler again
 *   a code  refused: the handler has had no effect. The client gets an `error` with this code, and
 *           its abuse budget is charged. The string must be static. A code of the contract
 *           ("unavailable", ...) gets the contract's message and `retry`; for other codes `retry`
 *           is false */
typedef const char *wspool_json_handler(wspool_json *json, wspool *pool, wspool_id id,
                                        const json_t *data, void *user);

/* Registers a handler for a type of the application. It replaces an earlier handler of the same
 * type; NULL removes it. `type` is copied.
 *   INVAL  `type` is empty, or a type of the contract. Choose another.
 *   NOMEM  the allocator failed; nothing was changed. Free memory and try again. */
int wspool_json_on(wspool_json *json, const char *type, wspool_json_handler *handler, void *user);

/* The same for the actions of a name, which is copied.
 *   INVAL  `name` is empty. Choose another.
 *   NOMEM  the allocator failed; nothing was changed. Free memory and try again. */
int wspool_json_on_action(wspool_json *json, const char *name, wspool_json_handler *handler,
                          void *user);

/* Returns the id of the action whose handler runs: INSTANCE-N. *instance is valid until the handler
 * returns. A ledger stores them with the peer's subject (wspool_subject): client instances are
 * chosen by clients, and are unique within a subject only.
 *   STATE  no handler of an action runs; *instance is empty and *n is 0. */
int wspool_json_action_id(const wspool_json *json, wspool_text *instance, uint64_t *n);

/* Publishes a message to a channel. It is rendered once, with its position, whatever the number of
 * members; other contracts on the pool render it for their peers (wspool/handlers.h). `options` and
 * `tally` are those of wspool_publish and may be NULL. Takes over `data`. Returns the number of
 * peers for which it was queued. After an error no peer gets the message. This is wspool_publish
 * with `data` as JSON text, and a host may call that instead. Its errors are those of
 * wspool_publish, and
 *   INVAL  the channel, the type or the key is not text: it is not UTF-8, or could not be checked
 *          for lack of memory; or, with wspool_publish, `data` is not JSON. Correct the call.
 *   NOMEM  also: `data` is not UTF-8. Correct it, or free memory and try again.
 *   STATE  the pool has no contract: attach the companion. Or options->commit cancelled. */
int wspool_json_broadcast(wspool_json *json, wspool *pool, wspool_channel channel, const char *type,
                          json_t *data, const wspool_send_options *options, wspool_tally *tally);

/* Sends a message to one peer. Takes over `data`. After an error the peer does not get the message.
 * Its errors are those of wspool_send, and
 *   NOMEM  also: `type` or `data` is not UTF-8. Correct it, or free memory and try again. */
int wspool_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data);

/* Sends an `error` to one peer, without charging its abuse budget. `retry` is 0 or 1. Its errors
 * are those of wspool_json_send. */
int wspool_json_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                      const char *message, int retry);

/* Sends `draining` to every peer, then calls wspool_drain with this window and the code 4200.
 * `window` is in nanoseconds; the message has it in seconds, rounded up. A peer whose queue is full
 * is not told, and nobody is without memory: the Close says the same. A second call tells the new
 * window. wspool_draining returns how many peers remain. With wspool/sockets.h call
 * wspool_sockets_drain with the same window behind it: that stops listening, and says when all is
 * over.
 *   INVAL  the window is longer than WSPOOL_TIME_MAX. Correct the call. */
int wspool_json_drain(wspool_json *json, wspool *pool, uint64_t window, uint64_t now);

/* ------------------------------------------------------------- text of values
 *
 * For applications that render the first state of a page, and for tests. Any thread. */

/* Bytes of a channel and of an epoch as text, at most, with the NUL. */
#define WSPOOL_JSON_CHANNEL_MAX (8 + WSPOOL_NAME_MAX + 1)
#define WSPOOL_JSON_EPOCH_MAX 14

/* Writes a channel as a string. `out` must have WSPOOL_JSON_CHANNEL_MAX bytes.
 *   INVAL  the kind is WSPOOL_NONE or unknown, or the name is too long, is not UTF-8, contains a
 *          NUL, or could not be checked for lack of memory. Use another name in this contract. */
int wspool_json_channel_write(wspool_channel channel, char *out);

/* Reads a channel. The name of *channel points into `text`.
 *   INVAL  the text is not a channel; *channel is unchanged. Refuse the input. */
int wspool_json_channel_read(const char *text, size_t len, wspool_channel *channel);

/* Writes an epoch as a string. `out` must have WSPOOL_JSON_EPOCH_MAX bytes. */
void wspool_json_epoch_write(uint64_t epoch, char *out);

/* Reads an epoch. Returns 0, which is never the epoch of a channel, if the text is not an epoch. */
uint64_t wspool_json_epoch_read(const char *text);

/* Reads a position that a client gives in a URL, for wspool_read. Text that is not an epoch or an
 * offset, or NULL, gives a position that no channel has: then the result of the call says why
 * nothing is recovered. */
wspool_channel_position wspool_json_position_read(const char *epoch, const char *offset);

/* Writes a time, in milliseconds since 1970, as ISO 8601: "2025-07-27T12:09:14.000Z". `out` must
 * have WSPOOL_JSON_TIME_MAX bytes. */
#define WSPOOL_JSON_TIME_MAX 25
void wspool_json_time_write(uint64_t milliseconds, char *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
