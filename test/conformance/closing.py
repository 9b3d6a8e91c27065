# SPDX-License-Identifier: MIT
"""conformance/closing.py - section 7: how connections are closed (RFC 6455, 5.5.1 and 7)."""
import socket

from cases import case, exchange, fails
from frames import CLOSE, Frame, Fault, binary, close, last, ping, pong, text

good = text("Hello World!")

# ------------------------------------------------------------------ 7.1 what comes around a Close

exchange("7.1.1_message_and_close", [good], [good])
fails("7.1.2_second_close_is_not_answered", [close(1000), close(1000)], 1000)
fails("7.1.3_ping_after_close_is_not_answered", [good, close(1000), ping("late")], 1000, [good])
fails("7.1.4_message_after_close_is_not_answered", [good, close(1000), good], 1000, [good])
fails("7.1.5_rest_of_a_message_after_close_is_not_answered",
      [text("fragment1", fin=False), close(1000), last("fragment2")], 1000)
BIG = text("BAsd7&jh23" * 26000)
# (The Autobahn testsuite sends a ping after it. Bytes after a Close may destroy data that is still
# in flight to the sender: TCP resets a connection whose other end no longer reads.)
fails("7.1.6_large_message_comes_back_before_the_close", [BIG, close(1000)], 1000, [BIG])
fails("7.1.7_many_messages_come_back_before_the_close",
      [*[text(f"{i}") for i in range(200)], close(3000)], 3000, [text(f"{i}") for i in range(200)])
fails("7.1.8_pings_are_answered_before_the_close", [ping("a"), ping("b"), close(1000)], 1000,
      [pong("a"), pong("b")])
fails("7.1.9_unlawful_frame_after_close_is_not_answered",
      [good, close(1000), Frame(3, rsv=7, masked=False)], 1000, [good])
fails("7.1.10_bytes_after_close_are_not_answered", [close(1000), b"\0" * 5000], 1000)


@case("7.1.11_connection_is_ended_by_the_server_and_not_by_us")
def server_first(client):
    client.send(good, close(1000))
    client.expect(good)
    client.ends(1000)  # the client has sent a Close only, and has not closed the socket


@case("7.1.12_end_without_a_close_ends_the_connection")
def no_close(client):
    client.send(good)
    client.expect(good)
    client.socket.shutdown(socket.SHUT_WR)
    client.await_("the end of the connection", lambda: client.ended)
    if client.ended != "fin" or client.messages:
        raise Fault(f"ended with {client.ended}, {client.messages}")


@case("7.1.13_close_comes_at_once_when_it_is_asked_for")
def asked(client):
    client.goes_on()
    client.finish()


@case("7.1.14_after_a_failure_nothing_is_answered")
def failed(client):
    client.send(text(b"\xff", plain=True), good, ping("late"), binary(b"late"))
    client.ends(1007)


@case("7.1.15_close_that_answers_a_failure_ends_the_connection")
def answered(client):
    client.send(Frame(7, b"reserved"))
    client.await_("Close", lambda: client.closed)
    client.send(good, ping("late"), close(1002))
    client.ends(1002)


# ------------------------------------------------------------------ 7.3, 7.5 what a Close carries

fails("7.3.1_empty_close_is_answered_by_one", [close()], None)
fails("7.3.2_close_of_one_byte_is_1002", [Frame(CLOSE, b"a")], 1002)
fails("7.3.3_code_alone", [close(1000)], 1000)
fails("7.3.4_code_and_reason", [close(1000, "Hello World!")], 1000)
fails("7.3.5_reason_of_123_bytes", [close(1000, "*" * 123)], 1000)
fails("7.3.6_reason_of_124_bytes_is_1002", [close(1000, "*" * 124)], 1002)
fails("7.3.7_reason_of_65533_bytes_is_1002", [close(1000, "*" * 65533)], 1002)
fails("7.3.8_reason_of_70000_bytes_is_1002", [good, close(1000, "*" * 70000)], 1002, [good])
for i, letter in enumerate(("\u03ba", "\u4e16", "\U0001F30D")):
    reason = letter * (123 // len(letter.encode()))
    fails(f"7.3.{9 + i}_reason_in_letters_of_{len(letter.encode())}_bytes", [close(1000, reason)],
          1000)
for i, reason in enumerate((b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
                            b"\xff", b"good \xc3", b"\xf4\x90\x80\x80", b"\xc0\x80",
                            b"*" * 122 + b"\xc3")):
    fails(f"7.5.{i + 1}_reason_{reason[-4:].hex()}_is_1007", [good, close(1000, reason)], 1007,
          [good])
fails("7.5.7_unlawful_code_counts_more_than_a_bad_reason", [close(999, b"\xff")], 1002)

# ------------------------------------------------------------------ 7.7 and 7.9 codes

LAWFUL = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999,
          4000, 4001, 4999)
UNLAWFUL = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 2000, 2999, 5000, 5001, 32768,
            65535)
for i, code in enumerate(LAWFUL):
    fails(f"7.7.{i + 1}_close_{code}_is_answered_with_it", [good, close(code)], code, [good])
    fails(f"7.8.{i + 1}_close_{code}_with_a_reason_is_answered_with_it",
          [close(code, "Hello World!")], code)
for i, code in enumerate(UNLAWFUL):
    fails(f"7.9.{i + 1}_close_{code}_is_1002", [good, close(code)], 1002, [good])
    fails(f"7.10.{i + 1}_close_{code}_with_a_reason_is_1002", [close(code, "reason")], 1002)
