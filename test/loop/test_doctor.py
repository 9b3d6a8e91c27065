#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_doctor.py - examples/doctor against endpoints that are well, and against endpoints with
one planted fault each.

Each case says whose fault was planted, and which stage must name that owner. The confusion matrix
of planted and named owners is printed; one case beside its diagonal fails the test. The cases run at
the same time, since some of them wait for a deadline of the doctor.
"""
import base64
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from cards import Cards  # noqa: E402
from echo import CLOSE, Echo, GUID, PATIENCE, Peer, PING, PONG, TEXT, Tap  # noqa: E402

STAGES = ["name", "tcp", "tls", "http", "version", "subprotocol", "extensions", "origin", "token",
          "capacity", "time", "ping", "idle", "close"]
OWNERS = ["nobody", "name service", "network", "proxy", "server", "application", "caller"]
AT_A_TIME = 16


def doctor(*arguments, certificates=None):
    """Returns the exit status and the report."""
    built = "build/examples-asan/doctor"
    program = built if os.path.exists(built) else "build/examples/doctor"
    fixed = ["setarch", "-R"] if program == built and shutil.which("setarch") else []
    env = dict(os.environ, SSL_CERT_FILE=certificates or "/dev/null")
    result = subprocess.run([*fixed, program, *arguments, "--json"], capture_output=True, text=True,
                            timeout=PATIENCE, check=False, env=env)
    if result.stderr:
        raise RuntimeError(result.stderr)
    return result.returncode, json.loads(result.stdout)


# ------------------------------------------------------------------- endpoints

class Listener:
    """A server in a thread for each connection; the subclass has serve(connection)."""

    def __init__(self, scheme="ws"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        connection.settimeout(PATIENCE)
        try:
            with connection:
                self.serve(connection)
        except (OSError, EOFError):
            pass

    def serve(self, connection):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def take(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def frame_of(connection):
    """Returns the opcode and the payload of a client's short frame."""
    first, second = take(connection, 2)
    mask = take(connection, 4)
    masked = take(connection, second & 127)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(masked))


def frame(opcode, payload=b""):
    return bytes([0x80 | opcode, len(payload)]) + payload


class Fake(Listener):
    """An endpoint that is well, except for what is changed.

    delay         seconds before the first answer
    refuse        refuse(headers) returns an answer in place of the 101, or None
    lines         more headers of the 101
    key           in place of the client's, for Sec-WebSocket-Accept
    first         frames that come with the 101
    then          then(connection) is called next, before pings and a Close are answered
    """

    def __init__(self, refuse=None, lines="", key=None, delay=0, first=b"", then=None):
        self.refuse, self.lines, self.key, self.delay = refuse, lines, key, delay
        self.first, self.then = first, then
        super().__init__()

    def serve(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += take(connection, 1)
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
        delay, self.delay = self.delay, 0
        time.sleep(delay)
        answer = self.refuse(fields) if self.refuse else None
        if answer is None and fields["Sec-WebSocket-Version"] != "13":
            answer = "426 Upgrade Required\r\nSec-WebSocket-Version: 13"
        if answer is not None:
            head, _, body = answer.partition("\n\n")
            connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                               .encode())
            return
        key = self.key or fields["Sec-WebSocket-Key"]
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        connection.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                            f"{self.lines}\r\n").encode() + self.first)
        if self.then:
            self.then(connection)
        while True:
            opcode, payload = frame_of(connection)
            if opcode in (PING, CLOSE):
                connection.sendall(frame(PONG if opcode == PING else CLOSE, payload))
            if opcode == CLOSE:
                return


