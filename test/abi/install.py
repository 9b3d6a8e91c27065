# SPDX-License-Identifier: MIT
"""Checks an installation: what `make install` has put into build/stage, what `make uninstall`
removes, what pkg-config says, and that hosts can be built with it: test/abi/host.c as C99 and as
C++11, linked both ways and run."""
import filecmp
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tree import adapters, companion_headers, companions, core_headers  # noqa: E402
from tap import Tap, run  # noqa: E402

STAGE = Path("build/stage").resolve()
PREFIX = STAGE / "usr/local"
HEADER = Path("include/wspool/version.h").read_text()
VERSION = ".".join(re.search(rf"VERSION_{part} (\d+)", HEADER).group(1)
                   for part in ("MAJOR", "MINOR", "PATCH"))
# Before 1.0 the interface changes with each minor release, and the SONAME with it.
SOVERSION = re.match(r"0\.\d+|\d+", VERSION).group()


def pkg_config(*what, sysroot=True):
    env = dict(os.environ, PKG_CONFIG_PATH=str(PREFIX / "lib/pkgconfig"))
    if sysroot:
        env["PKG_CONFIG_SYSROOT_DIR"] = str(STAGE)
    result = run("pkg-config", *what, "wspool", env=env)
    return shlex.split(result.stdout) if result.returncode == 0 else [result.stderr]


def files(root):
    return {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir() or p.is_symlink()}


def installed(t):
    headers = {str(p.relative_to("include"))
               for p in core_headers() + companion_headers() + adapters()}
    names = ["wspool"] + [f"wspool_{name}" for name in companions()]
    kinds = [".a", ".so", f".so.{SOVERSION}", f".so.{VERSION}"]
    wanted = ({f"include/{h}" for h in headers} | {f"lib/pkgconfig/{n}.pc" for n in names}
              | {f"lib/lib{n}{kind}" for n in names for kind in kinds})
    t.none([f"not installed: {f}" for f in sorted(wanted - files(PREFIX))]
           + [f"not wanted: {f}" for f in sorted(files(PREFIX) - wanted)],
           "install_puts_all_of_it_in_place_and_no_more")
    t.none([h for h in headers if not (PREFIX / "include" / h).exists() or
            not filecmp.cmp(f"include/{h}", PREFIX / "include" / h, shallow=False)],
           "installed_headers_are_those_of_the_tree")
    t.none([f"lib{n}{kind}" for n in names for kind in kinds[1:3]
            if not os.path.islink(PREFIX / f"lib/lib{n}{kind}")
            or os.readlink(PREFIX / f"lib/lib{n}{kind}") != f"lib{n}{kinds[3]}"],
           "links_lead_to_the_shared_library")

    t.equal(pkg_config("--modversion"), [VERSION], "pc_has_the_version_of_the_header")
    t.equal(pkg_config("--cflags", "--libs", sysroot=False),
            ["-I/usr/local/include", "-L/usr/local/lib", "-lwspool"], "pc_gives_the_library")
    static = pkg_config("--static", "--libs", sysroot=False)
    t.ok({"-lwspool", "-lwslay", "-lnettle"} <= set(static),
         "pc_gives_what_a_static_host_needs_besides", static)
    pc = PREFIX / "lib/pkgconfig/wspool.pc"
    t.ok(pc.exists() and "build" not in pc.read_text() and os.getcwd() not in pc.read_text(),
         "pc_does_not_know_where_it_was_built", pc.exists() and pc.read_text())

    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(STAGE, copy, symlinks=True, dirs_exist_ok=True)
        result = run("make", "-s", "uninstall", f"DESTDIR={copy}", "PREFIX=/usr/local")
        t.ok(result.returncode == 0 and not files(Path(copy)), "uninstall_leaves_nothing",
             result.stderr, *files(Path(copy)))


def build(compiler, standard, language, source, out, libraries):
    """Returns "" if it compiles and runs, otherwise the compiler's output."""
    result = run(*compiler, *standard, "-Wall", "-Wextra", "-Werror", *pkg_config("--cflags"),
                 "-x", language, "-", "-x", "none", "-o", out, *libraries, input=source)
    return "" if result.returncode == 0 else result.stderr or "no answer"


def hosts(t, out):
    source = Path("test/abi/host.c").read_text()
    shared = pkg_config("--libs")
    static = ["-l:libwspool.a" if word == "-lwspool" else word
              for word in pkg_config("--static", "--libs")]
    for how, libraries in ("shared", shared), ("static", static):
        for compiler, standard, language in (["gcc"], "c99", "c"), (["g++"], "c++11", "c++"):
            why = build(compiler, [f"-std={standard}", "-pedantic"], language, source,
                        f"{out}/host", libraries)
            if not why:
                result = run(f"{out}/host", env={"LD_LIBRARY_PATH": str(PREFIX / "lib")})
                if result.stdout != f"wspool {VERSION}\n":
                    why = f"exit status {result.returncode}: {result.stdout}{result.stderr}"
            t.ok(not why, f"a_host_in_{standard}_works_with_the_{how}_library", why)


def main():
    t = Tap()
    installed(t)
    with tempfile.TemporaryDirectory() as out:
        hosts(t, out)
    t.end()


main()
