#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_echo_wsproto.py - wsproto as a peer of /echo, and as a judge: the same streams of frames,
lawful and broken ones from fixed seeds, go to the server and to a wsproto server, and both must
return the same messages, pongs and close code."""
import os
import random
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import CLOSE, Echo, PING, PONG, Peer, Tap, frame  # noqa: E402

try:
    from wsproto import ConnectionType, WSConnection
    from wsproto.connection import Connection
    from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Ping, Pong,
                                Request, TextMessage)
    from wsproto.utilities import RemoteProtocolError
except ImportError:
    print("1..0 # SKIP python3-wsproto is not installed")
    sys.exit(0)

STREAMS = 400


def client(t, echo):
    """A wsproto client does what a browser would."""
    with Peer(echo) as peer:  # only its socket is used
        peer.socket.settimeout(30)
        ws = WSConnection(ConnectionType.CLIENT)
        events = []

        def until(kind):
            while not any(isinstance(e, kind) for e in events):
                ws.receive_data(peer.socket.recv(65536) or None)
                events.extend(ws.events())
            return events.pop(next(i for i, e in enumerate(events) if isinstance(e, kind)))

        peer.socket.sendall(ws.send(Request(host="127.0.0.1", target="/echo")))
        t.ok(until(AcceptConnection).subprotocol is None, "handshake_is_accepted")
        for name, event in (("text", TextMessage("gr\u00fc\u00df dich")),
                            ("binary", BytesMessage(bytes(range(256))))):
            peer.socket.sendall(ws.send(event))
            t.equal(until(type(event)).data, event.data, f"{name}_comes_back")
        peer.socket.sendall(ws.send(Ping(b"here")))
        t.equal(until(Pong).payload, b"here", "ping_is_answered")
        peer.socket.sendall(ws.send(CloseConnection(code=3001, reason="mine")))
        t.equal(until(CloseConnection).code, 3001, "close_is_echoed")


def stream(seed):
    """Returns some frames, mostly lawful, as bytes."""
    rng = random.Random(seed)
    out, inside = b"", False
    for _ in range(rng.randrange(1, 7)):
        opcode = rng.choice([0, 0, PING, PONG] if inside else [1, 1, 2, PING, PONG])
        fin = opcode >= 8 or rng.random() < 0.6
        text = rng.choice(["abc", "gr\u00fc\u00df", "\u4e16\u754c", "\U0001F30D", ""])
        payload = text.encode() * rng.randrange(1, 20 if opcode < 8 else 6)
        if opcode < 8:
            inside = not fin
        data = bytearray(frame(opcode, payload, fin))
        if rng.random() < 0.15:  # one fault of the head
            data[0] ^= rng.choice([0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01])
        elif rng.random() < 0.1 and payload:
            data[-1] ^= 0x80
        out += bytes(data)
    if rng.random() < 0.2:
        return out + frame(CLOSE, rng.choice(
            [b"", b"\x03", b"\x03\xe8", struct.pack(">H", rng.randrange(900, 5100)) + b"why"]))
    return out + frame(CLOSE, struct.pack(">H", 4000))


def judged_by_wsproto(data):
    """Returns the (opcode, payload) of what a wsproto server that echoes would send."""
    ws, out, message = Connection(ConnectionType.SERVER), [], b""
    try:
        ws.receive_data(data)
        for event in ws.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                text = isinstance(event, TextMessage)
                message += event.data.encode() if text else bytes(event.data)
                if event.message_finished:
                    out.append((1 if text else 2, message))
                    message = b""
            elif isinstance(event, Ping):
                out.append((PONG, bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                out.append((CLOSE, 0 if event.code == 1005 else int(event.code)))
                break
    except RemoteProtocolError as error:
        out.append((CLOSE, int(error.event_hint.code if error.event_hint else 1002)))
    return out


def judged_by_us(echo, data):
    out = []
    with Peer(echo, "/echo") as peer:
        peer.send(data)
        while True:
            opcode, payload = peer.frame()[-2:]
            if opcode == CLOSE:
                out.append((CLOSE, struct.unpack(">H", payload[:2])[0] if payload else 0))
                return out
            out.append((opcode, payload))


def pongs_first(judged):
    """Our pongs overtake messages that wait; RFC 6455 5.5.2 lets them."""
    return sorted(judged, key=lambda answer: answer[0] != PONG)


def main():
    t = Tap()
    with Echo() as echo:
        client(t, echo)
        different = []
        for seed in range(STREAMS):
            data = stream(seed)
            ours, theirs = judged_by_us(echo, data), judged_by_wsproto(data)
            if pongs_first(ours) != pongs_first(theirs):
                different.append(f"seed {seed}: {data.hex()}: {ours}, wsproto: {theirs}")
        t.ok(not different, "streams_of_frames_are_judged_as_by_wsproto",
             f"{len(different)} differ", *different[:10])
    t.end()


main()
