# SPDX-License-Identifier: MIT
"""The fallback doors of examples/cards: long polls and Server-Sent Events on the history of the
board, for clients that cannot use WebSocket."""
import http.client
import json
import socket
import threading
import time

from cards import PATIENCE, Cards, Tap


def position(cards):
    board = cards.ask("GET", "/api/cards")[1]
    return board["epoch"], board["offset"]


def poll(cards, epoch, offset, **how):
    return cards.ask("GET", f"/api/cards/poll?epoch={epoch}&offset={offset}", **how)


def titles(cards, count, first=0):
    """Renames card 1 so often, on one connection."""
    connection = http.client.HTTPConnection(*cards.address, timeout=PATIENCE)
    for i in range(first, first + count):
        fields = {"Authorization": f"Bearer {cards.token}"} if cards.token else {}
        connection.request("PATCH", "/api/cards/1", json.dumps({"title": f"t{i}"}), fields)
        connection.getresponse().read()
    connection.close()


class Later(threading.Thread):
    """A poll that waits."""

    def __init__(self, cards, *at):
        super().__init__(daemon=True)
        self.cards, self.at, self.answer = cards, at, None
        self.start()

    def run(self):
        try:
            self.answer = poll(self.cards, *self.at)[:2]
        except (OSError, http.client.HTTPException) as error:
            self.answer = error

    def result(self):
        self.join(PATIENCE)
        return self.answer


def waiting(cards, least, most=None):
    """Returns whether so many requests wait, in the end: the server says so."""
    end = time.monotonic() + PATIENCE
    while not least <= cards.stats()["waiters"] <= (most or least):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Stream:
    """Server-Sent Events: each is {id, event, data}; a comment is {}."""

    def __init__(self, cards, query="", token=None, **headers):
        self.connection = http.client.HTTPConnection(*cards.address, timeout=PATIENCE)
        if token:
            query += ("&" if query else "?") + "token=" + token
        self.connection.request("GET", "/api/cards/events" + query, headers={
            name.replace("_", "-"): value for name, value in headers.items()})
        self.response = self.connection.getresponse()

    def event(self, comments=False):
        while True:
            event = {}
            while (line := self.response.readline().decode()) not in ("\n", ""):
                name, _, value = line[:-1].partition(":")
                if name:
                    event[name] = json.loads(value) if name == "data" else value.strip()
            if event or comments or not line:
                return event if line else None

    def close(self):
        self.connection.close()
        self.response.close()


def polls(t):
    with Cards(env={"POLL_SECONDS": "1"}) as cards:
        epoch, offset = position(cards)
        for name, path in [("no_position", "/api/cards/poll"),
                           ("another_epoch", "/api/cards/poll?epoch=abc&offset=0"),
                           ("no_epoch", "/api/cards/poll?offset=0"),
                           ("no_offset", f"/api/cards/poll?epoch={epoch}"),
                           ("nonsense", f"/api/cards/poll?epoch={epoch}&offset=-1"),
                           ("an_offset_to_come", f"/api/cards/poll?epoch={epoch}&offset=7")]:
            t.equal(cards.ask("GET", path)[:2],
                    (200, {"messages": [], "epoch": epoch, "offset": offset, "recovered": False}),
                    f"poll_with_{name}_tells_the_position")
        for _ in range(2):  # nothing happens: the position is good for the next poll
            t.equal(poll(cards, epoch, 0)[1],
                    {"messages": [], "epoch": epoch, "offset": 0, "recovered": True},
                    "poll_of_a_quiet_board_ends_after_its_time")
        with cards.peer("/ws/cards") as peer:
            peer.hello()
            card = cards.ask("POST", "/api/cards", {"title": "x", "column_id": "plan"})[1]
            titles(cards, 2)
            heard = [peer.message() for _ in range(3)]
        t.equal(poll(cards, epoch, 0)[1],
                {"messages": heard, "epoch": epoch, "offset": 3, "recovered": True},
                "poll_has_the_messages_of_the_socket")
        t.equal([one["offset"] for one in poll(cards, epoch, 2)[1]["messages"]], [3],
                "poll_begins_behind_its_position")
        t.ok(card["id"] == "1" and heard[0]["data"] == card, "first_message_is_the_card")


def waits(t):
    with Cards("--demo") as cards:
        epoch, offset = position(cards)
        laters = [Later(cards, epoch, offset) for _ in range(20)]
        waiting(cards, 20)
        t.ok(all(one.is_alive() for one in laters), "polls_wait")
        titles(cards, 1)
        answers = [one.result() for one in laters]
        t.ok(all(status == 200 and body["recovered"] and body["offset"] == offset + 1 and
                 body["messages"][0]["data"]["title"] == "t0" for status, body in answers),
             "polls_end_with_the_next_message", answers[0])

        gone = Stream(cards, f"?epoch={epoch}&offset={offset + 1}", cards.token)
        gone.event(comments=True)
        waiting(cards, 1)
        gone.close()  # while it waits
        titles(cards, 2, 1)
        t.equal(cards.ask("GET", "/health")[0], 200, "client_that_leaves_while_it_waits_is_no_harm")

        later = Later(cards, epoch, offset + 3)
        stream = Stream(cards, f"?epoch={epoch}&offset={offset + 3}", cards.token)
        waiting(cards, 2)
        cards.signal()
        t.equal(later.result(), (200, {"messages": [], "epoch": epoch, "offset": offset + 3,
                                       "recovered": True}), "poll_ends_when_the_server_stops")
        t.equal(stream.event(), None, "stream_ends_when_the_server_stops")
        stream.close()
        t.equal((cards.wait(), cards.errors), (0, ""), "server_ends_clean")


