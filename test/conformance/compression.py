# SPDX-License-Identifier: MIT
"""conformance/compression.py - section 12: messages compressed by permessage-deflate (RFC 7692,
7.2): what they contain, how they are split and packed, and invalid compressed messages."""
import random
import zlib

from cases import case
from deflate import TAIL, Deflation
from frames import BINARY, CONTINUATION, RSV1, TEXT, Fault, Frame, binary, last, ping, pong, text
from limits import LARGE_LIMIT, LIMIT

SIZES = (0, 1, 16, 64, 256, 1000, 1024, 4096, 8192, 32768, 65536, 131072)


def compressed(name, **options):
    return case(name, compressed=True, **options)


def words(size):
    chance = random.Random(1)
    row = " ".join("".join(chance.choices("etaoinshrdlu\u00e4\u4e16", k=chance.randint(1, 9)))
                   for _ in range(size // 4 + 1))
    return row.encode()[:size].decode(errors="ignore").encode()


KINDS = {  # opcode, bytes of a size, whether they must shrink
    "json": (TEXT, lambda n: (b'{"id": 1234, "title": "card", "column": "done"}, ' * (n // 40 + 1))
             [:n], True),
    "words": (TEXT, words, True),
    "one_letter": (TEXT, lambda n: b"*" * n, True),
    "zeros": (BINARY, bytes, True),
    "counting_bytes": (BINARY, lambda n: (bytes(range(256)) * (n // 256 + 1))[:n], True),
    "noise": (BINARY, lambda n: random.Random(n).randbytes(n), False),
    "half_noise": (BINARY, lambda n: random.Random(n).randbytes(n // 2) + bytes(n - n // 2), False),
}

for kind, (name, (opcode, make, shrinks)) in enumerate(KINDS.items()):
    for i, size in enumerate(SIZES):
        @compressed(f"12.1.{kind + 1}.{i + 1}_{name}_of_{size}_bytes_comes_back",
                    full=size > 32768)
        def comes_back(client, frame=Frame(opcode, make(size)), small=shrinks and size >= 1024):
            for _ in range(8):
                client.send(frame)
                client.expect(frame)
                if small and not (client.last.compressed and
                                  client.last.wire < len(frame.payload) * 3 // 4):
                    raise Fault(f"it comes back as {client.last.wire} bytes")
            client.finish()

        @compressed(f"12.2.{kind + 1}.{i + 1}_ten_of_{name}_of_{size}_bytes_in_a_row_come_back",
                    full=size > 32768)
        def row_comes_back(client, frame=Frame(opcode, make(size))):
            client.send(*[frame] * 10)
            client.expect(*[frame] * 10)
            client.finish()


# ------------------------------------------------------------------ 12.3 how messages are cut

def frames_of(opcode, wire, size):
    """Returns frames with the bytes of a compressed message: they may be split anywhere."""
    pieces = [wire[i:i + size] for i in range(0, len(wire), size)]
    return [Frame(opcode if i == 0 else CONTINUATION, piece, fin=i == len(pieces) - 1,
                  rsv=RSV1 if i == 0 else 0, plain=True) for i, piece in enumerate(pieces)]


MESSAGE = KINDS["words"][1](5000)


def raw(client, wire, opcode=TEXT):
    """Sends the bytes of a compressed message unchanged, in one frame."""
    client.send(Frame(opcode, wire, rsv=RSV1, plain=True))


for i, size in enumerate((1, 2, 3, 7, 100, 1024)):
    @compressed(f"12.3.{i + 1}_compressed_message_cut_into_frames_of_{size}_bytes")
    def cut_up(client, size=size):
        for _ in range(2):
            client.send(*frames_of(TEXT, client.deflation.deflate(MESSAGE), size))
            client.expect(text(MESSAGE))
        client.finish()


@compressed("12.3.7_empty_frames_around_a_compressed_message")
def empty_frames(client):
    wire = client.deflation.deflate(MESSAGE)
    empty = Frame(CONTINUATION, b"", fin=False, plain=True)
    client.send(Frame(TEXT, b"", fin=False, rsv=RSV1, plain=True), empty,
                Frame(CONTINUATION, wire, fin=False, plain=True), empty, last(plain=True))
    client.expect(text(MESSAGE))
    client.finish()


@compressed("12.3.8_pings_between_the_frames_of_a_compressed_message")
def pings_between(client):
    first, *rest = frames_of(TEXT, client.deflation.deflate(MESSAGE), 500)
    client.send(first, ping("1"))
    client.expect(pong("1"))
    for frame in rest:
        client.send(ping("2"), frame)
    client.expect(*[pong("2")] * len(rest), text(MESSAGE))
    client.finish()


@compressed("12.3.9_messages_that_are_not_compressed_are_heard_too")
def not_compressed(client):
    plain = [text("plain", plain=True), text("pl", fin=False, plain=True), last("ain", plain=True)]
    for _ in range(5):
        client.send(text(MESSAGE), *plain, text(MESSAGE))
        client.expect(text(MESSAGE), text("plain"), text("plain"), text(MESSAGE))
    client.finish()


# ------------------------------------------------------------------ 12.4 how they are packed

PACKED = [("level_0", {"level": 0}), ("level_1", {"level": 1}), ("level_9", {"level": 9}),
          ("fixed_codes", {"strategy": zlib.Z_FIXED}), ("runs", {"strategy": zlib.Z_RLE}),
          ("codes_only", {"strategy": zlib.Z_HUFFMAN_ONLY}), ("little_memory", {"memory": 1}),
          ("much_memory", {"memory": 9})]
for i, (name, settings) in enumerate(PACKED):
    @compressed(f"12.4.{i + 1}_packed_with_{name}")
    def packed(client, settings=settings):
        client.deflation = Deflation(client.deflation.agreement, **settings)
        for kind, (opcode, make, _) in KINDS.items():
            for size in (0, 5, 700, 40000):
                client.send(Frame(opcode, make(size)))
                client.expect(Frame(opcode, make(size)))
        client.finish()

LEANS = "f200110000"  # refers to the message before it
HELLO = {  # RFC 7692, 7.2.3, and similar ones: each row of bytes is a message
    "one_block": ["f248cdc9c90700"],
    "shared_window": ["f248cdc9c90700", LEANS],
    "stored": ["000500faff48656c6c6f00"],
    "last_block": ["f348cdc9c9070000"],
    "last_block_and_messages_behind": ["f348cdc9c9070000", "f248cdc9c90700", LEANS],
    "last_block_in_each": ["f348cdc9c9070000"] * 5,
    "two_blocks": ["f248050000 00ffffcac9c90700"],
    "empty_blocks_around": ["000000ffff 02000000ffff000000ffff f248cdc9c90700"],
}
for i, (name, rows) in enumerate(HELLO.items()):
    @compressed(f"12.4.{i + 11}_hello_as_{name}")
    def hello(client, rows=rows):
        for row in rows:
            if row == LEANS and client.deflation.agreement.client_no_context_takeover:
                continue  # the client has promised not to do that
            raw(client, bytes.fromhex(row))
            client.expect(text("Hello"))
        client.finish()


@compressed("12.4.21_last_blocks_inside_of_a_message")
def last_blocks(client):
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    ended = stream.compress(MESSAGE) + stream.flush(zlib.Z_FINISH)
    for _ in range(2):
        raw(client, ended * 3 + b"\0")
        client.expect(text(MESSAGE * 3))
        client.send(*frames_of(TEXT, ended * 3 + b"\0", 10))
        client.expect(text(MESSAGE * 3))
    client.finish()


for i, wire in enumerate((b"\0", b"\x02\0", b"\x03\0\0", b"\0\0\0\xff\xff\0")):
    @compressed(f"12.4.{i + 22}_empty_message_as_{wire.hex()}")
    def empty(client, wire=wire):
        raw(client, wire)
        raw(client, wire, BINARY)
        client.send(text("behind"))
        client.expect(text(), binary(), text("behind"))
        client.finish()


@compressed("12.4.31_full_flushes_inside_of_a_message")
def flushes(client):
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    wire = b"".join(stream.compress(MESSAGE[i:i + 100].ljust(100)) + stream.flush(
        zlib.Z_FULL_FLUSH) for i in range(0, 2000, 100))
    raw(client, wire[:-4], BINARY)
    client.expect(binary(MESSAGE[:2000]))
    client.finish()


# ------------------------------------------------------------------ 12.5 what is no message

def no_message(name, wire, code, **options):
    """Expects a close with the code, after a valid message."""
    @compressed(name, **options)
    def refused(client):
        client.send(text("earlier"))
        client.expect(text("earlier"))
        raw(client, wire)
        client.ends(code)


def deflated(data, bits=-15):
    stream = zlib.compressobj(9, zlib.DEFLATED, bits)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-len(TAIL)]


def packed_bits(row):
    """Returns the bytes of bits, written in the order in which they are read."""
    row = row.replace(" ", "")
    return bytes(int(row[i:i + 8].ljust(8, "0")[::-1], 2) for i in range(0, len(row), 8))


no_message("12.5.1_reserved_kind_of_block_is_1007", b"\x06\0\0\0", 1007)
no_message("12.5.2_last_block_of_a_reserved_kind_is_1007", b"\x07\0\0\0", 1007)
no_message("12.5.3_length_that_is_not_its_complement_is_1007", b"\0\x05\0\xfa\xfeHello\0", 1007)
no_message("12.5.4_distance_before_the_beginning_is_1007",
           # A block of fixed codes: three bytes from distance 24577, and the end.
           packed_bits("0 10  0000001 11101 0000000000000  0000000  000"), 1007)
no_message("12.5.5_nonsense_is_1007", b"\xff" * 50, 1007)
no_message("12.5.6_block_that_is_cut_off_is_1007", b"\0\xff\x0f\0\xf0abc", 1007)
no_message("12.5.7_header_of_zlib_is_1007", zlib.compress(b"Hello " * 9)[:-4] + b"\0", 1007)
no_message("12.5.8_text_that_is_not_utf8_is_1007", deflated(b"good \xff bad"), 1007)
no_message("12.5.9_text_cut_in_a_character_is_1007", deflated("\u4e16".encode()[:2]), 1007)
no_message("12.5.10_bomb_is_1009", deflated(bytes(1 << 20)), 1009, server="small")
no_message("12.5.11_large_bomb_is_1009", deflated(bytes(LARGE_LIMIT * 4)), 1009, heavy=True)
no_message("12.5.12_one_byte_over_the_limit_is_1009", deflated(b"x" * (LIMIT + 1)), 1009,
           server="small")
NOISE = random.Random(5).randbytes(LIMIT)


@compressed("12.5.13_message_of_the_limit_may_be_longer_when_compressed", server="small")
def longer(client):
    if len(deflated(NOISE)) <= LIMIT:
        raise AssertionError("this noise can be compressed")
    raw(client, deflated(NOISE), BINARY)
    client.expect(binary(NOISE))
    client.finish()


@compressed("12.5.14_bomb_in_fragments_is_1009", server="small")
def bomb(client):
    client.send(*frames_of(BINARY, deflated(bytes(1 << 18)), 50))
    client.ends(1009)


@compressed("12.5.15_compressed_message_inside_of_a_compressed_message_is_1002")
def inside(client):
    client.send(text("first", fin=False), Frame(TEXT, deflated(b"x"), rsv=RSV1, plain=True))
    client.ends(1002)


@compressed("12.5.16_continuation_of_a_plain_message_with_rsv1_is_1002")
def continued(client):
    client.send(text("first", fin=False, plain=True), last("x", rsv=RSV1))
    client.ends(1002)


@compressed("12.5.17_rsv1_and_rsv2_together_are_1002")
def both_bits(client):
    client.send(Frame(TEXT, deflated(b"x"), rsv=RSV1 | 2, plain=True))
    client.ends(1002)
