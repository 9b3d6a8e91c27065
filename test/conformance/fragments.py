# SPDX-License-Identifier: MIT
"""conformance/fragments.py - sections 5 and 10: messages in fragments (RFC 6455, 5.4)."""
from cases import case, echoes, exchange, fails
from frames import binary, close, fragments, last, more, ping, pong, text, TEXT, BINARY

whole = text("fragment1fragment2")
first, second = text("fragment1", fin=False), last("fragment2")
good = text("earlier")

fails("5.1_fragmented_ping_is_1002", [ping("fragment1", fin=False), second], 1002)
fails("5.1.1_first_part_of_a_ping_is_refused_already", [good, ping("x", fin=False)], 1002, [good])
fails("5.2_fragmented_pong_is_1002", [pong("fragment1", fin=False), second], 1002)
fails("5.2.1_fragmented_close_is_1002", [good, close(1000, fin=False)], 1002, [good])
fails("5.2.2_fragmented_ping_inside_of_a_message_is_1002",
      [first, ping("x", fin=False), second], 1002)
exchange("5.3_text_in_two_fragments", [first, second], [whole])


@case("5.4_text_in_two_fragments_that_come_apart")
def apart(client):
    for make, answer in ((text, whole), (binary, binary("fragment1fragment2"))):
        client.send(make("fragment1", fin=False))
        client.goes_on()
        client.send(second)
        client.expect(answer)
    client.finish()


exchange("5.5_binary_in_two_fragments", [binary("fragment1", fin=False), second],
         [binary("fragment1fragment2")])
exchange("5.6_ping_between_two_fragments", [first, ping("ping payload"), second],
         [pong("ping payload"), whole])


@case("5.7_ping_between_two_fragments_is_answered_before_the_second_has_come")
def ping_between(client):
    client.send(first, ping("ping payload"))
    client.expect(pong("ping payload"))
    client.send(second)
    client.expect(whole)
    client.finish()


exchange("5.8_pings_and_pongs_between_fragments",
         [first, ping("1"), pong("no"), more(), ping("2"), second, ping("3")],
         [pong("1"), pong("2"), whole, pong("3")])
fails("5.9_last_continuation_of_nothing_is_1002", [last("non-continuation"), good], 1002)
fails("5.10_last_continuation_of_nothing_after_a_message_is_1002",
      [good, last("non-continuation"), good], 1002, [good])
fails("5.11_empty_continuation_of_nothing_is_1002", [last()], 1002)
fails("5.12_continuation_of_nothing_is_1002", [more("non-continuation"), good], 1002)
fails("5.13_continuation_of_nothing_after_a_message_is_1002",
      [good, more("non-continuation"), good], 1002, [good])
fails("5.14_continuation_of_nothing_is_refused_before_others_come", [more()], 1002)
fails("5.15_continuation_after_the_last_one_is_1002",
      [first, second, more("fragment3"), text("fragment4")], 1002, [whole])
fails("5.16_continuations_of_nothing_before_each_message_are_1002",
      [more("fragment1"), text("fragment2", fin=False), last("fragment3")] * 2, 1002)
fails("5.17_last_continuations_of_nothing_before_each_message_are_1002",
      [last("fragment1"), text("fragment2", fin=False), last("fragment3")] * 2, 1002)
for i, make in enumerate((text, binary)):
    fails(f"5.18.{2 * i + 1}_{make.__name__}_inside_of_a_text_is_1002",
          [first, make("fragment2")], 1002)
    fails(f"5.18.{2 * i + 2}_first_part_of_{make.__name__}_inside_of_a_text_is_1002",
          [good, first, make("fragment2", fin=False)], 1002, [good])
fails("5.18.5_text_inside_of_a_binary_is_1002", [binary(b"1", fin=False), text("2")], 1002)

FIVE = [text("fragment1", fin=False), more("fragment2"), ping("pongme 1!"), more("fragment3"),
        ping("pongme 2!"), more("fragment4"), last("fragment5")]
FIVE_ANSWERS = [pong("pongme 1!"), pong("pongme 2!"),
                text("fragment1fragment2fragment3fragment4fragment5")]
exchange("5.19_five_fragments_with_pings_between", FIVE, FIVE_ANSWERS)


@case("5.20_five_fragments_with_pings_between_that_come_apart")
def five_apart(client):
    client.send(*FIVE[:3])
    client.expect(pong("pongme 1!"))
    client.goes_on()
    for frame in FIVE[3:-1]:
        client.send(frame)
    client.expect(pong("pongme 2!"))
    client.goes_on()
    client.send(FIVE[-1])
    client.expect(FIVE_ANSWERS[2])
    client.finish()


exchange("5.21_empty_fragments_make_an_empty_message",
         [text(fin=False), more(), more(), last()], [text()])
exchange("5.22_empty_fragments_between_others",
         [binary(fin=False), more("a"), more(), more("b"), last()], [binary("ab")])
exchange("5.23_message_in_fragments_of_one_byte",
         [*fragments(TEXT, "abcdefghij" * 30, 1)], [text("abcdefghij" * 30)])
exchange("5.24_fragmented_and_whole_messages_in_a_row",
         [f for i in range(20) for f in (*fragments(BINARY, b"%d" % i * 9, 4), text(f"{i}"))],
         [f for i in range(20) for f in (binary(b"%d" % i * 9), text(f"{i}"))])
exchange("5.25_one_fragment_is_larger_than_a_read",
         fragments(BINARY, b"0123456789abcdef" * 12500, 150000),
         [binary(b"0123456789abcdef" * 12500)])
fails("5.26_close_inside_of_a_message_is_answered", [good, first, close(1001)], 1001, [good])

# ------------------------------------------------------------------ 10 fragments of a fixed size

TEN = bytes(33 + i * 31 % 90 for i in range(65536))
for i, size in enumerate((1300, 256, 1024, 4096, 65535, 65536)):
    exchange(f"10.1.{i + 1}_64_KiB_of_text_in_fragments_of_{size}", fragments(TEXT, TEN, size),
             [text(TEN)])
echoes("10.2.1_several_messages_of_64_KiB", *[text(TEN)] * 5)
