#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_cards_attacks.py - what examples/cards does against attackers: names of somebody else
that point here, tokens without end, upgrades that are reset, storms of half requests, clients that read nothing."""
import concurrent.futures
import ctypes
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from cards import Cards, Peer, Tap  # noqa: E402
from echo import Gone  # noqa: E402


def why(answer):
    """(status, reason) of an error's answer."""
    status, body, _ = answer
    return status, body.get("error") if isinstance(body, dict) else body


def hosts(t, cards):
    """A name of somebody else that points here (DNS rebinding) is not answered."""
    port = cards.address[1]
    for host in ("localhost", f"LOCALHOST:{port}", "127.0.0.1", f"127.9.9.9:{port}", "[::1]",
                 f"[0:0::1]:{port}"):
        t.equal((cards.ask("GET", "/health", headers={"Host": host})[0],
                 cards.refused("/ws/cards?token=" + cards.token, Host=host)),
                (200, (101, None)), f"host_{host.replace(str(port), 'PORT')}_is_ours")
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.nip.io",
                 "localhost.", "128.0.0.1", "2130706433", "[::2]", "[::1", "::1", "localhost:x",
                 "localhost:80:80", "[::1]x", "localhost@evil.example", "127.1", "0.0.0.0"):
        for method, path in (("GET", "/"), ("GET", "/health"), ("POST", "/api/token"),
                             ("GET", "/api/websocket/stats")):
            answer = cards.ask(method, path, headers={"Host": host, "Origin": f"http://{host}"})
            if why(answer) != (421, "host"):
                t.ok(False, f"host_{host}_is_421", path, answer)
                break
        else:
            t.equal(cards.refused("/ws/cards?token=" + cards.token, Host=host,
                                  Origin=f"http://{host}"), (421, "host"), f"host_{host}_is_421")
    for target, wanted in ((f"http://localhost:{port}/health", 200), ("HTTP://127.0.0.1/health", 200),
                           ("http://evil.example/health", 421), ("http://localhost", 404),
                           ("http://localhost/api/cards?x=y", 200)):
        t.equal(cards.ask("GET", target)[0], wanted, f"target_{target.replace(str(port), 'PORT')}"
                                                     f"_is_{wanted}")
    t.equal(cards.ask("POST", f"http://localhost:{port}/api/token", {"subject": "x"},
                      headers={"Origin": f"http://127.0.0.1:{port}"})[0], 403,
            "authority_of_the_target_replaces_host")


def minting(t):
    """A client that asks without end gets no more than its share, and harms no other token."""
    with Cards("--demo") as cards:
        first = cards.token
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda i: cards.ask("POST", "/api/token", {"subject": f"u{i}"}),
                                    range(2000)))
        seconds = time.monotonic() - begin
        given = sum(status == 200 for status, _, _ in answers)
        t.ok(190 <= given <= 201 + 20 * (seconds + 1), "tokens_are_rate_limited", given, seconds)
        refused = next(a for a in answers if a[0] != 200)
        t.equal((why(refused), refused[2]["Retry-After"]), ((429, "rate"), "1"),
                "token_too_many_is_429")
        tokens = [body["token"] for status, body, _ in answers if status == 200]
        t.equal([cards.ask("GET", "/api/cards", token=x)[0] for x in [first] + tokens[::20]],
                [200] * (1 + len(tokens[::20])), "no_live_token_is_evicted")
        with Peer(cards, source="127.0.0.2") as other:
            other.send(b"POST /api/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n"
                       b'{"subject":"y"}')
            t.equal(other.answer()[0], 200, "another_address_has_a_share_of_its_own")
        time.sleep(0.2)
        t.equal(cards.ask("POST", "/api/token", {"subject": "x"})[0], 200,
                "there_is_a_token_again_after_a_moment")
    t.equal((cards.status, cards.errors), (0, ""), "minter_ends_clean")


def resets(t):
    """An upgrade that is followed by a reset gives its place back at once."""
    with Cards("--demo", env={"MAX_WEBSOCKET_CONNECTIONS": "150"}) as cards:
        upgrade = (f"GET /ws/cards?token={cards.token} HTTP/1.1\r\nHost: localhost\r\n"
                   f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {Peer.KEY}\r\n"
                   "Sec-WebSocket-Version: 13\r\n\r\n").encode()
        gone = 0
        for _ in range(40):
            peers = [Peer(cards) for _ in range(120)]
            for peer in peers:  # the server has accepted it
                peer.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                peer.answer()
            cards.process.send_signal(signal.SIGSTOP)
            for peer in peers:
                peer.send(upgrade)
            cards.process.send_signal(signal.SIGCONT)
            for peer in reversed(peers):  # while it answers the first ones, the last ones leave
                peer.end(reset=True)
            stats = cards.stats()
            gone = stats["handshakes"] + stats["refused"]["gone"]
            if gone >= 100:
                break
        began = time.monotonic()
        while time.monotonic() - began < 2:
            stats = cards.stats()
            if stats["peers"] + stats["handshakes"] == 0:
                break
            time.sleep(0.02)
        print(f"# {gone} upgrades were reset before their 101")
        t.equal((stats["peers"], stats["handshakes"]), (0, 0), "reset_upgrades_hold_no_place")
        peers = [cards.peer("/ws/cards") for _ in range(150)]
        t.equal(len(peers), 150, "all_places_are_free_again_after_a_flood_of_resets")
        stats = cards.stats()
        times = {stage: stats["stages"][stage]["nanoseconds"]
                 for stage in ("request_line", "flushed")}
        t.ok(all(0 < time < 1e9 for time in times.values()), "stages_have_their_times", times)
        for peer in peers:
            peer.end()
    t.equal((cards.status, cards.errors), (0, ""), "reset_server_ends_clean")


