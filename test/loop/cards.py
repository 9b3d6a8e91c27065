# SPDX-License-Identifier: MIT
"""What the tests of examples/cards share: the program as a process, its plain HTTP, its sockets.

    with Cards("--demo") as cards:
        status, body, headers = cards.ask("POST", "/api/cards", {"title": "x", "column_id": "plan"})
        cards.token                      # sent with each request, when there is one
        with cards.peer("/ws/cards") as peer:
            peer.hello()                 # connection_established, then subscribed: its data
            peer.message()               # the next one, parsed

The program is build/examples-asan/cards when that was built, else build/examples/cards;
WSPOOL_CARDS names another one.
"""
import base64
import hmac
import http.client
import json
import os
import resource
import shutil
import subprocess

from echo import CLOSE, Echo, PATIENCE, Peer, PING, PONG, TEXT, Tap  # noqa: F401

FIRST = ("connection_established", "subscribed")


def program(release=False):
    given = os.environ.get("WSPOOL_CARDS")
    if given:
        return [given]
    if not release and os.path.exists("build/examples-asan/cards"):
        # Sanitizers of this version fail if the address layout is too random.
        fixed = ["setarch", "-R"]
        if shutil.which("setarch") and not subprocess.run(
                fixed + ["true"], stderr=subprocess.DEVNULL, check=False).returncode:
            return fixed + ["build/examples-asan/cards"]
        return ["build/examples-asan/cards"]
    return ["build/examples/cards"]


def environment(given):
    """Returns our environment without the variables that the program reads, plus those given."""
    ours = {name: value for name, value in os.environ.items()
            if name not in ("JWT_SECRET", "MAX_WEBSOCKET_CONNECTIONS", "MAX_PER_ADDRESS", "TOKEN_SECONDS",
                            "POLL_SECONDS",
                            "MEMORY_THRESHOLD_MB", "CPU_THRESHOLD")}
    ours.update(given or {})
    return ours


def signed(claims, secret):
    """Returns a JSON Web Token: HS256 with a secret, or unsigned (None)."""
    def segment(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = {"alg": "HS256" if secret else "none", "typ": "JWT"}
    text = b".".join(segment(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.new(secret, text, "sha256").digest() if secret else b""
    return (text + b"." + segment(mac)).decode()


class Cards(Echo):  # which knows how to end it
    """Without --demo and JWT_SECRET no token is asked for."""

    def __init__(self, *flags, port=0, env=None, descriptors=None, release=False):
        # pylint: disable=super-init-not-called
        def lower():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        if "--demo" not in flags and "JWT_SECRET" not in (env or {}):
            flags += ("--no-tokens",)
        self.process = subprocess.Popen(
            program(release) + ["--port", str(port), *flags], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=lower, env=environment(env))
        self.line = self.process.stdout.readline()
        self.status = None
        self.errors = ""
        self.token = None
        if not self.line.startswith("listening on http://"):
            self.wait()
            raise RuntimeError(f"cards did not start: {self.line!r} {self.errors}")
        self.url = self.line.split()[-1]
        host, port = self.url[len("http://"):].rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))
        if "--demo" in flags:
            self.token = self.mint("tester")

    def mint(self, subject):
        status, body, _ = self.ask("POST", "/api/token", {"subject": subject})
        if status != 200:
            raise RuntimeError(f"no token: {status} {body}")
        return body["token"]

    def ask(self, method, path, body=None, token=True, headers=None):
        """Returns (status, body, headers). body: parsed if it is JSON, else bytes.
        token: True sends ours, a string sends that one, None sends none."""
        fields = dict(headers or {})
        token = self.token if token is True else token
        if token is not None and "Authorization" not in fields:
            fields["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.headers.get("Content-Type") == "application/json" and text:
            text = json.loads(text)
        return answer.status, text, answer.headers

    def stats(self):
        return self.ask("GET", "/api/websocket/stats")[1]

    def peer(self, path, token=True):
        token = self.token if token is True else token
        if token:
            path += ("&" if "?" in path else "?") + "token=" + token
        return Member(self, path)

    def refused(self, path, **how):
        """Returns (status, reason) of a request for a socket."""
        peer = Peer(self)
        peer.ask(path, **how)
        status, _, body = peer.answer()
        peer.end()
        return status, json.loads(body)["error"] if body else None


class Member(Peer):
    """A peer that speaks the contract."""

    def say(self, kind, **data):
        self.text(json.dumps({"type": kind, "data": data} if data else {"type": kind}))

    def message(self):
        opcode, payload = self.frame()
        while opcode == PING:  # we have been slow
            self.put(PONG, payload)
            opcode, payload = self.frame()
        if opcode != TEXT:
            raise RuntimeError(f"no text: {opcode} {payload!r}")
        return json.loads(payload)

    def hello(self):
        """Reads the first two messages. Returns the data of the second."""
        first, second = self.message(), self.message()
        if (first["type"], second["type"]) != FIRST:
            raise RuntimeError(f"not what comes first: {first} {second}")
        return second["data"]

    def answer_to(self, kind, **data):
        self.say(kind, **data)
        return self.message()
