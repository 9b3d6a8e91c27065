#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_loops.py - each of examples/loops, as a process: a member receives the time, which a
timer of the host publishes, members receive each other's messages, and SIGTERM ends it gracefully.

An example whose loop is not installed was not built, and is skipped."""
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import PATIENCE, Tap, program  # noqa: E402

try:
    import websockets
except ImportError:
    print("1..0 # SKIP python3-websockets is not there")
    sys.exit(0)

TIME = re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}")  # as ctime says it


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def connect(process, port):
    while True:
        try:
            return await websockets.connect(f"ws://127.0.0.1:{port}/room")
        except OSError:
            if process.poll() is not None:
                raise
            await asyncio.sleep(0.02)


async def told(peer, wanted):
    """Returns the first message that is `wanted`, and those before it."""
    before = []
    while True:
        message = await peer.recv()
        if wanted(message):
            return message, before
        before.append(message)


async def code_of(peer):
    try:
        while True:
            await peer.recv()
    except websockets.ConnectionClosed:
        return peer.close_code


async def session(t, name, process, port):
    first, second = await connect(process, port), await connect(process, port)
    tick, _ = await told(first, TIME.fullmatch)
    t.ok(tick, f"{name}_publishes_from_a_timer_of_the_host")
    await first.send("hello")
    await first.send(b"bytes")
    said, _ = await told(second, lambda m: not isinstance(m, str) or not TIME.fullmatch(m))
    more, _ = await told(second, lambda m: not isinstance(m, str) or not TIME.fullmatch(m))
    t.equal([said, more], ["hello", b"bytes"], f"{name}_passes_on_what_a_member_says")
    _, before = await told(first, TIME.fullmatch)
    t.none(before, f"{name}_does_not_send_it_back")
    process.send_signal(signal.SIGTERM)
    t.equal([await code_of(first), await code_of(second)], [1001, 1001],
            f"{name}_tells_its_members_that_it_goes")


def main():
    t = Tap()
    for source in sorted(Path("examples/loops").glob("*.c")):
        name = source.stem
        command = [part.replace("/echo", f"/loops/{name}") for part in program()]
        if not os.path.exists(command[-1]):
            t.ok(True, f"{name} # SKIP not built: its loop is not installed")
            continue
        port = free_port()
        with subprocess.Popen(command + [str(port)], stderr=subprocess.PIPE, text=True) as process:
            try:
                asyncio.run(asyncio.wait_for(session(t, name, process, port), PATIENCE))
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                t.ok(False, f"{name}_runs", repr(error))
                process.kill()
            try:
                _, errors = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
            t.equal((process.returncode, errors), (0, ""), f"{name}_ends_in_good_order")
    t.end()


main()
