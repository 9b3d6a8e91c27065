#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_bench.py - the socket benchmark works, and its load notices a faulty server.

The floor of test/bench/net loses, repeats, reorders or alters every 50th message; each is found
and called by its name, in two rooms, in many that are picked at random, and in echoes. So is what a
relay does to the compressed messages of echo --deflate. Then test/bench/net/run --quick: every row,
every count, no times."""
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

PROGRAMS = "build/release/test/bench/net"
ROOM = ["fanout", "--connections", "20", "--rooms", "2", "--burst", "8"]
CHANNELS = ["fanout", "--connections", "30", "--rooms", "7", "--flight", "16"]  # not all alike
MEETING = ["fanout", "--connections", "64", "--rooms", "64", "--burst", "64"]
ECHO = ["echo", "--connections", "5", "--flight", "16"]
SMALL = ["--messages", "800", "--warm", "0", "--check", "1"]
PATIENCE = ["--patience", "2"]
LITTLE = ["--patience", "0.4"]  # where a fault is awaited, a message that is late may be a lost one
DEFLATE = ["--deflate", "--size", "1024", "--check", "64"]  # compressed ones are all checked
COUNTS = {"lose": "lost", "repeat": "repeated", "reorder": "reordered", "corrupt": "wrong"}
OF_ROOMS = {**COUNTS, "skip": "lost", "misplace": "wrong", "stray": "wrong"}
OF_DEFLATE = {**COUNTS, "garble": "wrong", "unmark": "wrong"}
FRESH = b"; server_no_context_takeover"


def load(what, *flags, load_flags=()):
    """Runs the load against a floor with these flags. Returns its exit status and its counts."""
    with subprocess.Popen([f"{PROGRAMS}/floor", *flags], stdout=subprocess.PIPE,
                          text=True) as floor:
        try:
            port = floor.stdout.readline().rsplit(":", 1)[1].strip()
            done = subprocess.run([f"{PROGRAMS}/load", *what, *SMALL, *load_flags,
                                   *(LITTLE if "--fault" in flags else PATIENCE), "--port", port],
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  timeout=60, check=False)
        finally:
            floor.kill()
    return done.returncode, json.loads(done.stdout)


def altered(frame):
    """A compressed frame with a head of four bytes whose message ends in another letter."""
    text = bytearray(zlib.decompressobj(-15).decompress(frame[4:] + b"\0\0\xff\xff"))
    text[-1] ^= 1
    again = zlib.compressobj(wbits=-15)
    data = (again.compress(text) + again.flush(zlib.Z_SYNC_FLUSH))[:-4]
    return frame[:2] + len(data).to_bytes(2, "big") + data


class Relay:
    """Between the load and a server: cuts frames in two, and does the fault to every 50th of each
    fifth connection. The others get it as it was: of two that should be alike one is not."""

    def __init__(self, port, fault):
        self.port, self.fault, self.connections = port, fault, 0

    async def serve(self, reader, writer):
        self.connections += 1
        bad = self.connections % 5 == 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
            up = asyncio.ensure_future(self.up(reader, to_server))
            await self.down(from_server, writer, bad)
            await up

    @staticmethod
    async def up(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def down(self, reader, writer, bad):
        head = await reader.readuntil(b"\r\n\r\n")
        assert FRESH in head
        writer.write(head.replace(FRESH, b"") if self.fault == "lean" else head)
        held, count = b"", 0
        while True:
            frame = bytearray(await reader.readexactly(2))
            if frame[1] == 126:
                frame += await reader.readexactly(2)
            frame += await reader.readexactly(
                frame[1] if frame[1] < 126 else int.from_bytes(frame[2:4], "big"))
            count += 1
            if not bad or count % 50 or self.fault == "lean":
                frame, held = frame + held, b""
            elif self.fault == "lose":
                frame = b""
            elif self.fault == "repeat":
                frame *= 2
            elif self.fault == "reorder":
                frame, held = b"", frame
            elif self.fault == "corrupt":
                frame = altered(frame)
            elif self.fault == "garble":
                frame[len(frame) * 3 // 4] ^= 0xff
            elif self.fault == "unmark":  # as one that is not compressed
                frame[0] &= 0xbf
            writer.write(frame[:3])
            writer.write(frame[3:])


async def through_relay(port, fault, what):
    """As load(), through a relay. The counts are empty if it did not begin."""
    relay = await asyncio.start_server(Relay(port, fault).serve, "127.0.0.1", 0)
    load_process = await asyncio.create_subprocess_exec(
        f"{PROGRAMS}/load", *what, *SMALL, *DEFLATE, *(LITTLE if fault else PATIENCE),
        "--port", str(relay.sockets[0].getsockname()[1]),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out, _ = await asyncio.wait_for(load_process.communicate(), 60)
    relay.close()
    return load_process.returncode, json.loads(out or "{}")


def compressed(t):
    """Runs the load against echo --deflate, without and with faults."""
    def good(said):
        return said["deliveries"] >= 800 and not any(said[count] for count in COUNTS.values())

    status, said = load(ECHO, load_flags=DEFLATE)
    t.ok(status == 0 and good(said) and said["compressed"] == 0,
         "deflate needs_no_server_that_agrees")
    with subprocess.Popen(["build/examples/echo", "--deflate", "--port", "0"], text=True,
                          stdout=subprocess.PIPE) as echo:
        try:
            port = echo.stdout.readline().rsplit(":", 1)[1].strip()
            for what, mode in ("channels", CHANNELS), ("echo", ECHO):
                status, said = asyncio.run(through_relay(port, None, mode))
                t.ok(status == 0 and good(said) and
                     said["deliveries"] == said["compressed"] == said["checked"] and
                     said["bytes"] < 600 * said["deliveries"],
                     f"deflate {what} finds_no_fault_in_a_good_server", status, said)
                for fault, count in OF_DEFLATE.items():
                    status, said = asyncio.run(through_relay(port, fault, mode))
                    others = [other for other in COUNTS.values() if said[other] and other != count]
                    t.ok(status == 1 and said[count] > 0 and set(others) <= {"lost"},
                         f"deflate {what} finds_what_is_{count} by {fault}", status, said)
            status, said = asyncio.run(through_relay(port, "lean", ECHO))
            t.ok(status == 1 and not said, "deflate wants_messages_that_stand_alone", status, said)
        finally:
            echo.kill()


def repeated(t):
    """A later run completes the results of an earlier one, unless the programs differ."""
    def measured(folder, row, seconds):
        subprocess.run(["test/bench/net/run", "--rows", row, "--reps", "1", "--seconds", seconds,
                        "--servers", "floor", "--to", folder], timeout=60,
                       stdout=subprocess.DEVNULL, check=True)
        with open(f"{folder}/results.json", encoding="utf-8") as file:
            return json.load(file)

    def lengths(document):
        return {name: row["seconds"] for name, row in document["rows"].items()}

    with tempfile.TemporaryDirectory() as folder:
        measured(folder, "echo", "0.05")
        t.equal(lengths(measured(folder, "echo-16", "0.06")), {"echo": 0.05, "echo-16": 0.06},
                "benchmark_keeps_the_rows_that_are_not_run_again")
        document = measured(folder, "echo", "0.07")
        t.equal(lengths(document), {"echo": 0.07, "echo-16": 0.06},
                "benchmark_replaces_the_row_that_is_run_again")
        shown = subprocess.run(["test/bench/net/run", "--show", "--to", folder], text=True,
                               stdout=subprocess.PIPE, check=False).stdout
        t.ok("64 B, 1 outstanding" in shown and "64 B, 16 outstanding" in shown,
             "benchmark_shows_all_that_was_measured", shown)
        with open(f"{folder}/results.json", "w", encoding="utf-8") as file:
            json.dump({**document, "build": "another"}, file)
        t.equal(lengths(measured(folder, "echo", "0.05")), {"echo": 0.05},
                "benchmark_drops_what_other_programs_did")


def main():
    t = Tap()
    for what, mode in (("room", ROOM), ("channels", CHANNELS), ("echo", ECHO)):
        for flags in ((), ("--join",)):
            name = " ".join([what, *flags])
            status, said = load(mode, *flags)
            t.ok(status == 0 and said["deliveries"] >= 800 and said["checked"] >= 800 and
                 not any(said[count] for count in COUNTS.values()),
                 f"{name} finds_no_fault_in_a_good_server", status, said)
            if flags and mode is not CHANNELS:
                continue
            for fault, count in (COUNTS if mode is ECHO else OF_ROOMS).items():
                status, said = load(mode, *flags, "--fault", fault)
                others = [other for other in COUNTS.values() if said[other] and other != count]
                # A message that never comes, or comes to another client, counts as lost too.
                t.ok(status == 1 and said[count] > 0 and set(others) <= {"lost"},
                     f"{name} finds_what_is_{count} by {fault}", status, said)

    # Sixty-four messages for sixty-four rooms, in one read: those for the same room are joined.
    for flags, least, most in (((), 0.99, 1.1), (("--join",), 0.55, 0.72)):
        _, said = load(MEETING, *flags)
        t.ok(least < said["segments"] / said["deliveries"] < most,
             " ".join(["messages_for_one_room_meet", *flags]), said)

    compressed(t)

    done = subprocess.run(["test/bench/net/run", "--quick", "--json"], text=True, timeout=200,
                          stdout=subprocess.PIPE, check=False)
    t.equal(done.returncode, 0, "benchmark_runs_and_its_counts_agree")
    rows = json.loads(done.stdout)["rows"] if done.returncode == 0 else {}
    rows = {name: row["servers"] for name, row in rows.items()}
    options = {name: set(row) for name, row in rows.items() if "-" in name and
               name.split("-")[0] in ("deflate", "delay")}
    t.ok(len(rows) - len(options) == 11 and
         all({"floor", "floor+", "epoll"} <= set(row) for name, row in rows.items()
             if name not in options), "benchmark_has_every_row_and_server")
    t.ok(len(options) == 8 and
         all(servers == {"epoll", name.split("-")[0]} for name, servers in options.items()),
         "benchmark_has_the_rows_of_each_option", options)
    repeated(t)
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
