# SPDX-License-Identifier: MIT
"""TAP for test scripts in Python:

    from tap import Tap
    t = Tap()
    t.ok(2 + 2 == 4, "sums_are_right", "what to say when they are not")
    t.none(problems, "nothing_is_wrong")    # problems: a list of lines
    t.end()
"""
import subprocess
import sys


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, name, *why):
        self.count += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {name}")
        if not good:
            for line in "\n".join(str(w) for w in why).splitlines():
                print(f"# {line}")
        return bool(good)

    def none(self, problems, name):
        return self.ok(not problems, name, *problems)

    def equal(self, got, wanted, name):
        return self.ok(got == wanted, name, f"got    {got!r}", f"wanted {wanted!r}")

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")
        print(f"# {name} is skipped: {why}", file=sys.stderr)

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def run(*command, **options):
    """Runs a command. The result has returncode, stdout and stderr (text)."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
