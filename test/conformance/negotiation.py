# SPDX-License-Identifier: MIT
"""conformance/negotiation.py - section 13: offers of permessage-deflate, and their results (RFC
6455, 9.1; RFC 7692, 5 and 7.1)."""
import itertools
import random

from cases import Case, ALL
from client import offer_text
from frames import RSV1, TEXT, Fault, Frame, binary, text

NAME = "permessage-deflate"


def talk(client):
    """Returns messages that would fail with a window or a context that was not negotiated."""
    noise = random.Random(7)
    near = noise.randbytes(300)
    page = b"".join(near + noise.randbytes(2 ** n) for n in range(7, 13)) + near
    for frame in (text("Hello"), text("Hello"), binary(page), binary(page), text("Hello" * 2000),
                  text("Hello"), binary(page[::-1]), text()):
        client.send(frame)
        client.expect(frame)
    client.send(*[text(f"Hello {i}") for i in range(20)])
    client.expect(*[text(f"Hello {i}") for i in range(20)])
    client.finish()


def negotiated(name, headers, *offers):
    """Sends these header values. Expects that one of the offers, each a dict, is accepted; without
    an offer the connection must be a plain one."""
    def run(client):
        client.write(client.request(extra=[f"Sec-WebSocket-Extensions: {h}" for h in headers]))
        _, answer = client.accepted(deflate=offers)
        if (answer is not None) != bool(offers):
            raise Fault(f"the answer to {headers} is {answer!r}")
        if answer is None:
            client.send(text("plain"))
            client.expect(text("plain"))
            client.send(Frame(TEXT, b"\0", rsv=RSV1))
            client.ends(1002)
        else:
            talk(client)
    ALL.append(Case(name, run, opens=True, compressed=True))


def malformed(name, header):
    """Expects that a malformed header fails the handshake (RFC 6455, 9.1)."""
    def run(client):
        client.write(client.request(extra=[f"Sec-WebSocket-Extensions: {header}"]))
        status, _, body = client.answer()
        if status != 400:
            raise Fault(f"the answer to {header!r} is {status} {body!r}")
        client.refused()
    ALL.append(Case(name, run, opens=True, compressed=True))


# ------------------------------------------------------------------ 13.1 to 13.3 lawful offers

def offered(number, offer):
    shown = "".join(f"_{n}{'' if v is None else v}" for n, v in offer.items()) or "_nothing_else"
    negotiated(f"{number}_offer_with{shown}", [offer_text(offer)], offer)


SWITCHES = [[], ["server_no_context_takeover"], ["client_no_context_takeover"],
            ["server_no_context_takeover", "client_no_context_takeover"]]
for i, names in enumerate(SWITCHES):
    offered(f"13.1.{i + 1}", dict.fromkeys(names))
for window in range(9, 16):
    offered(f"13.2.{window}", {"server_max_window_bits": str(window)})
    offered(f"13.2.{window + 10}", {"server_max_window_bits": str(window),
                                    "server_no_context_takeover": None})
offered("13.3.1", {"client_max_window_bits": None})
for window in range(8, 16):
    offered(f"13.3.{window}", {"client_max_window_bits": str(window)})
    offered(f"13.3.{window + 10}", {"client_max_window_bits": str(window),
                                    "client_no_context_takeover": None})
for i, (names, server, client) in enumerate(itertools.product(SWITCHES, ("9", "12", "15"),
                                                              (None, "9", "15"))):
    offered(f"13.4.{i + 1}", {**dict.fromkeys(names), "server_max_window_bits": server,
                              "client_max_window_bits": client})
TEN = {"server_max_window_bits": "10"}
negotiated("13.5.1_value_in_quotes", [f'{NAME}; server_max_window_bits="10"'], TEN)
negotiated("13.5.2_client_value_in_quotes", [f'{NAME}; client_max_window_bits="10"'],
           {"client_max_window_bits": "10"})
negotiated("13.5.3_no_space_behind_the_semicolon", [f"{NAME};server_max_window_bits=10"], TEN)
negotiated("13.5.4_spaces_around_the_semicolon", [f"{NAME} ; server_max_window_bits=10"], TEN)
negotiated("13.5.5_parameters_in_another_order",
           [f"{NAME}; client_max_window_bits; server_max_window_bits=10; "
            "server_no_context_takeover"],
           {"client_max_window_bits": None, "server_no_context_takeover": None, **TEN})

