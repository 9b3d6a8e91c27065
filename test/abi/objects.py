# SPDX-License-Identifier: MIT
"""Checks laws 1 and 2 in the compiled objects: the core calls only plain C, wslay's frame layer and
nettle; only lib/os/ calls the system; there is no writable static storage. A companion also links
the libraries that it wraps. Reads build/release/lib and the shared libraries."""
import functools
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import COMPANIONS, libraries  # noqa: E402
from tap import Tap, run  # noqa: E402

# Functions without a state, a locale or system calls.
PLAIN = set("memchr memcmp memcpy memmove memset strchr strcmp strlen strncmp strrchr strstr "
            "bsearch qsort snprintf".split())
HEAP = {"malloc", "realloc", "free"}
SYSTEM = set("__errno_location clock_gettime getrandom open read close fstat getrlimit "
             "getdents64".split())
COMPILER = {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
# Sections whose contents do not change (after the loader has relocated them).
CONSTANT = (".rodata", ".data.rel.ro")


def text(*command):
    result = run(*command)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {result.stderr}")
    return result.stdout


@functools.lru_cache
def names(*flags):
    """Returns {object: its symbols}, by one nm for all objects: a process for each takes longer."""
    found = {path: set() for path in core()}
    for line in text("nm", "-A", *flags, *found).splitlines():
        path, _, symbol = line.partition(":")
        found[Path(path)].add(symbol.split()[-1])
    return found


def undefined(path):
    return names("-u")[path]


def defined(path):
    return names("-g", "--defined-only")[path]


def allowed(path):
    names = PLAIN | COMPILER
    if path.match("lib/base/mem.o"):
        names |= HEAP
    if path.match("lib/os/*.o"):
        names |= SYSTEM
    return names


def may_call(path, symbol):
    if symbol.startswith("wslay_"):
        return path.match("lib/wire/decoder.o") and symbol.startswith("wslay_frame_")
    # With _FORTIFY_SOURCE, __NAME_chk is NAME with a check of the length.
    fortified = re.fullmatch(r"__(\w+)_chk", symbol)
    return symbol.startswith("nettle_") or (fortified or [None, symbol])[1] in allowed(path)


@functools.lru_cache
def symbol_tables():
    """Returns {object: the lines of its table}."""
    tables, lines = {}, []
    for line in text("objdump", "-t", *core()).splitlines():
        path, is_head, _ = line.partition(":     file format ")
        if is_head:
            lines = tables.setdefault(Path(path), [])
        lines.append(line)
    return tables


def mutable(path):
    """Returns writable data objects; objdump's columns are value, flags, section, size, name."""
    for line in symbol_tables()[path]:
        left, _, right = line.partition("\t")
        fields = left.split()
        if len(fields) < 2 or not right:
            continue
        section = fields[-1]
        is_object = "O" in fields[1:-1] or section == "*COM*"
        if is_object and not section.startswith(CONSTANT) and section != "*UND*":
            yield f"{path}: {right.split()[-1]} in {section}"


def core():
    """Returns the objects of the library itself."""
    objects = sorted(Path("build/release/lib").rglob("*.o"))
    return [o for o in objects if Path(*o.parts[2:]).with_suffix(".c").exists()
            and o.parts[3] not in COMPANIONS]


def main():
    t = Tap()
    objects = core()
    t.ok(objects, "there_are_objects_to_look_at", "build/release/lib is empty: run make first")
    ours = set().union(*(defined(o) for o in objects)) if objects else set()

    t.none([f"{o}: {s}" for o in objects for s in sorted(undefined(o) - ours)
            if not may_call(o, s)], "law_1_the_core_calls_plain_C_only_and_os_alone_the_system")
    t.none([line for o in objects for line in mutable(o)], "law_1_no_state_outside_the_pool")
    t.none([f"{o}: {s}" for o in objects for s in sorted(defined(o))
            if not s.startswith(("wspool_", "wsp_"))], "every_shared_name_is_ours")

    for name, _, _ in libraries():
        needed = {line.split("[")[1].split("]")[0].split(".so")[0]
                  for line in text("readelf", "-d", f"build/lib{name}.so").splitlines()
                  if "(NEEDED)" in line}
        companion = name.removeprefix("wspool_")
        mine = ({"libwspool", *COMPANIONS[companion][1].split()} if companion in COMPANIONS
                else {"libwslay", "libnettle"})
        t.none(sorted(needed - mine - {"libc"}), f"law_2_{name}_links_{'_and_'.join(sorted(mine))}"
               "_and_libc_only")
    t.end()


if __name__ == "__main__":
    main()
