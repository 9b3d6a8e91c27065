# SPDX-License-Identifier: MIT
"""Checks that each public header compiles alone, and twice, as C99 and as C++11, with gcc and with
clang, without a warning. The same for the adapters, although a strict -std=c99 hides what is not
plain C; libuv's own header needs GNU C99."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import adapters, companion_headers, core_headers  # noqa: E402
from tap import Tap, run  # noqa: E402

GLIB = run("pkg-config", "--cflags", "glib-2.0").stdout.replace("-I", "-isystem ").split()
COMPILERS = [("gcc", "c99", "c"), ("clang", "c99", "c"), ("g++", "c++11", "c++"),
             ("clang++", "c++11", "c++")]


def main():
    t = Tap()
    for header in core_headers() + companion_headers() + adapters():
        name = header.relative_to("include")
        program = f"#include <{name}>\n#include <{name}>\ntypedef int not_empty;\n"
        for compiler, standard, language in COMPILERS:
            if name.stem == "libuv":
                standard = standard.replace("c99", "gnu99")
            result = run(compiler, f"-std={standard}", "-fsyntax-only", "-pedantic", "-Wall",
                         "-Wextra", "-Wshadow", "-Werror", "-Iinclude", *GLIB, "-x", language, "-",
                         input=program)
            t.ok(result.returncode == 0, f"{name}_compiles_alone_as_{standard}_with_{compiler}",
                 result.stderr)
    t.end()


main()
