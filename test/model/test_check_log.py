# SPDX-License-Identifier: MIT
"""check_log reads a log from its input, and in a loose one takes publications before what readers
say."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

PROGRAM = "build/release/test/model/check_log"
READER_FIRST = """join a:1 board e 0
got a:1 board e 1 one
publish board e 2 two
publish board e 1 one
got a:1 board e 2 two
"""


def check(log):
    result = subprocess.run([PROGRAM], input=log, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


t = Tap()
status, said = check("loose\n" + READER_FIRST + "quiet\n")
t.ok(status == 0 and "2 published, 2 got" in said, "loose_log_when_in_order_holds", status, said)

status, said = check(READER_FIRST)
t.ok(status == 1 and said.startswith("line 2: D6 content: ") and
     said.endswith("\n    got a:1 board e 1 one\n"), "exact_log_when_a_reader_is_first_is_refused",
     status, said)

# The barrier: what is published after it did not reach a reader before it.
status, said = check("loose\njoin a:1 board e 0\ngot a:1 board e 1 one\nquiet\n"
                     "publish board e 1 one\nquiet\n")
t.ok(status == 1 and said.startswith("line 3: D6 "), "loose_log_when_across_quiet_is_refused",
     status, said)

status, said = check("loose\n" + READER_FIRST + "restart\ngot a:1 board e 2 two\nquiet\n")
t.ok(status == 1 and said.startswith("line 8: D3 "), "loose_log_when_repeated_is_refused", status,
     said)
t.end()
