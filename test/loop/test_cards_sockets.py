#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_cards_sockets.py - the sockets of examples/cards, spoken to with the websockets package
of Python: every message of the contract, both names of each path, who is let in, two thousand at
once, and how the server ends and begins again."""
import asyncio
import json
import os
import re
import resource
import signal
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from cards import Cards, FIRST, Member, PATIENCE, Tap  # noqa: E402
from echo import Gone, Peer  # noqa: E402

try:
    import websockets
except ImportError:
    print("1..0 # SKIP python3-websockets is not installed")
    sys.exit(0)

PROTOCOL = "wspool.v1.json"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RECORD = 192 + 16  # bytes of the library's own for a peer and its channel


class Client:
    """One websockets connection that speaks the contract."""

    def __init__(self, cards, path, token=True, **options):
        token = cards.token if token is True else token
        if token:
            path += ("&" if "?" in path else "?") + "token=" + urllib.parse.quote(token)
        options.setdefault("subprotocols", [PROTOCOL])
        self.connecting = websockets.connect(cards.url.replace("http", "ws") + path,
                                             compression=None, **options)
        self.socket = None
        self.hello = None

    async def __aenter__(self):
        self.socket = await self.connecting.__aenter__()
        first, second = await self.get(), await self.get()
        assert (first["type"], second["type"]) == FIRST, (first, second)
        self.hello = (first["data"], second["data"])
        return self

    async def __aexit__(self, *why):
        await self.connecting.__aexit__(*why)

    async def get(self):
        message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        assert TIME.fullmatch(message["timestamp"]), message
        return message

    async def say(self, kind, **data):
        await self.socket.send(json.dumps({"type": kind, **({"data": data} if data else {})}))

    async def ask(self, kind, **data):
        """Returns the next message: {type, data}."""
        await self.say(kind, **data)
        answer = await self.get()
        return {"type": answer["type"], "data": answer["data"]}

    async def error_to(self, text):
        await self.socket.send(text)
        answer = await self.get()
        return answer["data"].get("code") if answer["type"] == "error" else answer

    async def quiet(self):
        """Asserts that nothing waits: only the answer to a ping comes."""
        return (await self.ask("ping"))["type"] == "pong"


async def ask(cards, *what, **how):
    """Plain HTTP beside the sockets."""
    return await asyncio.to_thread(cards.ask, *what, **how)


async def refused(cards, path, **options):
    """Returns the status with which a client is refused, or None if it is accepted."""
    try:
        async with Client(cards, path, **options):
            return None
    except websockets.InvalidStatusCode as error:
        return error.status_code


# ------------------------------------------------------------------ what is said

async def hellos(t, cards):
    for path, channel in [("/api/cards/ws", "global:cards"), ("/ws/cards", "global:cards"),
                          ("/api/execution/ws/1", "item:1"), ("/ws/execution/1", "item:1"),
                          ("/ws/execution/yet-to-come", "item:yet-to-come"),
                          ("/api/chat/ws/lobby", "session:lobby"),
                          ("/api/people/ws", "topic:people"),
                          ("/ws/chat/l%C3%B6bby", "session:l\u00f6bby"),
                          ("/ws/chat/a%20b", "session:a b")]:
        async with Client(cards, path) as client:
            first, second = client.hello
            t.ok(client.socket.subprotocol == PROTOCOL and first["connection"] and
                 first["heartbeat_seconds"] == 30 and first["server"].startswith("wspool/") and
                 first["action_epoch"].isalnum(),
                 f"{path}_is_greeted", first)
            t.ok(second["channel"] == channel and second["epoch"].isalnum() and
                 second["offset"] == 0 and "reason" not in second,
                 f"{path}_is_member_of_{channel.encode('ascii', 'replace').decode()}", second)
            t.ok(await client.quiet(), f"{path}_answers_a_ping")
    async with Client(cards, "/ws/cards", subprotocols=None) as client:
        t.ok(client.socket.subprotocol is None and await client.quiet(),
             "without_a_subprotocol_the_contract_is_the_same")
    async with Client(cards, "/ws/cards", subprotocols=["other", PROTOCOL]) as client:
        t.equal(client.socket.subprotocol, PROTOCOL, "subprotocol_is_chosen_among_others")


async def positions(t, cards):
    async with Client(cards, "/ws/cards") as one:
        board = (await ask(cards, "GET", "/api/cards"))[1]
        here = one.hello[1]
        t.equal((board["epoch"], board["offset"]), (here["epoch"], here["offset"]),
                "list_and_socket_agree_on_the_position")
        query = f"?epoch={board['epoch']}&offset={board['offset']}"
        async with Client(cards, "/ws/cards" + query) as two:
            t.equal(two.hello[1]["recovered"], True, "known_position_is_recovered")
        for name, query, reason in [
                ("another_epoch", "?epoch=abc&offset=1", "epoch_changed"),
                ("an_offset_to_come", f"?epoch={board['epoch']}&offset={board['offset'] + 5}",
                 "unknown_offset")]:
            async with Client(cards, "/ws/cards" + query) as two:
                t.equal((two.hello[1]["recovered"], two.hello[1]["reason"]), (False, reason),
                        f"position_of_{name}_is_not_recovered")


async def histories(t, cards):
    """Each channel keeps 1,000 messages: those who come back get what they have missed."""
    async with Client(cards, "/ws/chat/long?client=c") as client:
        for i in range(1001):
            await client.say("action", id=f"c-{i + 1}", name="chat", text=str(i))
        while (await client.get())["data"].get("id") != "c-1001":
            pass
        epoch = client.hello[1]["epoch"]
    async with Client(cards, f"/ws/chat/long?client=c&epoch={epoch}&offset=1") as client:
        t.equal((client.hello[1]["offset"], client.hello[1]["recovered"]), (1001, True),
                "position_of_1000_messages_ago_is_recovered")
        told = [await client.get() for _ in range(1000)]
        t.equal([(one["offset"], one["data"]["text"]) for one in told],
                [(i + 1, str(i)) for i in range(1, 1001)], "1000_missed_messages_come_in_order")
        await client.say("action", id="c-1002", name="chat", text="now")
        while (message := await client.get())["type"] != "chat_message":
            pass
        t.equal((message["offset"], message["data"]["text"]), (1002, "now"),
                "what_is_new_comes_behind_what_was_missed")
    async with Client(cards, f"/ws/chat/long?epoch={epoch}&offset=1") as client:
        t.equal((client.hello[1]["recovered"], client.hello[1]["reason"]), (False, "too_old"),
                "position_of_1001_messages_ago_is_too_old")
        t.ok(await client.quiet(), "nothing_old_comes_then")


async def boards(t, cards):
    async with Client(cards, "/api/cards/ws") as one, Client(cards, "/ws/cards") as two, \
            Client(cards, "/ws/execution/1") as elsewhere:
        start = (await ask(cards, "GET", "/api/cards"))[1]
        card = (await ask(cards, "POST", "/api/cards",
                          {"title": "sh\u00e4red", "column_id": "plan"}))[1]
        path = "/api/cards/" + card["id"]
        moved = (await ask(cards, "PATCH", path, {"column_id": "review"}))[1]
        await ask(cards, "PATCH", path, {"column_id": "nowhere"})
        await ask(cards, "DELETE", path)
        await ask(cards, "DELETE", path)
        wanted = [("card_created", card), ("card_updated", moved), ("card_deleted", moved)]
        for name, client in (("who_uses_the_new_path", one), ("who_uses_the_old_path", two)):
            got = [await client.get() for _ in wanted]
            t.equal([(m["type"], m["data"]) for m in got], wanted, f"{name}_hears_of_changes")
            t.equal([(m["channel"], m["epoch"], m["offset"]) for m in got],
                    [("global:cards", start["epoch"], start["offset"] + i) for i in (1, 2, 3)],
                    f"{name}_hears_them_with_their_position")
            t.ok(await client.quiet(), f"{name}_hears_nothing_of_what_was_refused")
        t.ok(await elsewhere.quiet(), "another_channel_hears_nothing")
        board = (await ask(cards, "GET", "/api/cards"))[1]
        t.equal((board["cards"], board["offset"]), (start["cards"], start["offset"] + 3),
                "list_has_the_position_of_the_last_change")


async def bursts(t, cards):
    """Two writers, two readers: all see the same messages in the same order, without a gap."""
    async with Client(cards, "/ws/cards") as one, Client(cards, "/ws/cards") as two:
        start = one.hello[1]["offset"]
        columns = ["backlog", "plan", "test", "done"]

        def write(card):
            for i in range(100):
                cards.ask("PATCH", f"/api/cards/{card}", {"column_id": columns[i % 4]})
        await asyncio.gather(asyncio.to_thread(write, 1), asyncio.to_thread(write, 2))
        seen = [[await client.get() for _ in range(200)] for client in (one, two)]
        t.equal([m["offset"] for m in seen[0]], list(range(start + 1, start + 201)),
                "offsets_have_no_holes")
        t.equal(seen[0], seen[1], "everybody_sees_the_same_in_the_same_order")


async def runs(t, cards):
    async with Client(cards, "/api/execution/ws/1") as one, \
            Client(cards, "/ws/execution/1") as two, Client(cards, "/ws/execution/2") as other, \
            Client(cards, "/ws/cards") as board:
        status, body, _ = await ask(cards, "POST", "/api/cards/1/run")
        t.equal((status, body), (202, {"card_id": "1", "percent": 0, "status": "running"}),
                "run_is_202")
        t.equal((await ask(cards, "POST", "/api/cards/1/run"))[:2],
                (409, {"error": "already_running"}), "run_of_a_running_card_is_409")
        steps = []
        while not steps or steps[-1]["data"]["status"] == "running":
            steps.append(await one.get())
        percents = [m["data"]["percent"] for m in steps]
        t.ok(percents == sorted(set(percents)) and percents[0] == 0 and percents[-1] == 100 and
             len(percents) > 10, "run_goes_from_0_to_100", percents)
        t.ok(all(m["type"] == "execution_progress" and m["channel"] == "item:1" and
                 set(m["data"]) == {"card_id", "percent", "status"} and m["data"]["card_id"] == "1"
                 for m in steps), "progress_names_its_card", steps)
        t.equal([m["data"]["status"] for m in steps], ["running"] * (len(steps) - 1) + ["done"],
                "run_ends_with_done")
        t.equal([(await two.get())["data"] for _ in steps], [m["data"] for m in steps],
                "everybody_on_the_card_sees_the_run")
        t.ok(await other.quiet() and await board.quiet(), "nobody_else_sees_it")
        t.equal((await ask(cards, "POST", "/api/cards/1/run"))[0], 202, "run_can_be_repeated")
        t.equal((await one.get())["data"]["percent"], 0, "repeated_run_begins_with_0")

        card = (await ask(cards, "POST", "/api/cards", {"title": "x", "column_id": "plan"}))[1]
        async with Client(cards, f"/ws/execution/{card['id']}") as third:
            await ask(cards, "POST", f"/api/cards/{card['id']}/run")
            await ask(cards, "DELETE", f"/api/cards/{card['id']}")
            t.equal([(await third.get())["data"]["status"] for _ in range(2)],
                    ["running", "cancelled"], "run_of_a_deleted_card_is_cancelled")
            t.ok(await third.quiet(), "cancelled_run_is_silent")


async def keyed(t, cards):
    """The channels whose newest message of each key is what is so now."""
    async def state(client, channel):
        return (await client.ask("subscribe", channel=channel, since={"offset": 0}))["data"]

    ann, bob = cards.mint("ann"), cards.mint("bob")
    async with Client(cards, "/ws/cards?client=a", token=ann) as one:
        t.equal((await state(one, "topic:people"))["recovered"], True, "people_can_be_asked_for")
        here = await one.get()
        t.equal((here["type"], here["data"]),
                ("person", {"name": "ann", "connection": one.hello[0]["connection"]}),
                "page_is_among_the_people")
        async with Client(cards, "/ws/cards?client=b", token=bob) as two:
            other = await one.get()
            t.ok(other["data"]["name"] == "bob" and other["key"] != here["key"],
                 "somebody_who_comes_is_told", other)
            async with Client(cards, "/ws/cards?client=b", token=cards.mint("rob")) as again:
                renamed = await one.get()
                t.equal((renamed["key"], renamed["data"]),
                        (other["key"],
                         {"name": "rob", "connection": again.hello[0]["connection"]}),
                        "who_reconnects_under_another_name_is_the_same_person")
            t.ok(await one.quiet() and await two.quiet(), "who_has_a_socket_left_is_still_there")
        gone = await one.get()
        t.equal((gone["key"], gone.get("removed"), gone["data"]), (other["key"], True, {}),
                "somebody_who_has_left_is_removed")
        async with Client(cards, "/ws/cards", token=bob), Client(cards, "/ws/chat/s9?client=c"):
            t.ok(await one.quiet(), "who_names_no_instance_or_only_chats_is_not_shown")

        card = (await ask(cards, "POST", "/api/cards", {"title": "r", "column_id": "plan"}))[1]
        await one.get()
        t.equal((await one.ask("subscribe", channel="topic:other"))["data"].get("code"),
                "not_allowed", "there_are_no_other_topics")

        async def step_of(client):
            while True:  # other cards may run, too
                step = await client.get()
                if step["key"] == card["id"]:
                    return step

        await state(one, "topic:runs")
        await ask(cards, "POST", f"/api/cards/{card['id']}/run")
        step = await step_of(one)
        t.equal((step["type"], step["key"], step["data"]),
                ("run", card["id"], {"card_id": card["id"], "percent": 0, "status": "running"}),
                "run_is_told_to_all")
        async with Client(cards, "/ws/cards") as late:
            await state(late, "topic:runs")
            seen = await step_of(late)
            t.ok(seen["data"]["status"] == "running", "who_comes_later_sees_where_it_is", seen)
        while not step.get("removed"):
            step = await step_of(one)
        t.equal(step["data"], {"card_id": card["id"], "percent": 100, "status": "done"},
                "run_that_ends_is_removed")


async def chats(t, cards):
    ann, bob = cards.mint("ann"), cards.mint("b\u00f6b")
    async with Client(cards, "/api/chat/ws/s1?client=c", token=ann) as one, \
            Client(cards, "/ws/chat/s1?client=c", token=bob) as two, \
            Client(cards, "/ws/chat/s2", token=bob) as other:
        await one.say("action", id="c-1", name="chat", text="hello \U0001F30D\n<b>")
        heard = await two.get()
        t.equal((heard["type"], heard["channel"], heard["offset"], heard["data"]),
                ("chat_message", "session:s1", 1,
                 {"session_id": "s1", "from": "ann", "connection": one.hello[0]["connection"],
                  "text": "hello \U0001F30D\n<b>"}),
                "chat_is_received_in_the_session_with_the_connection_of_its_author")
        both = {m["type"]: m["data"] for m in (await one.get(), await one.get())}
        t.equal(both, {"chat_message": heard["data"], "ack": {"id": "c-1", "result": "done"}},
                "speaker_hears_himself_and_is_acknowledged")
        t.equal(await one.ask("action", id="c-1", name="chat", text="again"),
                {"type": "ack", "data": {"id": "c-1", "result": "repeated"}},
                "repeated_action_is_acknowledged")
        t.ok(await two.quiet(), "repeated_action_is_not_done_again")
        await two.say("action", id="c-1", name="chat", text="x" * 1000)
        heard = await one.get()
        t.equal((heard["data"]["from"], len(heard["data"]["text"])), ("b\u00f6b", 1000),
                "chat_of_1000_characters_is_received")
        t.ok(await other.quiet(), "another_session_hears_nothing")
        for name, text in (("nothing", ""), ("blanks", " \n"), ("1001_characters", "x" * 1001),
                           ("a_number", 7), ("null", None), ("an_escape", "\x1b[2J")):
            answer = await one.ask("action", id="c-2", name="chat", text=text)
            t.equal((answer["type"], answer["data"].get("code"), answer["data"].get("id")),
                    ("error", "bad_text", "c-2"), f"chat_of_{name}_is_bad_text")
        answer = await one.ask("action", id="c-2", name="chat")
        t.equal(answer["data"]["code"], "bad_text", "chat_without_text_is_bad_text")
    async with Client(cards, "/ws/chat/s1?client=c", token=ann) as again:
        t.equal(await again.ask("action", id="c-1", name="chat", text="again"),
                {"type": "ack", "data": {"id": "c-1", "result": "repeated"}},
                "action_is_repeated_on_another_connection")
        t.equal(await again.ask("action", id="c-3", name="nothing"),
                {"type": "error", "data": {"code": "unknown_action", "id": "c-3", "retry": False,
                                           "message": "there is no handler for this action"}},
                "unknown_action_names_its_id")
    for path in ("/ws/cards", "/ws/execution/1"):
        async with Client(cards, path + "?client=d") as client:
            answer = await client.ask("action", id="d-1", name="chat", text="hello")
            t.equal((answer["type"], answer["data"]["code"]), ("error", "not_in_session"),
                    f"chat_on_{path}_is_not_in_session")


async def subscriptions(t, cards):
    async with Client(cards, "/ws/chat/s") as client:
        answer = await client.ask("subscribe", channel="global:cards")
        t.equal((answer["type"], answer["data"]["channel"]), ("subscribed", "global:cards"),
                "board_can_be_subscribed_to")
        answer = await client.ask("subscribe", channel="item:2")
        t.equal((answer["type"], answer["data"]["channel"]), ("subscribed", "item:2"),
                "card_can_be_subscribed_to")
        await ask(cards, "PATCH", "/api/cards/2", {"title": "told to all"})
        t.equal((await client.get())["type"], "card_updated", "subscribed_board_is_received")
        t.equal(await client.ask("unsubscribe", channel="global:cards"),
                {"type": "unsubscribed", "data": {"channel": "global:cards"}},
                "board_can_be_left")
        await ask(cards, "PATCH", "/api/cards/2", {"title": "told to others"})
        t.ok(await client.quiet(), "board_that_was_left_is_not_received")
        for name, channel, code in [
                ("an_unknown_card", "item:999", "not_allowed"),
                ("another_board", "global:other", "not_allowed"),
                ("somebodys_session", "session:other", "not_allowed"),
                ("a_topic", "topic:cards", "not_allowed"), ("no_kind", "cards", "bad_channel"),
                ("an_unknown_kind", "room:1", "bad_channel"), ("a_number", 7, "bad_channel")]:
            answer = await client.ask("subscribe", channel=channel)
            t.equal((answer["type"], answer["data"].get("code"), answer["data"].get("retry")),
                    ("error", code, False), f"subscribing_to_{name}_is_{code}")
        answer = await client.ask("unsubscribe", channel="item:1")
        t.equal(answer["data"]["code"], "not_subscribed", "leaving_what_was_not_joined_is_an_error")
        here = (await client.ask("subscribe", channel="global:cards"))["data"]
        since = {"epoch": here["epoch"], "offset": here["offset"]}
        await client.ask("unsubscribe", channel="global:cards")
        answer = await client.ask("subscribe", channel="global:cards",
                                  since={**since, "epoch": "abc"})
        t.equal((answer["data"]["recovered"], answer["data"]["reason"]), (False, "epoch_changed"),
                "since_another_epoch_is_not_recovered")
    async with Client(cards, "/ws/cards") as client:
        ids = []
        for _ in range(130):
            ids.append((await ask(cards, "POST", "/api/cards",
                                  {"title": "x", "column_id": "done"}))[1]["id"])
            await client.get()
        answers = [await client.ask("subscribe", channel=f"item:{i}") for i in ids]
        codes = [a["data"].get("code", a["type"]) for a in answers]
        t.equal(codes, ["subscribed"] * 127 + ["too_many_channels"] * 3,
                "channel_129_is_too_many")
        for i in ids:
            await ask(cards, "DELETE", f"/api/cards/{i}")


async def nonsense(t, cards):
    async with Client(cards, "/ws/cards?client=n") as client:
        deep = "[" * 15 + "]" * 15
        for name, text, code in [
                ("no_json", "hello", "malformed"), ("an_empty_text", "", "malformed"),
                ("an_array", "[]", "malformed"), ("a_string", '"ping"', "malformed"),
                ("no_type", "{}", "malformed"),
                ("a_type_that_is_a_number", '{"type":1}', "malformed"),
                ("data_that_is_a_list", '{"type":"ping","data":[]}', "malformed"),
                ("a_doubled_member", '{"type":"ping","type":"ping"}', "malformed"),
                ("too_deep", '{"type":"ping","data":{"x":' + deep + "}}", "malformed"),
                ("far_too_deep", "[" * 60000, "malformed"),
                ("an_unknown_type", '{"type":"nobody"}', "unknown_type"),
                ("a_servers_type", '{"type":"card_created","data":{"id":"1"}}', "unknown_type"),
                ("auth_with_no_token", '{"type":"auth","data":{"token":"x"}}', "token_refused"),
                ("an_unknown_action", '{"type":"action","data":{"id":"n-1","name":"fly"}}',
                 "unknown_action"),
                ("an_action_without_id", '{"type":"action","data":{"name":"chat"}}', "bad_id"),
                ("an_action_without_name", '{"type":"action","data":{"id":"n-1"}}', "malformed"),
                ("an_action_without_data", '{"type":"action"}', "malformed"),
                ("a_subscribe_without_channel", '{"type":"subscribe"}', "bad_channel")]:
            t.equal(await client.error_to(text), code, f"{name}_is_{code}")
        t.ok(await client.quiet(), "nonsense_does_no_harm")
        await client.socket.send(b"binary")
        try:
            await client.get()
            t.ok(False, "binary_is_closed_with_1003", "something came")
        except websockets.ConnectionClosed as closed:
            t.equal(closed.rcvd.code, 1003, "binary_is_closed_with_1003")
    async with Client(cards, "/ws/cards") as client:
        await client.socket.send("x" * 65537)
        try:
            await client.get()
            t.ok(False, "message_above_64_KiB_is_closed_with_1009", "something came")
        except websockets.ConnectionClosed as closed:
            t.equal(closed.rcvd.code, 1009, "message_above_64_KiB_is_closed_with_1009")


# ---------------------------------------------------------------------- way in

async def doors(t, cards):
    token = cards.token
    bearer = {"Authorization": f"Bearer {token}"}
    t.equal([await refused(cards, "/ws/cards", token=None),
             await refused(cards, "/ws/cards?token=", token=None),
             await refused(cards, "/ws/cards", token="wrong")], [401, 401, 401],
            "socket_without_a_good_token_is_401")
    t.equal([await refused(cards, "/ws/cards", token=None, extra_headers=bearer),
             await refused(cards, "/ws/cards", token=None,
                           subprotocols=[PROTOCOL, "bearer." + token]),
             await refused(cards, "/ws/cards", token=None,
                           extra_headers={"Cookie": "wspool_token=" + token},
                           origin=cards.url)], [None, None, None],
            "token_is_found_in_each_of_its_places")
    for path, options, wanted in [
            ("/ws/cards", {}, (401, "empty_token")),
            ("/ws/cards?token=%20", {}, (401, "empty_token")),
            ("/ws/cards?token=wrong", {}, (401, "malformed")),
            (f"/ws/cards?token={token}", {"Origin": "http://evil.example"}, (403, "origin")),
            (f"/ws/cards?token={token}", {"Host": "evil.example", "Origin": "http://evil.example"},
             (421, "host")),
            (f"/ws/cards?token={token}", {"Sec_WebSocket_Version": "8"},
             (426, "websocket_version")),
            (f"/ws/cards?token={token}", {"Sec_WebSocket_Key": "test"}, (400, "bad_key")),
            (f"/ws/cards?token={token}", {"Upgrade": "h2c"}, (426, "upgrade_required")),
            (f"/ws/cards?token={token}", {"drop": ("Host",)}, (400, "bad_host")),
            (f"/ws/cards?token={token}", {"Content_Length": "0"}, (101, None)),
            (f"/ws/cards?token={token}", {"version": "HTTP/1.0"}, (505, "http_version")),
            (f"/ws/chat/?token={token}", {}, (404, "no_route")),
            (f"/ws/chat/{'x' * 256}?token={token}", {}, (404, "no_route"))]:
        got = await asyncio.to_thread(cards.refused, path, **options)
        t.equal(got, wanted, f"{path.split('?')[0][:20]}_{'_'.join(options)}_is_{wanted[0]}")

    def pipelined():
        """Frames in one piece with the request, the last of them cut in two; white space."""
        frame = {"type": "action", "data": {"id": "p-1", "name": "chat", "text": "early"}}
        with Member(cards) as peer:
            parts = []
            peer.send = parts.append
            peer.ask(f"/ws/chat/p?client=p&token={token}", Sec_WebSocket_Version=" 13 \t")
            peer.text(json.dumps(frame))
            parts.append(b"\x89")
            del peer.send
            peer.send(b"".join(parts))
            headers = peer.answer()[1]
            channel = peer.hello()["channel"]
            heard = sorted(peer.message()["type"] for _ in range(2))
            peer.send(b"\x80\0\0\0\0")
            return headers["connection"], channel, heard, peer.frame()
    t.equal(await asyncio.to_thread(pipelined),
            ("Upgrade", "session:p", ["ack", "chat_message"], (10, b"")),
            "what_came_with_the_request_is_not_lost")


async def limits(t):
    with Cards("--demo", env={"MAX_WEBSOCKET_CONNECTIONS": "3"}) as cards:
        peers = [cards.peer("/ws/cards") for _ in range(3)]
        t.equal(cards.refused("/ws/cards?token=" + cards.token), (503, "full"),
                "one_more_than_the_limit_is_503")
        status, body, headers = cards.ask("GET", "/health")
        t.equal((status, body["connections"]), (200, 3), "health_answers_when_it_is_full")
        peers[0].end()
        for _ in range(100):
            got = cards.refused("/ws/cards?token=" + cards.token)
            if got[0] == 101:
                break
            await asyncio.sleep(0.05)
        t.equal(got, (101, None), "there_is_room_again_when_one_has_gone")
        for peer in peers[1:]:
            peer.end()
    t.equal((cards.status, cards.errors), (0, ""), "limited_server_ends_clean")
    with Cards("--demo", descriptors=100) as cards:
        peers, refusal = [], ""
        try:
            while len(peers) < 100:
                peers.append(cards.peer("/ws/cards"))
        except RuntimeError as error:
            refusal = str(error)
        t.ok("503" in refusal and "capacity" in refusal and 20 < len(peers) < 60,
             "descriptors_are_kept_for_http", len(peers), refusal)
        t.equal([cards.ask("GET", "/health")[0] for _ in range(20)], [200] * 20,
                "health_answers_when_descriptors_are_scarce")
        for peer in peers:
            peer.end()
    t.equal((cards.status, cards.errors), (0, ""), "scarce_server_ends_clean")


def heap_of(cards):
    cards.ask("GET", "/health")  # what is left of the last request is put away
    return cards.stats()["heap_bytes"]


def many(t):
    """2,000 idle peers: their memory, and the delay that they cause for plain HTTP."""
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count + 1000:
        t.ok(True, f"two_thousand_peers # SKIP only {hard} descriptors")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Cards("--demo", env={"MAX_WEBSOCKET_CONNECTIONS": "5000"}, release=True) as cards:
        def health():
            began = time.monotonic()
            good = cards.ask("GET", "/health")[0] == 200
            return time.monotonic() - began if good else PATIENCE

        def join(how_many):
            for _ in range(how_many):
                peers.append(cards.peer("/ws/cards"))
                peers[-1].hello()

        peers = []
        join(1)  # the first makes buffers that serve all
        before, usual = heap_of(cards), sorted(health() for _ in range(50))
        join(count)
        each = (heap_of(cards) - before) / count
        full = sorted(health() for _ in range(50))
        idle = [Peer(cards) for _ in range(1100)]  # plain connections that say nothing
        t.ok(health() < 10, "health_answers_beside_eleven_hundred_idlers")
        for peer in idle:
            peer.end()
        print(f"# /health: median {usual[25] * 1e3:.2f} ms, with {count} peers "
              f"{full[25] * 1e3:.2f} ms, slowest {full[-1] * 1e3:.2f} ms")
        print(f"# heap: {each:.0f} bytes a peer, {RECORD} of them the library's record and channel")
        t.ok(full[-1] < 1, "health_answers_beside_two_thousand_peers", full)
        t.ok(0 < each - RECORD < 300, "idle_peer_has_less_than_300_bytes_beside_its_record", each)
        stats = cards.stats()
        t.equal((stats["peers"], stats["memberships"]), (count + 1, count + 1),
                "two_thousand_are_members")
        cards.ask("PATCH", "/api/cards/1", {"title": "to all"})
        heard = [peer.message()["data"]["title"] for peer in peers]
        t.equal(heard, ["to all"] * (count + 1), "two_thousand_hear_of_a_change")

        for peer in peers:
            peer.end()
        seen = []
        for _ in range(4):  # what is left when they have gone does not grow
            peers = []
            join(500)
            for peer in peers:
                peer.end()
            while cards.stats()["peers"] > 0:
                time.sleep(0.02)
            seen.append(heap_of(cards))
        t.ok(seen[-1] - seen[1] < 500 * 33, "peers_that_left_leave_nothing_behind", seen)
        cards.signal()
        t.equal((cards.wait(), cards.errors), (0, ""), "server_of_two_thousand_ends_clean")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ----------------------------------------------------------------- end and begin

def endings(t):
    with Cards("--demo") as cards:
        polite, rude = cards.peer("/ws/cards"), cards.peer("/ws/chat/x")
        polite.hello(), rude.hello()
        cards.signal()
        told = polite.message()
        t.ok(told["type"] == "draining" and 0 < told["data"]["seconds"] <= 5,
             "peers_are_told_of_the_end", told)
        t.equal((cards.ask("GET", "/health")[:2], cards.refused("/ws/cards?token=" + cards.token)),
                ((503, {"status": "unhealthy", "reason": "draining"}), (503, "draining")),
                "nobody_comes_in_during_the_end")
        t.equal(polite.closed()[0], 4200, "peers_are_closed_with_4200")
        began = time.monotonic()
        t.equal((cards.wait(), cards.errors), (0, ""), "end_does_not_wait_for_who_does_not_answer")
        t.ok(time.monotonic() - began < 6, "end_takes_five_seconds_at_most")
        rude.end()
    with Cards("--demo") as cards:
        rude = cards.peer("/ws/cards")
        rude.hello()
        cards.signal()
        rude.message()
        began = time.monotonic()
        cards.signal(signal.SIGINT)
        t.equal((cards.wait(), cards.errors), (0, ""), "second_signal_ends_it_clean")
        t.ok(time.monotonic() - began < 2, "second_signal_ends_it_at_once")
        rude.end()
    with Cards("--demo") as cards:
        began = time.monotonic()
        cards.signal()
        t.equal((cards.wait(), cards.errors), (0, ""), "server_without_peers_ends_clean")
        t.ok(time.monotonic() - began < 2, "server_without_peers_ends_at_once")


def restart(t):
    with Cards("--demo") as cards:
        port, old = cards.address[1], cards.token
        with cards.peer("/ws/cards") as peer:
            peer.hello()
            cards.ask("PATCH", "/api/cards/1", {"title": "before"})
            last = peer.message()
            cards.process.kill()  # no goodbye: connections linger on this port
            cards.wait()
            try:
                peer.message()
                t.ok(False, "killed_server_says_nothing", "it did")
            except Gone:
                t.ok(True, "killed_server_says_nothing")
    with Cards("--demo", port=port) as cards:
        t.equal(cards.address[1], port, "server_begins_again_on_its_port")
        t.equal(cards.ask("GET", "/api/cards", token=old)[0], 401, "old_tokens_are_good_no_more")
        query = f"?epoch={last['epoch']}&offset={last['offset']}"
        with cards.peer("/ws/cards" + query) as peer:
            here = peer.hello()
            t.equal((here["recovered"], here["reason"]), (False, "epoch_changed"),
                    "who_comes_back_is_told_that_all_is_new")
            board = cards.ask("GET", "/api/cards")[1]
            cards.ask("PATCH", "/api/cards/1", {"title": "after"})
            told = peer.message()
            t.equal((told["epoch"], told["offset"]), (board["epoch"], board["offset"] + 1),
                    "list_and_messages_fit_together_again")
        with cards.peer("/ws/chat/s?client=c") as peer:
            peer.hello()
            t.equal([peer.answer_to("action", id=i, name="chat", text="")["data"].get(member)
                     for i, member in (("c-7", "result"), ("c-7", "next"), ("c-71", "code"))],
                    ["in_doubt", 71, "bad_text"], "action_of_before_is_in_doubt")
    t.equal((cards.status, cards.errors), (0, ""), "restarted_server_ends_clean")


async def talk(t):
    with Cards("--demo") as cards:
        for act in (hellos, positions, histories, boards, bursts, runs, keyed, chats,
                    subscriptions, nonsense, doors):
            await act(t, cards)
        cards.signal()
        t.equal((await asyncio.to_thread(cards.wait), cards.errors), (0, ""), "it_ends_clean")
    await limits(t)


def main():
    t = Tap()
    asyncio.run(talk(t))
    many(t)
    endings(t)
    restart(t)
    t.end()


main()
