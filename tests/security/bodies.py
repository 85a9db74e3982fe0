"""Bodies that are wrong before anybody asks what they mean (rows B01 to B10)."""

from __future__ import annotations

from msgspec import Struct

MESSAGES = b'"messages":[{"role":"user","content":"x"}]'
GOOD = b'{"model":"small","max_tokens":9,' + MESSAGES + b"}"


class Bad(Struct, frozen=True):
    """A body, the status and code it must get, and the field that is named."""

    row: str
    body: bytes
    code: str
    param: str | None = None


def _with(more: bytes) -> bytes:
    return GOOD[:-1] + b"," + more + b"}"


def _nested(depth: int) -> bytes:
    """A member as deep as `depth` levels in all."""
    return _with(b'"metadata":' + b"[" * (depth - 1) + b"]" * (depth - 1))


BAD_JSON = [
    Bad("B01 empty", b"", "invalid_json"),
    Bad("B01 blank", b"  \n", "invalid_json"),
    Bad("B02 open brace", b"{", "invalid_json"),
    Bad("B02 trailing comma", GOOD[:-1] + b",}", "invalid_json"),
    Bad("B02 comment", b"/* hi */" + GOOD, "invalid_json"),
    Bad("B02 single quotes", GOOD.replace(b'"', b"'"), "invalid_json"),
    Bad("B02 NUL", b"\x00", "invalid_json"),
    Bad("B02 NUL inside", GOOD.replace(b'"x"', b'"\x00"'), "invalid_json"),
    Bad("B02 byte order mark", b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    Bad("B02 two documents", GOOD + GOOD, "invalid_json"),
    Bad("B03 list", b"[]", "invalid_type"),
    Bad("B03 text", b'"x"', "invalid_type"),
    Bad("B03 number", b"1", "invalid_type"),
    Bad("B03 null", b"null", "invalid_type"),
    Bad("B04 NaN", _with(b'"temperature":NaN'), "invalid_number"),
    Bad("B04 Infinity", _with(b'"temperature":Infinity'), "invalid_number"),
    Bad("B04 1e999", _with(b'"temperature":1e999'), "invalid_number"),
    Bad("B04 1e999 in an unknown field", _with(b'"whatever":{"deep":[1e999]}'), "invalid_number"),
    Bad("B05 5,000 digits", _with(b'"seed":' + b"9" * 5000), "invalid_number"),
    Bad("B06 65 levels", _nested(65), "json_too_deep"),
    Bad("B06 1,000 levels", _nested(1000), "json_too_deep"),
    Bad("B06 100,000 levels", _nested(100_000), "json_too_deep"),
    Bad("B06 100,000 levels never closed", _with(b'"metadata":' + b'{"a":' * 100_000), "json_too_deep"),
    Bad("B07 a million items", _with(b'"logit_bias":[' + b"0," * 1_000_000 + b"0]"), "json_too_complex"),
    Bad(
        "B07 a million keys",
        _with(b'"metadata":{' + b",".join(b'"%x":1' % n for n in range(1_000_000)) + b"}"),
        "json_too_complex",
    ),
    Bad("B08 model twice", b'{"model":"large",' + GOOD[1:], "duplicate_key", "model"),
    Bad("B08 escaped", b'{"mode\\u006c":"large",' + GOOD[1:], "duplicate_key", "model"),
    Bad(
        "B08 deep",
        GOOD.replace(b'"role":"user"', b'"role":"user","role":"system"'),
        "duplicate_key",
        "messages[0].role",
    ),
    Bad("B09 lone surrogate", GOOD.replace(b'"x"', b'"\\ud800"'), "invalid_encoding"),
    Bad("B09 lone second half", GOOD.replace(b'"x"', b'"\\udc00"'), "invalid_encoding"),
    Bad("B09 overlong", GOOD.replace(b'"x"', b'"\xc0\xaf"'), "invalid_encoding"),
    Bad("B09 encoded surrogate", GOOD.replace(b'"x"', b'"\xed\xa0\x80"'), "invalid_encoding"),
    Bad("B09 no UTF-8", b"\xff\xfe{}", "invalid_encoding"),
    Bad("B09 UTF-16", GOOD.decode().encode("utf-16-le"), "invalid_encoding"),
]


def flood(count: int) -> bytes:
    """Numbers as keys, all of which collide modulo 2^61 - 1, where Python hashes integers."""
    names = b",".join(b'"%d":0' % (n * (2**61 - 1)) for n in range(1, count + 1))
    return _with(b'"logit_bias":{' + names + b"}")
