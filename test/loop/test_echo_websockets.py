#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_echo_websockets.py - a real peer: the websockets package of Python, on /echo."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import Echo, PATIENCE, Tap  # noqa: E402

try:
    import websockets
except ImportError:
    print("1..0 # SKIP python3-websockets is not installed")
    sys.exit(0)


def connect(echo, path="/echo", **options):
    options.setdefault("compression", None)
    return websockets.connect(echo.url + path, **options)


async def messages(t, echo):
    cases = [
        ("text", "hello"),
        ("empty_text", ""),
        ("unicode", "gr\u00fc\u00df dich, \u4e16\u754c \U0001F30D \u0000 end"),
        ("binary", bytes(range(256))),
        ("empty_binary", b""),
        ("125_bytes", b"x" * 125), ("126_bytes", b"x" * 126),
        ("65535_bytes", b"x" * 65535), ("64_KiB", os.urandom(65536)),
        ("64_KiB_of_text", "\u4e16" * 21845),
    ]
    async with connect(echo) as peer:
        for name, message in cases:
            await peer.send(message)
            t.equal(await peer.recv(), message, f"{name}_comes_back")
        await peer.send(["frag", "", "men", "ted"])
        t.equal(await peer.recv(), "fragmented", "fragments_come_back_as_one_message")
        await peer.send(iter([b"\xff"] * 300))
        t.equal(await peer.recv(), b"\xff" * 300, "three_hundred_fragments_come_back_as_one")
        # Fragmented within a character.
        word = "\U0001F30D".encode()
        await peer.write_frame(False, 1, word[:3])
        await peer.write_frame(True, 0, word[3:])
        t.equal(await peer.recv(), "\U0001F30D", "character_cut_by_fragments_comes_back")

        for i in range(500):
            await peer.send(str(i))
        got = [await peer.recv() for _ in range(500)]
        t.equal(got, [str(i) for i in range(500)], "five_hundred_at_once_come_back_in_order")

        for payload in (b"", b"ping", b"x" * 125):
            pong = await peer.ping(payload)
            await pong
        t.ok(True, "pings_are_answered")
        await peer.pong(b"unasked")
        await peer.send("still here")
        t.equal(await peer.recv(), "still here", "unasked_pong_does_no_harm")


async def closing(t, echo):
    for code, reason in ((1000, ""), (1001, "leaving"), (1012, "restart"), (3000, "mine"),
                         (4999, "gr\u00fc\u00df dich")):
        peer = await connect(echo)
        await peer.send("before")
        await peer.close(code, reason)
        t.equal((peer.close_code, peer.close_rcvd.code), (code, code), f"close_{code}_is_echoed")
    peer = await connect(echo)
    peer.transport.abort()
    async with connect(echo) as peer:
        await peer.send("alive")
        t.equal(await peer.recv(), "alive", "server_lives_on_when_a_peer_is_cut_off")


async def refused(t, echo, name, act, wanted):
    peer = await connect(echo)
    try:
        await act(peer)
        while True:
            await peer.recv()
    except websockets.ConnectionClosed as closed:
        t.equal(closed.rcvd and closed.rcvd.code, wanted, name)


async def faults(t, echo):
    async def too_big(peer):
        await peer.send(b"x" * 65537)

    async def not_utf8(peer):
        await peer.write_frame(True, 1, b"\xff\xfe")

    async def not_utf8_in_the_second_fragment(peer):
        await peer.write_frame(False, 1, b"good ")
        await peer.write_frame(True, 0, b"\xc0\x80")

    async def continuation(peer):
        await peer.write_frame(True, 0, b"of nothing")

    async def reserved(peer):
        peer.transport.write(b"\x83\x80abcd")

    for act, code in ((too_big, 1009), (not_utf8, 1007), (not_utf8_in_the_second_fragment, 1007),
                      (continuation, 1002), (reserved, 1002)):
        await refused(t, echo, f"{act.__name__}_is_closed_with_{code}", act, code)


async def handshakes(t, echo):
    async with connect(echo, extra_headers={"X-Other": "y" * 4000}) as peer:
        await peer.send("hello")
        t.equal(await peer.recv(), "hello", "long_header_does_no_harm")
    async with connect(echo, compression="deflate") as peer:
        await peer.send("plain")
        t.equal((await peer.recv(), list(peer.extensions)), ("plain", []),
                "offer_of_an_extension_is_declined")
    async with connect(echo, subprotocols=["nobody.knows"]) as peer:
        t.equal(peer.subprotocol, None, "unknown_subprotocol_is_not_chosen")
    for path, status in (("/nowhere", 404), ("/", 404), ("/echo/", 404)):
        try:
            async with connect(echo, path):
                t.ok(False, f"{path}_is_{status}", "it was let in")
        except websockets.InvalidStatusCode as error:
            t.equal(error.status_code, status, f"{path}_is_{status}")
    peers = await asyncio.gather(*(connect(echo) for _ in range(200)))
    for i, peer in enumerate(peers):
        await peer.send(str(i))
    got = [await peer.recv() for peer in peers]
    t.equal(got, [str(i) for i in range(200)], "two_hundred_at_once_are_served")
    await asyncio.gather(*(peer.close() for peer in peers))


async def large(t):
    with Echo("--max-message", str(16 << 20)) as echo:
        async with connect(echo, max_size=None) as peer:
            for size in ((16 << 20) - 1, 16 << 20):
                message = os.urandom(1 << 20) * 16
                message = message[:size]
                await peer.send(message)
                t.ok(await peer.recv() == message, f"{size}_bytes_come_back")

        async def larger(peer):
            await peer.send(b"x" * ((16 << 20) + 1))

        await refused(t, echo, "one_byte_more_is_closed_with_1009", larger, 1009)
    t.equal(echo.end(), 0, "large_messages_leave_nothing_behind")


async def main():
    t = Tap()
    with Echo() as echo:
        for part in (messages, closing, faults, handshakes):
            await asyncio.wait_for(part(t, echo), PATIENCE)
    t.equal((echo.end(), echo.errors), (0, ""), "server_ends_well")
    await asyncio.wait_for(large(t), PATIENCE)
    t.end()


asyncio.run(main())
