# SPDX-License-Identifier: MIT
"""Knows the library: the layer of each folder of lib/, and the library of each public header. A
companion is a library of its own, with a folder lib/NAME/, a header wspool/NAME.h (and MORE of
them) and a library that it wraps."""
import re
from pathlib import Path

# NAME: (headers of the wrapped library, its shared libraries)
COMPANIONS = {"json": ("jansson.h", "libjansson"), "deflate": ("zlib.h", "libz"),
              "jwt": ("wspool/", "libgmp libhogweed libjansson libnettle"),
              "sockets": ("sys/", "libc"), "uring": ("liburing.h", "liburing"),
              "redis": ("hiredis/", "libhiredis")}
MORE = {"sockets": ["watcher", "dial"], "json": ["json_client", "json_report"]}
PUBLIC = Path("include/wspool")
ROW = re.compile(r"^\|\s*(\d+|-)\s*\|([^|]*)\|", re.M)


def table():
    """Returns {folder: layer}; the layer is None where the table has a dash."""
    layers = {}
    readme = Path("lib/README.md")
    for number, folders in ROW.findall(readme.read_text() if readme.exists() else ""):
        for folder in re.findall(r"lib/(\w+)/", folders):
            layers[folder] = None if number == "-" else int(number)
    return layers


def companions():
    """Returns the companions whose sources exist."""
    return [name for name in sorted(COMPANIONS) if list(Path("lib", name).glob("*.c"))]


def headers_of(name):
    """Returns the public headers of a companion."""
    return [PUBLIC / f"{header}.h" for header in [name] + MORE.get(name, [])]


def companion_headers():
    return [header for name in companions() for header in headers_of(name)]


def core_headers():
    theirs = {header for name in COMPANIONS for header in headers_of(name)}
    return sorted(set(PUBLIC.glob("*.h")) - theirs)


def adapters():
    return sorted((PUBLIC / "adapters").glob("*.h"))


def libraries():
    """Returns (name, its public headers, its version map) of each library."""
    return [("wspool", core_headers(), Path("lib/wspool.map"))] + [
        (f"wspool_{name}", headers_of(name), Path(f"lib/{name}/wspool_{name}.map"))
        for name in companions()]
