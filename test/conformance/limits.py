# SPDX-License-Identifier: MIT
"""conformance/limits.py - section 9: large messages, many fragments, many messages, and the limits
of the server (RFC 6455, 7.4.1 and 10.4). The full form goes up to 16 MiB."""
import random

from cases import case, exchange, fails
from frames import BINARY, TEXT, Frame, binary, fragments, last, more, ping, pong, text

KIB, MIB = 1 << 10, 1 << 20
LIMIT = 1000          # of the server "small"
LARGE_LIMIT = 16 * MIB

# Nothing in them repeats within a compression window: fragments that shrink to a few bytes would
# use up the server's abuse budget.
CHANCE = random.Random(9)
LETTERS = "Wie gro\u00df ist \u4e16\u754c? \U0001F30D!"
PATTERNS = {TEXT: "".join(CHANCE.choices(LETTERS, k=40000)).encode(),
            BINARY: CHANCE.randbytes(65537)}


def payload(opcode, size):
    """Returns `size` bytes; a character that would be cut is replaced by periods."""
    pattern = PATTERNS[opcode]
    data = (pattern * (size // len(pattern) + 1))[:size]
    return data if opcode == BINARY else data.decode(errors="ignore").encode().ljust(size, b".")


def shown(size):
    return f"{size // MIB}_MiB" if size % MIB == 0 else f"{size // KIB}_KiB"


for kind, (name, opcode) in enumerate((("text", TEXT), ("binary", BINARY))):
    for i, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB)):
        @case(f"9.{kind + 1}.{i + 1}_{name}_of_{shown(size)}_comes_back", full=size > MIB,
              heavy=size >= MIB)
        def large(client, opcode=opcode, size=size):
            frame = Frame(opcode, payload(opcode, size))
            client.send(frame)
            client.expect(frame)
            client.finish()

    for i, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB)):
        @case(f"9.{kind + 3}.{i + 1}_{name}_of_4_MiB_in_fragments_of_{size}_bytes_comes_back",
              full=True, heavy=True)
        def fragmented(client, opcode=opcode, size=size):
            data = payload(opcode, 4 * MIB)
            client.send(*fragments(opcode, data, size))
            client.expect(Frame(opcode, data))
            client.finish()

        @case(f"9.{kind + 3}.{i + 11}_{name}_of_256_KiB_in_fragments_of_{size}_bytes_comes_back")
        def less(client, opcode=opcode, size=size):
            data = payload(opcode, 256 * KIB)
            client.send(*fragments(opcode, data, size))
            client.expect(Frame(opcode, data))
            client.finish()

    for i, size in enumerate((64, 128, 256, 512, 1024, 2048)):
        # One frame, written in pieces of this size whatever the chunking is.
        @case(f"9.{kind + 5}.{i + 1}_{name}_of_1_MiB_in_writes_of_{size}_bytes_comes_back",
              full=True, heavy=True)
        def chopped(client, opcode=opcode, size=size):
            frame = Frame(opcode, payload(opcode, MIB))
            data = client.encode(frame)
            client.chunking = "once"
            for at in range(0, len(data), size):
                client.write(data[at:at + size])
            client.expect(frame)
            client.finish()

    for i, size in enumerate((0, 16, 64, 256, 1024, 4096)):
        @case(f"9.{kind + 7}.{i + 1}_round_trips_of_{name}_of_{size}_bytes")
        def round_trips(client, opcode=opcode, size=size):
            for _ in range({"once": 200, "odd": 20, "octets": 4}[client.chunking]):
                frame = Frame(opcode, payload(opcode, size))
                client.send(frame)
                client.expect(frame)
            client.finish()

        @case(f"9.{kind + 7}.{i + 11}_thousand_messages_at_once_of_{name}_of_{size}_bytes")
        def at_once(client, opcode=opcode, size=size):
            frame = Frame(opcode, payload(opcode, size))
            client.send(*[frame] * 1000)
            client.expect(*[frame] * 1000)
            client.finish()

# ------------------------------------------------------------------ 9.9 the limit of a message

full = binary(b"x" * LIMIT)
exchange("9.9.1_message_of_the_limit_comes_back", [full], [full], server="small")
exchange("9.9.2_fragments_up_to_the_limit_come_back",
         [*fragments(TEXT, b"x" * LIMIT, 300), *fragments(BINARY, b"x" * LIMIT, LIMIT - 1)],
         [text(b"x" * LIMIT), full], server="small")
fails("9.9.3_message_of_one_byte_more_is_1009", [full, binary(b"x" * (LIMIT + 1))], 1009, [full],
      server="small")
fails("9.9.4_message_of_one_byte_more_is_refused_at_its_head",
      [full, binary(b"x" * (LIMIT + 1), sent=0)], 1009, [full], server="small", plain=True)
fails("9.9.5_fragments_of_one_byte_more_are_1009",
      [full, binary(b"x" * LIMIT, fin=False), last("x")], 1009, [full], server="small")
fails("9.9.6_many_fragments_of_one_byte_more_are_1009",
      fragments(TEXT, b"x" * (LIMIT + 1), 100), 1009, server="small")
fails("9.9.7_fragment_over_the_limit_is_refused_at_its_head",
      [binary(b"x" * 600, fin=False), more(b"x" * 401, sent=0)], 1009, server="small", plain=True)
exchange("9.9.8_control_frames_do_not_count",
         [binary(b"x" * 900, fin=False), ping(b"y" * 125), ping(b"z" * 125), last(b"x" * 100)],
         [pong(b"y" * 125), pong(b"z" * 125), full], server="small")
exchange("9.9.9_messages_do_not_add_up", [full] * 20, [full] * 20, server="small")
fails("9.9.10_message_over_16_MiB_is_1009", [binary(length=LARGE_LIMIT + 1, sent=0)], 1009,
      plain=True)
fails("9.9.11_text_that_is_too_long_is_1009", [text(b"x" * 5000), ping("late")], 1009,
      server="small")