def histories(t):
    with Cards("--demo") as cards:
        epoch, offset = position(cards)
        titles(cards, 1001)
        t.equal(poll(cards, epoch, offset)[1],
                {"messages": [], "epoch": epoch, "offset": offset + 1001, "recovered": False},
                "poll_of_1001_messages_ago_is_not_recovered")
        got, at = [], offset + 1
        while at < offset + 1001:
            answer = poll(cards, epoch, at)[1]
            got += answer["messages"]
            t.ok(answer["recovered"] and 0 < len(answer["messages"]) <= 256 and
                 answer["offset"] == got[-1]["offset"], "part_leads_to_the_next", answer["offset"])
            at = answer["offset"]
        t.equal([one["data"]["title"] for one in got], [f"t{i}" for i in range(1, 1001)],
                "polls_get_1000_messages_in_order")
        stream = Stream(cards, f"?epoch={epoch}&offset={offset + 1}", cards.token)
        told = [stream.event() for _ in range(1000)]
        stream.close()
        t.equal([one["data"] for one in told], got, "stream_gets_the_same")
        t.ok(all(one["id"] == f"{epoch}:{one['data']['offset']}" for one in told),
             "id_is_the_position")


def streams(t):
    with Cards(env={"POLL_SECONDS": "1"}) as cards:
        epoch, _ = position(cards)
        first = Stream(cards)
        t.equal((first.response.status, first.response.headers["Content-Type"],
                 first.response.headers["Cache-Control"]),
                (200, "text/event-stream", "no-store"), "stream_says_what_it_is")
        t.equal(first.event(), {"id": f"{epoch}:0", "event": "subscribed",
                                "data": {"epoch": epoch, "offset": 0, "recovered": False}},
                "stream_without_a_position_tells_it")
        t.equal([first.event(comments=True) for _ in range(2)], [{}, {}],
                "quiet_stream_has_comments")
        cards.ask("POST", "/api/cards", {"title": "x", "column_id": "plan"})
        titles(cards, 3)
        told = [first.event() for _ in range(4)]
        t.equal([(one["id"], one["data"]["type"]) for one in told],
                [(f"{epoch}:{i}", "card_created" if i == 1 else "card_updated")
                 for i in range(1, 5)], "stream_gets_each_message_once")
        first.close()
        titles(cards, 1, 3)
        again = Stream(cards, f"?epoch={epoch}&offset=0", Last_Event_ID=told[-1]["id"])
        t.equal(again.event()["id"], f"{epoch}:5", "stream_resumes_behind_the_last_event_id")
        again.close()
        for name, query, last in [("another_epoch", "?epoch=abc&offset=1", None),
                                  ("an_id_to_come", "", f"{epoch}:9"), ("a_bad_id", "", "x:y")]:
            lost = Stream(cards, query, **({"Last_Event_ID": last} if last else {}))
            t.equal(lost.event(), {"id": f"{epoch}:5", "event": "subscribed",
                                   "data": {"epoch": epoch, "offset": 5, "recovered": False}},
                    f"stream_from_{name}_is_told_that_messages_are_missing")
            lost.close()


def tokens(t):
    with Cards("--demo") as cards:
        for path in ("poll", "events"):
            for name, given in [("without_a_token", ""), ("with_a_bad_token", "&token=1.2")]:
                status = cards.ask("GET", f"/api/cards/{path}?epoch=a&offset=1{given}",
                                   token=None)[0]
                t.equal(status, 401, f"{path}_{name}_is_401")
        query = f"/api/cards/poll?epoch=a&offset=1&token={cards.token}"
        t.equal(cards.ask("GET", query, token=None)[0], 200, "poll_with_a_token_in_its_url_is_200")
        stream = Stream(cards, token=cards.token)
        t.equal((stream.response.status, stream.event()["event"]), (200, "subscribed"),
                "stream_with_a_token_in_its_url_is_200")
        stream.close()
        for method in ("POST", "PUT", "DELETE"):
            t.equal(cards.ask(method, "/api/cards/poll")[0], 405, f"{method}_of_a_poll_is_405")


def read_all(connection):
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    connection.close()
    return answer


def crowds(t):
    """The server has 24 HTTP connections: those who wait give way to others. No wait ends by itself:
    whoever has to give way is told to."""
    with Cards(descriptors=100, env={"POLL_SECONDS": "3600"}) as cards:
        epoch, _ = position(cards)
        polls_ = [socket.create_connection(cards.address, PATIENCE) for _ in range(100)]
        for one in polls_:
            one.sendall(f"GET /api/cards/poll?epoch={epoch}&offset=0 HTTP/1.1\r\n"
                        "Host: localhost\r\nConnection: close\r\n\r\n".encode())
        try:
            answers = [cards.ask("GET", "/health")[0] for _ in range(10)]
        except (OSError, http.client.HTTPException) as error:
            t.ok(False, "others_are_answered", repr(error))
            return
        t.equal(answers, [200] * 10, "others_are_answered")
        t.ok(waiting(cards, 5, 23), "those_that_wait_are_as_many_as_there_are_places")  # and ours
        cards.ask("POST", "/api/cards", {"title": "x", "column_id": "plan"})
        ended = [read_all(one) for one in polls_]
        t.ok(sum(b"card_created" in one for one in ended) >= 5, "those_that_wait_get_the_message")


def main():
    t = Tap()
    for act in (polls, waits, histories, streams, tokens, crowds):
        act(t)
    t.end()


main()
