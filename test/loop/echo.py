# SPDX-License-Identifier: MIT
"""What the loop tests in Python share: examples/echo as a process, and a raw client.

    with Echo("--max-connections", "10") as echo:
        peer = Peer(echo, "/room/a")
        peer.text("hello")
        peer.frame()          # (opcode, payload)
    echo.status               # of the process, once it has been told to end

The program is build/examples-asan/echo if that was built, else build/examples/echo. WSPOOL_ECHO
names another program. WSPOOL_IO says what moves its bytes (--io). Nothing here measures time:
PATIENCE only ends a test that hangs.
"""
import base64
import hashlib
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402,F401

PATIENCE = 60
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def program(release=False):
    io = os.environ.get("WSPOOL_IO")
    return path(release) + (["--io", io] if io else [])


def path(release):
    given = os.environ.get("WSPOOL_ECHO")
    if given:
        return [given]
    if not release and os.path.exists("build/examples-asan/echo"):
        # Sanitizers of this version fail if the address layout is too random.
        fixed = ["setarch", "-R"]
        if shutil.which("setarch") and not subprocess.run(
                fixed + ["true"], stderr=subprocess.DEVNULL, check=False).returncode:
            return fixed + ["build/examples-asan/echo"]
        return ["build/examples-asan/echo"]
    return ["build/examples/echo"]


class Echo:
    """The server, from start to end. release: built without a sanitizer."""

    def __init__(self, *flags, descriptors=None, release=False):
        def lower():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            program(release) + ["--port", "0", *flags], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=lower)
        self.line = self.process.stdout.readline()
        self.status = None
        self.errors = ""
        if not self.line.startswith("listening on ws://"):
            self.end()
            raise RuntimeError(f"echo did not start: {self.line!r} {self.errors}")
        self.url = self.line.split()[-1]
        host, port = self.url[len("ws://"):].rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """Waits for its end. Returns the exit status."""
        try:
            _, self.errors = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, self.errors = self.process.communicate()
            self.errors += "(it did not end)"
        self.status = self.process.returncode
        return self.status

    def end(self):
        """The second signal ends it at once, even if clients are left."""
        if self.status is None:
            self.signal()
            self.signal(signal.SIGINT)
            self.wait()
        return self.status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Gone(Exception):
    """Returns how the server closed: "fin" or "reset"."""


class Peer:
    """A client on a plain socket. It sends any bytes, valid or not."""

    KEY = "dGhlIHNhbXBsZSBub25jZQ=="

    def __init__(self, echo, path=None, receive_bytes=None, source=None):
        family = socket.AF_INET6 if ":" in echo.address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:  # another address of this machine
            self.socket.bind((source, 0))
        self.socket.connect(echo.address)
        self.host = f"{echo.address[0]}:{echo.address[1]}"
        self.bytes = b""
        if path is not None:
            self.ask(path)
            status, headers, body = self.answer()
            if status != 101:
                raise RuntimeError(f"{path}: {status} {body!r}")
            accept = base64.b64encode(hashlib.sha1((self.KEY + GUID).encode()).digest()).decode()
            if headers.get("sec-websocket-accept") != accept:
                raise RuntimeError(f"{path}: wrong accept value")

    def ask(self, path, method="GET", version="HTTP/1.1", drop=(), **headers):
        fields = {"Host": self.host, "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Key": self.KEY, "Sec-WebSocket-Version": "13"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        if isinstance(path, str):
            path = path.encode("latin-1")
        self.send(method.encode() + b" " + path + b" " + version.encode() + b"\r\n" +
                  "".join(f"{n}: {v}\r\n" for n, v in fields.items() if n not in drop).encode() +
                  b"\r\n")

    def answer(self):
        """Returns (status, headers in lower case, body) of the HTTP answer."""
        while b"\r\n\r\n" not in self.bytes:
            self.more()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines[1:])}
        body = b""
        if status != 101:
            body = self.take(int(headers.get("content-length", 0)))
        return status, headers, body

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone("reset") from error

    def more(self):
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError as error:
            raise Gone("reset") from error
        if not data:
            raise Gone("fin")
        self.bytes += data

    def take(self, count):
        while len(self.bytes) < count:
            self.more()
        data, self.bytes = self.bytes[:count], self.bytes[count:]
        return data

    def put(self, opcode, payload=b"", fin=True):
        self.send(frame(opcode, payload, fin))

    def text(self, text):
        self.put(TEXT, text.encode() if isinstance(text, str) else text)

    def binary(self, data):
        self.put(BINARY, data)

    def frame(self):
        """Returns the next frame: (opcode, payload). The server does not fragment."""
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def closed(self):
        """Reads to the end. Returns the close code (None: no Close) and how it ended."""
        code = None
        try:
            while True:
                opcode, payload = self.frame()
                if opcode == CLOSE:
                    code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                    self.put(CLOSE, payload[:2])
        except Gone as gone:
            return code, str(gone)

    def quiet(self):
        """Asserts that nothing waits: only the answer to a ping comes."""
        self.put(PING, b"quiet?")
        return self.frame() == (PONG, b"quiet?")

    def end(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def frame(opcode, payload=b"", fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    key = bytes([0x37, 0xFA, 0x21, 0x3D])
    masked = (int.from_bytes(payload, "big") ^
              int.from_bytes((key * (len(payload) // 4 + 1))[:len(payload)], "big"))
    return head + key + masked.to_bytes(len(payload), "big")


def cpu(pid):
    """Returns the processor time of a process in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
