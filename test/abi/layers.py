# SPDX-License-Identifier: MIT
"""Checks that the modules of a layer form no circle. A module is NAME.c and NAME.h of a folder
below lib/; the table in lib/README.md says which folders form a layer. A module uses another of its
layer if one of its files includes the other's header, or if its object calls a function that the
other's object defines. Reads lib/ and build/release/lib."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import table  # noqa: E402
from tap import Tap, run  # noqa: E402

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
OBJECTS = Path("build/release/lib")


def sources(folders, ending):
    """Returns (module, file) of each file."""
    return [(f"{folder}/{path.stem}", path) for folder in folders
            for path in sorted(Path("lib", folder).glob(ending))]


def by_includes(folders):
    """Returns (module, module that it uses, why)."""
    for module, path in sources(folders, "*.[ch]"):
        for name in INCLUDE.findall(path.read_text()):
            if Path(name).parent.name in folders:
                yield module, name[:-2], f'includes "{name}"'


def symbols(path):
    """Returns (name, letter of nm) of an object; the letter is U if the name is not defined."""
    result = run("nm", "-P", path)
    if result.returncode:
        raise SystemExit(f"nm {path}: {result.stderr}")
    return [tuple(line.split()[:2]) for line in result.stdout.splitlines()]


def by_calls(folders):
    found = {module: symbols(OBJECTS / f"{module}.o") for module, _ in sources(folders, "*.c")}
    home = {name: module for module, names in found.items()
            for name, letter in names if letter.isupper() and letter != "U"}
    for module, names in found.items():
        for name, letter in names:
            if letter == "U" and name in home:
                yield module, home[name], f"uses {name}"


def graph(folders):
    """Returns {module: {module that it uses: why}}."""
    uses = {}
    for module, other, why in [*by_includes(folders), *by_calls(folders)]:
        if module != other:
            uses.setdefault(module, {}).setdefault(other, why)
    return uses


def circle(uses):
    """Returns the modules of one circle, in order; () if there is none."""
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
    layers = {}
    for folder, number in table().items():
        layers.setdefault(folder if number is None else number, []).append(folder)
    t.ok(["base", "os"] in layers.values() and ["pool"] in layers.values(), "there_are_layers",
         "lib/README.md has no rows like | 0 | `lib/base/` | ... |")
    for folders in layers.values():
        uses = graph(folders)
        found = circle(uses)
        t.none([f"lib/{a} {uses[a][b]}" for a, b in zip(found, found[1:] + found[:1])],
               f"modules_of_{'_and_'.join(folders)}_form_no_circle")
    t.end()


main()
