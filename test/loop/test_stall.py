#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_stall.py - a standstill of 3 s (SIGSTOP) with 600 live peers, on each adapter, all of
them at once: none is lost (loop/stall.h).

An adapter whose loop is not installed was not built: it is skipped."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WSPOOL_BUILD", ROOT / "build"))
NAMES = ("epoll", "poll", "nested", "libuv", "libevent", "libev", "glib", "uring")
ENV = dict(os.environ, WSPOOL_STALL="1", TEST_FILTER="nobody_is_lost_when_the_process_stands_still",
           CMOCKA_MESSAGE_OUTPUT="TAP")

runs = {name: BUILD / "asan/test/loop" / f"test_{name}" for name in NAMES}
runs = {name: subprocess.Popen([path], env=ENV, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        for name, path in runs.items() if path.exists()}
bad = 0
for number, (name, run) in enumerate(runs.items(), 1):
    try:
        said = run.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        run.kill()
        said = run.communicate()[0] + "\nit did not end"
    good = run.returncode == 0
    skipped = " # SKIP" if good and "# SKIP" in said else ""
    bad += not good
    print(f"{'ok' if good else 'not ok'} {number} - nobody_is_lost_on_{name}{skipped}")
    if not good:
        print("\n".join("# " + line for line in said.splitlines()[-20:]))
print(f"1..{len(runs)}" if runs else "1..0 # SKIP no adapter was built")
sys.exit(bad > 0)