class Relay(Listener):
    """Passes bytes on to a server: in TLS to its client, or until `lifetime` is over."""

    def __init__(self, server, context=None, lifetime=None):
        self.server, self.context, self.lifetime = server, context, lifetime
        super().__init__("wss" if context else "ws")

    def serve(self, connection):
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        with connection, socket.create_connection(self.server) as server:
            threading.Thread(target=self.back, args=(server, connection), daemon=True).start()
            if self.lifetime:
                connection.settimeout(self.lifetime)
            while data := connection.recv(65536):
                server.sendall(data)

    @staticmethod
    def back(server, connection):
        try:
            while data := server.recv(65536):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Unreachable:
    """A port whose queue of connections is full, so that the next SYN gets no answer."""

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.url = "ws://127.0.0.1:%d/" % self.listener.getsockname()[1]
        self.clients = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self.listener.getsockname())
            self.clients.append(client)
        return self

    def __exit__(self, *_):
        for one in [self.listener, *self.clients]:
            one.close()


class Node:
    """Debian's node-ws."""

    SCRIPT = """const { WebSocketServer } = require('/usr/share/nodejs/ws');
        const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
        server.on('connection', (peer) => peer.send('welcome, '.repeat(1000)));
        server.on('listening', () => console.log(server.address().port));"""

    def __enter__(self):
        self.process = subprocess.Popen(["node", "-e", self.SCRIPT], stdout=subprocess.PIPE,
                                        text=True)
        self.url = f"ws://127.0.0.1:{self.process.stdout.readline().strip()}/"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def certificate(folder, name):
    """Makes a key and a certificate that signs itself, in one file."""
    path = os.path.join(folder, name.replace(":", "_"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=doctor",
                    "-addext", f"subjectAltName={name}", "-keyout", path, "-out", path + ".crt"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path + ".crt", path)
    return path + ".crt", context


# ----------------------------------------------------------------------- cases

class Cases:
    def __init__(self):
        self.all = []  # (name, planted owner, stage or None, arguments, certificates)

    def well(self, name, *arguments, certificates=None):
        self.all.append((name, "nobody", None, arguments, certificates))

    def fault(self, owner, stage, name, *arguments, certificates=None):
        self.all.append((name, owner, stage, arguments, certificates))

    def run(self, t):
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            results = list(pool.map(lambda case: doctor(*case[3], certificates=case[4]), self.all))
        matrix = collections.Counter()
        for (name, planted, stage, arguments, _), (status, report) in zip(self.all, results):
            faults = [(one["stage"], one["owner"]) for one in report["stages"] if not one["ok"]]
            named = faults[0][1] if faults else "nobody"
            matrix[planted, named] += 1
            t.ok(faults == ([(stage, planted)] if stage else []) and
                 (status, report["ok"]) == ((0, True) if not stage else (1, False)) and
                 in_order(report, complete=not stage, idle="--idle" in arguments),
                 name, f"wanted {stage}: {planted}", f"status {status}",
                 json.dumps(report["stages"][-1]), json.dumps(report))
        print_matrix(matrix)
        t.ok(all(planted == named for planted, named in matrix),
             "no_owner_is_taken_for_another", dict(matrix))
        t.equal({planted for planted, _ in matrix}, set(OWNERS), "each_owner_was_planted")


def in_order(report, complete, idle):
    """Stages come in their order; all of them when nothing is wrong."""
    wanted = [stage for stage in STAGES if idle or stage != "idle"]
    got = [one["stage"] for one in report["stages"]]
    return (got == wanted if complete else got == [s for s in wanted if s in got]) and all(
        one["detail"].isascii() and one["detail"].isprintable() and
        (one["owner"] is None) == one["ok"] for one in report["stages"])


def print_matrix(matrix):
    print("# planted \\ named " + "".join(f"{owner:>13}" for owner in OWNERS))
    for planted in OWNERS:
        print(f"# {planted:<16} " + "".join(f"{matrix[planted, named] or '.':>13}"
                                           for named in OWNERS))


def servers(cases, stack):
    """Real servers, as they are and used wrongly."""
    echo = stack.enter_context(Echo("--deflate"))
    cases.well("echo_is_well", f"{echo.url}/echo", "--idle", "1")
    cases.fault("caller", "http", "a_path_that_does_not_exist", f"{echo.url}/nowhere")
    cases.fault("caller", "origin", "an_origin_that_is_not_allowed", f"{echo.url}/echo", "--origin",
                "https://elsewhere.example")
    cases.fault("caller", "tls", "wss_to_a_port_without_tls",
                f"{echo.url}/echo".replace("ws:", "wss:"))
    cases.fault("application", "subprotocol", "a_subprotocol_that_it_does_not_speak",
                f"{echo.url}/echo", "--subprotocol", "other.v2")
    full = stack.enter_context(Echo("--max-connections", "1"))
    stack.enter_context(Peer(full, "/echo"))
    cases.fault("server", "capacity", "a_server_that_is_full", f"{full.url}/echo")

    cards = stack.enter_context(Cards("--demo"))
    url = cards.url.replace("http:", "ws:") + "/api/cards/ws"
    cases.well("cards_with_a_token_is_well", url, "--token", cards.token)
    cases.fault("caller", "token", "a_token_that_is_missing", url)
    cases.fault("caller", "token", "a_token_that_is_wrong", url, "--token", cards.token[:-4] + "AAAA")
    opened = stack.enter_context(Cards("--no-tokens"))
    cases.well("cards_without_tokens_is_well",
               opened.url.replace("http:", "ws:") + "/api/chat/ws/a")

    dead = socket.create_server(("127.0.0.1", 0))
    port = dead.getsockname()[1]
    dead.close()
    cases.fault("server", "tcp", "a_port_where_nothing_listens", f"ws://127.0.0.1:{port}/")
    cases.fault("name service", "name", "a_name_that_does_not_resolve", "ws://doctor.invalid/")
    cases.fault("network", "tcp", "packets_that_get_no_answer",
                stack.enter_context(Unreachable()).url)
    cases.fault("network", "idle", "a_cut_in_the_silence",
                stack.enter_context(Relay(echo.address, lifetime=1.5)).url + "echo", "--idle", "3")
    return echo


def fakes(cases, stack):
    def fault(owner, stage, name, *arguments, **how):
        cases.fault(owner, stage, name, stack.enter_context(Fake(**how)).url, *arguments)

    def says(answer):
        return {"refuse": lambda fields: answer}

    def sends(data):
        return {"then": lambda connection: connection.sendall(data)}

    def nothing(connection):
        while connection.recv(65536):
            pass

    def flood(connection):
        while True:
            connection.sendall(frame(TEXT, b"x" * 100) * 100)
            time.sleep(0.01)  # it need not keep a processor busy

    cases.well("a_fake_without_a_fault_is_well", stack.enter_context(Fake()).url)
    cases.well("a_long_greeting_with_the_101_is_well",
               stack.enter_context(Fake(first=frame(TEXT, b"x" * 100) * 60)).url)
    fault("server", "version", "an_obsolete_version",
          **says("426 Upgrade Required\r\nSec-WebSocket-Version: 8"))
    fault("server", "version", "a_version_that_does_not_exist",
          refuse=lambda fields: fields.update({"Sec-WebSocket-Version": "13"}))
    fault("server", "http", "an_accept_value_for_another_key", key="AAAA")
    fault("server", "subprotocol", "a_subprotocol_that_was_not_offered",
          lines="Sec-WebSocket-Protocol: other\r\n")
    fault("server", "extensions", "an_extension_that_was_not_offered",
          lines="Sec-WebSocket-Extensions: x-other\r\n")
    fault("server", "http", "a_server_that_stays_silent", delay=PATIENCE)
    fault("server", "http", "an_endless_head", refuse=lambda fields: "200 OK\r\nX: " + "y" * 9000)
    fault("server", "ping", "no_pong", then=nothing)
    fault("server", "ping", "endless_data_and_no_pong", then=flood)
    fault("server", "ping", "a_masked_frame", **sends(b"\x81\x81\0\0\0\0x"))
    fault("server", "ping", "half_a_close_code", **sends(frame(CLOSE, b"a")))
    fault("server", "close", "a_close_that_is_not_answered", then=lambda connection: (
        frame_of(connection), connection.sendall(frame(PONG, b"doctor")), nothing(connection)))
    fault("server", "capacity", "closed_because_it_is_busy",
          **sends(frame(CLOSE, struct.pack(">H", 1013))))
    fault("application", "ping", "closed_for_an_internal_error",
          **sends(frame(CLOSE, struct.pack(">H", 1011) + "k\u00f6nnte \x1b[31m".encode())))
    fault("application", "origin", "its_own_origin_is_refused",
          refuse=lambda fields: "403 Forbidden" if "Origin" in fields else None)
    fault("application", "time", "a_slow_answer", delay=2.1)
    fault("application", "http", "an_exception", **says("500 Internal Server Error"))
    fault("application", "token", "no_secret_for_tokens", "--token", "t",
          **says('401 Unauthorized\n\n{"error":"no_secret"}'))
    fault("caller", "token", "closed_for_its_token", "--token", "t",
          **sends(frame(CLOSE, struct.pack(">H", 4401))))
    fault("caller", "origin", "an_origin_that_is_required",
          **says("403 Forbidden\n\ninvalid Origin"))
    fault("caller", "http", "a_redirect", **says("302 Found\r\nLocation: https://a.example/"))
    fault("proxy", "http", "an_upgrade_that_was_dropped", **says("426 Upgrade Required"))
    fault("proxy", "http", "a_lowered_http_version", **says("505 HTTP Version Not Supported"))
    fault("proxy", "ping", "a_proxy_that_holds_frames_back", lines="Via: 1.1 gateway\r\n",
          then=nothing)


def tls(cases, stack, folder, echo):
    good, context = certificate(folder, "IP:127.0.0.1")
    _, other = certificate(folder, "DNS:other.example")
    relay = stack.enter_context(Relay(echo.address, context))
    cases.well("echo_in_tls_is_well", relay.url + "echo", certificates=good)
    cases.fault("server", "tls", "a_certificate_that_nobody_trusts", relay.url + "echo")
    cases.fault("server", "tls", "a_certificate_of_another_host",
                stack.enter_context(Relay(echo.address, other)).url + "echo",
                certificates=os.path.join(folder, "DNS_other.example.crt"))
    cases.fault("caller", "http", "ws_to_a_port_with_tls",
                relay.url.replace("wss:", "ws:") + "echo")


# ----------------------------------------------------------------------- nginx

NGINX = """daemon off; master_process off; worker_processes 1; pid %(folder)s/pid;
error_log %(folder)s/error.log; events {}
http {
    access_log off;
    client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    server {
        listen 127.0.0.1:%(port)d;
        root %(folder)s;
        listen 127.0.0.1:%(secure)d ssl;
        ssl_certificate %(folder)s/IP_127.0.0.1.crt; ssl_certificate_key %(folder)s/IP_127.0.0.1;
        location /plain { }
        location /good/ { %(upgrade)s %(host)s proxy_pass http://%(echo)s/; }
        location /buffering/ { %(upgrade)s %(host)s proxy_buffering on; proxy_buffers 8 16k;
                               proxy_pass http://%(echo)s/; }
        location /no-upgrade/ { proxy_http_version 1.1; %(host)s proxy_pass http://%(echo)s/; }
        location /http-1.0/ { %(host)s proxy_pass http://%(echo)s/; }
        location /host/ { %(upgrade)s proxy_pass http://%(echo)s/; }
        location /short/ { %(upgrade)s %(host)s proxy_read_timeout 2s;
                           proxy_pass http://%(echo)s/; }
        location /dead/ { %(upgrade)s %(host)s proxy_pass http://127.0.0.1:%(dead)d/; }
    }
}
"""


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listeners]
    for one in listeners:
        one.close()
    return ports


