# SPDX-License-Identifier: MIT
"""Checks the includes. The table of layers in lib/README.md says which folder may include which,
and every #include is compared with it. Run it from the top folder, or from a copy of it."""
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import COMPANIONS, adapters, companion_headers, core_headers, headers_of, table  # noqa: E402
from tap import Tap  # noqa: E402

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# The headers of plain C that need no system; struct iovec is the one type taken from POSIX.
PLAIN = {f"{name}.h" for name in
         "assert float inttypes limits stdalign stdarg stdatomic stdbool stddef stdint stdio "
         "stdlib string".split()} | {"sys/uio.h"}
PUBLIC = {"limits.h", "stddef.h", "stdint.h", "string.h", "sys/uio.h"}
# What a companion uses of another one's sources: they are compiled into both.
SHARED = {"uring": {f"sockets/{name}.h" for name in
                    "address linger listen system table waiting".split()}}
# Policies that are made of parts, each in a file of its own. The parts include no other policy.
PARTS = {"admission": {"origin", "token", "route"}}


def includes(path):
    return INCLUDE.findall(path.read_text())


def code(*folders):
    return sorted(p for f in folders for p in Path(f).rglob("*.[ch]"))


def wrong_way_up(layers, path):
    """Includes of our own headers that go to a higher layer, or to a missing file."""
    folder = path.parts[1]
    own = layers.get(folder)
    for mark, name in includes(path):
        if mark == "<":
            if name.startswith("wspool/") and not Path("include", name).exists():
                yield f"{path}: <{name}> is not there"
            continue
        if not Path("lib", name).exists():
            yield f'{path}: "{name}" is not lib/{name}; files are included by their path in lib/'
            continue
        to = name.split("/")[0]
        if to == folder:
            continue
        if name in SHARED.get(folder, ()):
            continue
        if folder in COMPANIONS or to in COMPANIONS:
            yield f"{path}: companions include public headers only, and no file their own: {name}"
        elif folder == "os":  # outside of the layers: it may use layer 0
            if layers.get(to) != 0:
                yield f"{path}: os includes layer 0 only, not {name}"
        elif folder == "client":
            if to not in layers or (layers[to] or 0) > layers["link"] and to != "os":
                yield f"{path}: client is above link and beside pool: it must not include {name}"
        elif to in ("os", "client"):
            if folder != "pool" or to == "client":
                yield f"{path}: only pool and client may include os, and none client: {name}"
        elif layers[to] > own:
            yield f"{path}: layer {own} includes {name} of layer {layers[to]}"


def system_headers(path):
    folder = path.parts[1]
    for mark, name in includes(path):
        if mark == '"' or name.startswith("wspool/"):
            continue
        if name.startswith("wslay/"):
            if path != Path("lib/wire/decoder.c"):
                yield f"{path}: <{name}> is for lib/wire/decoder.c only"
        elif name.startswith("nettle/"):
            continue
        elif folder not in {*COMPANIONS, "os"} and name not in PLAIN:
            yield f"{path}: <{name}> is for lib/os/ only"


def public_only(path):
    """Adapters and examples: of ours only <wspool/...>, and files of their own folder."""
    for mark, name in includes(path):
        mine = path.parent / name if path.parts[0] == "examples" else Path("lib", name)
        if mark == '"' and name not in SHARED.get(path.parts[1], ()) and (
                path.parts[0] == "include" or mine.parent != path.parent or not mine.exists()):
            yield f'{path}: "{name}" is not allowed; use <wspool/...>'
        if mark == "<" and name.startswith("wspool/") and not Path("include", name).exists():
            yield f"{path}: <{name}> is not there"


def public_headers(path):
    for mark, name in includes(path):
        wrapped = next((COMPANIONS[n][0] for n in COMPANIONS if path in headers_of(n)), "wspool/")
        if mark == '"' or not (name in PUBLIC or name.startswith(("wspool/", wrapped))):
            yield f"{path}: {name}"
        if name.startswith("wspool/adapters/"):
            yield f"{path}: a header of the library includes no adapter: {name}"


def introduction(layers, path):
    """The head comment of each file says what it is. In a header of the library it names the
    layer."""
    text = path.read_text()
    head = text[:text.find("*/", 40) + 2]
    said = re.search(rf"(\S*{re.escape(path.name)}) - ", head)
    if not text.startswith("/* SPDX-License-Identifier: MIT */\n"):
        yield f"{path}: does not begin with an SPDX line"
    if not said or not str(path).endswith(said.group(1)):
        yield f'{path}: its head comment does not begin with its name and " - "'
    said = re.search(r"(?:Layer|Layer) (\d+)\b", head)
    layer = layers.get(path.parts[1]) if path.parts[0] == "lib" else None
    if layer is not None and (said or path.suffix == ".h"):
        if not said or int(said.group(1)) != layer:
            yield f"{path}: says {said.group(0) if said else 'nothing'}, the table says {layer}"


def main():
    t = Tap()
    layers = table()
    lib = [p for p in code("lib") if len(p.parts) > 2]
    folders = {p.parts[1] for p in lib}
    public = core_headers() + companion_headers()
    hosts = adapters() + code("examples")
    companions = [p for p in lib if p.parts[1] in COMPANIONS]

    t.ok("base" in layers and "pool" in layers, "the_table_of_layers_is_in_lib_README",
         "lib/README.md has no rows like | 0 | `lib/base/` | ... |")
    if not layers:
        t.end()
    t.none([f"lib/{f}/ is not in the table" for f in sorted(folders - layers.keys())],
           "every_folder_belongs_to_a_layer")
    known = [p for p in lib if p.parts[1] in layers]

    def each(check, paths, *args):
        return [line for p in paths for line in check(*args, p)]

    t.none(each(wrong_way_up, known, layers), "no_file_includes_a_higher_layer")
    t.none([f"{p}: policies don't know each other: {name}" for p in lib if p.parts[1] == "policy"
            for mark, name in includes(p) if mark == '"' and name.startswith("policy/")
            and Path(name).stem not in {p.stem} | PARTS.get(p.stem, set())],
           "policies_do_not_know_each_other")
    t.none(each(system_headers, lib), "only_os_sees_the_system_and_only_the_decoder_sees_wslay")
    t.none(each(public_only, hosts + companions), "adapters_and_examples_see_public_headers_only")
    t.none(each(public_headers, public), "public_headers_include_plain_C_only")
    t.none(each(introduction, known + public + hosts, layers),
           "every_file_says_what_it_is_and_in_which_layer")
    t.end()


main()
