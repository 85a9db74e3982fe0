"""JSON from strangers: decoded strictly, refused with a reason, changed without touching the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from farthing.domain.errors import InvalidRequest

MAX_DEPTH = 64
"""Objects and arrays inside one another."""
MAX_NODES = 200_000
"""Members and items in all."""
MAX_MODEL = 256
"""Characters of a model's name."""
MAX_ECHO = 64
"""Characters of a caller's input that an error message may repeat."""

DENIED = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_profile_name",
        "aws_region_name",
        "aws_secret_access_key",
        "aws_session_token",
        "azure_ad_token",
        "azure_deployment",
        "azure_endpoint",
        "base_url",
        "credentials",
        "custom_llm_provider",
        "default_headers",
        "endpoint_url",
        "extra_body",
        "extra_headers",
        "extra_query",
        "headers",
        "http_client",
        "mock_response",
        "model_list",
        "organization",
        "proxies",
        "proxy",
        "ssl_verify",
        "vertex_credentials",
        "vertex_location",
        "vertex_project",
    }
)
"""Top-level fields by which a request would choose its own upstream or credentials; refused in every dialect."""

T = TypeVar("T")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MEMBER_START = re.compile(rb'[\s,]*"[^"\\]*(?:\\.[^"\\]*)*"\s*:\s*')
_NEXT = re.compile(rb"\s*,?")
_PLAIN_TEXT = re.compile(rb'[ \t\r\n]*("[^"\\]*")')
_BACKSLASH = 0x5C
_TAIL = 512
"""Bytes at the end of a body in which a member is looked for first."""
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]"))
_LOCATION = re.compile(r"(.*) - at (?:`key` in )?`\$(.*)`", re.DOTALL)
_MODEL = re.compile(r"[A-Za-z0-9._/:@+-]+")


