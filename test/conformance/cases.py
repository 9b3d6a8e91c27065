# SPDX-License-Identifier: MIT
"""conformance/cases.py - what a case is, and short ways to write one.

A case has a name, which begins with its number: those of the sections are the Autobahn testsuite's.
It is a function of a client; when it returns, the server has done well. By default the
connection is open when it is called, and it runs on plain and on compressed connections.
"""
from dataclasses import dataclass
from typing import Callable

ALL = []


@dataclass
class Case:
    name: str
    run: Callable
    server: str = "large"      # which one: see test_conformance.py
    opens: bool = False        # it makes the handshake itself
    plain: bool = False        # means nothing on a compressed connection, or something else
    compressed: bool = False   # means nothing on a plain one
    deflate: dict = None       # what is offered, where compressed
    full: bool = False         # takes long: only in the full form
    heavy: bool = False        # takes memory: few of them at a time

    def section(self):
        return int(self.name.split(".")[0])


def case(name, **options):
    """A decorator: the function is a case."""
    def add(run):
        ALL.append(Case(name, run, **options))
        return run
    return add


def exchange(name, frames, answers, **options):
    """The frames are sent, the answers come, and then the connection is closed by us."""
    frames, answers = list(frames), list(answers)

    def run(client):
        client.send(*frames)
        client.expect(*answers)
        client.finish()
    case(name, **options)(run)


def echoes(name, *frames, **options):
    """Each of these messages comes back."""
    exchange(name, frames, frames, **options)


def fails(name, frames, code, answers=(), **options):
    """The frames are sent; the server gives these answers, and closes with the code by itself (or
    in answer to the Close among the frames)."""
    frames, answers = list(frames), list(answers)

    def run(client):
        client.send(*frames)
        client.expect(*answers)
        client.ends(code)
    case(name, **options)(run)
