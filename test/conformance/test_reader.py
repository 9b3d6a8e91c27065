#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""conformance/test_reader.py - tests the judge: the strict reader and the client on which the
conformance program relies."""
import os
import sys
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
from tap import Tap  # noqa: E402

import random  # noqa: E402

from client import CHUNKINGS, SINGLES, Client, cut, offer_text  # noqa: E402
from deflate import TAIL, Agreement, Deflation, agree, parse  # noqa: E402
from frames import (BINARY, TEXT, Fault, Frame, Reader, close, close_code_is_lawful,  # noqa: E402
                    code_of, fragments, last, mask, more, ping, pong, text, utf8_fault)


def fault_of(call, *arguments):
    try:
        call(*arguments)
    except Fault as fault:
        return str(fault)
    return None


def of_server(*frames):
    """Returns the bytes of unmasked frames."""
    return b"".join(Frame(**{**vars(f), "masked": False}).encode(b"") for f in frames)


def read(data, inflate=None, step=None):
    reader, events = Reader(inflate), []
    for i in range(0, len(data), step or len(data) or 1):
        events += reader.feed(data[i:i + (step or len(data))])
    return [(e.opcode, e.payload) for e in events], reader


def reading(t):
    row = of_server(text("a"), ping("p"), text("b", fin=False), pong("q"), more("c"), last("d"),
                    Frame(BINARY, b"x" * 125), Frame(BINARY, b"y" * 126),
                    Frame(BINARY, b"z" * 65536), close(1000, "bye"))
    wanted = [(TEXT, b"a"), (9, b"p"), (10, b"q"), (TEXT, b"bcd"), (BINARY, b"x" * 125),
              (BINARY, b"y" * 126), (BINARY, b"z" * 65536), (8, b"\x03\xe8bye")]
    t.ok(read(row)[0] == wanted, "lawful_frames_are_read")
    t.ok(read(row[:400], step=1)[0] == wanted[:6], "lawful_frames_are_read_byte_by_byte")
    t.ok(not read(of_server(text("abc"))[:-1])[1].ends_whole(), "half_a_frame_is_seen_at_the_end")
    unlawful = {
        "masked_frame": text("a").encode(b"abcd"),
        "reserved_opcode": b"\x83\0", "reserved_control": b"\x8b\0",
        "rsv1": b"\xc1\0", "rsv2": b"\xa1\0", "rsv3": b"\x91\0", "rsv1_on_ping": b"\xc9\0",
        "long_ping": b"\x89\x7e\0\x7e" + b"x" * 126, "fragmented_ping": b"\x09\0",
        "short_length_in_16_bits": b"\x82\x7e\0\x7d" + b"x" * 125,
        "short_length_in_64_bits": b"\x82\x7f" + (65535).to_bytes(8, "big"),
        "length_with_the_top_bit": b"\x82\x7f\x80" + bytes(7),
        "continuation_of_nothing": b"\x80\0", "text_inside_of_a_text": b"\x01\0\x81\0",
        "bad_text": b"\x81\x01\xff", "text_cut_in_a_character": b"\x81\x01\xc3",
        "close_of_one_byte": b"\x88\x01a", "close_1005": b"\x88\x02\x03\xed",
        "close_999": b"\x88\x02\x03\xe7", "bad_reason": b"\x88\x03\x03\xe8\xff",
        "message_after_close": b"\x88\0\x81\0", "second_close": b"\x88\0\x88\0",
    }
    for name, data in unlawful.items():
        t.ok(fault_of(read, data), f"{name}_is_a_fault")
    inflating = lambda wire: wire  # noqa: E731
    t.ok(not fault_of(read, b"\xc1\0", inflating), "rsv1_is_lawful_where_messages_are_compressed")
    for name, data in (("continuation", b"\x41\0\xc0\0"), ("close", b"\xc8\0"),
                       ("with_rsv2", b"\xe1\0")):
        t.ok(fault_of(read, data, inflating), f"rsv1_on_{name}_is_a_fault_all_the_same")


def writing(t):
    for frame, image in ((text("Hello"), "818537fa213d7f9f4d5158"),
                         (ping("Hello"), "898537fa213d7f9f4d5158"),
                         (text("Hello", masked=False), "810548656c6c6f"),
                         (text("Hel", fin=False, masked=False), "010348656c"),
                         (last("lo", masked=False), "80026c6f"),
                         (Frame(BINARY, b"", length=256, masked=False), "827e0100"),
                         (Frame(BINARY, b"", length=65536, masked=False), "827f0000000000010000")):
        t.equal(frame.encode(bytes.fromhex("37fa213d")).hex(), image, f"{image}_is_written")
    data = bytes(random.Random(1).randbytes(1001))
    slowly = bytes(b ^ b"\x01\x80\xff\x00"[i % 4] for i, b in enumerate(data))
    t.ok(mask(data, b"\x01\x80\xff\x00") == slowly, "masks_are_laid_over_every_byte")
    t.equal(text("abcdef", sent=2).encode(bytes(4))[6:], b"ab", "part_of_a_payload_is_sent")
    t.equal(len(text("abcdef", head_bytes=2).encode(bytes(4))), 2, "part_of_a_head_is_sent")
    t.equal([(f.opcode, f.payload, f.fin) for f in fragments(TEXT, "abcde", 2)],
            [(1, b"ab", False), (0, b"cd", False), (0, b"e", True)], "messages_are_cut_up")
    for chunking in CHUNKINGS:
        for size in (0, 1, 2, 100, SINGLES, SINGLES + 1, 100000):
            pieces = cut(bytes(size), chunking, random.Random(1))
            if b"".join(pieces) != bytes(size) or len(pieces) > 1500 or (
                    chunking == "octets" and size > 1 and len(pieces[0]) + len(pieces[-1]) != 2):
                t.ok(False, f"{chunking}_of_{size}", [len(p) for p in pieces])
    t.equal(len(cut(bytes(SINGLES), "octets", None)), SINGLES, "octets_are_single_bytes")
    t.ok(len(cut(bytes(SINGLES), "odd", random.Random(1))) > 5, "odd_pieces_are_several")
    t.equal(len(cut(bytes(SINGLES), "once", None)), 1, "once_is_one_piece")


def utf8(t):
    """Compares with the beginnings of all characters, by their definition."""
    beginnings = set()
    for n in range(0x110000):
        if not 0xD800 <= n < 0xE000:
            image = chr(n).encode()
            beginnings.add(image[:2])
            beginnings.add(image[:3])
    wrong = []
    for lead in range(0x80, 0x100):
        for second in range(0x100):
            pair = bytes([lead, second])
            good_lead = any(bytes([lead, b]) in beginnings for b in range(0x80, 0xC0))
            fault = None if pair in beginnings else 1 if good_lead else 0
            if utf8_fault(pair) != fault:
                wrong.append(f"{pair.hex()}: {utf8_fault(pair)}, not {fault}")
    t.none(wrong, "first_bad_byte_of_two_is_found")
    t.equal([utf8_fault(x) for x in (b"abc", b"\xf0\x9f", b"\xf4\x8f\xbf\xc0", b"ab\xffc")],
            [None, None, 3, 2], "first_bad_byte_is_found")
    t.equal([c for c in range(70000) if close_code_is_lawful(c)],
            [1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)],
            "lawful_close_codes_are_these")
    t.equal((code_of(b""), code_of(b"\x03\xe8x")), (None, 1000), "code_of_a_close")


def deflating(t):
    # The examples of RFC 7692, 7.2.3.
    plain = Deflation(Agreement())
    t.equal(plain.deflate(b"Hello").hex(), "f248cdc9c90700", "hello_is_compressed_as_in_the_rfc")
    t.equal(plain.deflate(b"Hello").hex(), "f200110000", "and_the_second_by_the_first")
    for name, wires in (("one_block", ["f248cdc9c90700"]),
                        ("two_messages", ["f248cdc9c90700", "f200110000"]),
                        ("stored", ["000500faff48656c6c6f00"]),
                        ("last_block", ["f348cdc9c9070000", "f248cdc9c90700"]),
                        ("two_blocks", ["f248050000 00ffffcac9c90700"])):
        inflater = Deflation(Agreement())
        t.equal([inflater.inflate(bytes.fromhex(w)) for w in wires], [b"Hello"] * len(wires),
                f"{name}_is_inflated_as_in_the_rfc")
    nothing = Deflation(Agreement())
    t.equal([nothing.deflate(b"").hex() for _ in range(3)], ["00"] * 3, "nothing_is_one_byte")
    t.equal(nothing.inflate(b"\0"), b"", "one_byte_is_nothing")
    for agreement in (Agreement(), Agreement(client_no_context_takeover=True),
                      Agreement(client_max_window_bits=9), Agreement(client_max_window_bits=8)):
        sender = Deflation(agreement)
        reader = Deflation(Agreement(
            server_max_window_bits=max(9, agreement.client_max_window_bits),
            server_no_context_takeover=agreement.client_no_context_takeover))
        chance, wrong = random.Random(2), 0
        for i in range(40):
            message = bytes(chance.choices(b"abcd", k=i * 17))
            parts = [message[j:j + 50] for j in range(0, len(message), 50)] + [b""]
            wire = b"".join(sender.deflate(p, p is parts[-1]) for p in parts)
            wrong += reader.inflate(wire) != message
        t.equal(wrong, 0, f"what_is_compressed_is_inflated {agreement}")
    far = zlib.compressobj(9, zlib.DEFLATED, -15)
    noise = random.Random(3).randbytes(600)
    wire = (far.compress(noise * 2) + far.flush(zlib.Z_SYNC_FLUSH))[:-4]
    t.ok(Deflation(Agreement()).inflate(wire) == noise * 2, "far_distance_is_seen_as_lawful")
    t.ok(fault_of(Deflation(Agreement(server_max_window_bits=9)).inflate, wire),
         "distance_beyond_the_window_is_a_fault")
    t.ok(fault_of(Deflation(Agreement()).inflate, b"\xff\xff"), "nonsense_is_a_fault")
    second = Deflation(Agreement())
    second.deflate(b"Hello, hello")
    wire = second.deflate(b"Hello, hello")
    t.ok(fault_of(Deflation(Agreement(server_no_context_takeover=True)).inflate, wire),
         "context_that_was_not_to_be_taken_over_is_a_fault")
    t.equal(TAIL, b"\0\0\xff\xff", "tail_is_that_of_the_rfc")


def agreeing(t):
    t.equal(parse('a; b; c=1 ; d="x y"'.replace("x y", "xy")),
            [("a", [("b", None), ("c", "1"), ("d", "xy")])], "parameters_are_read")
    t.equal([n for n, _ in parse("a, b;c,d")], ["a", "b", "d"], "extensions_are_read")
    for value in ("", ";", "a;", "a b", "a;=1", "a;b=", 'a;b="x', "a;b=1 2", ",a", "a/b"):
        t.ok(fault_of(parse, value), f"not_a_list: {value!r}")
    name = "permessage-deflate"
    lawful = [({}, ""), ({}, "; server_no_context_takeover"), ({}, "; client_no_context_takeover"),
              ({}, "; server_max_window_bits=10"), ({"client_max_window_bits": None}, ""),
              ({"client_max_window_bits": None}, "; client_max_window_bits=9"),
              ({"server_max_window_bits": "10"}, "; server_max_window_bits=9"),
              ({"server_no_context_takeover": None}, "; server_no_context_takeover")]
    for offer, answer in lawful:
        t.equal(fault_of(agree, offer, name + answer), None, f"lawful: {offer} {answer!r}")
    unlawful = [({}, ", x"), ({}, "; x"), ({}, "; client_max_window_bits=10"),
                ({}, "; server_no_context_takeover=1"), ({}, "; server_max_window_bits"),
                ({}, "; server_max_window_bits=16"), ({}, "; server_max_window_bits=010"),
                ({}, "; server_no_context_takeover; server_no_context_takeover"),
                ({"client_max_window_bits": None}, "; client_max_window_bits"),
                ({"server_max_window_bits": "10"}, ""),
                ({"server_max_window_bits": "10"}, "; server_max_window_bits=11"),
                ({"server_no_context_takeover": None}, "")]
    for offer, answer in unlawful:
        t.ok(fault_of(agree, offer, name + answer), f"unlawful: {offer} {answer!r}")
    t.equal(offer_text({"a": None, "b": "9"}), "permessage-deflate; a; b=9", "offers_are_written")
    client = object.__new__(Client)
    client.chance, client.deflation = random.Random(1), Deflation(Agreement())
    client.close_sent = client.spoke_after_close = client.in_message = client.compressing = False
    row = [client.encode(f) for f in (text("Hel", fin=False), ping("x"), last("lo"), close(1000))]
    t.equal([b[0] for b in row], [0x41, 0x89, 0x80, 0x88],
            "first_frame_of_a_compressed_message_says_so_alone")
    t.equal([client.encode(text("x", plain=True))[0], client.encode(text("x", rsv=2))[0]],
            [0x81, 0xA1], "what_is_not_to_be_compressed_is_sent_as_it_is")


def main():
    t = Tap()
    for part in (reading, writing, utf8, deflating, agreeing):
        part(t)
    t.end()


main()
