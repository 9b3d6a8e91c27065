# SPDX-License-Identifier: MIT
"""conformance/deflate.py - permessage-deflate of the client, by RFC 7692.

parse() reads a Sec-WebSocket-Extensions header by the grammar. agree() checks the server's answer
to our offers. Deflation has both directions of one connection, on top of zlib.
"""
import re
import zlib
from dataclasses import dataclass

from frames import Fault

TAIL = b"\x00\x00\xff\xff"  # removed from the end of each message, and appended again
TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PARAMETER = re.compile(rf'\s*;\s*({TOKEN})\s*(?:=\s*(?:({TOKEN})|"({TOKEN})"))?\s*')


def parse(value):
    """Returns [(extension, [(parameter, its value or None)])]. Raises Fault if the value is
    malformed."""
    found = []
    for part in value.split(","):
        name = re.match(rf"\s*({TOKEN})\s*", part)
        if not name:
            raise Fault(f"no extension list: {value!r}")
        at, parameters = name.end(), []
        while at < len(part):
            parameter = PARAMETER.match(part, at)
            if not parameter:
                raise Fault(f"no extension list: {value!r}")
            parameters.append((parameter.group(1), parameter.group(2) or parameter.group(3)))
            at = parameter.end()
        found.append((name.group(1), parameters))
    return found


@dataclass
class Agreement:
    """The negotiated parameters."""
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


def bits(value):
    if value is None or not re.fullmatch(r"[89]|1[0-5]", value):
        raise Fault(f"window bits {value!r} in the answer")
    return int(value)


def agree(offer, answer):
    """Returns the agreement if the answer (the value of its header) is valid for the one offer, a
    dict of parameters (section 7.1)."""
    extensions = parse(answer)
    if len(extensions) != 1 or extensions[0][0] != "permessage-deflate":
        raise Fault(f"the answer is {answer!r}")
    agreement, seen = Agreement(), set()
    for name, value in extensions[0][1]:
        if name in seen:
            raise Fault(f"{name} twice in {answer!r}")
        seen.add(name)
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                raise Fault(f"{name} with a value in {answer!r}")
            setattr(agreement, name, True)
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            setattr(agreement, name, bits(value))
        else:
            raise Fault(f"unknown parameter in {answer!r}")
    if "client_max_window_bits" in seen and "client_max_window_bits" not in offer:
        raise Fault(f"client_max_window_bits was not offered: {answer!r}")
    if "server_no_context_takeover" in offer and not agreement.server_no_context_takeover:
        raise Fault(f"server_no_context_takeover is not granted: {answer!r}")
    asked = offer.get("server_max_window_bits")
    if asked and ("server_max_window_bits" not in seen or
                  agreement.server_max_window_bits > int(asked)):
        raise Fault(f"server_max_window_bits={asked} is not granted: {answer!r}")
    hint = offer.get("client_max_window_bits")
    if hint and agreement.client_max_window_bits > int(hint):
        # A value above the hint would be valid, but we have promised to use no more than the hint.
        agreement.client_max_window_bits = int(hint)
    return agreement


class Deflation:
    def __init__(self, agreement, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, memory=8):
        self.agreement = agreement
        self.settings = level, memory, strategy
        self.compressor = self.decompressor = None

    # From us to the server.

    def new_compressor(self):
        level, memory, strategy = self.settings
        # zlib has no raw deflate with 8 bits. With 9 bits its distances stay below 251, for which
        # 2^8 is enough.
        bits_here = max(self.agreement.client_max_window_bits, 9)
        return zlib.compressobj(level, zlib.DEFLATED, -bits_here, memory, strategy)

    def deflate(self, payload, fin=True):
        """Returns the payload of one frame of a message."""
        if self.compressor is None:
            self.compressor = self.new_compressor()
        out = self.compressor.compress(payload) + self.compressor.flush(zlib.Z_SYNC_FLUSH)
        if not fin:
            return out
        if self.agreement.client_no_context_takeover:
            self.compressor = None
        # Right after another flush zlib gives no output, but a message must not be empty (7.2.3.6).
        return out[:-4] if out.endswith(TAIL) else out + b"\x00"

    # From the server to us.

    def inflate(self, wire):
        if self.agreement.server_no_context_takeover:
            self.decompressor = None
        data, out = wire + TAIL, []
        try:
            while data:
                if self.decompressor is None:
                    self.decompressor = zlib.decompressobj(-self.agreement.server_max_window_bits)
                data = self.inflate_stream(data, out)
        except zlib.error as error:
            raise Fault(f"compressed message that can't be inflated: {error}") from error
        return b"".join(out)

    def inflate_stream(self, data, out):
        """Inflates up to the end of the data, or of the stream: a final block ends a stream, not
        the message (7.2.3.4). Returns what is left then."""
        # zlib notices too long a distance only if the bytes are no longer in its output. So it gets
        # room for one byte at a time.
        room = 0 if self.agreement.server_max_window_bits == 15 else 1
        step = 64 if room else len(data)
        for at in range(0, len(data), step):
            part = self.decompressor.decompress(data[at:at + step], room)
            while part:
                out.append(part)
                part = self.decompressor.decompress(self.decompressor.unconsumed_tail, 1)
            if self.decompressor.eof:
                left = self.decompressor.unused_data + data[at + step:]
                self.decompressor = None
                return left
        return b""
