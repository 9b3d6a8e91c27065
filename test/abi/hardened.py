# SPDX-License-Identifier: MIT
"""Checks that what is installed was built with the flags of lib/toolchain.mk that make a bug harder
to exploit: reads the objects below build/release, the shared libraries and the examples. Then
builds a small program with settings of its own, and checks that `make install` does not build
again."""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import libraries  # noqa: E402
from tap import Tap, run  # noqa: E402

CLASH = b"-fstack-clash-protection"  # gcc's debug information lists the flags of a unit


def readelf(flags, path):
    return run("readelf", "-W", flags, path).stdout


def linked(path, program):
    """Returns what is missing in a shared library or a program."""
    dynamic, segments = readelf("-d", path), readelf("-l", path)
    if "GNU_RELRO" not in segments or not re.search(r"FLAGS.*BIND_NOW|FLAGS_1.*NOW", dynamic):
        yield f"{path}: its tables stay writable (relro, now)"
    if re.search(r"GNU_STACK.*RWE", segments) or "GNU_STACK" not in segments:
        yield f"{path}: its stack is executable"
    if "TEXTREL" in dynamic:
        yield f"{path}: its code is written to"
    if program and not re.search(r"FLAGS_1.*PIE", dynamic):
        yield f"{path}: has a fixed address (pie)"


def imports(path):
    return set(re.findall(r"UND (\w+)", readelf("--dyn-syms", path)))


def objects():
    return sorted(o for o in Path("build/release").rglob("*.o")
                  if Path(*o.parts[2:]).with_suffix(".c").exists() and o.parts[2] != "test")


def install(t):
    """`make install` after `make CFLAGS=...`, in a copy of the tree, for one layer of the library:
    the rules are the same for all of it."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        tree.mkdir()
        for name in ("Makefile", "include", "lib", "pkgconfig", "examples"):
            (tree / name).symlink_to(Path(name).resolve())
        (tree / "test").symlink_to(Path("test").resolve())
        shutil.copytree("build/release", tree / "build/release")
        env = {k: v for k, v in os.environ.items() if k not in ("CFLAGS", "WERROR", "CI")}
        env.update(MAKEFLAGS="", MAKELEVEL="")

        def make(*arguments):
            return run("make", "-C", tree, "COMPANIONS=", "LAYERS=base", *arguments, env=env).stdout

        built = make("CFLAGS=-O0 -w -DOTHER", "HARDENING=no", "lib")
        flags = (tree / "build/release/flags").read_text()
        again = make(f"DESTDIR={folder}/stage", "install")
        t.ok(built.count(" CC ") > 5 and "-DOTHER" in flags and " CC " not in again
             and (tree / "build/release/flags").read_text() == flags,
             "install_builds_nothing_when_its_settings_are_those_of_the_last_make", again)
        other = make("CFLAGS=-O0 -w -DTHIRD", f"DESTDIR={folder}/stage", "install")
        t.ok(" CC " in other, "install_builds_again_when_it_is_given_other_settings", other)


def main():
    t = Tap()
    settings = Path("build/settings.mk").read_text()
    if "HARDENING = yes" in settings and re.search(r"CFLAGS = .*-O[123s]", settings):
        shared = [Path(f"build/lib{name}.so") for name, _, _ in libraries()]
        programs = [p for p in sorted(Path("build/examples").rglob("*"))
                    if p.is_file() and not p.suffix]
        t.ok(objects() and programs, "there_is_something_to_look_at")
        t.none([why for p in shared + programs for why in linked(p, p in programs)],
               "what_is_linked_is_position_independent_and_its_tables_are_read_only")
        t.none([p for p in shared + programs if "__stack_chk_fail" not in imports(p)],
               "stacks_are_guarded")
        t.none([p for p in (shared[0], Path("build/examples/echo"))
                if not any(re.fullmatch(r"__\w+_chk", name) for name in imports(p))],
               "calls_of_the_C_library_are_fortified")
        t.none([o for o in objects() if b"GNU C" in o.read_bytes() and CLASH not in o.read_bytes()],
               "large_frames_touch_each_page_of_the_stack")
        if os.uname().machine == "x86_64":
            notes = run("readelf", "-W", "-n", *objects()).stdout.split("\nFile: ")
            t.none([n.splitlines()[0] for n in notes[1:] if "IBT, SHSTK" not in n]
                   + ([] if len(notes) - 1 == len(objects()) else ["some objects have no notes"]),
                   "jumps_and_returns_are_marked_for_the_processor")
    install(t)
    t.end()


main()
