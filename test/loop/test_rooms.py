#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_rooms.py - /room/{name} and /publish: who receives what, and which names are valid."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import BINARY, CLOSE, Echo, Gone, Peer, TEXT, Tap, frame  # noqa: E402


def hears(peer, count):
    return [peer.frame() for _ in range(count)]


def broadcasts(t, echo):
    members = [Peer(echo, "/room/a") for _ in range(5)]
    stranger = Peer(echo, "/room/b")
    for member in members:
        member.quiet()
    sent = [(TEXT, f"message {i}".encode()) for i in range(200)]
    members[0].send(b"".join(frame(*one) for one in sent))
    t.ok(all(hears(m, 200) == sent for m in members[1:]), "every_other_member_gets_all_in_order")
    t.ok(members[0].quiet(), "sender_does_not_hear_itself")
    t.ok(stranger.quiet(), "another_room_hears_nothing")

    # Two members publish at once: each member receives the messages of each in order.
    for i in range(100):
        members[1].text(f"one {i}")
        members[2].text(f"two {i}")
    got = [payload.decode() for _, payload in hears(members[0], 200)]
    t.ok([g for g in got if g.startswith("one")] == [f"one {i}" for i in range(100)] and
         [g for g in got if g.startswith("two")] == [f"two {i}" for i in range(100)],
         "each_of_two_speakers_is_received_in_order")
    t.equal(len(hears(members[1], 100)) + len(hears(members[2], 100)), 200,
            "speakers_hear_each_other")

    members[3].binary(b"\x00\xff")
    hears(members[4], 200)
    t.equal(members[4].frame(), (BINARY, b"\x00\xff"), "binary_stays_binary")
    members[3].put(TEXT, b"in two ", fin=False)
    members[3].put(0, b"parts")
    t.equal(members[4].frame(), (TEXT, b"in two parts"), "fragments_are_passed_on_whole")

    members[4].end()
    alone = Peer(echo, "/room/empty")
    alone.text("nobody")
    t.ok(alone.quiet(), "message_to_an_empty_room_does_no_harm")
    for peer in members + [stranger, alone]:
        peer.end()


def publishes(t, echo):
    member, other = Peer(echo, "/room/news"), Peer(echo, "/room/other")
    for peer in (member, other):
        peer.quiet()
    door = Peer(echo, "/publish")
    door.text("news\nfirst\nsecond line")
    t.equal(member.frame(), (TEXT, b"first\nsecond line"), "payload_is_what_follows_the_first_line")
    door.binary(b"news\n\x00\xff\n")
    t.equal(member.frame(), (BINARY, b"\x00\xff\n"), "publish_keeps_the_opcode")
    door.text("news\n")
    t.equal(member.frame(), (TEXT, b""), "empty_payload_is_published")
    door.text("nobody is here\nhello")
    t.ok(door.quiet(), "publishing_to_a_room_that_is_not_there_does_no_harm")
    t.ok(other.quiet(), "publishing_reaches_no_other_room")
    name = "n" * 255
    long = Peer(echo, "/room/" + name)
    long.quiet()
    door.text(name + "\nlong")
    t.equal(long.frame(), (TEXT, b"long"), "name_of_255_bytes_is_published_to")
    for bad, why in ((b"no line feed", "without_a_line_feed"), (b"", "that_is_empty"),
                     (b"\npayload", "with_an_empty_name"), (b"a/b\npayload", "with_a_slash"),
                     (b"n" * 256 + b"\npayload", "with_a_name_of_256_bytes")):
        for opcode in (TEXT, BINARY):
            with Peer(echo, "/publish") as peer:
                peer.put(opcode, bad)
                t.equal(peer.closed(), (1008, "fin"), f"publish_{why}_is_closed_with_1008")
    t.ok(member.quiet(), "bad_publishes_reach_nobody")
    for peer in (member, other, door, long):
        peer.end()


def names(t, echo):
    door = Peer(echo, "/publish")
    for path, name in (("plain", b"plain"), ("a%20b", b"a b"), ("%41%42", b"AB"),
                       ("%e4%b8%96", "\u4e16".encode()), ("%00", b"\x00"), ("%ff%FE", b"\xff\xfe"),
                       ("100%25", b"100%"), ("a+b", b"a+b"), ("%3f", b"?"), ("..", b".."),
                       ("~!$&'()*,;=:@-._", b"~!$&'()*,;=:@-._"), ("x" * 255, b"x" * 255),
                       ("%78" * 255, b"x" * 255), ("q?query=1", b"q"), ("q?/a/b", b"q")):
        with Peer(echo, "/room/" + path) as member:
            member.quiet()
            door.binary(name + b"\nhello")
            t.equal(member.frame(), (BINARY, b"hello"), f"room_{path[:20]}_is_named_{name[:20]!r}")
    one, two = Peer(echo, "/room/%61"), Peer(echo, "/room/a")
    one.quiet()
    two.text("same")
    t.equal(one.frame(), (TEXT, b"same"), "name_and_its_percent_form_are_one_room")
    one, two = Peer(echo, "/room/A"), Peer(echo, "/room/a")
    one.quiet()
    two.text("other")
    t.ok(one.quiet(), "names_differ_by_case")

    # A line feed ends the name on /publish, so this room can be joined but not published to.
    with Peer(echo, "/room/a%0ab") as member:
        t.ok(member.quiet(), "room_with_a_line_feed_can_be_joined")

    # 400: not a path by RFC 3986. 404: a path, but not of a room.
    for path, statuses in (("", (404,)), ("a/b", (404,)), ("a/", (404,)), ("/", (404,)),
                           ("%2f", (400, 404)), ("a%2Fb", (400, 404)), ("x" * 256, (400, 404)),
                           ("%", (400,)), ("%4", (400,)), ("%zz", (400,)), ("a%", (400,))):
        with Peer(echo) as peer:
            peer.ask("/room/" + path)
            status, headers, body = peer.answer()
            t.ok(status in statuses and headers["content-type"] == "application/json",
                 f"room_{path[:10]}_is_refused", f"got {status} {headers} {body}")
    with Peer(echo) as peer:
        peer.ask(b"/room/\xff\xfe")
        t.ok(peer.answer()[0] == 400, "raw_bytes_in_the_target_are_400")


def deaths(t, echo):
    """A member that is killed does not disturb the others."""
    members = [Peer(echo, "/room/d") for _ in range(6)]
    for member in members:
        member.quiet()
    members[0].end(reset=True)
    members[1].end()
    members[2].send(frame(TEXT, b"cut off here")[:7])
    members[2].end(reset=True)
    members[3].send(b"\xff\xff\xff\xff")
    for i in range(50):
        members[4].text(str(i))
    t.equal([p for _, p in hears(members[5], 50)], [str(i).encode() for i in range(50)],
            "rest_get_all_when_members_die")
    got = []
    try:
        while True:
            got.append(members[3].frame())
    except Gone:
        pass
    t.ok(got and got[-1][0] == CLOSE and got[-1][1][:2] == b"\x03\xea",
         "broken_member_is_told_1002", got[-3:])


def main():
    t = Tap()
    with Echo() as echo:
        for part in (broadcasts, publishes, names, deaths):
            part(t, echo)
    t.equal((echo.end(), echo.errors), (0, ""), "server_ends_well")
    t.end()


main()
