#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""autobahn.py [CASE...] - runs the Autobahn testsuite itself against the echo server.  TAP.

It is skipped if there is neither WSTEST nor a wstest in the PATH. The testsuite needs Python 2 and
is no longer packaged; make check relies on test_conformance.py. CASE is a pattern of the testsuite
("6.*"); without it all cases run, which takes some minutes.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from test_conformance import SERVERS, Echo, Tap, deflate_is_built  # noqa: E402

GOOD = ("OK", "INFORMATIONAL")


def run(wstest, echo, cases, folder):
    """Returns {case: its result}."""
    spec = {"outdir": folder, "servers": [{"agent": "echo", "url": echo.url + "/echo"}],
            "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    path = os.path.join(folder, "spec.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(spec, file)
    subprocess.run([wstest, "-m", "fuzzingclient", "-s", path], check=True,
                   stdout=subprocess.DEVNULL)
    with open(os.path.join(folder, "index.json"), encoding="ascii") as file:
        return json.load(file)["echo"]


def main():
    wstest = os.environ.get("WSTEST") or shutil.which("wstest")
    if not wstest:
        print("1..0 # SKIP there is no wstest (the Autobahn testsuite)")
        return
    t = Tap()
    why_not = deflate_is_built(release=True)
    flags = SERVERS["large"] + ([] if why_not else ["--deflate"])
    with Echo(*flags, release=True) as echo, tempfile.TemporaryDirectory() as folder:
        results = run(wstest, echo, sys.argv[1:] or ["*"], folder)
    for case in sorted(results, key=lambda name: [int(part) for part in name.split(".")]):
        got = results[case]["behavior"], results[case]["behaviorClose"]
        if got[0] == "UNIMPLEMENTED" and why_not:
            t.ok(True, f"{case} # SKIP {why_not}")
        else:
            t.ok(set(got) <= set(GOOD), case, *got, results[case])
    t.equal(echo.end(), 0, "server_ends_well")
    t.end()


if __name__ == "__main__":
    main()
