# SPDX-License-Identifier: MIT
"""Drives libwspool.so from Python without a C compiler: the structs as a binding would write them,
a pool with hooks, one peer from its first byte to its last, and the counters at the end."""
import base64
import ctypes as c
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

Id, Pool, Enum = c.c_uint64, c.c_void_p, c.c_uint
WRITE, READ, CLOSE = 1, 2, 4
ITEM, STALE = 2, -104
SECOND = 1_000_000_000


def struct(name, *fields):
    return type(name, (c.Structure,), {"_fields_": list(fields)})


def same(kind, names):
    return [(name, kind) for name in names.split()]


Text = struct("Text", ("data", c.c_void_p), ("len", c.c_size_t))
Iovec = struct("Iovec", ("base", c.c_void_p), ("len", c.c_size_t))
Channel = struct("Channel", ("kind", Enum), ("name", c.c_char_p), ("len", c.c_size_t))
Position = struct("Position", ("epoch", c.c_uint64), ("offset", c.c_uint64))
Opened = struct("Opened", ("route_user", c.c_void_p), ("channel", Text), ("subprotocol", Text))
Message = struct("Message", ("data", c.c_void_p), ("len", c.c_size_t), ("binary", c.c_int),
                 ("route_user", c.c_void_p))
Closed = struct("Closed", ("why", Enum), ("code_sent", c.c_int), ("code_received", c.c_int),
                ("open_for", c.c_uint64), ("messages_lost", c.c_uint64))
Tally = struct("Tally", ("size", c.c_size_t),
               *same(c.c_uint32, "queued slow closed behind"), ("position", Position),
               ("repeated", c.c_int), ("time", c.c_uint64))
Mem = struct("Mem", *same(c.c_void_p, "malloc realloc free user"))


def hook(name, function=c.c_void_p):
    return (name, struct(f"{name}_hook", ("call", function), ("user", c.c_void_p)))


OnOpen = c.CFUNCTYPE(None, Pool, Id, c.POINTER(Opened), c.c_void_p)
OnMessage = c.CFUNCTYPE(None, Pool, Id, c.POINTER(Message), c.c_void_p)
OnClose = c.CFUNCTYPE(None, Pool, Id, c.POINTER(Closed), c.c_void_p)

Config = struct(
    "Config", ("size", c.c_size_t),
    *same(c.c_uint32, "max_peers max_handshakes max_waiters max_revocations max_per_key key_table key_attempts_burst key_attempts_rate "
                      "key_messages_burst key_messages_rate key_bytes_burst key_bytes_rate "
                      "key_subscribes_burst key_subscribes_rate channels_per_peer head_bytes "
                      "head_count message_bytes abuse_burst abuse_rate turn_bytes "
                      "turn_deliveries"),
    ("input_bytes", c.c_uint64), *same(c.c_uint32, "queue_bytes queue_messages"),
    ("pool_bytes", c.c_uint64), ("slow", Enum), ("history_bytes", c.c_uint64),
    *same(c.c_uint64, "handshake_time verdict_time expiring_time token_time message_time idle_time "
                      "ping_interval pong_time"),
    ("ping_jitter", c.c_uint32), *same(c.c_uint64, "flush_time flush_delay closing_time lifetime"),
    *same(c.c_uint32, "retry_after breaker_burst breaker_rate"), ("breaker_time", c.c_uint64),
    *same(c.c_void_p, "subprotocols origins"),
    ("any_origin", c.c_int), ("hosts", c.c_void_p), ("token_places", Enum * 4), ("mem", Mem),
    hook("entropy"), hook("wall_clock"), hook("token"), hook("origin"), hook("capacity"), hook("verdict"), hook("open", OnOpen),
    hook("message", OnMessage), hook("close", OnClose), hook("expiring"),
    hook("renewed"), hook("missed"), hook("pressure"),
    hook("channel"), hook("identity_free"), hook("wake"), hook("deadline"), hook("log"))

COUNTERS = ("attempts accepted plain brief published deliveries queued sent dropped_closed slow_closes "
            "left_behind resumes resumes_lost recovered missed sent_bytes encoded encoded_bytes codec_encoded codec_encoded_bytes "
            "received codec_decoded codec_decoded_bytes received_bytes frames pings_sent pongs_received pings_received "
            "pongs_dropped abuse_cost blocked shed budget_refused turns_spent key_full key_subscribes breaker_trips breaker_refused renewals renewals_refused "
            "log_suppressed stale_ids")
