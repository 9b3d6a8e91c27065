# SPDX-License-Identifier: MIT
"""libwspool_jwt and python3-jwcrypto judge the same tokens. Tokens of jwcrypto, good ones and broken
ones of every algorithm, get the documented reason here; jwcrypto refuses each broken one, too, but
for those in LENIENT. Tokens of wspool_jwt_sign are good for jwcrypto. Uses build/libwspool_jwt.so."""
import base64
import ctypes
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from tap import Tap  # noqa: E402

try:
    from jwcrypto import jwe, jwk, jws, jwt
except ImportError:
    sys.exit(77)

NOW = 1700000000
HS = {"HS256": 32, "HS384": 48, "HS512": 64}
NAMES = ["HS256", "HS384", "HS512", "ES256", "RS256", "EdDSA"]  # in the order of the enum
GOOD = {"sub": "user:7", "exp": NOW + 600, "iss": "me", "aud": "us"}
# Broken tokens that jwcrypto takes: it decodes with Python's base64, and reads JSON with json.loads.
LENIENT = {"a name twice", "a payload with a name twice", "unused bits", "padding",
           "a line break", "iat of the future"}


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Mem(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("malloc", "realloc", "free", "user")]


class Config(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("algorithm", ctypes.c_int),
                ("secret", ctypes.c_char_p), ("secret_len", ctypes.c_size_t),
                ("old_secret", ctypes.c_char_p), ("old_secret_len", ctypes.c_size_t),
                ("issuer", ctypes.c_char_p), ("audience", ctypes.c_char_p),
                ("leeway", ctypes.c_uint32), ("needs_exp", ctypes.c_int),
                ("cache_entries", ctypes.c_uint32), ("cache_time", ctypes.c_uint32), ("mem", Mem)]


class Claims(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("subject", Text), ("expires", ctypes.c_uint64),
                ("not_before", ctypes.c_uint64), ("issued_at", ctypes.c_uint64),
                ("payload", Text)]


CORE = ctypes.CDLL("build/libwspool.so", ctypes.RTLD_GLOBAL)
CORE.wspool_refusal_reason.restype = ctypes.c_char_p
LIB = ctypes.CDLL("build/libwspool_jwt.so")
LIB.wspool_jwt_verify.argtypes = [ctypes.c_void_p, Text, ctypes.c_uint64, ctypes.c_void_p]
LIB.wspool_jwt_sign.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
LIB.wspool_jwt_set_keys.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
LIB.wspool_jwt_free.argtypes = [ctypes.c_void_p]


class Judge:
    def __init__(self, algorithm, secret=None):
        config = Config()
        LIB.wspool_jwt_config_init_sized(ctypes.byref(config), ctypes.sizeof(config))
        config.algorithm = 1 + NAMES.index(algorithm)
        config.issuer, config.audience = b"me", b"us"
        if secret:
            config.secret, config.secret_len = secret, len(secret)
        self.jwt = ctypes.c_void_p()
        assert LIB.wspool_jwt_new(ctypes.byref(self.jwt), ctypes.byref(config)) == 0

    def set_keys(self, *keys):
        text = json.dumps({"keys": keys}).encode()
        return LIB.wspool_jwt_set_keys(self.jwt, text, len(text))

    def says(self, token):
        text = token.encode()
        result = LIB.wspool_jwt_verify(self.jwt, Text(text, len(text)), NOW, None)
        return "valid" if result == 0 else CORE.wspool_refusal_reason(result).decode()

    def subject(self, token):
        claims, text = Claims(), token.encode()
        claims.size = ctypes.sizeof(claims)
        LIB.wspool_jwt_verify(self.jwt, Text(text, len(text)), NOW, ctypes.byref(claims))
        return ctypes.string_at(claims.subject.data, claims.subject.len).decode()

    def sign(self, subject):
        claims, room = Claims(), ctypes.create_string_buffer(8192)
        claims.size = ctypes.sizeof(claims)
        text = subject.encode()
        claims.subject, claims.expires, claims.issued_at = Text(text, len(text)), NOW + 600, NOW
        length = LIB.wspool_jwt_sign(self.jwt, ctypes.byref(claims), room, len(room))
        return room.raw[:length].decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make(key, algorithm, claims=None, **header):
    """Signs with jwcrypto. `claims` may be text."""
    claims = GOOD if claims is None else claims
    token = jws.JWS(claims if isinstance(claims, str) else json.dumps(claims))
    token.add_signature(key, algorithm, json.dumps({"alg": algorithm, **header}))
    return token.serialize(compact=True)


