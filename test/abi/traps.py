#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks that a test watches every known trap and every class of advisories: test/hostile/TRAPS
lists them. Also checks that every hostile test watches a trap."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

LIST = Path("test/hostile/TRAPS")
WANTED = [f"T{i}" for i in range(1, 25)] + """
    oversized-message tiny-fragments pong-flood length-arithmetic control-over-125
    decompression-bomb memory-before-authentication header-parsing use-after-free
    uninitialised-bytes unbounded-subscriptions key-confusion unverified-claims forwarding-headers
    cross-site-hijack mac-timing algorithm-confusion mask-randomness poisoned-keys""".split()


def read():
    """Returns {key: [line]}, and the lines that cannot be parsed."""
    traps, wrong, key = {}, [], None
    for line in LIST.read_text().splitlines():
        head = re.match(r"([A-Za-z0-9-]+): \S", line)
        if not line.strip() or line.startswith("#"):
            continue
        if head:
            key = head.group(1)
            wrong += [f"{key} is there twice"] if key in traps else []
            traps[key] = []
        elif line.startswith("    ") and key:
            traps[key].append(line.strip())
        else:
            wrong.append(f"what is this: {line}")
    return traps, wrong


def missing(reference):
    """Returns why there is no such test, or None."""
    program, _, case = reference.partition(":")
    script = program.endswith(".py")
    path = Path("test") / (program if script else f"{program}.c")
    if not path.exists():
        return f"there is no {path}"
    if not case:
        return f"{reference} names no case"
    text = path.read_text()
    if not script and program.split("/")[1].startswith("test_"):
        text = "\n".join(re.findall(r"^TEST\((\w+)\)", text, re.M))
    return None if re.search(rf"\b{re.escape(case)}\b", text) else f"{path} has no case {case}"


def main():
    t = Tap()
    traps, wrong = read()
    t.none(wrong, "list_can_be_read")
    t.equal(sorted(traps), sorted(WANTED), "list_has_every_trap_and_every_class_once")
    references = [(key, line) for key, lines in traps.items() for line in lines
                  if not line.startswith("not built: ")]
    t.none([f"{key}: {why}" for key, line in references if (why := missing(line))],
           "tests_that_are_named_are_there")
    t.none([key for key, lines in traps.items() if not lines], "every_trap_is_watched")
    programs = {line.partition(":")[0] for _, line in references}
    t.none([str(p) for p in sorted(Path("test/hostile").glob("test_*.c"))
            if f"hostile/{p.stem}" not in programs], "every_hostile_test_watches_one")
    t.end()


main()
