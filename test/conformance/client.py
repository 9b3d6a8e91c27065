# SPDX-License-Identifier: MIT
"""conformance/client.py - one connection to the server under test.

The client sends what the case says, split as its chunking says. It always reads meanwhile, so that
neither side waits for the other. The case says first what must come (expect), and how the
connection must end (finish, ends). Anything else that comes is a Fault.

Messages are compared in their order, and pongs in theirs. A pong may overtake a message, since a
control frame may be sent at any time.
"""
import base64
import hashlib
import random
import select
import socket
import time
from collections import deque

from deflate import Deflation, agree
from frames import (BINARY, CLOSE, CONTINUATION, NAMES, PING, PONG, RSV1, TEXT, Fault, Frame,
                    Reader, close, code_of, last, pong)

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNKINGS = ("octets", "odd", "once")
SINGLES = 1024  # bytes that are written one by one; of longer data the bytes at both ends
PIECES = 64     # number of pieces for the middle of longer data
PROMPT = 4      # seconds for the server to end a connection that both sides have closed
BREATH = 5e-5   # seconds between single bytes
SIZES = (1, 2, 3, 5, 7, 13, 31, 125, 127, 1021, 4093, 16381, 65537)


class Late(Fault):
    """The server was too slow, perhaps because the machine is busy."""