class Nginx:
    def __init__(self, folder, echo):
        port, secure, dead = free_ports(3)
        self.url = f"ws://127.0.0.1:{port}"
        self.secure = f"ws://127.0.0.1:{secure}"
        self.port = port
        self.config = os.path.join(folder, "nginx.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(NGINX % {
                "folder": folder, "port": port, "secure": secure, "dead": dead,
                "echo": "%s:%d" % echo.address,
                "upgrade": "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
                           "proxy_set_header Connection upgrade;",
                "host": "proxy_set_header Host $http_host;"})

    def __enter__(self):
        self.process = subprocess.Popen([nginx_program(), "-c", self.config],
                                        stderr=subprocess.PIPE)
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"nginx did not start: {self.process.stderr.read()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def nginx_program():
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def proxies(cases, stack, folder, echo):
    nginx = stack.enter_context(Nginx(folder, echo))
    url = nginx.url
    cases.well("nginx_as_a_correct_proxy_is_well", f"{url}/good/echo", "--idle", "1")
    cases.well("nginx_that_buffers_is_well", f"{url}/buffering/echo")
    cases.well("nginx_in_tls_is_well", nginx.secure.replace("ws:", "wss:") + "/good/echo",
               certificates=os.path.join(folder, "IP_127.0.0.1.crt"))
    cases.fault("caller", "http", "ws_to_nginx_in_tls", nginx.secure + "/good/echo")
    cases.fault("proxy", "http", "plain_nginx", f"{url}/plain")
    cases.fault("proxy", "http", "nginx_without_upgrade", f"{url}/no-upgrade/echo")
    cases.fault("proxy", "http", "nginx_with_http_1.0", f"{url}/http-1.0/echo")
    cases.fault("proxy", "origin", "nginx_with_another_host", f"{url}/host/echo")
    cases.fault("proxy", "idle", "nginx_with_a_short_timeout", f"{url}/short/echo", "--idle", "4")
    cases.fault("server", "http", "nginx_before_a_dead_server", f"{url}/dead/echo")
    cases.fault("caller", "http", "a_wrong_path_behind_nginx", f"{url}/good/nowhere")


