#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_conformance.py [--full] [--only PATTERN...] [--chunking NAME...] [-v] - tests the server
against RFC 6455 and RFC 7692 over TCP, like the Autobahn testsuite's fuzzing client.  TAP.

Each case of handshake.py (section 0), framing.py (1-4), fragments.py (5, 10), utf8.py (6),
closing.py (7), limits.py (9), compression.py (12) and negotiation.py (13) makes one connection or
more to build/examples/echo. A case runs with one-byte writes, with pieces of odd sizes (from a
fixed seed), and with one write for everything sent in a row. If the server has permessage-deflate,
sections 1-10 run again with every message compressed.

  (neither)   the short form: slow cases are left out, and compressed connections write in odd
              pieces only
  --full      everything, up to 16 MiB, in every chunking, against the shipped server
  --only      cases whose name matches: "5.*". TEST_FILTER does the same for one pattern, and then
              each case runs in one chunking only, so that a mutant is judged quickly
  --chunking  octets, odd, once

Sections 12 and 13 are skipped if the server says that it was built without --deflate. This is a
failure if WSPOOL_COMPANIONS, which the Makefile sets to what it builds, contains "deflate".
"""
import argparse
import fnmatch
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "loop")]
from echo import Echo, Tap, program  # noqa: E402

import cases  # noqa: E402
import handshake, framing, fragments, utf8, closing, limits  # noqa: E402,E401,F401
import compression, negotiation  # noqa: E402,E401,F401
from client import CHUNKINGS, Client, Late  # noqa: E402
from frames import Fault  # noqa: E402

SEED = 6455  # an arbitrary number
AT_A_TIME, HEAVY_AT_A_TIME = 12, 2
SERVERS = {  # the first word tells which servers have permessage-deflate on
    "large": ["--max-message", str(limits.LARGE_LIMIT)],
    "small": ["--max-message", str(limits.LIMIT)],
}


def deflate_is_built(release):
    """Returns None if it is built, else what the server says."""
    got = subprocess.run(program(release) + ["--deflate", "--help"], capture_output=True, text=True,
                         check=False)
    if got.returncode == 0:
        return None
    return (got.stderr or got.stdout).strip()


class Servers:
    """Starts each server when it is first asked for."""

    def __init__(self, release, patience, second_chances):
        self.release = release
        self.patience = patience
        self.second_chances = second_chances
        self.running = {}
        self.lock = threading.Lock()
        self.alone = threading.Lock()

    def address(self, name, deflate):
        with self.lock:
            if (name, deflate) not in self.running:
                flags = SERVERS[name] + (["--deflate"] if deflate else [])
                self.running[name, deflate] = Echo(*flags, release=self.release)
            return self.running[name, deflate].address

    def end(self):
        """Returns what went wrong with the servers: a sanitizer reports at the end."""
        problems = []
        for (name, deflate), echo in self.running.items():
            if echo.process.poll() is not None:
                problems.append(f"{name} ended too early")
            if echo.end() != 0 or echo.errors:
                problems.append(f"{name}{' --deflate' if deflate else ''}: "
                                f"exit status {echo.status}, {echo.errors}")
        return problems


class Job:
    """A case, plain or compressed, with the chunkings in which it runs."""

    def __init__(self, case, compressed, chunkings):
        self.case, self.compressed, self.chunkings = case, compressed, chunkings
        self.name = case.name + ("_compressed" if compressed and not case.compressed else "")
        self.problems = []
        self.seconds = 0

    def run(self, servers):
        for chunking in self.chunkings:
            started = time.monotonic()
            why = self.judge(servers, chunking)
            if isinstance(why, Late) and servers.second_chances > 0:
                # Run it again alone: if it is in time then, the machine was too busy.
                with servers.alone:
                    servers.second_chances -= 1
                    why = self.judge(servers, chunking)
            if why:
                self.problems.append(f"{chunking}: {type(why).__name__}: {why}")
            self.seconds = max(self.seconds, time.monotonic() - started)
        return self

    def judge(self, servers, chunking):
        """Returns None, or why the server has failed."""
        try:
            self.attempt(servers, chunking)
        except (Fault, OSError) as why:
            return why
        return None

    def attempt(self, servers, chunking):
        case = self.case
        offer = (case.deflate or {}) if self.compressed else None
        address = servers.address(case.server, self.compressed)
        with Client(address, chunking, f"{SEED}/{case.name}", deflate=offer,
                    patience=servers.patience) as client:
            if not case.opens:
                client.open()
            case.run(client)


def jobs_of(options, deflate):
    """Returns all that is to be run."""
    found = []
    for case in cases.ALL:
        if case.full and not options.full:
            continue
        wanted = []
        if not case.compressed:
            wanted.append((False, options.chunking or CHUNKINGS))
        if deflate and not case.plain:
            wanted.append((True, options.chunking or (CHUNKINGS if options.full else ["odd"])))
        for compressed, some in wanted:
            job = Job(case, compressed, some)
            if any(fnmatch.fnmatchcase(job.name, p) for p in options.only or ["*"]):
                found.append(job)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--chunking", action="append", choices=CHUNKINGS)
    parser.add_argument("-v", "--verbose", action="store_true", help="print the time of each case")
    options = parser.parse_args()
    only = os.environ.get("TEST_FILTER")
    if only:
        options.only = [only]
        options.chunking = options.chunking or ["once"]
    sys.setswitchinterval(0.0005)

    t = Tap()
    why_not = deflate_is_built(options.full)
    required = "deflate" in os.environ.get("WSPOOL_COMPANIONS", "").split()
    skipped = why_not and "not built yet" in why_not and not required
    if why_not and not skipped:
        t.ok(False, "deflate_is_built", why_not)
    jobs = jobs_of(options, not why_not)
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        t.none([n for n in set(names) if names.count(n) > 1], "each_name_is_there_once")

    servers = Servers(options.full, *((8, 0) if only else (30, 5)))
    try:
        light = [job for job in jobs if not job.case.heavy]
        heavy = [job for job in jobs if job.case.heavy]
        for some, workers in ((light, AT_A_TIME), (heavy, HEAVY_AT_A_TIME)):
            with ThreadPoolExecutor(max_workers=workers) as pool:
                for job in pool.map(lambda job: job.run(servers), some):
                    t.none(job.problems, job.name)
                    if options.verbose:
                        print(f"# {job.seconds:.2f} s {job.name}")
    finally:
        problems = servers.end()
    t.none(problems, "servers_end_well")
    if skipped and not only:
        for section in (12, 13):
            t.ok(True, f"{section}_permessage-deflate # SKIP {why_not}")
    t.end()


if __name__ == "__main__":
    main()