def cut(data, chunking, chance):
    """Returns the pieces in which the bytes are written."""
    data = memoryview(data)
    if chunking == "once" or len(data) < 2:
        return [data]
    if chunking == "octets":
        if len(data) <= SINGLES:
            return [data[i:i + 1] for i in range(len(data))]
        half = SINGLES // 4
        step = (len(data) - 2 * half) // PIECES + 1
        return ([data[i:i + 1] for i in range(half)] +
                [data[i:min(i + step, len(data) - half)]
                 for i in range(half, len(data) - half, step)] +
                [data[i:i + 1] for i in range(len(data) - half, len(data))])
    pieces, at = [], 0
    while at < len(data):
        size = max(min(chance.choice(SIZES), len(data) // 5), 1, len(data) // (PIECES * 16))
        pieces.append(data[at:at + size])
        at += size
    return pieces


class Client:
    """chunking: one of CHUNKINGS. seed: for masking keys and sizes. deflate: a dict of parameters
    to offer with permessage-deflate in the handshake, or None."""

    def __init__(self, address, chunking="once", seed=0, patience=20, deflate=None):
        self.address = address
        self.chunking = chunking
        self.chance = random.Random(f"{seed}/{chunking}")
        self.patience = patience
        self.offer = deflate
        self.deflation = None
        self.reader = None  # set after the handshake
        self.bytes = b""    # input before that
        self.messages, self.pongs = deque(), deque()
        self.closed = None  # the server's Close
        self.ended = None   # "fin" or "reset"
        self.close_sent = False
        self.spoke_after_close = False  # the server may then have to reset the connection
        self.in_frame = False    # what we sent ends inside a frame
        self.in_message = False  # and inside a message
        self.compressing = False
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(patience)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.poll = select.poll()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # -------------------------------------------------------------- bytes

    def wait(self, events, until):
        self.poll.register(self.socket, events)
        left = until - time.monotonic()
        return self.poll.poll(max(0, left) * 1000) if left > 0 else []

    def write(self, data):
        """Sends everything and reads meanwhile. Stops if the server has ended the connection."""
        for piece in cut(data, self.chunking, self.chance):
            if len(piece) == 1:
                time.sleep(BREATH)  # otherwise the server would find many bytes in one read
            until = time.monotonic() + self.patience
            while len(piece) and not self.ended:
                try:
                    piece = piece[self.socket.send(piece):]
                except BlockingIOError:
                    if not self.wait(select.POLLIN | select.POLLOUT, until):
                        raise Fault("the server does not take what is sent") from None
                    self.read_some()
                except ConnectionError:
                    while self.read_some():  # the reason may be there
                        pass
                    self.ended = self.ended or "reset"

    def read_some(self):
        """Reads what is there now. Returns 1 if there was something."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return 0
        except ConnectionError:
            self.ended = "reset"
            return 0
        if not data:
            self.ended = "fin"
            return 0
        if self.reader is None:
            self.bytes += data
            return 1
        self.take(data)
        return 1

    def take(self, data):
        for event in self.reader.feed(data):
            if event.opcode in (TEXT, BINARY):
                self.messages.append(event)
            elif event.opcode == PONG:
                self.pongs.append(event)
            elif event.opcode == PING:
                self.send(pong(event.payload))
            else:
                self.closed = event

    def await_(self, what, ready, patience=None):
        """Reads until ready() is true. Raises Fault if the server ends the connection or time runs
        out."""
        until = time.monotonic() + (patience or self.patience)
        while not ready():
            if self.ended:
                raise Fault(f"ended ({self.ended}); awaited was {what}{self.heard()}")
            if self.wait(select.POLLIN, until):
                self.read_some()
            elif time.monotonic() >= until:
                raise Late(f"nothing comes; awaited was {what}{self.heard()}")

    def heard(self):
        rest = [*self.messages, *self.pongs]
        return (f", said was {self.closed}" if self.closed else "") + (
            f", also said was {rest}" if rest else "")

    # -------------------------------------------------------------- handshake

    KEY = base64.b64encode(bytes(range(16))).decode()

    def request(self, path="/echo", method="GET", version="HTTP/1.1", drop=(), extra=(), **changes):
        """Returns the bytes of a request. `changes` replace a header (_ for -), `drop` removes
        some, `extra` are additional lines."""
        lines = {"Host": f"{self.address[0]}:{self.address[1]}", "Upgrade": "websocket",
                 "Connection": "Upgrade", "Sec-WebSocket-Key": self.KEY,
                 "Sec-WebSocket-Version": "13"}
        lines.update({name.replace("_", "-"): value for name, value in changes.items()})
        head = [f"{method} {path} {version}"]
        head += [f"{name}: {value}" for name, value in lines.items() if name not in drop]
        return ("\r\n".join([*head, *extra]) + "\r\n\r\n").encode("latin-1")

    def answer(self):
        """Returns (status, headers by lower-case name, body) of the server's answer, read
        strictly."""
        self.await_("the head of an answer", lambda: b"\r\n\r\n" in self.bytes)
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = status_line.split(" ")
        if version != "HTTP/1.1" or not (len(status) == 3 and status.isdigit()):
            raise Fault(f"status line {status_line!r}")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name.strip() != name or "\n" in line or "\r" in line:
                raise Fault(f"header line {line!r}")
            if name.lower() in headers:
                raise Fault(f"header {name} twice")
            headers[name.lower()] = value.strip(" \t")
        if status == "101":
            return 101, headers, b""
        if not headers.get("content-length", "").isdigit():
            raise Fault(f"no length of the body in {headers}")
        length = int(headers["content-length"])
        self.await_(f"{length} bytes of body", lambda: len(self.bytes) >= length)
        body, self.bytes = self.bytes[:length], self.bytes[length:]
        return int(status), headers, body

    def accepted(self, protocols=(), deflate=()):
        """Expects a 101 as section 4.2.2 says; after it frames are read. `deflate` are the valid
        offers that were made. Returns (subprotocol, value of the extensions header)."""
        status, headers, body = self.answer()
        if status != 101:
            raise Fault(f"refused with {status} {body!r}")
        accept = base64.b64encode(hashlib.sha1((self.KEY + GUID).encode()).digest()).decode()
        for name, wanted in (("upgrade", "websocket"), ("connection", "upgrade")):
            if headers.get(name, "").lower() != wanted:
                raise Fault(f"{name}: {headers.get(name)}")
        if headers.get("sec-websocket-accept") != accept:
            raise Fault(f"accept value {headers.get('sec-websocket-accept')}, not {accept}")
        for name in ("content-length", "transfer-encoding", "sec-websocket-version"):
            if name in headers:
                raise Fault(f"{name} in a 101")
        protocol = headers.get("sec-websocket-protocol")
        if protocol is not None and protocol not in protocols:
            raise Fault(f"subprotocol {protocol!r} was not offered")
        extensions = headers.get("sec-websocket-extensions")
        if extensions is not None:
            self.deflation = Deflation(self.agreement(deflate, extensions))
        self.reader = Reader(self.inflate if self.deflation else None)
        rest, self.bytes = self.bytes, b""
        self.take(rest)
        return protocol, extensions

    @staticmethod
    def agreement(offers, answer):
        """Returns the agreement by the first offer for which the answer is valid."""
        fault = Fault(f"extensions {answer!r} were not offered")
        for offer in offers:
            try:
                return agree(offer, answer)
            except Fault as why:
                fault = why
        raise fault

    def inflate(self, wire):
        return self.deflation.inflate(wire)

    def open(self, path="/echo", behind=()):
        """Makes the whole handshake; `behind` are frames that are sent right after the head."""
        extra = []
        if self.offer is not None:
            extra = ["Sec-WebSocket-Extensions: " + offer_text(self.offer)]
        self.write(self.request(path, extra=extra) + b"".join(self.encode(f) for f in behind))
        _, extensions = self.accepted(deflate=[] if self.offer is None else [self.offer])
        if self.offer is not None and extensions is None:
            raise Fault(f"the offer {extra} was declined")
        return self

    # -------------------------------------------------------------- frames

    def send(self, *frames):
        """Sends frames in one sequence of bytes."""
        self.write(b"".join([self.encode(frame) for frame in frames]))

    def encode(self, frame):
        if isinstance(frame, (bytes, bytearray)):
            return bytes(frame)
        self.spoke_after_close |= self.close_sent
        self.close_sent |= frame.opcode == CLOSE
        lawful = frame.is_whole() and frame.field is None and frame.masked and frame.rsv == 0
        if frame.opcode in (TEXT, BINARY, CONTINUATION):
            if self.deflation and not frame.plain and (lawful or frame.sent is not None):
                frame = self.compressed(frame)
            self.in_message = not frame.fin
        self.in_frame = not frame.is_whole()
        return frame.encode(self.chance.randbytes(4))

    def compressed(self, frame):
        """Returns the same frame for a compressed connection. A frame of which only a part was to
        be sent is sent whole: a cut in compressed bytes has no meaning."""
        if frame.opcode != CONTINUATION:
            if self.in_message:
                return frame  # an invalid frame, which is sent unchanged
            self.compressing = True
        if not self.compressing:
            return frame
        self.compressing = not frame.fin
        return Frame(frame.opcode, self.deflation.deflate(frame.payload, frame.fin), frame.fin,
                     RSV1 if frame.opcode != CONTINUATION else 0)

    # -------------------------------------------------------------- what is heard

    def expect(self, *frames):
        """Expects these frames next, and nothing else before them."""
        for wanted in frames:
            heard = self.pongs if wanted.opcode == PONG else self.messages
            self.await_(f"{NAMES[wanted.opcode]} of {len(wanted.payload)} bytes",
                        lambda heard=heard: heard or self.closed)
            if not heard:
                raise Fault(f"closed with {self.closed}, "
                            f"before {NAMES[wanted.opcode]} of {len(wanted.payload)} bytes")
            self.last = event = heard.popleft()
            if (event.opcode, event.payload) != (wanted.opcode, wanted.payload):
                raise Fault(f"said was {event}, not "
                            f"{NAMES[wanted.opcode]} of {len(wanted.payload)} bytes "
                            f"{wanted.payload[:60]!r}")
        return self

    def ends(self, *codes):
        """Expects that the server closes with one of these codes (None: without a code), sends
        nothing else before or after it, and ends the connection itself once it has our Close
        too."""
        if self.deflation and self.in_message:
            self.send(last())  # a server may inflate whole messages only
        self.await_(f"Close with {codes}", lambda: self.closed or self.messages or self.pongs)
        if self.messages or self.pongs:
            raise Fault(f"unasked for: {[*self.messages, *self.pongs]}")
        if code_of(self.closed.payload) not in codes:
            raise Fault(f"closed with {self.closed}, not with {codes}")
        if not self.close_sent:
            if self.in_frame:
                # No Close is possible inside a frame: end our direction instead.
                self.socket.shutdown(socket.SHUT_WR)
            else:
                self.send(close(code_of(self.closed.payload)))
        self.await_("the end of the connection", lambda: self.ended, PROMPT)
        if self.ended != "fin" and not self.spoke_after_close:
            raise Fault(f"the connection ended with a {self.ended}")
        if not self.reader.ends_whole():
            raise Fault(f"behind Close there are {len(self.reader.buffer)} bytes")

    def finish(self, code=1000, reason=b""):
        """The clean end: we close, the server answers with the same code and ends the
        connection."""
        self.send(close(code, reason))
        self.ends(code)

    def goes_on(self):
        """Expects that nothing unexpected has come, and that the connection still works."""
        mark = b"still there? %d" % self.chance.randrange(1000000)
        self.send(Frame(PING, mark))
        self.expect(Frame(PONG, mark))
        if self.messages:
            raise Fault(f"unasked for: {list(self.messages)}")

    def refused(self):
        """Expects that the server ends the connection after its HTTP answer."""
        self.await_("the end of the connection", lambda: self.ended)
        if self.ended != "fin" or self.bytes:
            raise Fault(f"after the answer: {self.ended}, {self.bytes!r}")


def offer_text(offer):
    return "permessage-deflate" + "".join(
        f"; {name}" if value is None else f"; {name}={value}" for name, value in offer.items())