GAUGES = "handshakes peers channels memberships waiters waiting waiting_bytes block_bytes history_bytes input_bytes"
Histogram = struct("Histogram", ("sum", c.c_uint64), ("buckets", c.c_uint64 * 32))
Stage = struct("Stage", *same(c.c_uint64, "passed refused gone time"), ("times", Histogram))
Stats = struct("Stats", ("size", c.c_size_t), *same(c.c_uint64, f"{COUNTERS} {GAUGES}"),
               ("histograms", Histogram * 4), ("lost_after", c.c_uint64 * 16),
               ("token_found", c.c_uint64 * 8), ("token_blank", c.c_uint64 * 8),
               ("refused", c.c_uint64 * 64), ("ended", c.c_uint64 * 48),
               ("stages", Stage * 16))

CALLS = {
    "wspool_config_init_sized": (None, c.POINTER(Config), c.c_size_t),
    "wspool_new": (c.c_int, c.POINTER(Pool), c.POINTER(Config), c.c_uint64),
    "wspool_free": (c.c_int, Pool),
    "wspool_route": (c.c_int, Pool, c.c_char_p, Enum, c.c_void_p),
    "wspool_deadline": (c.c_uint64, Pool),
    "wspool_tick": (c.c_int, Pool, c.c_uint64),
    "wspool_next": (c.c_int, Pool, c.POINTER(Id), c.POINTER(c.c_uint)),
    "wspool_open": (c.c_int, Pool, c.c_void_p, c.c_uint64, c.POINTER(Id)),
    "wspool_feed": (c.c_int, Pool, Id, c.c_char_p, c.c_size_t, c.c_uint64),
    "wspool_peek": (c.c_int, Pool, Id, c.POINTER(Iovec), c.c_int),
    "wspool_ack": (c.c_int, Pool, Id, c.c_size_t, c.c_uint64),
    "wspool_release": (c.c_int, Pool, Id),
    "wspool_broadcast": (c.c_int, Pool, Channel, c.c_char_p, c.c_size_t, c.c_void_p,
                         c.POINTER(Tally)),
    "wspool_stats": (c.c_int, Pool, c.POINTER(Stats)),
    "wspool_check": (c.c_int, Pool),
    "wspool_strerror": (c.c_char_p, c.c_int),
}

