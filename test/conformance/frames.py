# SPDX-License-Identifier: MIT
"""conformance/frames.py - frames of both directions, by RFC 6455, section 5.

The client sends a list of Frame, valid or not: each field of the head can have a value that no
valid client would write. Reader reads what the server sends, strictly: it raises Fault for
everything that a server must not send.
"""
import struct
from dataclasses import dataclass
from typing import Optional

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close",
         PING: "ping", PONG: "pong"}
RSV1, RSV2, RSV3 = 4, 2, 1
CONTROL_MAX = 125


class Fault(Exception):
    """The server did something forbidden, or did not do something required."""


def is_control(opcode):
    return opcode >= 8


# Lead bytes, how many bytes follow, and the range of the second byte if it is not 80-BF (RFC 3629,
# 4).
LEADS = [(0x00, 0x7F, 0), (0xC2, 0xDF, 1), (0xE0, 0xEF, 2), (0xF0, 0xF4, 3)]
SECONDS = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}


def utf8_fault(data):
    """Returns the position of the first byte that cannot be part of valid text; None if there is
    none, also if the text ends inside a character. (Python's incremental decoder is not so strict:
    it waits for the third byte of a surrogate.)"""
    missing, lead = 0, 0
    for at, byte in enumerate(data):
        if missing == 0:
            follow = [n for low, high, n in LEADS if low <= byte <= high]
            if not follow:
                return at
            missing, lead = follow[0], byte
        else:
            low, high = SECONDS.get(lead, (0x80, 0xBF))
            if not low <= byte <= high:
                return at
            missing, lead = missing - 1, 0
    return None


