# SPDX-License-Identifier: MIT
"""conformance/handshake.py - section 0: the opening handshake (RFC 6455, 4; RFC 9110 and 9112), and
frames right after it."""
import base64

from cases import case
from frames import Fault, Frame, binary, close, last, ping, pong, text


def accepted(name, behind=(), answers=(), end=None, protocols=(), wanted=None, **request):
    """Expects that the request is accepted, and that the frames after it, in the same sequence of
    bytes, are processed."""
    def run(client):
        client.write(client.request(**request) + b"".join(client.encode(f) for f in behind))
        protocol, extensions = client.accepted(protocols)
        if protocol != wanted or extensions is not None:
            raise Fault(f"subprotocol {protocol}, extensions {extensions}")
        client.expect(*answers)
        if end:
            client.ends(end)
        else:
            client.goes_on()
            client.finish()
    case(name, opens=True, plain=True)(run)


def refused(name, status, change=None, behind=b"", headers=(), word=None, **request):
    """Expects that the request is refused with an HTTP answer, and that the connection ends.
    `change` makes the bytes to send from the request; each of `headers` must be in the answer."""
    def run(client):
        data = client.request(**request)
        client.write((change(data) if change else data) + behind)
        got, fields, body = client.answer()
        if got != status:
            raise Fault(f"the answer is {got} {body!r}, not {status}")
        for field, value in dict(headers).items():
            if value.lower() not in fields.get(field, "").lower().replace(" ", "").split(","):
                raise Fault(f"{field} of the answer: {fields.get(field)!r}")
        if fields.get("content-type") != "application/json" or not body.startswith(b'{"error":"'):
            raise Fault(f"no reason in the body {body!r}")
        if word and body != b'{"error":"%s"}' % word.encode():
            raise Fault(f"the reason is {body!r}")
        if client.KEY.encode() in body:
            raise Fault("the body gives the key back")
        client.refused()
    case(f"{name}_is_{status}", opens=True, plain=True)(run)


def swap(old, new):
    """Returns a change: it replaces one text of the request by another."""
    def change(data):
        assert old.encode() in data
        return data.replace(old.encode(), new.encode("latin-1"), 1)
    return change


# ------------------------------------------------------------------ 0.1 who is let in

accepted("0.1.1_plain_request")
accepted("0.1.2_names_of_headers_in_any_case",
         drop=("Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"),
         extra=("HOST: 127.0.0.1", "upgrade: websocket", "cONNECTION: Upgrade",
                "sec-websocket-key: " + base64.b64encode(bytes(range(16))).decode(),
                "SEC-WEBSOCKET-VERSION: 13"))
accepted("0.1.3_upgrade_in_any_case", Upgrade="WebSocket", Connection="uPgRADE")
accepted("0.1.4_connection_among_others", Connection="keep-alive, Upgrade")
accepted("0.1.5_upgrade_among_others", Upgrade="h2c, websocket")
accepted("0.1.6_connection_in_two_headers", Connection="keep-alive", extra=("Connection: Upgrade",))
accepted("0.1.7_spaces_and_tabs_around_values", Upgrade=" \t websocket \t ")
accepted("0.1.8_no_space_before_a_value", drop=("Sec-WebSocket-Version",),
         extra=("Sec-WebSocket-Version:13",))
accepted("0.1.9_query_behind_the_path", path="/echo?a=b&c=%2F")
accepted("0.1.10_unknown_headers", extra=("X-Other: " + "y" * 3000, "Empty:", "x-other: again"))
accepted("0.1.11_unknown_subprotocol_is_not_chosen", extra=("Sec-WebSocket-Protocol: a, b",))
accepted("0.1.12_unknown_extension_is_not_chosen",
         extra=("Sec-WebSocket-Extensions: x-unknown; a=1; b, x-other",))
