# SPDX-License-Identifier: MIT
"""laws/t_laws_static.py - laws 1, 2 and 11, which are about the source and the built objects.

Reads the symbols of the objects, the dynamic section of the library, the .pc file and the lists in
the public headers. The other laws are in laws/test_laws.c. Run it in the top folder of the source
tree, or of a copy of it, after make."""
import os
import re
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "abi"), os.path.join(HERE, "..", "tools")]
import objects  # noqa: E402
from tree import COMPANIONS, core_headers  # noqa: E402
from tap import Tap  # noqa: E402


def core_sources():
    return [p for p in sorted(Path("lib").rglob("*.[ch]")) if p.parts[1] not in COMPANIONS]


def without_comments(path):
    return re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)


def law_1_no_io():
    """The core opens no file, starts no thread, reads no clock and no environment, and has no
    mutable global. It calls only plain C, nettle and wslay's frame layer. Only lib/os/ makes
    system calls, and only for the hooks that the host did not set."""
    made = objects.core()
    if len(made) < 20:
        yield "build/release/lib is not there: run make first"
    ours = set().union(*map(objects.defined, made))
    for path in made:
        for symbol in sorted(objects.undefined(path) - ours):
            if not objects.may_call(path, symbol):
                yield f"{path} calls {symbol}"
        yield from objects.mutable(path)


def law_2_two_dependencies():
    """The library links wslay, nettle and libc. Only decoder.c includes wslay."""
    dynamic = objects.text("readelf", "-d", "build/libwspool.so")
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\.so", dynamic)
    for name in sorted(set(needed) - {"libwslay", "libnettle", "libc"}):
        yield f"build/libwspool.so needs {name}"
    package = Path("pkgconfig/wspool.pc.in").read_text()
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^Requires.*:(.*)", package, re.M))))
    named |= set(re.findall(r"-l(\w+)", package))
    for name in sorted(named - {"wspool", "wslay", "libwslay", "nettle"}):
        yield f"pkgconfig/wspool.pc.in names {name}"
    for path in core_sources():
        if re.search(r"#\s*include\s*<wslay/", path.read_text()) and path.name != "decoder.c":
            yield f"{path} includes wslay"


# The lists, and the public header that defines each: X(name, ...).
LISTS = {"ERRORS": "error.h", "CLOSE_CODES": "close.h", "ENDS": "close.h",
         "REFUSALS": "handshake.h", "STAGES": "handshake.h", "COUNTERS": "stats.h",
         "GAUGES_OR_DERIVED": "stats.h"}


def rows(name):
    """Returns [[fields of a row]] of the list WSPOOL_name. A row is X(...) or DERIVED(...)."""
    text = without_comments(Path("include/wspool", LISTS[name]))
    body = re.search(rf"#define WSPOOL_{name}\(X[^)]*\)\s*\\\n((?:.*\\\n)*.*\n)", text).group(1)
    return [[field.strip().strip('"') for field in re.split(r',\s*(?=[-"\w])', row)]
            for row in re.findall(r'(?:X|DERIVED)\(((?:[^()"]|"[^"]*")*)\)', body)]


def law_11_said_once():
    """Each fact is stated in one place: a number or a text of the lists in the public headers
    appears nowhere else, each row is used, and each function is declared once."""
    code = {p: without_comments(p) for p in core_sources()}
    everything = "\n".join(code.values())
    tables = {name: rows(name) for name in LISTS}
    for name, table in tables.items():
        names = [row[0] for row in table]
        if len(names) < 5 or len(names) != len(set(names)):
            yield f"WSPOOL_{name}: {names}"

    # A quoted text, or a number, that is in a list must not be in the source.
    texts = {row[2] for name in ("ERRORS", "CLOSE_CODES", "ENDS", "REFUSALS")
             for row in tables[name]}
    numbers = {row[1] for name in ("ERRORS", "CLOSE_CODES") for row in tables[name]}
    for path, text in code.items():
        said = set(re.findall(r'"((?:[^"\\\n]|\\.)*)"', text))
        if path.name == "log.c":
            said.discard("drain")  # in log.c it is the name of an event
        for again in sorted(said & texts):
            yield f'{path} says "{again}", which stands in a list'
        for again in sorted(set(re.findall(r"-?\b\d{3,4}\b", text)) & numbers):
            yield f"{path} says {again}, which stands in a list"

    # Every error and every end is used, every counter is counted.
    for prefix, name in (("ERR", "ERRORS"), ("END", "ENDS")):
        for row in tables[name]:
            if not re.search(rf"\bWSPOOL_{prefix}_{row[0]}\b", everything):
                yield f"WSPOOL_{prefix}_{row[0]} is listed, but never happens"
    for row in tables["COUNTERS"] + tables["GAUGES_OR_DERIVED"]:
        if not re.search(rf"(count|stats)(->|\.){row[0]}\b", everything):
            yield f"{row[0]} is listed, but never counted"

    declared = re.findall(r"^(?!\s*return)\s*(?:const )?\w+ \*?(wspool_\w+)\(",
                          "\n".join(map(without_comments, core_headers())), re.M)
    for function in sorted({f for f in declared if declared.count(f) > 1}):
        yield f"{function} is declared {declared.count(function)} times"


def main():
    t = Tap()
    for law in (law_1_no_io, law_2_two_dependencies, law_11_said_once):
        t.none(list(law()), law.__name__)
    t.end()


main()
