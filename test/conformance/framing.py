# SPDX-License-Identifier: MIT
"""conformance/framing.py - sections 1 to 4: lengths and masks, pings and pongs, reserved bits,
opcodes (RFC 6455, 5.2 to 5.5)."""
from cases import case, echoes, exchange, fails
from frames import BINARY, CONTINUATION, TEXT, Frame, binary, close, last, ping, pong, text

LENGTHS = (0, 1, 2, 124, 125, 126, 127, 128, 254, 255, 256, 65534, 65535, 65536, 65537)

# ------------------------------------------------------------------ 1 lengths and masks

for i, length in enumerate(LENGTHS):
    echoes(f"1.1.{i}_text_of_{length}_bytes_comes_back", text(b"*" * length))
    echoes(f"1.2.{i}_binary_of_{length}_bytes_comes_back", binary(b"\xfe" * length))

echoes("1.3.1_messages_of_all_lengths_in_a_row_come_back_in_order",
       *[make(b"%c" % (65 + i) * length) for i, length in enumerate(LENGTHS)
         for make in (text, binary)])
echoes("1.3.2_every_byte_comes_back", binary(bytes(range(256))))
echoes("1.3.3_every_ascii_character_comes_back", text(bytes(range(128))))


@case("1.3.4_any_mask_key_will_do", plain=True)
def any_key(client):
    for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0", b"\x81\x85\x88\x89"):
        for size in (1, 2, 3, 4, 5, 7, 8, 9, 200, 66000):
            frame = binary(bytes(i * 7 & 255 for i in range(size)))
            client.send(frame.encode(key))
            client.expect(frame)
    client.finish()


good = text("earlier")
for i, (name, bad) in enumerate((
        ("text", text("clear", masked=False)), ("binary", binary(b"clear", masked=False)),
        ("empty_text", text("", masked=False)), ("long_text", text("c" * 300, masked=False)),
        ("ping", ping(b"clear", masked=False)), ("pong", pong(b"clear", masked=False)),
        ("close", close(1000, masked=False)))):
    fails(f"1.4.{i + 1}_unmasked_{name}_is_1002", [good, bad], 1002, [good])

for i, (length, field) in enumerate(((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8))):
    bad = binary(b"x" * length, field=field)
    fails(f"1.5.{i + 1}_length_{length}_written_in_{field}_bytes_is_1002", [good, bad], 1002,
          [good])
for i, length in enumerate((1 << 63, (1 << 63) + 5, (1 << 64) - 1)):
    fails(f"1.6.{i + 1}_length_{length:#x}_is_1002",
          [good, binary(length=length, field=8, sent=0)], 1002, [good], plain=True)
for i, length in enumerate(((1 << 63) - 1, 1 << 62, 1 << 40, 1 << 32, (1 << 31) - 1, 1 << 31)):
    fails(f"1.6.{i + 4}_length_{length:#x}_is_1009",
          [good, binary(length=length, field=8, sent=0)], 1009, [good], plain=True)

# ------------------------------------------------------------------ 2 pings and pongs