accepted("0.1.13_content_length_of_nothing", extra=("Content-Length: 0",))
accepted("0.1.14_method_and_path_as_the_rfc_writes_it", Host="server.example.com")
accepted("0.1.17_empty_line_first", method="\r\nGET")
accepted("0.1.18_absolute_form", path="http://127.0.0.1/echo?a=b")


@case("0.1.15_origin_of_the_same_host", opens=True, plain=True)
def same_origin(client):
    host, port = client.address
    client.write(client.request(Origin=f"http://{host}:{port}"))
    client.accepted()
    client.finish()


@case("0.1.16_head_in_two_parts_that_come_apart", opens=True, plain=True)
def head_apart(client):
    data = client.request()
    client.write(data[:50])
    with type(client)(client.address) as other:  # another client is served meanwhile
        other.open().finish()
    client.write(data[50:])
    client.accepted()
    client.finish()


# ------------------------------------------------------------------ 0.2 frames behind the head

hello = text("hello")
accepted("0.2.1_message_behind_the_head", [hello], [hello])
accepted("0.2.2_messages_behind_the_head", [text(f"{i}") for i in range(300)],
         [text(f"{i}") for i in range(300)])
accepted("0.2.3_ping_behind_the_head", [ping("first")], [pong("first")])
accepted("0.2.4_close_behind_the_head", [close(1000)], end=1000)
accepted("0.2.5_message_and_close_behind_the_head", [hello, close(3000)], [hello], end=3000)
accepted("0.2.6_unlawful_frame_behind_the_head", [Frame(3)], end=1002)
accepted("0.2.7_unmasked_frame_behind_the_head", [hello, text("x", masked=False)], [hello],
         end=1002)
accepted("0.2.8_bad_text_behind_the_head", [text(b"\xff", sent=1)], end=1007)
accepted("0.2.9_large_message_behind_the_head", [binary(b"x" * 200000)], [binary(b"x" * 200000)])


@case("0.2.10_first_part_of_a_message_behind_the_head", opens=True, plain=True)
def part_behind(client):
    client.write(client.request() + client.encode(text("hel", fin=False)) + b"\x80")
    client.accepted()
    client.write(client.encode(last("lo"))[1:])
    client.expect(hello)
    client.finish()


@case("0.2.11_half_a_frame_behind_the_head", opens=True, plain=True)
def half_behind(client):
    frame = client.encode(hello)
    client.write(client.request() + frame[:8])
    client.accepted()
    client.write(frame[8:])
    client.expect(hello)
    client.finish()


# ------------------------------------------------------------------ 0.3 who is not let in

for i, method in enumerate(("POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get")):
    if method != "HEAD":
        refused(f"0.3.{i + 1}_method_{method}", 405, method=method, headers={"allow": "GET"})
for i, path in enumerate(("/", "/nowhere", "/echo/", "/Echo", "/echo/more", "/room/", "/ech")):
    refused(f"0.4.{i + 1}_path_{path.replace('/', '.')}", 404, path=path)
VERSION = {"sec-websocket-version": "13", "connection": "upgrade", "upgrade": "websocket"}
for i, version in enumerate(("12", "14", "8", "0", "013", "13, 8", "")):
    refused(f"0.5.{i + 1}_version_{version.replace(', ', '-') or 'empty'}", 426, headers=VERSION,
            Sec_WebSocket_Version=version)
refused("0.5.8_no_version", 426, headers=VERSION, drop=("Sec-WebSocket-Version",))
refused("0.5.9_no_upgrade", 426, headers={"upgrade": "websocket"}, drop=("Upgrade",))
refused("0.5.10_other_upgrade", 426, headers={"upgrade": "websocket"}, Upgrade="h2c")
refused("0.5.11_connection_without_upgrade", 426, Connection="keep-alive")
refused("0.5.12_no_connection", 426, drop=("Connection",))
refused("0.5.13_two_versions", 400, extra=("Sec-WebSocket-Version: 13",))
KEYS = {"test": "test", "empty": "", "of_15_bytes": "AAAAAAAAAAAAAAAAAAAA",
        "of_17_bytes": "AAAAAAAAAAAAAAAAAAAAAAA=", "of_24_letters": "A" * 24,
        "with_a_space_inside": "AAAAAAAAAAA AAAAAAAAAA==", "without_padding": "A" * 22,
        "of_no_base64": "!AAAAAAAAAAAAAAAAAAAAA==", "that_is_not_canonical": "A" * 21 + "B=="}