def close_code_is_lawful(code):
    """Returns whether the code may be sent: section 7.4, and its registry (1012-1014 came
    later)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


# ------------------------------------------------------------------ to the server

def mask(data, key):
    """Masks all bytes at once, as one large number: 16 MiB take milliseconds."""
    keys = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(
        len(data), "little")


@dataclass
class Frame:
    """One frame. `sent` is how many bytes of the payload are sent, if fewer than the head says;
    `plain` keeps it uncompressed. The last four are for invalid heads."""
    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    sent: Optional[int] = None
    plain: bool = False
    masked: bool = True
    length: Optional[int] = None  # the length in the head, if not that of the payload
    field: Optional[int] = None   # 2 or 8: the size of the long length, needed or not
    head_bytes: Optional[int] = None  # send this many bytes of the head only

    def head(self, key):
        length = len(self.payload) if self.length is None else self.length
        first = (0x80 if self.fin else 0) | self.rsv << 4 | self.opcode
        field = self.field or (0 if length < 126 else 2 if length < 65536 else 8)
        second = (0x80 if self.masked else 0) | {0: length, 2: 126, 8: 127}[field]
        extended = {0: b"", 2: struct.pack(">H", length & 0xFFFF),
                    8: struct.pack(">Q", length)}[field]
        return bytes([first, second]) + extended + (key if self.masked else b"")

    def encode(self, key):
        head = self.head(key)
        if self.head_bytes is not None:
            return head[:self.head_bytes]
        payload = self.payload if self.sent is None else self.payload[:self.sent]
        return head + (mask(payload, key) if self.masked else payload)

    def is_whole(self):
        return self.sent is None and self.length is None and self.head_bytes is None


def as_bytes(payload):
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def text(payload="", **more):
    return Frame(TEXT, as_bytes(payload), **more)


def binary(payload=b"", **more):
    return Frame(BINARY, as_bytes(payload), **more)


def more(payload=b"", **rest):
    """Returns a continuation that others follow."""
    return Frame(CONTINUATION, as_bytes(payload), fin=False, **rest)


def last(payload=b"", **rest):
    """Returns the continuation that ends a message."""
    return Frame(CONTINUATION, as_bytes(payload), **rest)


def ping(payload=b"", **rest):
    return Frame(PING, as_bytes(payload), **rest)


def pong(payload=b"", **rest):
    return Frame(PONG, as_bytes(payload), **rest)


def close(code=None, reason=b"", **rest):
    return Frame(CLOSE, b"" if code is None else struct.pack(">H", code) + as_bytes(reason), **rest)


def fragments(opcode, payload, size):
    """Returns the frames of a message, of `size` bytes each; the last one may be shorter."""
    payload = as_bytes(payload)
    pieces = [payload[i:i + size] for i in range(0, len(payload), size)] or [b""]
    return [Frame(opcode if i == 0 else CONTINUATION, piece, fin=i == len(pieces) - 1)
            for i, piece in enumerate(pieces)]


# ------------------------------------------------------------------ from the server

@dataclass
class Event:
    """What a server has sent: a whole message, or a control frame. `wire` is the size of its
    payload on the wire, and `compressed` whether it came compressed."""
    opcode: int
    payload: bytes
    compressed: bool = False
    wire: int = 0

    def __repr__(self):
        shown = self.payload if len(self.payload) <= 60 else self.payload[:60] + b"..."
        return f"{NAMES[self.opcode]} of {len(self.payload)} bytes {shown!r}"


class Reader:
    """Takes bytes of a server, and gives events. With permessage-deflate, `inflate` is called with
    the payload of each compressed message."""

    def __init__(self, inflate=None):
        self.inflate = inflate
        self.buffer = bytearray()
        self.opcode = None  # of the unfinished message
        self.compressed = False
        self.parts = []
        self.closed = False

    def feed(self, data):
        """Returns a list of events."""
        self.buffer += data
        events = []
        while True:
            frame = self.frame()
            if frame is None:
                return events
            if self.closed:
                raise Fault(f"{NAMES.get(frame[2], frame[2])} after Close")
            event = self.take(*frame)
            if event:
                events.append(event)

    def frame(self):
        """Returns (fin, rsv, opcode, payload), or None if the frame is incomplete. The head is
        checked as soon as possible."""
        have = self.buffer
        if len(have) < 2:
            return None
        fin, rsv, opcode = have[0] >> 7, have[0] >> 4 & 7, have[0] & 15
        length, at = have[1] & 0x7F, 2
        if have[1] & 0x80:
            raise Fault("frame of the server is masked")
        if opcode not in NAMES:
            raise Fault(f"opcode {opcode}")
        self.judge_rsv(rsv, opcode)
        if is_control(opcode) and (not fin or length > CONTROL_MAX):
            raise Fault(f"{NAMES[opcode]} that is {'long' if fin else 'fragmented'}")
        if (opcode == CONTINUATION) != (self.opcode is not None) and not is_control(opcode):
            raise Fault(f"{NAMES[opcode]} {'inside' if self.opcode else 'outside'} of a message")
        if length >= 126:
            size, smallest = (2, 126) if length == 126 else (8, 65536)
            if len(have) < 2 + size:
                return None
            length, at = int.from_bytes(have[2:2 + size], "big"), 2 + size
            if length < smallest or length >> 63:
                raise Fault(f"length {length} in {size} bytes")
        if len(have) < at + length:
            return None
        payload = bytes(memoryview(have)[at:at + length])
        del have[:at + length]
        return fin, rsv, opcode, payload

    def judge_rsv(self, rsv, opcode):
        lawful = (0, RSV1) if self.inflate and opcode in (TEXT, BINARY) else (0,)
        if rsv not in lawful:
            raise Fault(f"reserved bits {rsv} on {NAMES[opcode]}")

    def take(self, fin, rsv, opcode, payload):
        if is_control(opcode):
            if opcode == CLOSE:
                self.take_close(payload)
            return Event(opcode, payload, False, len(payload))
        if opcode != CONTINUATION:
            self.opcode, self.compressed = opcode, bool(rsv)
        self.parts.append(payload)
        if not fin:
            return None
        payload = wire = b"".join(self.parts)
        if self.compressed:
            payload = self.inflate(wire)
        if self.opcode == TEXT:
            try:
                payload.decode()
            except UnicodeDecodeError as error:
                raise Fault(f"text that is not UTF-8: {error}") from error
        event = Event(self.opcode, payload, self.compressed, len(wire))
        self.opcode, self.parts = None, []
        return event

    def take_close(self, payload):
        self.closed = True
        if len(payload) == 1:
            raise Fault("Close with one byte")
        if payload:
            if not close_code_is_lawful(code_of(payload)):
                raise Fault(f"Close with {code_of(payload)}")
            try:
                payload[2:].decode()
            except UnicodeDecodeError as error:
                raise Fault(f"Close with a reason that is not UTF-8: {error}") from error

    def ends_whole(self):
        """Returns whether the input ends with a whole frame and a whole message."""
        return not self.buffer


def code_of(payload):
    """Returns the code of a Close, or None if it has none."""
    return int.from_bytes(payload[:2], "big") if payload else None
