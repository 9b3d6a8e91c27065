# SPDX-License-Identifier: MIT
"""README.md: its length and its order, that its links lead somewhere, and that its programs compile
with the packages of its own `cc` line against build/stage. The first program is run and does what
the page says, with binary messages too."""
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "loop")]
from tap import Tap, run  # noqa: E402
from echo import BINARY, Peer, TEXT  # noqa: E402

WORDS = 1200
HEADINGS = ["libwspool", "Why, and when not", "60 seconds", "How it fits", "What you get",
            "Into your server", "Limits and guarantees", "Cost", "Support", "Stability", "Links"]
PORT = "9001"
CC = os.environ.get("CC", "cc").split()
STAGE = Path("build/stage").resolve()
LIBRARIES = STAGE / "usr/local/lib"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.M | re.S)


def page(t, text):
    words = len(text.split())
    t.ok(words <= WORDS, "it_is_short", f"{words} words, code and tables included; at most {WORDS}")
    t.equal(re.findall(r"^##? (.*)$", BLOCK.sub("", text), re.M), HEADINGS, "its_parts_are_in_order")
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    t.none([link for link in sorted(links) if not Path(link).exists()], "its_links_lead_to_files")
    t.ok("<!-- glue -->" in text and "<!-- /glue -->" in text, "it_has_a_place_for_the_glue")


def flags(text):
    """What the page's pkg-config call prints, for the libraries in build/stage."""
    call = re.search(r"\$\(pkg-config ([^)]*)\)", text)
    env = dict(os.environ, PKG_CONFIG_PATH=str(LIBRARIES / "pkgconfig"),
               PKG_CONFIG_SYSROOT_DIR=str(STAGE))
    result = run("pkg-config", *shlex.split(call.group(1)), env=env) if call else None
    return shlex.split(result.stdout) if result and result.returncode == 0 else []


def build(code, out, options):
    """As a user would: no -std. Returns what the compiler said; nothing when all is well."""
    result = run(*CC, "-Wall", "-Wextra", "-Werror", "-x", "c", "-", "-x", "none", "-o", out,
                 *options, input=code)
    return "" if result.returncode == 0 else result.stderr or "the compiler failed"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, program, port):
        self.address = ("127.0.0.1", port)
        env = dict(os.environ, LD_LIBRARY_PATH=str(LIBRARIES))
        self.process = subprocess.Popen([program], env=env, stderr=subprocess.PIPE, text=True)

    def listens(self):
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(self.address) == 0:
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def interrupt(self):
        """Its exit status, and what it said."""
        self.process.send_signal(signal.SIGINT)
        try:
            _, errors = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
        return self.process.returncode, errors


def first_program(t, program, port):
    server = Server(program, port)
    if not t.ok(server.listens(), "the_first_program_listens"):
        server.process.kill()
        t.end()
    here, there, elsewhere = (Peer(server, f"/room/{name}") for name in ("a", "a", "b"))
    for peer in (here, there, elsewhere):
        peer.quiet()
    here.text("hello")
    t.equal(there.frame(), (TEXT, b"hello"), "text_goes_to_the_others_in_the_room")
    here.binary(b"\x00\xff")
    t.equal(there.frame(), (BINARY, b"\x00\xff"), "binary_stays_binary")
    t.ok(here.quiet() and elsewhere.quiet(), "nobody_else_gets_it")
    with Peer(server) as peer:
        peer.ask("/nowhere")
        status, *rest = peer.answer()
        t.ok(status == 404 and "no_route" in str(rest), "another_path_is_refused_as_it_says",
             status, rest)
    t.equal(server.interrupt(), (0, ""), "an_interrupt_ends_it_in_good_order")
    for peer in (here, there, elsewhere):
        peer.end()


def main():
    t = Tap()
    text = Path("README.md").read_text()
    page(t, text)
    options = flags(text)
    t.ok(options, "pkg_config_knows_its_packages", "no $(pkg-config ...), or it failed")
    programs = [(text[:m.start()].count("\n") + 2, m.group(2)) for m in BLOCK.finditer(text)
                if m.group(1) == "c" and re.search(r"\bint main\b", m.group(2))]
    t.ok(programs, "it_shows_a_whole_program", "no ```c block with int main")
    port = free_port()
    with tempfile.TemporaryDirectory() as out:
        for count, (line, code) in enumerate(programs):
            code = f'#line {line} "README.md"\n{code}'.replace(PORT, str(port))
            why = build(code, f"{out}/{count}", options)
            t.ok(not why, f"the_program_at_line_{line}_compiles_and_links", why)
        if programs and os.path.exists(f"{out}/0"):
            first_program(t, f"{out}/0", port)
    t.end()


main()