def decode(body: bytes) -> dict[str, Any]:
    """The object in a request body.

    Raises `InvalidRequest` with one of the codes invalid_json, invalid_encoding, invalid_number, invalid_type,
    duplicate_key, json_too_deep and json_too_complex.
    """
    size = len(body)
    may_be_deep = size > 2 * MAX_DEPTH and _openings(body) > MAX_DEPTH
    if size > MAX_NODES and (may_be_deep or body.count(b",") > MAX_NODES):
        _check_bounds(body)
    try:
        tree = _decode(body)
    except (RecursionError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise _refused(body, error) from None
    if may_be_deep and size <= MAX_NODES and _is_too_deep(tree):
        raise _too_deep()
    if type(tree) is not dict:
        raise InvalidRequest(
            'The body must be a JSON object such as {"model": …}: send an object at the top level.', code="invalid_type"
        )
    written = _encode(tree)
    if written != body and _has_lost_a_key(body, written):
        path = _duplicate(json.loads(body, object_pairs_hook=tuple)) or ""
        raise InvalidRequest(
            f"The key {shown(path)} appears twice in one object: send it once.",
            code="duplicate_key",
            param=path[:MAX_ECHO],
        )
    return tree


def splice(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """The object in `body` with top-level members replaced or added, and every other byte as it was.

    `body` must be one that `decode` accepts; the new values are anything that JSON can hold.
    """
    if len(changes) == 1:
        [(name, value)] = changes.items()
        if (found := _at_an_edge(body, name)) is not None:
            return b"%b%b%b" % (body[: found[0]], _encode(value), body[found[1] :])
    pieces: list[bytes] = []
    at = body.index(b"{") + 1
    copied = 0
    missing = dict(changes)
    members = _RAW_MEMBERS.decode(body)
    for name, raw in members.items():
        start = _MEMBER_START.match(body, at).end()  # type: ignore[union-attr]
        at = start + memoryview(raw).nbytes
        if name in missing:
            pieces += (body[copied:start], _encode(missing.pop(name)))
            copied = at
    if missing:
        added = _encode(missing)[1:-1]
        pieces += (body[copied:at], b"," + added if members else added)
        copied = at
    pieces.append(body[copied:])
    return b"".join(pieces)


def added(body: bytes, members: Mapping[str, Any]) -> bytes:
    """The object in `body`, which is not empty, with members that it does not have yet, and every other byte as it was.

    `body` must be one that `decode` accepts; the values are anything that JSON can hold.
    """
    front = body[: body.rindex(b"}")].rstrip()
    return b"%b,%b%b" % (front, _encode(members)[1:-1], body[len(front) :])


def without(body: bytes, name: str) -> bytes:
    """The object in `body` without this top-level member, which it has, and every other byte as it was.

    `body` must be one that `decode` accepts.
    """
    first = at = before = body.index(b"{") + 1
    for member, raw in _RAW_MEMBERS.decode(body).items():
        at = _MEMBER_START.match(body, at).end() + memoryview(raw).nbytes  # type: ignore[union-attr]
        if member == name:
            break
        before = at
    if before == first:
        at = _NEXT.match(body, at).end()  # type: ignore[union-attr]
    return body[:before] + body[at:]


def _at_an_edge(body: bytes, name: str) -> tuple[int, int] | None:
    """Where a text stands that is the value of the first member or of one near the end.

    None elsewhere, and for any other value: then it takes reading all members to find it.
    """
    key = b'"%b":' % name.encode()
    is_first = body.startswith(key, 1)
    at = 1 if is_first else body.rfind(key, max(1, len(body) - _TAIL))
    value = _PLAIN_TEXT.match(body, at + len(key)) if at > 0 and body[at - 1] != _BACKSLASH else None
    if value is None:
        return None
    if not is_first:
        try:
            # Only inside the outermost object does the rest close one object and nothing else.
            _decode(b'{"":0' + body[value.end() :])
        except msgspec.DecodeError:
            return None
    return value.span(1)


def read_as(tree: Mapping[str, Any], kind: type[T], codes: Mapping[str, str]) -> T:
    """`tree` as an instance of the Struct `kind`, its fields checked on the way.

    Raises `InvalidRequest` whose `param` is the path of the field; `codes` holds the codes of single paths, every
    other path has missing_required_parameter, invalid_type or invalid_value. A denied field is refused as
    unsupported_parameter.
    """
    if not DENIED.isdisjoint(tree):
        name = next(name for name in tree if name in DENIED)
        raise InvalidRequest(
            f"`{name}` cannot be chosen by a request: providers are set up on the gateway. Leave it out.",
            code="unsupported_parameter",
            param=name,
        )
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise _located(str(error), codes) from None


def model_name(tree: Mapping[str, Any]) -> str:
    """The `model` of a request: 1 to 256 letters, digits and `._/:@+-`. Raises `InvalidRequest`."""
    model = tree.get("model")
    if model is None:
        raise invalid("model", "Name a model", code="missing_required_parameter")
    if not isinstance(model, str):
        raise invalid("model", "Expected a string", code="invalid_model")
    if len(model) > MAX_MODEL or not _is_model_name(model):
        raise invalid(
            "model",
            f"{shown(model)} is no model name: use 1 to {MAX_MODEL} letters, digits and . _ - / : @ +",
            code="invalid_model",
        )
    return model


@lru_cache(maxsize=256)
def _is_model_name(model: str) -> bool:
    return ".." not in model and _MODEL.fullmatch(model) is not None


def is_deeper(text: bytes, limit: int) -> bool:
    """Whether the JSON `text` has more than `limit` objects and arrays inside one another."""
    return _openings(text) > limit and _height_exceeds(_outside_strings(text), limit)


def invalid(param: str, what: str, *, code: str = "invalid_value") -> InvalidRequest:
    """The refusal of one field; `what` says what would do."""
    return InvalidRequest(f"`{param}`: {what}.", code=code, param=param)


def shown(text: str) -> str:
    """Caller's input, shortened and escaped so that it is safe in any log or page."""
    cut = text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 1]
    escaped = cut.encode("unicode_escape").decode("ascii")
    return f"'{escaped}'" if len(escaped) <= MAX_ECHO and cut == text else f"'{escaped[: MAX_ECHO - 3]}...'"


def _check_bounds(body: bytes) -> None:
    """Counts members and depth on the text itself: refusing must cost less than decoding."""
    if _quotes(body) > 4 * MAX_NODES:
        raise _too_complex()
    skeleton = _outside_strings(body)
    if skeleton.count(b",") + skeleton.count(b"[") + skeleton.count(b"{") > MAX_NODES:
        raise _too_complex()
    if _height_exceeds(skeleton, MAX_DEPTH):
        raise _too_deep()


def _openings(text: bytes) -> int:
    """Brackets that open, those inside strings included: no fewer than the levels of the text."""
    return text.count(b"{") + text.count(b"[")


def _unescaped(body: bytes) -> bytes:
    """`body` in which every quote left begins or ends a string."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _outside_strings(body: bytes) -> bytes:
    return b"".join(_unescaped(body).split(b'"')[::2])


def _height_exceeds(skeleton: bytes, limit: int) -> bool:
    """Whether brackets stand deeper than `limit`: each replacement takes the innermost level away."""
    brackets = skeleton.translate(_BRACKETS).translate(None, _NO_BRACKETS)
    if b"[" * (limit + 1) in brackets:
        return True
    for _ in range(limit):
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets


def _is_too_deep(tree: Any) -> bool:
    """As the text would tell, but quicker for texts that are not large: most of their bytes stand inside strings."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [
            value
            for node in level
            for value in (node.values() if type(node) is dict else node)
            if type(value) is dict or type(value) is list
        ]
        if not level:
            return False
    return True


