#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""costs/costs.py [--write] - counts what a delivery costs, and compares it with test/bench/README.md.
TAP.

costs.c counts system calls, allocations and copied bytes. valgrind (callgrind) counts the
instructions in libwspool, its epoll adapter and wslay. None of these figures drifts, so none may
grow: make check fails if a figure is above the one in that page, between the marks `costs` and
`/costs`. Instructions may be 3 % above. They are compared only if it names the compiler and
flags that are used here.

--write (make costs) measures and writes the table. TARGETS has the bounds of two figures that hold
whatever the page says.
"""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

PROGRAM = "build/release/test/costs/costs"
README = "test/bench/README.md"
SCENARIOS = {
    "fanout": "delivery, one at a time",
    "burst": "delivery, bursts of 32",
    "echo": "echo",
    "echo-16": "echo, 16 in one read",
    "handshake": "handshake and end, raw",
    "handshake-token": "the same with a token, which a hook accepts",
    "handshake-jwt": "the same with `libwspool_jwt`, whose cache has the verdict",
    "join": "join and leave, hosted",
    "publish": "broadcast to one member, without its delivery",
    "publish-kept": "the same, with a history",
    "resume": "message recovered from a history, of 64",
    "crowd": "delivery to one of 10,000, in memory",
    "crowd-stuck": "the same, beside one that reads nothing",
}
COLUMNS = {"sends": "send calls", "others": "other calls", "allocations": "allocations",
           "copied": "bytes copied", "instructions": "instructions"}
DIGITS = {"instructions": 0, "copied": 2}  # decimals; 5 for columns that are not listed
MARGIN = 1.03
HISTORY = 150  # instructions that a history may add to a broadcast
CACHED = 1500  # instructions that a cached verdict on a token may add to a handshake, without nettle's
TARGETS = {("fanout", "sends"): 1, ("burst", "sends"): 1 / 32}
TABLE = re.compile(r"<!-- costs -->\n(.*?)<!-- /costs -->\n", re.S)
TRY = "If that is meant to be, `make costs` writes the new figures into that table."


def build():
    """Returns the compiler and the flags that change its output."""
    with open("build/release/flags", encoding="utf-8") as flags:
        words = flags.readline().split()
    flags = " ".join(w for w in words
                     if w.startswith(("-O", "-m", "-D", "-f")) and
                     w not in ("-fPIC", "-fvisibility=hidden"))
    name = "clang" if "clang" in words[0] else "gcc"
    version = count("fanout")["compiler"].split(" (")[0]
    return f"{name} {version}, `{flags}`, {platform.machine()}"


def count(scenario):
    done = subprocess.run([PROGRAM, scenario], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def ours(obj, file):
    if not obj.endswith(PROGRAM):
        return "libwslay" in obj
    return "/test/costs/" not in file and ("/lib/" in file or "/include/wspool/" in file)


def instructions(scenario):
    """Counts instructions in the functions measured* and what they call, by the source file of each
    line."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
                        "--toggle-collect=measured*", f"--callgrind-out-file={out}",
                        "--compress-strings=no", "--compress-pos=no", PROGRAM, scenario],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with open(out, encoding="utf-8") as lines:
            return tally(lines)


def tally(lines):
    total, obj, file, called = 0, "", "", False
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and key == "ob":
            obj = value.strip()
        elif equals and key in ("fl", "fi", "fe"):
            file = value.strip()
        elif key == "calls":
            called = True
        elif line[0].isdigit():
            if not called and ours(obj, file):
                total += int(line.split()[1])
            called = False
    return total


def measure():
    """Returns {scenario: {column: cost of each operation}}; without valgrind there are no
    instructions."""
    result = {}
    for scenario in SCENARIOS:
        counted = count(scenario)
        if shutil.which("valgrind"):
            counted["instructions"] = instructions(scenario)
        result[scenario] = {
            column: round(counted[column] / counted["count"], DIGITS.get(column, 5))
            for column in COLUMNS if column in counted}
    return result


