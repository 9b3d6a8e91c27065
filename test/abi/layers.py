# SPDX-License-Identifier: MIT
"""The modules of a layer form no circle. A module is NAME.c and NAME.h of one folder below lib/. It
uses another module of the folder if one of its files includes the other's header, or if its object
calls a function that the other's object defines. Reads lib/ and build/release/lib."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap, run  # noqa: E402

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
OBJECTS = Path("build/release/lib")


def by_includes(layer):
    """(module, module that it uses, why)"""
    for path in sorted(Path("lib", layer).glob("*.[ch]")):
        for name in INCLUDE.findall(path.read_text()):
            if Path(name).parent == Path(layer):
                yield path.stem, Path(name).stem, f'includes "{name}"'


def symbols(path):
    """(name, letter of nm) of an object; the letter is U where the name is not defined."""
    result = run("nm", "-P", path)
    if result.returncode:
        raise SystemExit(f"nm {path}: {result.stderr}")
    return [tuple(line.split()[:2]) for line in result.stdout.splitlines()]


def by_calls(layer):
    found = {path.stem: symbols(OBJECTS / layer / f"{path.stem}.o")
             for path in sorted(Path("lib", layer).glob("*.c"))}
    home = {name: module for module, names in found.items()
            for name, letter in names if letter.isupper() and letter != "U"}
    for module, names in found.items():
        for name, letter in names:
            if letter == "U" and name in home:
                yield module, home[name], f"uses {name}"


def graph(layer):
    """{module: {module that it uses: why}}"""
    uses = {}
    for module, other, why in [*by_includes(layer), *by_calls(layer)]:
        if module != other:
            uses.setdefault(module, {}).setdefault(other, why)
    return uses


def circle(uses):
    """The modules of one circle, in order; () when there is none."""
    done = set()

    def walk(module, path):
        if module in path:
            return path[path.index(module):]
        if module in done:
            return ()
        done.add(module)
        return next(filter(None, (walk(other, path + (module,))
                                  for other in uses.get(module, ()))), ())
    return next(filter(None, (walk(module, ()) for module in uses)), ())


def main():
    t = Tap()
    layers = sorted(path.name for path in Path("lib").iterdir() if list(path.glob("*.c")))
    t.ok("base" in layers and "pool" in layers, "there_are_layers", "lib/ has no folders")
    for layer in layers:
        uses = graph(layer)
        found = circle(uses)
        t.none([f"lib/{layer}: {a} {uses[a][b]}" for a, b in zip(found, found[1:] + found[:1])],
               f"modules_of_{layer}_form_no_circle")
    t.end()


main()