for i, (name, key) in enumerate(KEYS.items()):
    refused(f"0.6.{i + 1}_key_{name}", 400, Sec_WebSocket_Key=key)
refused("0.6.10_no_key", 400, drop=("Sec-WebSocket-Key",))
refused("0.6.11_two_keys", 400, extra=("Sec-WebSocket-Key: " + "A" * 22 + "==",))
refused("0.7.1_no_host", 400, drop=("Host",))
refused("0.7.2_two_hosts", 400, extra=("Host: 127.0.0.1",))
refused("0.7.3_empty_host", 400, Host="")
refused("0.7.4_two_hosts_in_one", 400, Host="a, b")
for i, version in enumerate(("HTTP/1.0", "HTTP/0.9", "HTTP/2.0")):
    refused(f"0.8.{i + 1}_version_{version.replace('/', '_')}", 505, version=version)
for i, (name, old, new) in enumerate((
        ("no_version_of_http", " HTTP/1.1", ""), ("lower_case_http", "HTTP/1.1", "http/1.1"),
        ("two_digits", "HTTP/1.1", "HTTP/1.11"), ("two_spaces", "GET ", "GET  "),
        ("tab_for_space", "GET ", "GET\t"), ("no_method", "GET ", " "),
        ("empty_lines", "GET ", "\r\n" * 5 + "GET "), ("bare_line_feed", "\r\nHost", "\nHost"),
        ("carriage_return_alone", "Upgrade: websocket", "Upgrade: web\rsocket"),
        ("nul_in_a_value", "Upgrade: websocket", "Upgrade: websocket\0"),
        ("space_before_the_colon", "Upgrade: ", "Upgrade : "),
        ("header_without_a_colon", "Upgrade: websocket", "Upgrade websocket"),
        ("header_without_a_name", "Upgrade: websocket", ": websocket"),
        ("folded_header", "Upgrade: websocket", "Upgrade:\r\n websocket"),
        ("fragment_in_the_path", "/echo", "/echo#x"),
        ("letter_beyond_ascii_in_the_path", "/echo", "/ech\xf6"),
        ("path_without_a_slash", "/echo", "echo"))):
    refused(f"0.9.{i + 1}_{name}", 400, change=swap(old, new))
refused("0.10.1_announced_body", 400, extra=("Content-Length: 5",), behind=b"hello")
refused("0.10.2_chunked_body", 400, extra=("Transfer-Encoding: chunked",), behind=b"0\r\n\r\n")
refused("0.10.3_two_lengths", 400, extra=("Content-Length: 0", "Content-Length: 0"))
refused("0.11.1_head_without_end", 431, extra=("X-Long: " + "y" * 70000,))
refused("0.11.2_too_many_headers", 431, extra=[f"X-{i}: y" for i in range(300)])
for i, origin in enumerate(("http://evil.example", "null", "http://127.0.0.1.evil.example",
                            "https://127.0.0.1:1")):
    refused(f"0.12.{i + 1}_foreign_origin", 403, Origin=origin)
refused("0.12.5_two_origins", 400, extra=("Origin: http://a", "Origin: http://b"))
refused("0.12.6_cookie_without_an_origin", 403, extra=("Cookie: a=b",))
refused("0.13.1_subprotocol_that_is_no_token", 400, extra=("Sec-WebSocket-Protocol: a b",))
refused("0.13.2_frames_behind_a_refused_head_are_not_heard", 404, path="/nowhere",
        behind=b"\x81\x80abcd")