def accepts(key, algorithm, token):
    """Whether jwcrypto does, at NOW."""
    jwt.time.time, before = (lambda: NOW), jwt.time.time
    try:
        for claims in ({"iss": "me", "aud": "us", "exp": NOW + 1}, None):
            checked = jwt.JWT(algs=[algorithm], check_claims=claims)
            checked.leeway = 0
            checked.deserialize(token, key)
    except Exception:  # of many kinds
        return False
    finally:
        jwt.time.time = before
    return True


def der(signature):
    """An ECDSA signature as ASN.1, as it is in TLS and not in JWS."""
    out = b""
    for half in (signature[:32], signature[32:]):
        half = half.lstrip(b"\0")
        half = (b"\0" if half[0] > 127 else b"") + half
        out += bytes([2, len(half)]) + half
    return bytes([0x30, len(out)]) + out


def broken(key, other, algorithm):
    """Yields (what is wrong, the token, the reason)."""
    good = make(key, algorithm, kid="a")
    header, payload, signature = good.split(".")
    raw = decode(signature)

    def forged(head):
        return f"{encode(json.dumps(head).encode())}.{payload}.{signature}"

    def raw_token(head):  # a header that jwcrypto would not make
        signed = jws.JWSCore(algorithm, key, head, json.dumps(GOOD)).sign()
        return ".".join([encode(head.encode()), encode(json.dumps(GOOD).encode()),
                         signed["signature"]])

    def claims(**changes):
        return make(key, algorithm, {k: v for k, v in {**GOOD, **changes}.items() if v is not None},
                    kid="a")

    yield "another key", make(other, algorithm, kid="a"), "invalid"
    yield "a changed signature", f"{header}.{payload}.{encode(bytes([raw[0] ^ 1]) + raw[1:])}", \
        "invalid"
    yield "a cut signature", f"{header}.{payload}.{encode(raw[:-1])}", "invalid"
    yield "a longer signature", f"{header}.{payload}.{encode(raw + bytes(1))}", "invalid"
    yield "a signature of zeros", f"{header}.{payload}.{encode(bytes(len(raw)))}", "invalid"
    yield "no signature", f"{header}.{payload}.", "malformed"
    yield "alg none", forged({"alg": "none"}), "invalid"
    yield "alg in capitals", forged({"alg": algorithm.swapcase()}), "invalid"
    yield "another header", forged({"alg": algorithm, "kid": "a", "x": 1}), "invalid"
    for name in NAMES:
        if name != algorithm:
            yield f"alg {name}", forged({"alg": name, "kid": "a"}), "invalid"
    yield "crit", raw_token(f'{{"alg":"{algorithm}","kid":"a","crit":["exp"],"exp":{NOW}}}'), \
        "invalid"
    changed = json.dumps({**GOOD, "sub": "root"}).encode()
    yield "another payload", f"{header}.{encode(changed)}.{signature}", "invalid"
    yield "an expired one", claims(exp=NOW), "expired"
    yield "no exp", claims(exp=None), "invalid"
    yield "exp as text", claims(exp=str(NOW + 600)), "malformed"
    yield "nbf of the future", claims(nbf=NOW + 1), "not_yet_valid"
    yield "iat of the future", claims(iat=NOW + 1), "not_yet_valid"
    yield "another issuer", claims(iss="you"), "wrong_issuer"
    yield "no issuer", claims(iss=None), "wrong_issuer"
    yield "another audience", claims(aud=["you"]), "wrong_audience"
    yield "no audience", claims(aud=None), "wrong_audience"
    yield "a payload that is no object", make(key, algorithm, "[1]", kid="a"), "malformed"
    yield "a name twice", raw_token(f'{{"alg":"{algorithm}","kid":"b","kid":"a"}}'), "malformed"
    yield "a payload with a name twice", make(
        key, algorithm, json.dumps(GOOD)[:-1] + ',"sub":"root"}', kid="a"), "malformed"
    if len(raw) % 3:
        yield "unused bits", good[:-1] + chr(ord(good[-1]) + 1), "malformed"
        yield "padding", good + "=", "malformed"
    yield "a line break", good + "\n", "malformed"
    yield "four segments", good + ".x", "malformed"
    yield "JSON serialization", json.dumps({"payload": payload, "protected": header,
                                            "signature": signature}), "malformed"
    if algorithm == "ES256":
        yield "a signature in DER", f"{header}.{payload}.{encode(der(raw))}", "invalid"


