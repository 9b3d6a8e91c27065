#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_by_uring.py - the loop tests of echo again, with io_uring. Their TAP is passed on.
Where the kernel refuses io_uring, the test checks the message and the status of echo."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
from echo import PATIENCE, Echo, Tap, program  # noqa: E402

TESTS = [("bash", "test_curl.sh"), ("node", "test_echo_ws.mjs")] + [
    (sys.executable, f"test_{name}.py") for name in ("rooms", "echo_websockets", "ending")]


def refused(t):
    """Returns the message of echo if the kernel refuses io_uring, or None if echo runs."""
    try:
        with Echo() as echo:
            t.ok(echo.address[1] > 0, "echo_runs_by_uring")
        return None
    except RuntimeError:
        got = subprocess.run(program() + ["--port", "0"], capture_output=True, text=True,
                             timeout=PATIENCE, check=False)
        t.ok(got.returncode == 1 and "try --io epoll" in got.stderr, "refusal_tells_what_to_do",
             got)
        return got.stderr.strip()


def main():
    os.environ["WSPOOL_IO"] = "uring"
    t = Tap()
    why = refused(t)
    if why:
        t.ok(True, f"the_others_by_uring # SKIP {why}")
        t.end()
    failed = 0
    print(f"1..{t.count}", flush=True)
    for interpreter, name in TESTS:
        print(f"# {name}", flush=True)
        with subprocess.Popen([interpreter, os.path.join(HERE, name)], stdout=subprocess.PIPE,
                              text=True) as test:
            for line in test.stdout:
                if line.startswith("1..0 "):  # skipped as a whole
                    line = f"1..1\nok 1 - {name} {line[5:]}"
                print(line, end="", flush=True)
        failed |= test.returncode
    sys.exit(1 if failed or t.failed else 0)


main()
