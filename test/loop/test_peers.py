#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_peers.py - real peers in other languages, on /echo without and with --deflate.

Each is a program of test/loop/peers/ that gets a URL and offers permessage-deflate if it can. It
prints "deflate" or "plain", then "same" for each of four messages that comes back unchanged, then
the code of the Close that answers its own. Mojolicious always runs. PEERS=all also runs those that
must be compiled or that need a large package. A peer whose package is missing is skipped.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from echo import Echo, Tap  # noqa: E402

HERE = Path("test/loop/peers")
BUILT = Path("build/peers")
GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
      "GOCACHE": os.path.abspath(BUILT / "go")}
NODE = {"NODE_PATH": "/usr/share/nodejs"}


class Peer:
    """package: what to install. needs: commands and files of that package. compile: a command that
    makes build/peers/NAME. deflate: whether it offers compression."""

    def __init__(self, source, package, needs, command, compile=None, env=None, deflate=False,
                 cheap=False):
        self.source = HERE / source
        self.name = self.source.stem.lower()
        self.package, self.needs, self.command, self.compile = package, needs, command, compile
        self.env = dict(os.environ, **(env or {}))
        self.deflate, self.cheap = deflate, cheap

    def is_there(self):
        return all(os.path.exists(n) if "/" in n else shutil.which(n) for n in self.needs)

    def make(self):
        """Compiles it if its source has changed. Returns what the compiler says when it fails."""
        program = BUILT / self.name
        if not self.compile or (program.exists() and
                                program.stat().st_mtime > self.source.stat().st_mtime):
            return None
        BUILT.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*self.compile, "-o", program, self.source], env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout if done.returncode else None

    def talk(self, url):
        """Returns the lines that it prints."""
        try:
            return subprocess.run([*self.command, url], env=self.env, text=True, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  check=False).stdout.splitlines()
        except subprocess.TimeoutExpired as error:
            return [*(error.stdout or b"").decode().splitlines(), "(it did not end)"]


MOJOLICIOUS = "/usr/share/perl5/Mojolicious.pm"
PEERS = (
    Peer("mojolicious.pl", "libmojolicious-perl", ("perl", MOJOLICIOUS),
         ("perl", HERE / "mojolicious.pl"), deflate=True, cheap=True),
    Peer("undici.mjs", "node-undici", ("node", "/usr/share/nodejs/undici/index.js"),
         ("node", HERE / "undici.mjs"), env=NODE),
    Peer("JavaPeer.java", "default-jdk-headless", ("javac", "java"),
         ("java", HERE / "JavaPeer.java")),
    Peer("gorilla.go", "golang-go, or golang-github-gorilla-websocket-dev,",
         ("go", "/usr/share/gocode/src/github.com/gorilla/websocket"),
         (BUILT / "gorilla",), compile=("go", "build"), env=GO, deflate=True),
    Peer("beast.cpp", "libboost-dev", ("g++", "/usr/include/boost/beast.hpp"),
         (BUILT / "beast",), compile=("g++", "-std=c++17", "-O0", "-pthread"), deflate=True),
)


def main():
    t = Tap()
    chosen = [peer for peer in PEERS if peer.cheap or os.environ.get("PEERS") == "all"]
    with Echo() as plain, Echo("--deflate") as deflate:
        for peer in chosen:
            if not peer.is_there():
                t.skip(peer.name, f"{peer.package} is not installed")
                continue
            wrong = peer.make()
            if wrong is not None:
                t.ok(False, f"{peer.name}_is_compiled", wrong)
                continue
            for server, extension in ((plain, "plain"), (deflate, "deflate")):
                chosen = extension if peer.deflate else "plain"
                t.equal(peer.talk(f"{server.url}/echo"), [chosen] + ["same"] * 4 + ["closed 3001"],
                        f"{peer.name}_talks_to_echo_{extension}")
    t.equal((plain.status, deflate.status), (0, 0), "servers_end_well")
    t.end()


main()