def usage(t):
    for name, arguments in [("no_url", []), ("another_scheme", ["http://127.0.0.1/"]),
                            ("a_port_that_is_no_number", ["ws://127.0.0.1:x/"]),
                            ("a_token_with_a_line_end", ["ws://127.0.0.1/", "--token", "a\r\nb"]),
                            ("a_fragment", ["ws://127.0.0.1/#a"])]:
        result = subprocess.run(["build/examples/doctor", *arguments], capture_output=True,
                                text=True, timeout=PATIENCE, check=False)
        t.ok(result.returncode == 2 and result.stderr and not result.stdout,
             f"{name}_is_wrong_usage", result)


def table(t, echo):
    result = subprocess.run(["build/examples/doctor", f"{echo.url}/nowhere"], capture_output=True,
                            text=True, timeout=PATIENCE, check=False)
    lines = [line.split() for line in result.stdout.splitlines()]
    t.ok(lines[1][:2] == ["name", "ok"] and lines[4][:3] == ["http", "FAULT", "HTTP"] and
         lines[5] == ["likely", "owner:", "caller"], "a_person_can_read_it", result.stdout)


def main():
    t, cases = Tap(), Cases()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        echo = servers(cases, stack)
        fakes(cases, stack)
        tls(cases, stack, folder, echo)
        if shutil.which("node"):
            cases.well("node_ws_is_well", stack.enter_context(Node()).url)
        if nginx_program():
            proxies(cases, stack, folder, echo)
        else:
            t.skip("proxies", "nginx is not installed")
        cases.run(t)
        table(t, echo)
    usage(t)
    t.end()


main()
