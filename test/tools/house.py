# SPDX-License-Identifier: MIT
"""Which folder of lib/ stands on which layer, and which public header belongs to which library. A companion is a library of its own, with a folder
lib/NAME/, a header wspool/NAME.h and something that it wraps."""
import re
from pathlib import Path

# NAME: (headers of what it wraps, its shared library)
COMPANIONS = {"json": ("jansson.h", "libjansson"), "deflate": ("zlib.h", "libz"),
              "redis": ("hiredis/", "libhiredis")}
PUBLIC = Path("include/wspool")
ROW = re.compile(r"^\|\s*(\d+|-)\s*\|([^|]*)\|", re.M)


def table():
    """{folder: floor}; the floor is None where the table has a dash."""
    floors = {}
    readme = Path("lib/README.md")
    for number, folders in ROW.findall(readme.read_text() if readme.exists() else ""):
        for folder in re.findall(r"lib/(\w+)/", folders):
            floors[folder] = None if number == "-" else int(number)
    return floors


def companions():
    """Those that are there to be built."""
    return [name for name in sorted(COMPANIONS) if list(Path("lib", name).glob("*.c"))]


def core_headers():
    return sorted(p for p in PUBLIC.glob("*.h") if p.stem not in COMPANIONS)


def companion_headers():
    return [PUBLIC / f"{name}.h" for name in companions()]


def adapters():
    return sorted((PUBLIC / "adapters").glob("*.h"))


def libraries():
    """(name, its public headers, the list of its symbols) of each."""
    return [("wspool", core_headers(), Path("lib/wspool.map"))] + [
        (f"wspool_{name}", [PUBLIC / f"{name}.h"], Path(f"lib/{name}/wspool_{name}.map"))
        for name in companions()]
