#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_ending.py - how echo starts and ends: flags, signals, and running out of
descriptors."""
import os
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import Echo, PATIENCE, Peer, TEXT, Tap, cpu, program  # noqa: E402


def flags(t):
    def run(*given):
        return subprocess.run(program() + list(given), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    got = run("--help")
    t.ok(got.returncode == 0 and "usage:" in got.stdout and not got.stderr, "help_is_printed", got)
    for given in (["--threads", "2"],):
        got = run(*given)
        t.ok(got.returncode == 2 and "not built yet" in got.stderr and not got.stdout,
             f"{given[0]}_is_not_built_yet", got)
    for given in (["--nonsense"], ["stray"], ["--port"], ["--port", "65536"], ["--port", "-1"],
                  ["--port", "x"], ["--port", ""], ["--port", "80x"], ["--port", " 80"],
                  ["--io", "poll"], ["--threads", "0"], ["--max-message", "0"],
                  ["--max-message", "1e6"], ["--max-message", "99999999999999999999"],
                  ["--max-connections", "0"], ["--max-connections", "-5"]):
        got = run(*given)
        t.ok(got.returncode == 2 and got.stderr and not got.stdout,
             f"{'_'.join(given)}_is_an_error_of_usage", got)
    for given in (["--host", "no such host"], ["--host", "1.2.3"], ["--host", "203.0.113.1"]):
        got = run("--port", "0", *given)
        t.ok(got.returncode == 1 and given[1] in got.stderr and not got.stdout,
             f"{'_'.join(given).replace(' ', '_')}_can_not_be_listened_on", got)
    with Echo("--io", "epoll", "--threads", "1", "--host", "127.0.0.1") as echo:
        t.equal(echo.line, f"listening on ws://127.0.0.1:{echo.address[1]}\n",
                "one_line_is_printed")
        got = run("--port", str(echo.address[1]))
        t.ok(got.returncode == 1 and "in use" in got.stderr, "port_in_use_is_told", got)
        echo.signal()
        rest, _ = echo.process.communicate(timeout=PATIENCE)
        t.equal((rest, echo.process.returncode), ("", 0), "nothing_else_is_printed")
        echo.status = 0
    try:
        with Echo("--host", "::1") as echo:
            with Peer(echo, "/echo") as peer:
                t.ok(echo.url.startswith("ws://[::1]:") and peer.quiet(), "ipv6_is_served")
    except RuntimeError:
        t.ok(True, "ipv6_is_served # SKIP no IPv6 here")


def limits(t):
    with Echo("--max-message", "10") as echo:
        with Peer(echo, "/echo") as peer:
            peer.text("x" * 10)
            t.equal(peer.frame(), (TEXT, b"x" * 10), "message_of_the_limit_is_taken")
            peer.text("x" * 11)
            t.equal(peer.closed(), (1009, "fin"), "message_above_the_limit_is_closed_with_1009")
    with Echo("--max-connections", "2") as echo:
        peers = [Peer(echo, "/echo") for _ in range(2)]
        with Peer(echo) as third:
            third.ask("/echo")
            status, headers, body = third.answer()
            t.ok(status == 503 and "retry-after" in headers and b'"full"' in body,
                 "one_more_than_the_limit_is_503", status, headers, body)
        peers[0].end()
        for _ in range(1000):
            with Peer(echo) as again:
                again.ask("/echo")
                if again.answer()[0] == 101:
                    break
            time.sleep(0.01)
        else:
            t.ok(False, "place_is_free_again_when_one_has_gone")
        t.ok(peers[1].quiet(), "the_other_is_still_served")


def signals(t):
    for number in (signal.SIGTERM, signal.SIGINT):
        with Echo() as echo:
            peers = [Peer(echo, path) for path in ("/echo", "/room/a", "/publish") * 5]
            half = Peer(echo)
            half.send(b"GET /echo HTTP/1.1\r\n")
            peers[0].text("last words")
            echo.signal(number)
            t.equal(peers[0].frame(), (TEXT, b"last words"),
                    f"what_was_said_before_{number.name}_is_answered")
            t.equal([p.closed() for p in peers], [(4200, "fin")] * 15,
                    f"everybody_is_closed_with_4200_on_{number.name}")
            half.end()
            t.equal((echo.wait(), echo.errors), (0, ""), f"exit_status_is_0_after_{number.name}")
            with socket.socket() as late:
                t.ok(late.connect_ex(echo.address) != 0, f"nobody_listens_after_{number.name}")

    # No client answers the Close: the server ends anyway.
    with Echo() as echo:
        deaf = [Peer(echo, "/echo") for _ in range(3)]
        started = time.monotonic()
        echo.signal()
        t.equal(echo.wait(), 0, "exit_status_is_0_when_nobody_answers_the_close")
        print(f"# it took {time.monotonic() - started:.1f} s")
        t.equal([p.frame()[1][:2] for p in deaf], [b"\x10\x68"] * 3, "they_were_told_all_the_same")

    # The second signal does not wait. A client that is closed by the drain shows that the
    # first signal was handled, so the two are not merged.
    with Echo() as echo:
        peers = [Peer(echo, "/echo") for _ in range(40)]
        echo.signal()
        while socket.socket().connect_ex(echo.address) == 0:
            time.sleep(0.01)
        echo.signal()
        t.equal(echo.wait(), 0, "second_signal_ends_it")
        codes = []
        for peer in peers:
            try:
                codes.append(peer.frame()[1][:2])
            except Exception:  # noqa: B902
                codes.append(None)
        t.ok(None in codes, "second_signal_ends_it_before_everybody_was_told", codes)


def descriptors(t):
    """60 descriptors, 100 clients: clients without a place wait while the server sleeps, and are
    accepted when others leave."""
    with Echo("--max-connections", "1000", descriptors=60, release=True) as echo:
        places = 60 - len(os.listdir(f"/proc/{echo.process.pid}/fd"))
        waiting = []
        for _ in range(100):
            peer = Peer(echo)
            peer.ask("/echo")
            waiting.append(peer)
        served = []
        while len(served) < places:
            ready, _, _ = select.select([p.socket for p in waiting], [], [], PATIENCE)
            for peer in [p for p in waiting if p.socket in ready]:
                served.append(peer)
                waiting.remove(peer)
            if not ready:
                t.ok(False, "as_many_are_served_as_there_are_descriptors")
                return
        before = cpu(echo.process.pid)
        time.sleep(1)
        t.ok(cpu(echo.process.pid) - before < 0.1, "server_sleeps_while_it_has_no_descriptor")
        t.ok(all(p.answer()[0] == 101 and p.quiet() for p in served),
             "those_who_are_in_are_served_meanwhile")
        ready, _, _ = select.select([p.socket for p in waiting], [], [], 0)
        t.equal(len(ready), 0, "others_wait_and_are_not_turned_away")
        for peer in served:
            peer.end(reset=True)
        t.ok(all(p.answer()[0] == 101 and p.quiet() for p in waiting),
             "those_who_waited_come_in_when_others_leave")
        with Peer(echo, "/echo") as peer:
            t.ok(peer.quiet(), "server_accepts_again")
    t.equal(echo.end(), 0, "server_ends_well_after_all_that")


def main():
    t = Tap()
    for part in (flags, limits, signals, descriptors):
        part(t)
    t.end()


main()
