#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_load.py - examples/load against echo and cards: what it counts, and how it exits."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from cards import Cards  # noqa: E402
from echo import Echo, PATIENCE, Tap  # noqa: E402

LOAD = "build/examples/load"
KEYS = ["url", "connections", "connected", "failed", "lost", "percent", "ok", "reasons",
        "handshake", "messages", "delivery"]


def load(*arguments):
    """Returns the exit status and the report."""
    result = subprocess.run([LOAD, *arguments, "--json"], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
    return result.returncode, json.loads(result.stdout or "{}")


def good(t, report, status, kind, name, connections):
    t.equal((status, list(report), report.get("connected"), report.get("ok"),
             report["messages"]["kind"]), (0, KEYS, connections, True, kind), name)
    t.ok(report["messages"]["delivered"] > 0 and report["handshake"]["p50_ms"] > 0 and
         report["delivery"]["p50_ms"] <= report["delivery"]["p99_ms"],
         f"{name}_and_times_are_measured", report)


def main():
    t = Tap()
    with Echo() as echo:
        status, report = load(f"{echo.url}/echo", "--seconds", "1")
        good(t, report, status, "echo", "a_thousand_clients_echo", 1000)
        status, report = load(f"{echo.url}/room/a", "--connections", "100", "--seconds", "1")
        good(t, report, status, "room", "a_room_hears_one_sender", 100)
        status, report = load(f"{echo.url}/nowhere", "--connections", "10", "--seconds", "0")
        t.equal((status, report["failed"], report["reasons"]), (1, 10, {"HTTP 404": 10}),
                "a_refusal_has_a_reason")
        text = subprocess.run([LOAD, f"{echo.url}/echo", "--connections", "2", "--seconds", "0"],
                              capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
        t.ok("2 of 2 connected (100.0 %)" in text, "a_person_can_read_it", text)
        url = echo.url
    status, report = load(f"{url}/echo", "--connections", "10", "--seconds", "0")
    t.equal((status, report["reasons"]), (1, {"Connection refused": 10}),
            "a_server_that_is_not_there_is_a_failure")
    with Echo("--max-connections", "90") as echo:
        status, report = load(f"{echo.url}/echo", "--connections", "100", "--seconds", "0")
        t.equal((status, report["connected"], report["reasons"]), (1, 90, {"HTTP 503": 10}),
                "less_than_95_percent_is_a_failure")
    with Cards(env={"MAX_WEBSOCKET_CONNECTIONS": "300"}) as cards:
        url = cards.line.split()[-1].replace("http:", "ws:")
        status, report = load(f"{url}/api/chat/ws/a", "--connections", "100", "--seconds", "1")
        good(t, report, status, "publish", "a_chat_is_published", 100)
        status, report = load(f"{url}/api/cards/ws", "--connections", "100", "--seconds", "1")
        good(t, report, status, "ping", "a_board_answers_pings", 100)
    t.equal(subprocess.run([LOAD], capture_output=True, check=False).returncode, 2,
            "without_a_URL_it_says_how_it_is_used")
    t.end()


main()
