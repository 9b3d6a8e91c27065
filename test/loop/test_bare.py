#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_bare.py - examples/bare, a server without an adapter. Its port is fixed: the test is
skipped if another program has it."""
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import CLOSE, PATIENCE, Peer, PONG, PING, Tap, TEXT, cpu, program  # noqa: E402

PORT = 9002


class Bare:
    address = ("127.0.0.1", PORT)

    def __init__(self):
        self.process = subprocess.Popen([part.replace("/echo", "/bare") for part in program()])
        self.status = None

    def listens(self):
        while self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(self.address) == 0:
                    return True
            time.sleep(0.02)
        return False

    def end(self):
        self.process.kill()
        self.process.wait()


def main():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(Bare.address)
        except OSError:
            print(f"1..0 # SKIP port {PORT} is in use")
            return
    t = Tap()
    bare = Bare()
    try:
        t.ok(bare.listens(), "it_listens")
        members = [Peer(bare, "/room") for _ in range(5)]
        for member in members:
            member.quiet()
        members[0].text("hello")
        t.equal([m.frame() for m in members], [(TEXT, b"hello")] * 5, "everybody_hears_everybody")
        members[1].put(PING, b"ping")
        t.equal(members[1].frame(), (PONG, b"ping"), "ping_is_answered")
        members[2].put(CLOSE, b"\x03\xe8")
        t.equal(members[2].closed()[0], 1000, "close_is_answered")
        members[3].end(reset=True)

        # One peer does not read: it is closed as slow, and no other peer waits for it.
        deaf = Peer(bare, "/room", receive_bytes=4096)
        for _ in range(300):
            members[0].text("x" * 60000)
            members[0].frame()
            members[4].frame()
        t.ok(members[4].quiet(), "others_are_served_while_one_does_not_read")
        before = cpu(bare.process.pid)
        time.sleep(0.5)
        t.ok(cpu(bare.process.pid) - before < 0.1, "it_sleeps_when_nothing_is_to_be_done")
        deaf.end()
        with Peer(bare) as peer:
            peer.ask("/nowhere")
            t.equal(peer.answer()[0], 404, "other_paths_are_404")
        members[4].text("x" * 65537)
        t.equal(members[4].closed()[0], 1009, "message_that_is_too_big_is_closed_with_1009")
        t.equal(bare.process.poll(), None, "it_is_still_there")
        with Peer(bare, "/room") as peer:
            peer.quiet()
            bare.process.terminate()
            t.equal((members[0].closed()[0], peer.closed()[0]), (4200, 4200),
                    "peers_are_closed_with_4200_on_SIGTERM")
            t.equal(bare.process.wait(PATIENCE), 0, "exit_status_is_0_after_SIGTERM")
    finally:
        bare.end()
    t.end()


main()