# ---------------------------------------------------------------- the table

def number(value):
    return f"{value:.5f}".rstrip("0").rstrip(".")


def table(costs, built):
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |",
             "|---|" + "--:|" * len(COLUMNS)]
    for scenario, title in SCENARIOS.items():
        lines.append(f"| {title} | " +
                     " | ".join(number(costs[scenario][column]) for column in COLUMNS) + " |")
    return "\n".join(lines) + f"\n\nInstructions by {built}.\n"


def recorded(text):
    """Returns the table of the page, {scenario: {column: figure}}, and the compiler that it
    names."""
    found = TABLE.search(text)
    if not found:
        return {}, ""
    titles = {title: scenario for scenario, title in SCENARIOS.items()}
    costs = {}
    for line in found.group(1).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in titles:
            costs[titles[cells[0]]] = dict(zip(COLUMNS, map(float, cells[1:])))
    built = re.search(r"Instructions by (.*)\.\n", found.group(1))
    return costs, built.group(1) if built else ""


def write(costs, built):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    if not TABLE.search(text):
        sys.exit(f"{README}: the marks <!-- costs --> and <!-- /costs --> are not there")
    new = f"<!-- costs -->\n{table(costs, built)}<!-- /costs -->\n"
    with open(README, "w", encoding="utf-8") as file:
        file.write(TABLE.sub(lambda _: new, text))
    print(table(costs, built), end="")


# --------------------------------------------------------------------- checks

def check(t, costs, built):
    with open(README, encoding="utf-8") as file:
        old, old_built = recorded(file.read())
    t.ok(all(set(old.get(s, ())) == set(COLUMNS) for s in SCENARIOS),
         "table_is_whole", TRY)
    for (scenario, column), most in TARGETS.items():
        t.ok(costs[scenario][column] <= round(most, 5),
             f"{scenario}_needs_no_more_{column}_than_it_should",
             f"{costs[scenario][column]} for each {SCENARIOS[scenario]}; at most {most} is lawful")
    if "instructions" in costs["publish"]:
        added = costs["publish-kept"]["instructions"] - costs["publish"]["instructions"]
        t.ok(added <= HISTORY, "history_adds_little_to_a_broadcast",
             f"{added} instructions, at most {HISTORY} are lawful")
        added = costs["handshake-jwt"]["instructions"] - costs["handshake-token"]["instructions"]
        t.ok(added <= CACHED, "cached_verdict_adds_little_to_a_handshake",
             f"{added} instructions, at most {CACHED} are lawful")
    for column in costs["crowd"]:
        t.ok(costs["crowd-stuck"][column] <= costs["crowd"][column],
             f"one_that_reads_nothing_costs_the_others_no_{column}",
             f"{costs['crowd-stuck'][column]}, without it {costs['crowd'][column]}")
    for scenario, title in SCENARIOS.items():
        for column, heading in COLUMNS.items():
            name = f"{scenario}_{column}_have_not_grown"
            value, limit = costs[scenario].get(column), old.get(scenario, {}).get(column, -1)
            if column == "instructions" and (value is None or built != old_built):
                why = "no valgrind" if value is None else f"{built}; the table: {old_built}"
                t.ok(True, f"{name} # SKIP {why}")
                continue
            most = limit * MARGIN if column == "instructions" else limit
            t.ok(value <= most, name, f"{title}: {heading}: {number(value)}, in the table "
                 f"{number(limit)}" + (" (3 % more are let pass)" if most != limit else ""), TRY)
            if value < limit:
                print(f"# {title}: {heading}: {number(value)}, less than the {number(limit)} of "
                      "the table: `make costs` writes it there")


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
    costs, built = measure(), build()
    if sys.argv[1:] == ["--write"]:
        if not all("instructions" in one for one in costs.values()):
            sys.exit("costs: needs valgrind (make deps)")
        write(costs, built)
        return
    t = Tap()
    check(t, costs, built)
    t.end()


if __name__ == "__main__":
    main()
