# SPDX-License-Identifier: MIT
"""conformance/utf8.py - section 6: text is UTF-8 (RFC 6455, 8.1; RFC 3629).

Most sequences are from Markus Kuhn's "UTF-8 decoder capability and stress test". Each is sent
whole, in fragments of one byte, and after and before valid text. An invalid one is also sent only
up to its first invalid byte, and the server must not wait for more.
"""
from cases import case, exchange, fails
from frames import Frame, TEXT, binary, fragments, last, more, text, utf8_fault

KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
HELLO = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()


def good(name, data):
    """Expects that the text is echoed, however it is split into frames."""
    def run(client):
        message = text(data)
        client.send(message, *fragments(TEXT, data, 1), *fragments(TEXT, data, 2))
        client.expect(message, message, message)
        for at in range(len(data) + 1):
            client.send(text(data[:at], fin=False), last(data[at:]))
        client.expect(*[message] * (len(data) + 1))
        around = text(b"<" + data + b">")
        client.send(around)
        client.expect(around)
        client.finish()
    assert utf8_fault(data) is None, name
    data.decode()
    case(f"{name}_comes_back")(run)


def bad(name, data):
    """Expects a refusal at the first invalid byte; of truncated text, at the end of the message."""
    fault = utf8_fault(data)
    before = text("earlier")
    fails(f"{name}_is_1007", [before, text(data)], 1007, [before])
    fails(f"{name}_in_fragments_is_1007", [before, *fragments(TEXT, data, 1)], 1007, [before])
    fails(f"{name}_behind_a_hundred_good_bytes_is_1007",
          [text(b"a" * 100 + data + b"b" * 100)], 1007)
    if fault is None:
        fails(f"{name}_that_ends_in_an_empty_fragment_is_1007",
              [text(data, fin=False), more(), last()], 1007)
        return
    rest = data + b"never sent" * 10
    fails(f"{name}_is_refused_at_its_first_bad_byte",
          [before, text(rest, sent=fault + 1)], 1007, [before])
    fails(f"{name}_is_refused_while_the_message_goes_on",
          [before, *fragments(TEXT, data[:fault + 1] + b"x", 1)[:-1]], 1007, [before])


# ------------------------------------------------------------------ 6.1 to 6.4 the ways of texts

exchange("6.1.1_empty_text", [text()], [text()])
exchange("6.1.2_three_empty_fragments", [text(fin=False), more(), last()], [text()])
exchange("6.1.3_middle_fragment_has_the_text", [text(fin=False), more("middle"), last()],
         [text("middle")])
exchange("6.2.1_text_whole", [text(HELLO)], [text(HELLO)])
exchange("6.2.2_fragments_between_characters", [text(HELLO[:12], fin=False), last(HELLO[12:])],
         [text(HELLO)])
exchange("6.2.3_fragments_of_one_byte", fragments(TEXT, HELLO, 1), [text(HELLO)])
exchange("6.2.4_fragments_of_one_byte_of_greek", fragments(TEXT, KOSME, 1), [text(KOSME)])
BROKEN = KOSME + b"\xed\xa0\x80" + b"edited"
bad("6.3.1_surrogate_inside_of_a_text", BROKEN)
exchange("6.3.3_bytes_that_no_text_has_are_good_in_a_binary", [binary(BROKEN), text(KOSME)],
         [binary(BROKEN), text(KOSME)])


def piecewise(name, *pieces):
    """Sends frames of a text, the last of which has the first invalid byte. Each is sent after the
    one before has been validated."""
    def run(client):
        for i, piece in enumerate(pieces):
            client.send(Frame(TEXT if i == 0 else 0, piece, fin=False))
            if i < len(pieces) - 1:
                client.goes_on()
        client.ends(1007)
    # If messages are inflated whole before validation, the message must end first.
    case(name, plain=True)(run)


piecewise("6.4.1_fail_fast_at_the_bad_fragment", KOSME, b"\xf4\x90\x80\x80")
piecewise("6.4.2_fail_fast_at_the_bad_byte_of_a_character", KOSME + b"\xf4", b"\x90")
fails("6.4.3_fail_fast_inside_of_a_frame",
      [text(KOSME + b"\xf4\x90\x80\x80edited", sent=len(KOSME) + 4)], 1007)
fails("6.4.4_fail_fast_at_the_bad_byte_inside_of_a_frame",
      [text(KOSME + b"\xf4\x90\x80\x80edited", sent=len(KOSME) + 2)], 1007)
piecewise("6.4.5_fail_fast_byte_by_byte", *[KOSME[i:i + 1] for i in range(len(KOSME))], b"\xed",
          b"\xa0")
