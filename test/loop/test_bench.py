#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_bench.py - the socket benchmark works, and its load notices a server that doesn't.

The floor of test/bench/net loses, repeats, reorders or alters every 50th message; each is found
and called by its name. Then test/bench/net/run --quick: every row, every count, no times."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

PROGRAMS = "build/release/test/bench/net"
ROOM = ["fanout", "--connections", "20", "--rooms", "2", "--burst", "8"]
ECHO = ["echo", "--connections", "5", "--flight", "16"]
SMALL = ["--messages", "800", "--warm", "0", "--check", "1", "--patience", "2"]
COUNTS = {"lose": "lost", "repeat": "repeated", "reorder": "reordered", "corrupt": "wrong"}


def load(what, *flags):
    """The load against a floor with these flags: exit status and what it counted."""
    with subprocess.Popen([f"{PROGRAMS}/floor", *flags], stdout=subprocess.PIPE,
                          text=True) as floor:
        try:
            port = floor.stdout.readline().rsplit(":", 1)[1].strip()
            done = subprocess.run([f"{PROGRAMS}/load", *what, *SMALL, "--port", port], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
                                  check=False)
        finally:
            floor.kill()
    return done.returncode, json.loads(done.stdout)


def main():
    t = Tap()
    for mode in (ROOM, ECHO):
        for flags in ((), ("--join",)):
            status, said = load(mode, *flags)
            t.ok(status == 0 and said["deliveries"] >= 800 and said["checked"] >= 800 and
                 not any(said[count] for count in COUNTS.values()),
                 " ".join([mode[0], *flags, "finds_no_fault_in_a_good_server"]))
        for fault, count in COUNTS.items():
            status, said = load(mode, "--fault", fault)
            others = [other for other in COUNTS.values() if said[other] and other != count]
            # One that is held back for good is lost as well.
            t.ok(status == 1 and said[count] > 0 and set(others) <= {"lost"},
                 f"{mode[0]} finds_what_is_{count}")

    done = subprocess.run(["test/bench/net/run", "--quick", "--json"], text=True, timeout=200,
                          stdout=subprocess.PIPE, check=False)
    t.equal(done.returncode, 0, "benchmark_runs_and_its_counts_agree")
    rows = json.loads(done.stdout)["rows"] if done.returncode == 0 else {}
    t.ok(len(rows) == 11 and all({"floor", "floor+", "epoll"} <= set(row) for row in rows.values()),
         "benchmark_has_every_row_and_server")
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