# ------------------------------------------------------------------ 13.6 unlawful offers

S, C = "server_max_window_bits", "client_max_window_bits"
TAKEOVER = ("server_no_context_takeover", "client_no_context_takeover")
UNLAWFUL = [f"{S}", f"{S}=8", *[f"{S}={v}" for v in (
    7, 16, 0, 1, 100, "010", "09", "+10", "10.0", "-10", "1e1", "0xA", "abc", "4294967306")],
    *[f"{C}={v}" for v in (
        7, 16, 0, 1, 100, "010", "08", "+10", "10.0", "-10", "1e1", "0xA", "abc", "4294967306")],
    f'{S}="8"', f'{S}="010"', f'{C}="16"',
    *[f"{name}=1" for name in TAKEOVER], *[f'{name}="true"' for name in TAKEOVER],
    *[f"{name}; {name}" for name in TAKEOVER], f"{S}=10; {S}=10", f"{S}=10; {S}=11",
    f"{C}; {C}", f"{C}=10; {C}", f"{C}=10; {C}=10", f"{C}; {S}=10; {C}",
    "unknown", "unknown=1", f"{C}; unknown", "server_no_context_takeove",
    "server_no_context_takeoverr", "max_window_bits=10"]
for i, parameters in enumerate(UNLAWFUL):
    shown = parameters.replace("; ", ".and.").replace('"', "'").replace("=", ".is.")
    negotiated(f"13.6.{i + 1}_{shown}_is_declined", [f"{NAME}; {parameters}"])
for i, header in enumerate(("x-unknown", "x-webkit-deflate-frame", "permessage-deflat",
                            "permessage-deflate2", "permessage-bzip2", f"x; {NAME}",
                            f"x; a={NAME}, y")):
    negotiated(f"13.7.{i + 1}_other_extension_{header.split(';')[0]}_is_declined", [header])

# ------------------------------------------------------------------ 13.8 one offer after another

NOTHING = {}
FALLBACK = [
    ("unknown_extension", ["x-unknown, " + NAME], NOTHING),
    ("unknown_extension_with_parameters", ["x-unknown; a=1; b; c=\"d\", " + NAME], NOTHING),
    ("unknown_extension_behind", [NAME + ", x-unknown"], NOTHING),
    ("window_of_8", [f"{NAME}; {S}=8, {NAME}"], NOTHING),
    ("unknown_parameter", [f"{NAME}; unknown, {NAME}; {S}=10"], TEN),
    ("twice_the_same", [f"{NAME}; {C}; {C}, {NAME}; client_no_context_takeover"],
     {"client_no_context_takeover": None}),
    ("several_unlawful", [f"{NAME}; a, {NAME}; {S}, {NAME}; {C}=99, {NAME}; {S}=010, {NAME}"],
     NOTHING),
    ("two_headers", [f"{NAME}; {S}=8", NAME], NOTHING),
    ("three_headers", ["x-unknown", f"{NAME}; unknown", f"y, {NAME}; {S}=10"], TEN),
    ("empty_elements", [f", ,{NAME}; {S}=10 ,"], TEN),
]
for i, (name, headers, offer) in enumerate(FALLBACK):
    negotiated(f"13.8.{i + 1}_fallback_behind_{name}", headers, offer)
negotiated("13.8.11_any_of_two", [f"{NAME}; {S}=10, {NAME}"], TEN, NOTHING)
negotiated("13.8.12_any_of_two_headers", [f"{NAME}; {C}", NAME], {C: None}, NOTHING)
negotiated("13.8.13_none_of_several", [f"{NAME}; {S}=8, {NAME}; a", f"x, {NAME}; {C}=7"])

# ------------------------------------------------------------------ 13.9 what is no list of offers

for i, header in enumerate((f"{NAME};", f"{NAME};;", f"{NAME}; =10", f'{NAME}; {S}="10',
                            f"{NAME} x", f"{NAME}; {S}=", f"{NAME}; {S}=10 11", "a/b",
                            f'{NAME}; {S}=""', f'{NAME}; {S}="1 0"', "=", ";", f"{NAME}; a b")):
    malformed(f"13.9.{i + 1}_header_{header.replace(NAME, 'pd').replace(' ', '.')}_is_400", header)