piecewise("6.4.6_fail_fast_in_the_third_fragment", b"a" * 200, KOSME, b"\xff")
fails("6.4.7_fail_fast_at_the_first_byte_of_a_long_frame", [text(b"\xff" * 60000, sent=1)], 1007)
fails("6.4.8_fail_fast_deep_inside_of_a_long_frame",
      [text(b"\xc3\xa4" * 20000 + b"\xc3\xc3" + b"x" * 999, sent=40002)], 1007)

# ------------------------------------------------------------------ 6.5 to 6.23 what is a character

for i in range(1, 6):
    good(f"6.5.{i}_greek_word_of_{i}_letters", KOSME.decode()[:i].encode())
for i in range(1, len(KOSME) + 1):
    make = good if KOSME[:i].decode(errors="ignore").encode() == KOSME[:i] else bad
    make(f"6.6.{i}_greek_word_cut_after_byte_{i}", KOSME[:i])

STRESS = {
    # First and last of each length.
    7: ["00", "c280", "e0a080", "f0908080"],
    8: ["f888808080", "fc8480808080"],
    9: ["7f", "dfbf", "efbfbf", "f48fbfbf"],
    10: ["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"],
    11: ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"],
    # Continuation bytes without a lead byte.
    12: ["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf",
         bytes(range(0x80, 0xC0)).hex()],
    # Each lead byte, followed by a space.
    13: ["".join(f"{lead:02x}20" for lead in leads)
         for leads in (range(0xC0, 0xE0), range(0xE0, 0xF0), range(0xF0, 0xF8),
                       range(0xF8, 0xFC), range(0xFC, 0xFE))],
    # The last continuation byte is missing.
    14: ["c0", "e080", "f08080", "f8808080", "fc80808080",
         "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"],
    15: ["c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf"],
    16: ["fe", "ff", "fefeffff"],
    # Overlong: of "/", of the largest, of NUL.
    17: ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
    18: ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
    19: ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
    # Surrogates, alone and in pairs.
    20: ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
    21: ["eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf",
         "edae80edb080", "edae80edbfbf", "edafbfedb080", "edafbfedbfbf"],
}
for section, sequences in STRESS.items():
    for i, sequence in enumerate(map(bytes.fromhex, sequences)):
        shown = sequence.hex() if len(sequence) <= 6 else f"{sequence[:4].hex()}-and-so-on"
        try:
            sequence.decode()
            good(f"6.{section}.{i + 1}_{shown}", sequence)
        except UnicodeDecodeError:
            bad(f"6.{section}.{i + 1}_{shown}", sequence)

# Noncharacters are valid in a text.
NOBODY = [*range(0xFDD0, 0xFDF0), *[plane << 16 | end for plane in range(17)
                                    for end in (0xFFFE, 0xFFFF)]]
good("6.22.1_all_that_are_no_characters", "".join(map(chr, NOBODY)).encode()[:60])
exchange("6.22.2_each_that_is_no_character", [text(chr(n)) for n in NOBODY],
         [text(chr(n)) for n in NOBODY])
SPECIAL = [0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC, 0xFFFD, 0xFEFF, 0x2028, 0x2029, 0x85, 0xA0, 0x200B,
           0xE000, 0xF8FF, 0xF0000, 0x10FFFD, 0x1F30D, 0x0, 0x7F]
exchange("6.23.1_each_special_character", [text(chr(n)) for n in SPECIAL],
         [text(chr(n)) for n in SPECIAL])

# ------------------------------------------------------------------ 6.30 every border

exchange("6.30.1_every_sixty-fourth_character",
         [text("".join(chr(n) for n in range(start, start + 0x1000, 64)
                       if not 0xD800 <= n < 0xE000)) for start in range(0, 0x110000, 0x1000)],
         [text("".join(chr(n) for n in range(start, start + 0x1000, 64)
                       if not 0xD800 <= n < 0xE000)) for start in range(0, 0x110000, 0x1000)])

# A validator that reads several bytes at a time must check each of them.
for at in range(72):
    fails(f"6.30.{at + 2}_bad_byte_behind_{at}_good_ones_is_1007",
          [text(b"a" * at + b"\xff" + b"b" * 72)], 1007)

SECONDS = (0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0)
for lead in range(0x80, 0x100):
    # The invalid second bytes of each lead byte, and each byte that is no lead byte: one connection
    # each.
    for second in SECONDS:
        pair = bytes([lead, second])
        at = utf8_fault(pair)
        if at is None or (at == 0 and second != 0x80):
            continue
        fails(f"6.31.{lead:02x}.{second:02x}_is_refused_at_its_first_bad_byte",
              [text(b"ok " + pair + b"never", sent=3 + at + 1)], 1007,
              full=lead not in (0x80, 0xBF, 0xC1, 0xC2, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0xF5))