KEY = base64.b64encode(bytes(range(16))).decode()
ACCEPT = base64.b64encode(hashlib.sha1(
    (KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
REQUEST = ("GET /room/lobby HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\n\r\n").encode()


def masked(opcode, payload, key=b"\x11\x22\x33\x44"):
    body = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + key + body


def load():
    lib = c.CDLL(os.path.abspath("build/libwspool.so"))
    for name, (result, *arguments) in CALLS.items():
        getattr(lib, name).restype = result
        getattr(lib, name).argtypes = arguments
    return lib


class Host:
    def __init__(self, lib):
        self.lib = lib
        self.heard = []
        self.now = 0
        self.config = Config()
        lib.wspool_config_init_sized(self.config, c.sizeof(Config))
        self.config.open.call = OnOpen(lambda pool, id, opened, user: self.heard.append(
            ("open", id, c.string_at(opened[0].channel.data, opened[0].channel.len))))
        self.config.message.call = OnMessage(lambda pool, id, message, user: self.heard.append(
            ("message", id, c.string_at(message[0].data, message[0].len), message[0].binary)))
        self.config.close.call = OnClose(lambda pool, id, closed, user: self.heard.append(
            ("close", id, closed[0].code_received)))
        self.pool = Pool()
        self.made = lib.wspool_new(self.pool, self.config, self.now)

    def feed(self, id, data):
        return self.lib.wspool_feed(self.pool, id, data, len(data), self.now)

    def written(self):
        """One turn of the loop. Returns {id: bytes} for each peer with output, and the ids to
        close."""
        out, closing = {}, []
        id, wants = Id(), c.c_uint()
        while self.lib.wspool_next(self.pool, id, wants) == 1:
            if wants.value & WRITE:
                vectors = (Iovec * 16)()
                count = self.lib.wspool_peek(self.pool, id, vectors, 16)
                data = b"".join(c.string_at(v.base, v.len) for v in vectors[:max(count, 0)])
                self.lib.wspool_ack(self.pool, id, len(data), self.now)
                out[id.value] = data
            if wants.value & CLOSE:
                closing.append(id.value)
        return out, closing


def main():
    t = Tap()
    lib = load()

    room = (c.c_uint8 * 4096)(*([0xAA] * 4096))
    lib.wspool_config_init_sized(c.cast(room, c.POINTER(Config)), c.sizeof(Config))
    t.ok(all(b == 0xAA for b in room[c.sizeof(Config):]), "init_writes_no_more_than_it_was_told")
    first = Config.from_buffer(room)
    t.equal((first.size, first.max_peers, first.pool_bytes, first.ping_interval, first.retry_after,
             list(first.token_places), bool(first.log.call)),
            (c.sizeof(Config), 1000, 64 << 20, 30 * SECOND, 5, [1, 2, 3, 4], False),
            "defaults_are_where_the_header_says")

    host = Host(lib)
    pool = host.pool
    t.equal(host.made, 0, "a_pool_is_made")
    t.equal(lib.wspool_route(pool, b"/room/{name}", ITEM, None), 0, "a_route_is_made")

    id = Id()
    t.equal(lib.wspool_open(pool, None, host.now, id), 0, "a_peer_comes")
    t.equal(host.feed(id, REQUEST), 0, "its_request_is_taken")
    out, closing = host.written()
    answer = out.get(id.value, b"").decode()
    t.ok(answer.startswith("HTTP/1.1 101 ") and answer.endswith("\r\n\r\n") and
         f"\r\nSec-WebSocket-Accept: {ACCEPT}\r\n" in answer, "the_101_bears_the_right_key", answer)
    t.equal(host.heard, [("open", id.value, b"lobby")], "open_hook_names_the_channel")

    host.now += SECOND
    t.equal(lib.wspool_tick(pool, host.now), 0, "time_passes")
    host.feed(id, masked(1, "grüß Gott".encode()))
    t.equal(host.heard[1:], [("message", id.value, "grüß Gott".encode(), 0)],
            "message_hook_gets_the_text_unmasked")

    tally = Tally(size=c.sizeof(Tally))
    lobby = Channel(ITEM, b"lobby", 5)
    t.equal(lib.wspool_broadcast(pool, lobby, b"hello", 5, None, tally), 1,
            "broadcast_is_queued_for_one")
    t.equal((tally.queued, tally.closed, tally.position.offset), (1, 0, 1), "tally_says_so_too")
    t.equal(lib.wspool_deadline(pool), 0, "deadline_is_now_while_output_waits")
    t.equal(host.written(), ({id.value: b"\x81\x05hello"}, []), "one_unmasked_text_frame_goes_out")

    host.feed(id, masked(8, b"\x03\xe8"))
    out, closing = host.written()
    t.equal(out, {id.value: b"\x88\x02\x03\xe8"}, "a_Close_is_answered")
    closing += host.written()[1]
    t.equal(closing, [id.value], "the_host_is_told_to_close")
    t.equal(host.heard[2:], [("close", id.value, 1000)], "close_hook_is_called_once")
    t.equal(lib.wspool_release(pool, id), 0, "the_id_is_given_back")
    t.equal(host.feed(id, b"x"), STALE, "and_is_stale_from_then_on")
    t.ok(b"stale" in lib.wspool_strerror(STALE), "which_has_a_text", lib.wspool_strerror(STALE))

    stats = Stats(size=c.sizeof(Stats))
    t.equal(lib.wspool_stats(pool, stats), 0, "stats_are_given")
    t.equal((stats.attempts, stats.accepted, sum(stats.refused), sum(stats.ended), stats.peers),
            (1, 1, 0, 1, 0), "one_came_and_went")
    t.equal((stats.published, stats.deliveries, stats.queued, stats.sent, stats.waiting,
             stats.received), (1, 1, 1, 1, 0, 1), "one_message_each_way")
    t.equal(lib.wspool_check(pool), 0, "the_books_balance")
    t.equal(lib.wspool_free(pool), 0, "the_pool_is_freed")
    t.end()


main()