def check(t, algorithm, key, other, judge):
    for what, token in (("kid", make(key, algorithm, kid="a")),
                        ("typ", make(key, algorithm, kid="a", typ="JWT")),
                        ("many audiences", make(key, algorithm, {**GOOD, "aud": ["x", "us"]},
                                                kid="a")),
                        ("fractions", make(key, algorithm, {**GOOD, "exp": NOW + 0.5 + 1,
                                                            "nbf": NOW - 0.5}, kid="a"))):
        t.equal((judge.says(token), judge.subject(token)), ("valid", "user:7"),
                f"{algorithm}_good_token_with_{what.replace(' ', '_')}")
    wrong, lenient = [], set()
    for what, token, reason in broken(key, other, algorithm):
        if judge.says(token) != reason:
            wrong.append(f"{what}: {judge.says(token)}, not {reason}")
        if accepts(key, algorithm, token):
            lenient.add(what)
    t.none(wrong, f"{algorithm}_broken_tokens_get_their_reason")
    t.none(sorted(lenient - LENIENT), f"{algorithm}_broken_tokens_are_refused_by_jwcrypto_too")
    t.ok(accepts(key, algorithm, make(key, algorithm, kid="a")),
         f"{algorithm}_good_token_is_accepted_by_jwcrypto")


def public(key, **more):
    return {**json.loads(key.export_public()), **more}


def confusion(t, rsa, judge):
    """The public key as a secret, in each form that a library might take."""
    pem = rsa.export_to_pem()
    wrong = []
    for secret in (pem, pem.strip(), json.dumps(public(rsa)).encode(), b""):
        key = jwk.JWK(kty="oct", k=encode(secret.ljust(32, b"\0") if not secret else secret))
        if judge.says(make(key, "HS256", kid="a")) != "invalid":
            wrong.append(secret)
    t.none(wrong, "a_public_key_is_no_secret")


def main():
    t = Tap()
    for algorithm, length in HS.items():
        secret, wrong = os.urandom(length), os.urandom(length)
        key, other = (jwk.JWK(kty="oct", k=encode(s)) for s in (secret, wrong))
        judge = Judge(algorithm, secret)
        check(t, algorithm, key, other, judge)
        token = judge.sign("käse")
        t.ok(accepts(key, algorithm, token) and judge.subject(token) == "käse",
             f"{algorithm}_signed_token_is_accepted_by_jwcrypto", token)
        LIB.wspool_jwt_free(judge.jwt)
    kinds = {"ES256": {"kty": "EC", "crv": "P-256"}, "RS256": {"kty": "RSA", "size": 2048},
             "EdDSA": {"kty": "OKP", "crv": "Ed25519"}}
    pairs = {name: [jwk.JWK.generate(**kind) for _ in range(2)] for name, kind in kinds.items()}
    for algorithm, (key, other) in pairs.items():
        judge = Judge(algorithm)
        t.equal(judge.says(make(key, algorithm)), "no_secret", f"{algorithm}_without_keys")
        # Keys of other kinds beside it.
        others = [public(pair[0]) for name, pair in pairs.items() if name != algorithm]
        result = judge.set_keys(*others, {"kty": "oct", "k": "AAAA"}, public(other, kid="b"),
                                public(key, kid="a", use="sig", alg=algorithm))
        t.equal(result, 0, f"{algorithm}_key_set_of_jwcrypto")
        check(t, algorithm, key, other, judge)
        t.equal(judge.says(make(other, algorithm, kid="b")), "valid", f"{algorithm}_other_kid")
        if algorithm == "RS256":
            confusion(t, key, judge)
            long = jwk.JWK.generate(kty="RSA", size=3072)
            judge.set_keys(public(long, kid="a"))
            t.equal(judge.says(make(long, algorithm, kid="a")), "valid", "RS256_of_3072_bits")
            box = jwe.JWE(json.dumps(GOOD), json.dumps({"alg": "RSA-OAEP", "enc": "A128GCM"}),
                          recipient=key)
            t.equal(judge.says(box.serialize(compact=True)), "malformed", "JWE_is_malformed")
        if algorithm == "EdDSA":
            judge.set_keys({**json.loads(key.export()), "kid": "a"})
            t.equal(judge.says(make(key, algorithm, kid="a")), "valid",
                    "EdDSA_private_key_in_a_set_serves_as_public")
        LIB.wspool_jwt_free(judge.jwt)
    t.end()


main()
