# SPDX-License-Identifier: MIT
"""conformance/cases.py - what a case is, and short ways to write one.

The name of a case begins with its number. The sections have the numbers of the Autobahn testsuite.
A case is a function of a client: if it returns, the server has passed. By default the connection is
open when the function is called, and the case runs on plain and on compressed connections.
"""
from dataclasses import dataclass
from typing import Callable

ALL = []


@dataclass
class Case:
    name: str
    run: Callable
    server: str = "large"      # the server: see test_conformance.py
    opens: bool = False        # it makes the handshake itself
    plain: bool = False        # for plain connections only
    compressed: bool = False   # for compressed connections only
    deflate: dict = None       # the offer, on compressed connections
    full: bool = False         # takes long: only in the full form
    heavy: bool = False        # takes memory: few run at a time

    def section(self):
        return int(self.name.split(".")[0])


def case(name, **options):
    """A decorator: the function is a case."""
    def add(run):
        ALL.append(Case(name, run, **options))
        return run
    return add


def exchange(name, frames, answers, **options):
    """Sends the frames, expects the answers, then closes the connection."""
    frames, answers = list(frames), list(answers)

    def run(client):
        client.send(*frames)
        client.expect(*answers)
        client.finish()
    case(name, **options)(run)


def echoes(name, *frames, **options):
    """Expects that each of these messages is echoed."""
    exchange(name, frames, frames, **options)


def fails(name, frames, code, answers=(), **options):
    """Sends the frames. Expects these answers, and then that the server closes with the code by
    itself (or in answer to the Close among the frames)."""
    frames, answers = list(frames), list(answers)

    def run(client):
        client.send(*frames)
        client.expect(*answers)
        client.ends(code)
    case(name, **options)(run)
