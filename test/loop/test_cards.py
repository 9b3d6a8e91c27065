#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_cards.py - the plain HTTP of examples/cards: every endpoint, every status, the pages,
the tokens, the options, and what it says of itself."""
import os
import re
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from cards import Cards, PATIENCE, Peer, Tap, environment, program, signed  # noqa: E402
from tap import run  # noqa: E402

COLUMNS = ["backlog", "plan", "implement", "test", "review", "done"]


def why(answer):
    """Returns (status, reason) of an error."""
    status, body, _ = answer
    return status, body.get("error") if isinstance(body, dict) else body


# ------------------------------------------------------------------------ cards

def cards_change(t, cards):
    status, board, headers = cards.ask("GET", "/api/cards")
    t.ok(status == 200 and len(board["cards"]) > 3, "demo_begins_with_some_cards", board)
    t.ok(all(set(c) == {"id", "title", "column_id"} for c in board["cards"]) and
         {c["column_id"] for c in board["cards"]} == set(COLUMNS),
         "sample_cards_are_in_every_column", board)
    t.ok(re.fullmatch("[0-9a-z]+", board["epoch"]) and board["offset"] == 0,
         "list_has_a_position", board)
    t.equal((headers["Content-Type"], headers["Cache-Control"], headers["X-Content-Type-Options"]),
            ("application/json", "no-store", "nosniff"), "answers_are_json_and_not_kept")

    before = len(board["cards"])
    status, card, _ = cards.ask("POST", "/api/cards", {"title": "Grün 🌍", "column_id": "plan"})
    t.ok(status == 201 and card["title"] == "Grün 🌍" and card["column_id"] == "plan" and
         card["id"], "card_is_created", card)
    path = "/api/cards/" + card["id"]
    t.equal(cards.ask("PATCH", path, {"column_id": "done"})[:2],
            (200, {**card, "column_id": "done"}), "card_is_moved")
    t.equal(cards.ask("PATCH", path, {"title": "new"})[:2],
            (200, {"id": card["id"], "title": "new", "column_id": "done"}), "card_is_renamed")
    board = cards.ask("GET", "/api/cards")[1]
    t.equal(board["cards"][before:], [{"id": card["id"], "title": "new", "column_id": "done"}],
            "list_shows_what_was_changed")
    t.equal(cards.ask("DELETE", path)[:2], (204, b""), "card_is_deleted")
    t.equal(why(cards.ask("DELETE", path)), (404, "unknown_card"), "card_is_deleted_once_only")
    status, again, _ = cards.ask("POST", "/api/cards", {"title": "x", "column_id": "plan"})
    t.ok(status == 201 and again["id"] != card["id"], "no_id_is_used_twice", again)
    cards.ask("DELETE", "/api/cards/" + again["id"])
    t.equal(cards.ask("HEAD", "/api/cards")[:2], (200, b""), "head_is_answered_without_a_body")


def cards_malformed(t, cards):
    good = {"title": "x", "column_id": "plan"}
    board = cards.ask("GET", "/api/cards")[1]
    for column in COLUMNS:
        status, card, _ = cards.ask("POST", "/api/cards", {**good, "column_id": column})
        t.equal((status, cards.ask("DELETE", "/api/cards/" + card["id"])[0]), (201, 204),
                f"column_{column}_is_known")
    for name, title in (("200_characters", "ü" * 200), ("200_characters_of_4_bytes", "🌍" * 200),
                        ("quotes", "\"<b>'&\\"), ("one_character", "x"),
                        ("a_family", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
                        ("right_to_left_letters", "\u05e9\u05dc\u05d5\u05dd")):
        status, card, _ = cards.ask("POST", "/api/cards", {**good, "title": title})
        t.equal((status, card.get("title")), (201, title), f"title_of_{name}_is_taken")
        cards.ask("DELETE", "/api/cards/" + card["id"])
    cases = [
        ("nothing", b"", "malformed"), ("no_json", "hello", "malformed"),
        ("half_of_it", '{"title": "x"', "malformed"), ("an_array", [good], "malformed"),
        ("a_string", '"x"', "malformed"), ("null", "null", "malformed"),
        ("two_objects", '{"title":"x","column_id":"plan"} {}', "malformed"),
        ("a_title_twice", '{"title":"x","title":"y","column_id":"plan"}', "malformed"),
        ("no_utf8", b'{"title":"\xff","column_id":"plan"}', "malformed"),
        ("half_a_surrogate", '{"title":"\\ud800","column_id":"plan"}', "malformed"),
        ("a_nul_in_it", '{"title":"a\\u0000b","column_id":"plan"}', "malformed"),
        ("endless_depth", "[" * 60000, "malformed"),
        ("no_title", {"column_id": "plan"}, "bad_title"),
        ("an_empty_title", {**good, "title": ""}, "bad_title"),
        ("a_blank_title", {**good, "title": "  "}, "bad_title"),
        ("a_title_of_zero_width_spaces", {**good, "title": "\u200b\u200b"}, "bad_title"),
        ("a_title_that_shows_nothing", {**good, "title": "\u2800 \u3164\u00ad\U000e0041"},
         "bad_title"),
        ("a_title_with_a_control_of_8_bits", {**good, "title": "a\x9bb"}, "bad_title"),
        ("a_title_that_is_a_number", {**good, "title": 7}, "bad_title"),
        ("a_title_that_is_null", {**good, "title": None}, "bad_title"),
        ("a_title_of_201_characters", {**good, "title": "ü" * 201}, "bad_title"),
        ("a_title_with_a_line_feed", {**good, "title": "a\nb"}, "bad_title"),
        ("a_title_with_an_escape", {**good, "title": "a\x1bb"}, "bad_title"),
        ("no_column", {"title": "x"}, "bad_column"),
        ("an_unknown_column", {**good, "column_id": "nowhere"}, "bad_column"),
        ("a_column_in_capitals", {**good, "column_id": "PLAN"}, "bad_column"),
        ("a_column_that_is_a_list", {**good, "column_id": ["plan"]}, "bad_column"),
        ("an_unknown_member", {**good, "colour": "red"}, "unknown_member"),
        ("an_id_of_its_own", {**good, "id": "7"}, "unknown_member"),
    ]
    for name, body, reason in cases:
        t.equal(why(cards.ask("POST", "/api/cards", body)), (400, reason),
                f"card_of_{name}_is_400_{reason}")
    one = "/api/cards/" + board["cards"][0]["id"]
    for name, body, reason in [
            ("nothing", b"", "malformed"), ("no_change", {}, "nothing_to_change"),
            ("a_bad_title_beside_a_good_column", {"title": "", "column_id": "done"}, "bad_title"),
            ("a_bad_column_beside_a_good_title", {"title": "y", "column_id": ""}, "bad_column"),
            ("an_unknown_member", {"title": "y", "x": 1}, "unknown_member")]:
        t.equal(why(cards.ask("PATCH", one, body)), (400, reason),
                f"change_of_{name}_is_400_{reason}")
    t.equal(cards.ask("GET", "/api/cards")[1]["cards"], board["cards"],
            "what_was_refused_has_changed_nothing")


def cards_too_many(t):
    with Cards("--demo") as cards:
        card = {"title": "x", "column_id": "plan"}
        statuses = []
        while not statuses or statuses[-1] == 201:
            statuses.append(cards.ask("POST", "/api/cards", card)[0])
        board = cards.ask("GET", "/api/cards")[1]["cards"]
        t.equal((len(board), why(cards.ask("POST", "/api/cards", card))),
                (1000, (409, "too_many_cards")), "card_1001_is_409")
        cards.ask("DELETE", "/api/cards/" + board[500]["id"])
        t.equal(cards.ask("POST", "/api/cards", card)[0], 201, "there_is_room_again_after_a_delete")
    t.equal((cards.status, cards.errors), (0, ""), "full_board_ends_clean")


def paths(t, cards):
    for method, path, wanted, allow in [
            ("PUT", "/api/cards", 405, "GET, HEAD, POST"),
            ("GET", "/api/cards/1", 405, "PATCH, DELETE"),
            ("POST", "/api/cards/1", 405, "PATCH, DELETE"),
            ("GET", "/api/cards/1/run", 405, "POST"),
            ("POST", "/health", 405, "GET, HEAD"),
            ("GET", "/api/token", 405, "POST"),
            ("DELETE", "/api/websocket/stats", 405, "GET, HEAD"),
            ("POST", "/api/cards/ws", 405, "GET"), ("PUT", "/ws/cards", 405, "GET"),
            ("DELETE", "/api/execution/ws/1", 405, "GET"), ("PATCH", "/ws/chat/a", 405, "GET")]:
        status, body, headers = cards.ask(method, path)
        t.equal((status, body, headers.get("Allow")),
                (wanted, {"error": "method_not_allowed"}, allow), f"{method}_{path}_is_405")
    for method, path in [("GET", "/api/cards"), ("POST", "/api/token"), ("GET", "/health")]:
        answer = cards.ask(method, path, headers={"Host": "evil.example"})
        t.equal(answer[:2], (421, {"error": "host"}), f"{method}_{path}_for_another_host_is_421")
    for method, path, reason in [
            ("PATCH", "/api/cards/0", "unknown_card"), ("DELETE", "/api/cards/999", "unknown_card"),
            ("PATCH", "/api/cards/01", "unknown_card"), ("PATCH", "/api/cards/%31", "unknown_card"),
            ("DELETE", "/api/cards/" + "9" * 300, "unknown_card"),
            ("POST", "/api/cards/nobody/run", "unknown_card"),
            ("GET", "/api/cards/", "not_found"), ("PATCH", "/api/cards/", "not_found"),
            ("POST", "/api/cards//run", "not_found"), ("POST", "/api/cards/1/run/", "not_found"),
            ("GET", "/api", "not_found"), ("GET", "/API/CARDS", "not_found"),
            ("GET", "/api/cards%2F", "not_found"), ("POST", "/", "not_found"),
            ("DELETE", "/index.html", "not_found"), ("GET", "/ws", "not_found"),
            ("GET", "/api/execution/ws/", "no_route"), ("GET", "/ws/chat/a/b", "no_route")]:
        t.equal(why(cards.ask(method, path, {"title": "x"} if method == "PATCH" else None)),
                (404, reason), f"{method}_{path[:30]}_is_404_{reason}")
    t.equal(why(cards.ask("GET", "/dashboard")), (501, "not_built_yet"), "dashboard_is_501")
    for path in ("/api/cards/ws", "/ws/cards", "/api/execution/ws/1", "/ws/chat/a"):
        t.equal(why(cards.ask("GET", path)), (426, "upgrade_required"),
                f"{path}_without_an_upgrade_is_426")


def bodies(t, cards):
    padding = b" " * (65536 - 36)
    card = b'{"title":"x","column_id":"plan"}    '
    status, made, _ = cards.ask("POST", "/api/cards", padding + card)
    t.equal(status, 201, "body_of_64_KiB_is_taken")
    cards.ask("DELETE", "/api/cards/" + made["id"])
    for name, size in (("a_byte_more", 65537), ("1_MiB", 1 << 20), ("16_MiB", 16 << 20)):
        for method, path in (("POST", "/api/cards"), ("PATCH", "/api/cards/1"),
                             ("POST", "/api/cards/1/run"), ("POST", "/api/token")):
            try:
                answer = why(cards.ask(method, path, b" " * size))
            except ConnectionError:
                answer = "cut off"
            # No byte of 16 MiB is read, so a reset may overtake the answer.
            t.ok(answer == (413, "body_too_large") or (size > 8 << 20 and answer == "cut off"),
                 f"body_of_{name}_to_{method}_{path}_is_413", answer)
    peer = Peer(cards)
    peer.send(f"POST /api/cards?token={cards.token} HTTP/1.1\r\nHost: localhost\r\n"
              "Transfer-Encoding: chunked\r\n\r\n".encode())
    for _ in range(70):
        peer.send(b"400\r\n" + b" " * 1024 + b"\r\n")
    peer.send(b"0\r\n\r\n")
    t.equal(peer.answer()[0], 413, "chunks_of_more_than_64_KiB_are_413")
    peer.end()
    peer = Peer(cards)
    peer.send(f"POST /api/cards?token={cards.token} HTTP/1.1\r\nHost: localhost\r\n"
              "Transfer-Encoding: chunked\r\n\r\n".encode())
    for byte in b'{"title":"bit by bit","column_id":"plan"}':
        peer.send(b"1\r\n" + bytes([byte]) + b"\r\n")
    peer.send(b"0\r\n\r\n")
    status, _, body = peer.answer()
    t.equal(status, 201, "body_in_chunks_of_one_byte_is_taken")
    peer.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
    t.equal((peer.answer()[0], peer.answer()[0]), (200, 200), "connection_goes_on_pipelined")
    peer.end()
    cards.ask("DELETE", "/api/cards/" + re.search(rb'"id":"(\d+)"', body).group(1).decode())


# ----------------------------------------------------------------------- tokens

def tokens(t, cards):
    status, body, _ = cards.ask("POST", "/api/token", {"subject": "ann"}, token=None)
    t.ok(status == 200 and set(body) == {"token", "expires_at"} and
         3500 < body["expires_at"] - time.time() < 3700, "token_is_minted_for_an_hour", body)
    good, other = body["token"], cards.mint("ann")
    t.ok(good != other, "no_two_tokens_are_the_same", good)
    for name, given, reason in [
            ("no_json", "x", "malformed"), ("no_body", None, "malformed"),
            ("an_array", [], "malformed"), ("no_subject", {}, "bad_subject"),
            ("an_empty_subject", {"subject": ""}, "bad_subject"),
            ("a_blank_subject", {"subject": " "}, "bad_subject"),
            ("a_subject_that_is_a_number", {"subject": 1}, "bad_subject"),
            ("a_subject_of_65_bytes", {"subject": "x" * 65}, "bad_subject"),
            ("an_unknown_member", {"subject": "x", "admin": True}, "unknown_member")]:
        t.equal(why(cards.ask("POST", "/api/token", given, token=None)), (400, reason),
                f"token_for_{name}_is_400_{reason}")

    for place, path, headers in [
            ("authorization", "/api/cards", {"Authorization": f"Bearer {good}"}),
            ("lower_case_scheme", "/api/cards", {"Authorization": f"bearer {good}"}),
            ("cookie", "/api/cards", {"Cookie": f"a=b; wspool_token={good}"}),
            ("query", f"/api/cards?x=y&token={good}", {}),
            ("query_percent_encoded", "/api/cards?token=" + good.replace(".", "%2E"), {}),
            ("query_beside_another_scheme", f"/api/cards?token={good}",
             {"Authorization": "Basic eDp5"})]:
        t.equal(cards.ask("GET", path, token=None, headers=headers)[0], 200,
                f"token_in_{place}_is_found")
    header, payload, _ = good.split(".")
    soon = int(time.time()) + 60
    for name, token, reason in [
            ("none", None, "empty_token"), ("an_empty_one", "", "empty_token"),
            ("a_blank_one", "  ", "empty_token"), ("nonsense", "nonsense", "malformed"),
            ("another_ones_signature", ".".join([header, payload, other.split(".")[2]]), "invalid"),
            ("one_of_another_secret", signed({"sub": "x", "exp": soon}, b"x" * 32), "invalid"),
            ("an_unsigned_one", signed({"sub": "x", "exp": soon}, None), "malformed")]:
        status, body, headers = cards.ask("GET", "/api/cards", token=token)
        t.equal((status, body, headers["WWW-Authenticate"]), (401, {"error": reason}, "Bearer"),
                f"{name}_is_401_{reason}")
    for method, path in (("POST", "/api/cards"), ("PATCH", "/api/cards/1"),
                         ("DELETE", "/api/cards/1"), ("POST", "/api/cards/1/run"),
                         ("GET", "/api/cards/poll"), ("GET", "/api/cards/events")):
        t.equal(why(cards.ask(method, path, token=None)), (401, "empty_token"),
                f"{method}_{path}_wants_a_token")
    for path in ("/health", "/api/websocket/stats"):
        t.equal(cards.ask("GET", path, token=None)[0], 200, f"{path}_is_open")
    for header in ("Forwarded", "X-Forwarded-For", "x-forwarded-anything"):
        t.equal((why(cards.ask("GET", "/api/websocket/stats", token=None, headers={header: "x"})),
                 cards.ask("GET", "/api/websocket/stats", headers={header: "x"})[0]),
                ((401, "empty_token"), 200), f"stats_behind_a_proxy_want_a_token_{header}")
    t.ok(good not in str(cards.stats()), "stats_hold_no_token")


def expired_tokens(t):
    with Cards("--demo", env={"TOKEN_SECONDS": "2"}) as cards:
        peer = cards.peer("/ws/cards")
        peer.hello()
        t.equal(peer.message()["type"], "token_expiring", "socket_is_told_that_its_token_expires")
        opcode, payload = peer.frame()
        t.equal((opcode, payload[:2]), (8, b"\x0f\xa1"), "socket_is_closed_with_4001_when_it_does")
        time.sleep(0.1)  # time() may be some milliseconds behind the pool's clock
        t.equal(why(cards.ask("GET", "/api/cards")), (401, "expired"), "expired_token_is_401")
        t.equal(cards.refused("/ws/cards?token=" + cards.token), (401, "expired"),
                "expired_token_opens_no_socket")
        cards.token = cards.mint("again")
        t.equal(cards.ask("GET", "/api/cards")[0], 200, "new_token_is_good")
        with cards.peer("/ws/cards") as peer:
            peer.hello()
            peer.message()
            peer.say("auth", token=cards.mint("again"))
            answer = peer.message()
            t.ok(answer["type"] == "auth_renewed" and
                 0 <= answer["data"]["expires_at"] - time.time() <= 2, "a_new_token_renews_it", answer)
            peer.message()
            peer.say("auth", token=cards.mint("another"))
            t.equal(peer.message()["data"]["message"], "wrong_subject",
                    "a_token_of_another_does_not")
        old = cards.token
        time.sleep(2.1)
        t.equal(why(cards.ask("GET", "/api/cards", token=old)), (401, "expired"),
                "old_token_is_expired_however_many_there_are")
    t.equal((cards.status, cards.errors), (0, ""), "short_tokens_end_clean")


def tokens_of_others(t):
    """With JWT_SECRET and without --demo, tokens come from elsewhere."""
    secret, soon = "0123456789abcdef" * 2, int(time.time()) + 600
    with Cards(env={"JWT_SECRET": secret}) as cards:
        t.equal((why(cards.ask("GET", "/api/cards")), cards.refused("/ws/cards"),
                 why(cards.ask("POST", "/api/token", {"subject": "x"}))),
                ((401, "empty_token"), (401, "empty_token"), (404, "only_with_demo")),
                "with_a_secret_tokens_are_asked_for_and_not_given")
        for name, claims, key, reason in [
                ("an_expired_one", {"exp": 1}, secret, "expired"),
                ("one_for_later", {"exp": soon + 9, "nbf": soon}, secret, "not_yet_valid"),
                ("one_without_end", {"sub": "x"}, secret, "invalid"),
                ("one_for_another_audience", {"exp": soon, "aud": "x"}, secret, "wrong_audience"),
                ("one_of_another_secret", {"exp": soon}, "x" * 32, "invalid")]:
            token = signed(claims, key.encode())
            t.equal((why(cards.ask("GET", "/api/cards", token=token)),
                     cards.refused("/ws/cards?token=" + token)),
                    ((401, reason), (401, reason)), f"{name}_is_{reason}_for_both")
        cards.token = signed({"sub": "Zoë", "exp": soon}, secret.encode())
        t.equal(cards.ask("GET", "/api/cards")[0], 200, "a_token_of_others_is_good")
        with cards.peer("/ws/chat/hall?client=a1") as peer:
            peer.hello()
            peer.say("action", id="a1-1", name="chat", text="here")
            said = [peer.message(), peer.message()]  # the answer may overtake it
            t.equal([m["data"].get("from") for m in said if m["type"] == "chat_message"], ["Zoë"],
                    "its_subject_is_the_name")
    t.equal((cards.status, cards.errors), (0, ""), "no_word_about_secret_or_tokens")


def origins(t, cards):
    host = f"{cards.address[0]}:{cards.address[1]}"
    card = {"title": "x", "column_id": "plan"}
    for name, origin, wanted in [("our_own", f"http://{host}", 201),
                                 ("https", f"https://{host}", 201),
                                 ("another_host", "http://evil.example", 403),
                                 ("another_port", f"http://{cards.address[0]}:1", 403),
                                 ("null", "null", 403), ("longer", f"http://{host}.evil", 403)]:
        status, body, _ = cards.ask("POST", "/api/cards", card, headers={"Origin": origin})
        t.equal(status, wanted, f"change_from_origin_{name}_is_{wanted}")
        if status == 201:
            cards.ask("DELETE", "/api/cards/" + body["id"])
    t.equal(why(cards.ask("POST", "/api/token", {"subject": "x"},
                          headers={"Origin": "http://evil.example"})),
            (403, "origin"), "foreign_page_gets_no_token")
    for name, origin, wanted in [("our_own", f"http://{host}", (101, None)),
                                 ("another_host", "http://evil.example", (403, "origin"))]:
        t.equal(cards.refused("/ws/cards?token=" + cards.token, Origin=origin), wanted,
                f"socket_from_origin_{name}_is_{wanted[0]}")


# ------------------------------------------------------------------------ pages

def pages(t):
    with tempfile.TemporaryDirectory() as top:
        web = os.path.join(top, "web")
        os.makedirs(os.path.join(web, "sub"))
        files = {"index.html": "<!doctype html>", "board.css": "a{}", "board.js": "1",
                 "sub/deep.mjs": "2", "logo.svg": "<svg/>", "empty.css": "", "plain.txt": "no",
                 ".hidden.js": "no", "big.js": "x" * 300000}
        for name, text in files.items():
            with open(os.path.join(web, name), "w", encoding="ascii") as file:
                file.write(text)
        with open(os.path.join(top, "secret.js"), "w", encoding="ascii") as file:
            file.write("no")
        os.symlink("../secret.js", os.path.join(web, "link.js"))
        os.mkdir(os.path.join(web, "folder.js"))
        with Cards("--demo", "--web", web) as cards:
            def get(path, **headers):
                return cards.ask("GET", path, token=None,
                                 headers={n.replace("_", "-"): v for n, v in headers.items()})

            for path, name, kind in [
                    ("/", "index.html", "text/html; charset=utf-8"),
                    ("/index.html", "index.html", "text/html; charset=utf-8"),
                    ("/?a=b", "index.html", "text/html; charset=utf-8"),
                    ("/board.css", "board.css", "text/css; charset=utf-8"),
                    ("/board.js?v=1", "board.js", "text/javascript; charset=utf-8"),
                    ("/sub/deep.mjs", "sub/deep.mjs", "text/javascript; charset=utf-8"),
                    ("/logo.svg", "logo.svg", "image/svg+xml"),
                    ("/empty.css", "empty.css", "text/css; charset=utf-8"),
                    ("/big.js", "big.js", "text/javascript; charset=utf-8")]:
                status, body, headers = get(path)
                t.equal((status, body.decode(), headers["Content-Type"]),
                        (200, files[name], kind), f"page_{path}_is_served")
            status, body, headers = get("/")
            policy = headers["Content-Security-Policy"]
            t.ok("default-src 'none'" in policy and "connect-src 'self';" in policy and
                 "ws:" not in policy and "data:" not in policy and
                 "unsafe" not in policy and headers["X-Content-Type-Options"] == "nosniff" and
                 headers["Cache-Control"] == "no-cache", "page_has_a_strict_policy", headers)
            tag = headers["ETag"]
            status, body, headers = get("/", If_None_Match=f'"x", {tag}')
            t.equal((status, body, headers["ETag"]), (304, b"", tag), "page_known_is_304")
            t.equal(get("/board.js", If_None_Match=tag)[0], 200, "page_of_another_tag_is_sent")
            with open(os.path.join(web, "index.html"), "w", encoding="ascii") as file:
                file.write("changed!")
            t.equal(get("/", If_None_Match=tag)[:2], (200, b"changed!"), "changed_page_is_sent")
            for path in ("/plain.txt", "/.hidden.js", "/link.js", "/folder.js", "/sub", "/sub/",
                         "/nothing.js", "/../secret.js", "/sub/../../secret.js", "//secret.js",
                         "/./board.js", "/%2e%2e/secret.js", "/..%2fsecret.js", "/board%2ejs",
                         "/board.js/", "/board.js%00.css", "/" + "x" * 300 + ".js",
                         "/sub//deep.mjs", os.path.join(top, "secret.js"), "/\\..\\secret.js"):
                t.equal(why(get(path)), (404, "not_found"),
                        f"no_page_at_{path[-24:].replace('#', '')}")
        t.equal((cards.status, cards.errors), (0, ""), "pages_end_clean")


# -------------------------------------------------------------------- the program

def refused_start(*flags, **env):
    answer = run(*program(), *flags, env=environment(env), timeout=PATIENCE)
    return answer.returncode, answer.stdout, answer.stderr


def options(t):
    for name, flags, env, wanted in [
            ("redis", ["--redis", "127.0.0.1:6379"], {}, "--redis: not built yet"),
            ("threads", ["--threads", "2"], {}, "--threads above 1: not built yet"),
            ("log", ["--log", "x.log"], {}, "--log: not built yet"),
            ("an_unknown_flag", ["--nonsense"], {}, "usage: cards"),
            ("an_argument", ["x"], {}, "usage: cards"),
            ("a_bad_port", ["--port", "70000"], {}, "--port: not a number"),
            ("bad_threads", ["--threads", "0"], {}, "--threads: not a number"),
            ("a_short_secret", [], {"JWT_SECRET": "x" * 31},
             "JWT_SECRET: HS256 needs a secret of at least 32 bytes"),
            ("an_empty_secret", ["--demo"], {"JWT_SECRET": ""},
             "JWT_SECRET: HS256 needs a secret of at least 32 bytes"),
            ("no_secret", [], {}, "JWT_SECRET is not set: set it to at least 32 bytes that nobody "
             "can guess: export JWT_SECRET=$(openssl rand -hex 32)"),
            ("no_tokens_with_a_secret", ["--no-tokens"], {"JWT_SECRET": "x" * 32}, "--no-tokens: "),
            ("no_tokens_in_a_demo", ["--no-tokens", "--demo"], {}, "--no-tokens: "),
            ("a_bad_threshold", [], {"CPU_THRESHOLD": "101"}, "CPU_THRESHOLD: not a number from 1 to 100"),
            ("a_bad_limit", [], {"MAX_WEBSOCKET_CONNECTIONS": "many"},
             "MAX_WEBSOCKET_CONNECTIONS: not a number"),
            ("everybody_and_everywhere", ["--host", "0.0.0.0", "--no-tokens"], {},
             "0.0.0.0: not a loopback address, so everybody"),
            ("an_unknown_name", ["--demo", "--host", "nobody.invalid"], {}, "nobody.invalid: ")]:
        status, out, err = refused_start(*flags, **env)
        t.ok(status == 2 and not out and wanted in err, f"{name}_is_refused_with_2",
             status, out, err)
    status, out, err = refused_start("--demo", "--web", "/nonexistent")
    t.ok(status == 1 and not out and err.startswith("cards: "), "no_directory_is_refused_with_1",
         status, out, err)
    t.equal(refused_start("--help")[0], 0, "help_is_given")
    with Cards("--threads", "1") as cards:
        port = str(cards.address[1])
        status, out, err = refused_start("--demo", "--port", port)
        t.ok((status, out) == (1, "") and f"port {port}: Address already in use" in err,
             "busy_port_is_refused_with_1", status, out, err)
        answer = run("test/tools/demo", env={**os.environ, "PORT": port}, timeout=PATIENCE)
        t.ok(answer.returncode == 1 and not answer.stdout and "already in use" in answer.stderr,
             "demo_does_not_say_that_it_runs_when_it_cannot", answer)
        t.equal((cards.ask("GET", "/api/cards")[:2][0],
                 why(cards.ask("POST", "/api/token", {"subject": "x"})),
                 cards.ask("GET", "/api/cards")[1]["cards"]),
                (200, (404, "only_with_demo"), []),
                "without_demo_there_are_no_tokens_and_no_cards")
        t.equal(why(cards.ask("GET", "/api/websocket/stats", headers={"X-Forwarded-For": "x"})),
                (403, "not_allowed"), "stats_behind_a_proxy_are_not_for_everybody")
        with cards.peer("/ws/cards") as peer:
            t.equal(peer.hello()["channel"], "global:cards", "without_demo_everybody_comes_in")
    t.ok(cards.status == 0 and "no token is asked for" in cards.errors, "it_says_that_it_is_open",
         cards.errors)
    with Cards(env={"MEMORY_THRESHOLD_MB": "1"}) as cards:
        t.equal((cards.refused("/ws/cards"), cards.ask("GET", "/api/cards")[0]),
                ((503, "capacity_memory"), 200), "memory_above_its_threshold_refuses_sockets_only")
    with Cards(env={"MAX_WEBSOCKET_CONNECTIONS": "1"}) as cards, cards.peer("/ws/cards") as peer:
        peer.hello()
        t.equal(cards.refused("/ws/cards")[0], 503, "one_connection_is_the_limit")
    with Cards("--host", "localhost") as cards:  # without a token: it is this machine
        t.ok(cards.line.startswith("listening on http://localhost:") and
             cards.ask("GET", "/health")[0] == 200, "name_localhost_is_listened_on", cards.line)
    if socket.has_ipv6:
        status, out, err = refused_start("--demo", "--host", "fe80::dead:beef%lo")
        t.ok(status == 1 and "Cannot assign requested address" in err,  # nobody has it
             "ipv6_zone_is_understood", status, out, err)
        with Cards("--demo", "--host", "::1") as cards:
            t.ok(cards.line.startswith("listening on http://[::1]:") and
                 cards.ask("GET", "/health")[0] == 200, "ipv6_is_listened_on", cards.line)


def hostile(t, cards):
    """The server survives any input, and its books balance at the end."""
    before = cards.stats()["handshakes"]
    upgrade = (f"GET /ws/cards?token={cards.token} HTTP/1.1\r\nHost: localhost\r\n"
               f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {Peer.KEY}\r\n"
               "Sec-WebSocket-Version: 13\r\n\r\n").encode()
    cut = [b"", b"\r\n", b"GARBAGE\r\n\r\n", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02",
           b"GET /" + b"y" * 40000 + b" HTTP/1.1\r\n\r\n", upgrade[:100], upgrade[:-2],
           b"GET / HTTP/1.1\r\nX: " + b"y" * 40000 + b"\r\n\r\n", upgrade,
           b"POST /api/cards HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{",
           b"POST /api/cards HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{",
           b"POST /api/cards HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz",
           upgrade.replace(b"Host: localhost\r\n", b""),
           upgrade.replace(b"localhost", b"localhost\r\nHost: y"),
           upgrade.replace(b"localhost", b"localhost\r\nContent-Length: 3") + b"abc",
           upgrade.replace(b"HTTP/1.1", b"HTTP/1.0"), upgrade.replace(b"13", b"12"),
           upgrade.replace(Peer.KEY.encode(), b"test"), upgrade.replace(b"GET", b"POST"),
           upgrade.replace(b"localhost", b"localhost\r\n" + b"\r\n".join([b"X: y"] * 400))]
    for data in cut * 3:
        for reset in (False, True):
            peer = Peer(cards)
            peer.send(data)
            peer.end(reset)
    for _ in range(200):  # reset before the 101 is sent, or behind it
        peer = Peer(cards)
        peer.send(upgrade)
        peer.end(reset=True)
    t.equal(cards.ask("GET", "/health")[0], 200, "hostile_peers_do_no_harm")
    for _ in range(300):  # a place that could not be used expires after 10 seconds
        stats = cards.stats()
        if stats["peers"] + stats["handshakes"] == 0:
            break
        time.sleep(0.05)
    t.equal((stats["peers"], stats["handshakes"]), (0, before),
            "no_place_is_held_for_those_who_left")
    t.equal(stats["attempts"], stats["accepted"] + sum(stats["refused"].values()),
            "every_attempt_is_in_the_books")


def glue(t):
    """The lines between the host's handler and the pool."""
    with open("examples/cards/glue.c", encoding="utf-8") as file:
        code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    lines = [line for line in code.splitlines() if line.strip()]
    t.ok(10 < len(lines) <= 80, "glue_is_80_lines_or_fewer", f"{len(lines)} lines")
    print(f"# glue.c: {len(lines)} lines")


def main():
    t = Tap()
    glue(t)
    with Cards("--demo") as cards:
        status, body, _ = cards.ask("GET", "/health", token=None)
        t.equal((status, body), (200, {"status": "healthy", "connections": 0, "reasons": []}),
                "health_is_open")
        cards_change(t, cards)
        cards_malformed(t, cards)
        paths(t, cards)
        bodies(t, cards)
        tokens(t, cards)
        origins(t, cards)
        hostile(t, cards)
        cards.signal()
        t.equal((cards.wait(), cards.errors), (0, ""), "it_ends_clean")
    cards_too_many(t)
    expired_tokens(t)
    tokens_of_others(t)
    pages(t)
    options(t)
    t.end()


main()
