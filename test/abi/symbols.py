# SPDX-License-Identifier: MIT
"""Checks the symbols of each library: its public headers declare, its map (lib/wspool.map) lists
and the shared library exports the same functions, under the version that the headers define."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import libraries  # noqa: E402
from tap import Tap, run  # noqa: E402

CC = os.environ.get("CC", "cc").split()


def declared(headers):
    """Returns the functions that these headers declare, without inline ones."""
    source = "".join(f"#include <{p.relative_to('include')}>\n" for p in headers)
    text = run(*CC, "-E", "-Iinclude", "-x", "c", "-", input=source).stdout
    ours, keep = [], False
    for line in text.splitlines():  # `# 12 "include/wspool/x.h"` gives the file of the next lines
        if line.startswith("# "):
            keep = any(f'"{header}"' in line for header in headers)
        elif keep and not line.startswith("#"):
            ours.append(line)
    text = "\n".join(ours)
    while re.search(r"\{[^{}]*\}", text):  # bodies of structs, enums, inline functions
        text = re.sub(r"\{[^{}]*\}", "@", text)
    names = set()
    for statement in re.split(r"[;@]", text):
        if "typedef" not in statement and not re.search(r"\bstatic\b", statement):
            match = re.search(r"\b(wspool_\w+)\s*\(", statement)
            if match:
                names.add(match.group(1))
    return names


def listed(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return re.findall(r"^\s*(wspool_\w+);", text, re.M)


def exported(shared):
    """Returns {symbol: version node}."""
    lines = run("nm", "-D", "--defined-only", shared).stdout.splitlines()
    pairs = [line.split()[-1].partition("@@") for line in lines if " A " not in line]
    return {name: node for name, _, node in pairs}


def check(t, name, headers, path):
    shared = f"build/lib{name}.so"
    in_headers, in_map, in_library = declared(headers), listed(path), exported(shared)

    def same(ours, mine, theirs, others, case):
        t.none([f"{n}: {mine}, but not {others}" for n in sorted(set(ours) - set(theirs))]
               + [f"{n}: {others}, but not {mine}" for n in sorted(set(theirs) - set(ours))],
               f"{name}_{case}")

    t.ok(len(in_headers) > 3, f"{name}_headers_declare_functions", sorted(in_headers))
    t.none([n for n in set(in_map) if in_map.count(n) > 1], f"{name}_map_lists_each_symbol_once")
    same(in_headers, "declared", in_map, f"in {path}", "map_lists_what_the_headers_declare")
    same(in_map, f"in {path}", in_library, "exported", "library_exports_what_the_map_lists")
    t.none([f"{n}: {v or 'no version'}" for n, v in sorted(in_library.items())
            if not re.fullmatch(r"WSPOOL(_[A-Z]+)?_\d+\.\d+", v)],
           f"{name}_symbols_have_a_version")

    header = Path("include/wspool/version.h").read_text()
    version = [re.search(rf"WSPOOL_VERSION_{part} (\d+)", header).group(1)
               for part in ("MAJOR", "MINOR", "PATCH")]
    dynamic = run("readelf", "-d", shared).stdout
    so = version[0] if version[0] != "0" else f"0.{version[1]}"  # version.h says when it changes
    t.ok(f"[lib{name}.so.{so}]" in dynamic, f"{name}_soname_bears_the_version_of_the_interface",
         dynamic)
    t.equal(os.path.basename(os.path.realpath(shared)), f"lib{name}.so.{'.'.join(version)}",
            f"{name}_file_bears_the_whole_version")


def main():
    t = Tap()
    for name, headers, path in libraries():
        check(t, name, headers, path)
    t.end()


main()