exchange("2.1_empty_ping_is_answered", [ping()], [pong()])
exchange("2.2_ping_with_text_is_answered", [ping("Hello, world!")], [pong("Hello, world!")])
exchange("2.3_ping_with_bytes_is_answered", [ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
         [pong(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")])
exchange("2.4_ping_of_125_bytes_is_answered", [ping(b"\xfe" * 125)], [pong(b"\xfe" * 125)])
for i, (length, field) in enumerate(((126, 2), (127, 2), (65535, 2), (65536, 8))):
    fails(f"2.5.{i + 1}_ping_of_{length}_bytes_is_1002", [good, ping(b"\xfe" * length)], 1002,
          [good])
    fails(f"2.5.{i + 5}_pong_of_{length}_bytes_is_1002", [good, pong(b"\xfe" * length)], 1002,
          [good])
fails("2.5.9_ping_of_1_byte_in_a_long_length_is_1002", [good, ping(b"1", field=2)], 1002, [good])
fails("2.5.10_long_ping_is_refused_at_its_head",
      [good, ping(b"\xfe" * 126, sent=0)], 1002, [good], plain=True)
exchange("2.6_unsolicited_empty_pong_does_no_harm", [pong(), good], [good])
exchange("2.7_unsolicited_pong_does_no_harm", [pong("unsolicited"), good], [good])
exchange("2.8_unsolicited_pong_and_then_a_ping", [pong("unsolicited"), ping("asked")],
         [pong("asked")])
exchange("2.9_ping_pong_and_ping", [ping("1"), pong("no"), ping("2")], [pong("1"), pong("2")])
TEN = [f"payload-{i}" for i in range(10)]
exchange("2.10_ten_pings_in_a_row_are_answered_in_order", map(ping, TEN), map(pong, TEN))
exchange("2.11_ten_long_pings_in_a_row_are_answered_in_order",
         [ping(f"{i}" * 125) for i in range(10)], [pong(f"{i}" * 125) for i in range(10)])
exchange("2.12_pings_between_messages_are_answered",
         [f for name in TEN for f in (text(name), ping(name))],
         [f for name in TEN for f in (text(name), pong(name))])
exchange("2.13_pings_of_every_length_are_answered",
         [ping(b"%c" % (65 + i // 25) * i) for i in range(0, 126, 25)],
         [pong(b"%c" % (65 + i // 25) * i) for i in range(0, 126, 25)])


@case("2.14_ping_is_answered_at_once_and_not_with_the_next_message")
def ping_alone(client):
    for name in TEN:
        client.send(ping(name))
        client.expect(pong(name))
    client.goes_on()
    client.finish()


# ------------------------------------------------------------------ 3 reserved bits

OPCODES = {"text": TEXT, "binary": BINARY, "ping": 9, "pong": 10, "close": 8}
for rsv in range(1, 8):
    for i, (name, opcode) in enumerate(OPCODES.items()):
        payload = b"\x03\xe8" if opcode == 8 else b"bits"
        # On a compressed connection RSV1 alone means a compressed message.
        fails(f"3.{rsv}.{i + 1}_{name}_with_reserved_bits_{rsv:03b}_is_1002",
              [good, Frame(opcode, payload, rsv=rsv), ping("too late")], 1002, [good],
              plain=rsv == 4 and opcode in (TEXT, BINARY))
    fails(f"3.{rsv}.6_continuation_with_reserved_bits_{rsv:03b}_is_1002",
          [good, text("first ", fin=False), last("second", rsv=rsv), good], 1002, [good])
    fails(f"3.{rsv}.7_empty_text_with_reserved_bits_{rsv:03b}_is_1002",
          [text(rsv=rsv)], 1002, plain=rsv == 4)
fails("3.8_reserved_bits_are_refused_before_the_rest_of_the_head_has_come",
      [good, binary(b"x" * 300, rsv=3, head_bytes=2)], 1002, [good])


@case("3.9_reserved_bits_are_refused_when_they_come_later")
def reserved_later(client):
    client.send(good)
    client.expect(good)
    client.goes_on()
    client.send(text("bits", rsv=1))
    client.ends(1002)


# ------------------------------------------------------------------ 4 opcodes

for section, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
    for i, opcode in enumerate(opcodes):
        head = f"4.{section}.{i + 1}_opcode_{opcode}"
        fails(f"{head}_is_1002", [Frame(opcode)], 1002)
        fails(f"{head}_with_payload_is_1002", [Frame(opcode, b"reserved")], 1002)
        fails(f"{head}_between_messages_is_1002",
              [good, Frame(opcode, b"reserved"), ping("too late")], 1002, [good])
        fails(f"{head}_inside_of_a_message_is_1002",
              [good, text("a", fin=False), Frame(opcode, b"b"), last("c")], 1002, [good])
        fails(f"{head}_without_fin_is_1002",
              [good, Frame(opcode, b"b", fin=False), Frame(CONTINUATION, b"c")], 1002, [good])
        fails(f"{head}_is_refused_before_the_rest_of_the_head_has_come",
              [good, Frame(opcode, b"x" * 200, head_bytes=2)], 1002, [good])