def _has_lost_a_key(body: bytes, written: bytes) -> bool:
    """Whether `body` has more strings than its tree `written` down: a duplicate key is lost, and its quotes with it."""
    if b"u0022" in body:
        # A quote inside a string may be spelt out: then only those that begin or end a string can be compared.
        return _quotes(body) != _quotes(written)
    return body.count(b'"') != written.count(b'"')


def _quotes(body: bytes) -> int:
    """Twice the number of strings."""
    return _unescaped(body).count(b'"')


def _duplicate(value: Any, path: str = "") -> str | None:
    """The path of the first name that comes twice in an object; objects are tuples of their members as written."""
    if isinstance(value, tuple):
        seen = set()
        for name, member in value:
            here = f"{path}.{name}" if path else name
            if name in seen:
                return here
            seen.add(name)
            if found := _duplicate(member, here):
                return found
    elif isinstance(value, list):
        for position, item in enumerate(value):
            if found := _duplicate(item, f"{path}[{position}]"):
                return found
    return None


def _refused(body: bytes, error: Exception) -> InvalidRequest:
    """The refusal of a body that could not be decoded; one that is too deep or too complex is refused for that."""
    if isinstance(error, RecursionError):
        return _too_deep()
    try:
        _check_bounds(body)
    except InvalidRequest as bounds:
        return bounds
    if isinstance(error, UnicodeDecodeError):
        return _not_utf8()
    return _bad_number() if isinstance(error, msgspec.ValidationError) else _explained(body, str(error))


def _explained(body: bytes, message: str) -> InvalidRequest:
    """What is wrong with a body that is no JSON."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return _not_utf8()
    if json.detect_encoding(body).startswith(("utf-16", "utf-32")) and 4 * body.count(0) >= len(body):
        return _not_utf8()
    if "surrogate" in message or _LONE_SURROGATE.search(body):
        return InvalidRequest(
            "A \\u escape in the body is half of a surrogate pair: send both halves, or the character itself.",
            code="invalid_encoding",
        )
    where = re.search(r"\(byte (\d+)\)", message)
    at = int(where[1]) if where else len(body)
    if body.startswith((b"Infinity", b"NaN"), at):
        return _bad_number()
    reason = message.removeprefix("JSON is malformed: ").partition(" (byte")[0]
    if not body.strip():
        reason = "it is empty"
    return InvalidRequest(f"The body is not JSON, at byte {at}: {reason}. Send one JSON object.", code="invalid_json")


def _located(message: str, codes: Mapping[str, str]) -> InvalidRequest:
    located = _LOCATION.fullmatch(message)
    what, path = located.groups() if located else (message, "")
    param = path.removeprefix(".").partition("[...]")[0]
    code = "invalid_type" if ", got " in what else "invalid_value"
    if what.startswith("Object missing required field"):
        field = what.split("`")[1]
        param = f"{param}.{field}" if param else field
        what, code = "This field is required", "missing_required_parameter"
    elif what.startswith("Invalid"):
        quoted = what.partition(" value ")[2]
        what = f"{shown(quoted.strip(chr(39)))} is not among the accepted values"
    return invalid(param, what, code=codes.get(param, code))


def _too_deep() -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested deeper than {MAX_DEPTH} levels: flatten it, or send deep data as a string.",
        code="json_too_deep",
    )


def _too_complex() -> InvalidRequest:
    return InvalidRequest(
        f"The JSON holds more than {MAX_NODES:,} values: send fewer, or send long data as a string.",
        code="json_too_complex",
    )


def _bad_number() -> InvalidRequest:
    return InvalidRequest(
        "A number in the body is not finite or has too many digits: JSON knows neither NaN nor Infinity.",
        code="invalid_number",
    )


def _not_utf8() -> InvalidRequest:
    return InvalidRequest("The body is not UTF-8: encode it as UTF-8.", code="invalid_encoding")
