# SPDX-License-Identifier: MIT
"""Checks that each file of the library compiles without a warning for a 32-bit machine without
vectors (i686 without SSE), with gcc and with clang: the sizes fit, and no vector is passed by
value. It only compiles, with the headers of this machine; the one header that selects the C library
of the machine is replaced by an empty file."""
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap, run  # noqa: E402

MACHINE = ["-m32", "-march=i686"]
FLAGS = ["-std=c11", "-fsyntax-only", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
         "-Werror", "-D_POSIX_C_SOURCE=200809L", "-Iinclude", "-Ilib"]


def main():
    t = Tap()
    headers = Path("/usr/include", run("gcc", "-print-multiarch").stdout.strip())
    with tempfile.TemporaryDirectory() as folder:
        stubs = Path(folder, "gnu/stubs-32.h")
        stubs.parent.mkdir()
        stubs.touch()
        for compiler in "gcc", "clang":
            command = [compiler, *MACHINE, *FLAGS, f"-I{folder}", "-idirafter", headers]
            if run(*command, "-x", "c", "-", input="#include <stdint.h>\nint x;\n").returncode:
                t.ok(True, f"{compiler}_knows_no_such_machine # SKIP")
                continue
            for path in sorted(Path("lib").glob("*/*.c")):
                result = run(*command, path)
                t.ok(result.returncode == 0, f"{path}_compiles_with_{compiler}", result.stderr)
    t.end()


main()