def storms(t):
    """Half requests take no more than the share of plain HTTP, and shut nobody out."""
    with Cards("--demo", descriptors=400) as cards:
        def descriptors():
            return len(os.listdir(f"/proc/{cards.process.pid}/fd"))

        def half():
            peers.append(Peer(cards))
            peers[-1].send(b"GET / HT")

        peers, slowest = [], 0
        member = cards.peer("/ws/cards")
        member.hello()
        for i in range(800):
            half()
            if i % 50 == 0:
                began = time.monotonic()
                if cards.ask("GET", "/health")[0] != 200:
                    break
                slowest = max(slowest, time.monotonic() - began)
        t.equal(len(peers), 800, "health_answers_in_a_storm_of_half_lines")
        t.ok(slowest < 5, "health_is_not_shut_out_by_the_storm", slowest)
        t.ok(descriptors() < 130, "storm_has_its_share_of_descriptors_only", descriptors())
        t.equal(member.answer_to("ping")["type"], "pong", "peers_are_not_cut_off_by_the_storm")
        for peer in peers:
            peer.end()
        keep = Peer(cards)
        for _ in range(3):
            keep.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            t.equal(keep.answer()[0], 200, "connection_is_kept_between_requests")
        slow = Peer(cards)  # a byte now and then does not keep a connection
        slow_began = time.monotonic()
        cut = None
        slow.send(b"GET /health HTTP/1.1\r\nX: ")
        while cut is None and time.monotonic() - slow_began < 20:
            time.sleep(0.25)
            try:
                slow.socket.sendall(b"y")
                slow.socket.setblocking(False)
                if slow.socket.recv(10) == b"":
                    cut = time.monotonic() - slow_began
            except BlockingIOError:
                pass
            except ConnectionError:
                cut = time.monotonic() - slow_began
        t.ok(cut is not None and 8 < cut < 13, "half_request_is_cut_off_after_10_s", cut)
        t.equal(member.answer_to("ping")["type"], "pong", "peers_have_no_such_limit")
        member.end()
    t.equal((cards.status, cards.errors), (0, ""), "storm_ends_clean")
    # 24 connections of plain HTTP at once: all are taken, and `other` is the oldest
    with Cards("--demo", env={"MAX_PER_ADDRESS": "5"}, descriptors=100) as cards:
        other = Peer(cards, source="127.0.0.2")
        other.send(b"GET /health HTTP/1.1\r\n")
        peers = [Peer(cards, source=f"127.0.0.{3 + i % 4}") for i in range(18)]
        for _ in range(30):
            peers.append(Peer(cards))
            peers[-1].send(b"GET /health HT")
        peers[-1].send(b"TP/1.1\r\nHost: localhost\r\n\r\n")
        peers[-1].answer()  # the server has accepted all of them
        try:
            other.send(b"Host: localhost\r\n\r\n")
            status = other.answer()[0]
        except Gone:
            status = None
        t.equal(status, 200, "address_that_has_its_share_gives_way_to_itself")
        members = [cards.peer("/ws/cards") for _ in range(5)]
        t.equal(cards.refused("/ws/cards?token=" + cards.token)[0], 503,
                "sixth_peer_of_an_address_is_503")
        late = Peer(cards, source="127.0.0.2")
        late.ask("/ws/cards?token=" + cards.token)
        t.equal(late.answer()[0], 101, "another_address_gets_a_place")
        for peer in peers + members + [other, late]:
            peer.end()
    t.equal((cards.status, cards.errors), (0, ""), "limited_addresses_end_clean")


def socket_of(cards, address):
    """The server's own socket to the client with this address."""
    server = os.pidfd_open(cards.process.pid)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    try:
        for name in os.listdir(f"/proc/{cards.process.pid}/fd"):
            fd = syscall(438, server, int(name), 0)  # pidfd_getfd
            if fd < 0:
                continue
            try:
                found = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            try:
                if found.getpeername() == address:
                    return found
            except OSError:  # it is not connected
                pass
            found.close()
    finally:
        os.close(server)
    return None


def kernels(t, cards):
    """What the kernel keeps for a client that reads nothing is bounded in hosted mode, too."""
    peer = cards.peer("/ws/cards")
    peer.hello()
    theirs = socket_of(cards, peer.socket.getsockname())
    most = theirs.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) if theirs else None
    t.equal(most, 256 << 10, "kernel_memory_of_a_hosted_peer_is_bounded")
    if theirs:
        theirs.close()
    peer.end()


def main():
    t = Tap()
    with Cards("--demo") as cards:
        kernels(t, cards)
        hosts(t, cards)
        cards.signal()
        t.equal((cards.wait(), cards.errors), (0, ""), "server_of_few_names_ends_clean")
    minting(t)
    resets(t)
    storms(t)
    t.end()


main()
