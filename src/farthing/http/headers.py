"""What a caller says in headers: the credential, wishes to the gateway, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from farthing.domain.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType
from farthing.domain.pricing import NANO
from farthing.gateway.call import Directives
from farthing.gateway.remarks import GRADES

RawHeaders = Iterable[tuple[bytes, bytes]]

LONGEST_VALUE = 256
MOST_TAGS = 16
MOST_RATINGS = 8
"""Of earlier answers, by one request."""
MOST_HEADERS = 100
"""Of one request."""
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_LOCAL = re.compile(r"(([a-z0-9-]+\.)*localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*", re.IGNORECASE)
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}=[^=,\x00-\x1f\x7f]{1,128}")
_RATING = re.compile(rf"[A-Za-z0-9_-]{{1,64}}=({'|'.join(GRADES)})")
_MONEY = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")
_SHARE = re.compile(r"0(\.[0-9]{1,12})?|1(\.0{1,12})?")
_FORWARDED = (b"anthropic-version", b"anthropic-beta", b"openai-beta")
_GZIP = ("gzip", "x-gzip")
_ENCODINGS = {"identity", *_GZIP}
_SESSION_HEADERS = ("x-farthing-session", "x-claude-code-session-id", "session-id", "thread-id")
_WISHES = frozenset({*_SESSION_HEADERS, "idempotency-key"})
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")
CREDENTIALS = frozenset({"authorization", "x-api-key", "x-goog-api-key"})
"""Headers that may carry a key."""


class Headers(dict[str, str]):
    """Headers by lower-case name; where a name comes twice the last value stands, except for what must be single."""

    def __init__(self, raw: RawHeaders) -> None:
        """Reads ASGI's pairs. Raises `InvalidRequest` for a Host that is missing, doubled or no host."""
        super().__init__()
        hosts = []
        forward: dict[bytes, bytes] = {}
        self.credentials: list[tuple[str, str]] = []
        """Every header that may carry a key, doubled ones too."""
        for raw_name, raw_value in raw:
            name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
            self[name] = value
            if name == "host":
                hosts.append(raw_value)
            elif name in CREDENTIALS:
                self.credentials.append((name, value))
            elif raw_name in _FORWARDED:
                forward[raw_name] = b", ".join(filter(None, (forward.get(raw_name), raw_value)))
        self.forward = tuple(forward.items())
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            raise InvalidRequest(
                "The Host header must name one host, as in `Host: localhost:8000`.", code="invalid_host"
            )


def is_local(headers: Headers) -> bool:
    """Whether the Host is one of this machine's own names."""
    return _LOCAL.fullmatch(headers["host"]) is not None


def check_is_local(headers: Headers) -> None:
    """Raises `InvalidRequest` unless the Host is this machine.

    For a gateway that is open to whoever reaches it: a page elsewhere whose name is made to point here must not.
    """
    if not is_local(headers):
        raise not_local()


def not_local() -> InvalidRequest:
    """What is said to whoever asks an open gateway by a name that is not this machine's own."""
    return InvalidRequest(
        "This gateway is open, and so answers to this machine's names only, such as localhost. Make a key with "
        "`farthing keys create` to reach it by another name.",
        code="invalid_host",
    )


def credential(headers: Headers) -> str | None:
    """The key that was presented, in whichever of three headers; None without one.

    What follows another scheme than Bearer is taken with its scheme and so is no key. Raises `InvalidRequest` where two
    headers carry different keys.
    """
    found = {_presented(name, value) for name, value in headers.credentials if value}
    if len(found) > 1:
        raise InvalidRequest(
            "Two different keys were sent. Send one key, in one of Authorization, x-api-key and x-goog-api-key.",
            code="conflicting_credentials",
        )
    return found.pop() if found else None


def _presented(name: str, value: str) -> str:
    scheme, _, key = value.partition(" ")
    bears = name == "authorization" and scheme.lower() == "bearer" and key.strip()
    return (key if bears else value).strip()


def check_media_type(headers: Headers) -> None:
    """Raises `UnsupportedMediaType` for a body that is no JSON in UTF-8, or compressed otherwise than by gzip."""
    if not _JSON.fullmatch(headers.get("content-type", "")):
        raise UnsupportedMediaType("Send the body as `Content-Type: application/json`, in UTF-8.")
    if headers.get("content-encoding", "identity").strip().lower() not in _ENCODINGS:
        raise UnsupportedMediaType("Send the body as it is, or compressed by gzip alone.", code="unsupported_encoding")


def is_packed(headers: Headers) -> bool:
    """Whether the body is compressed."""
    return headers.get("content-encoding", "").strip().lower() in _GZIP


def check_length(headers: Headers, limit: int) -> None:
    """Raises `RequestTooLarge` for a body that says it is over `limit` bytes."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limit:
        raise too_large(limit)


def too_large(limit: int) -> RequestTooLarge:
    """What a caller with too much to say is told."""
    return RequestTooLarge(f"The body is over the limit of {limit} bytes. Send less, or raise `server.max_body_bytes`.")


def directives(headers: Headers) -> Directives:
    """What the caller asks of the gateway itself. Raises `InvalidRequest` naming the header that cannot be read."""
    if not any(name.startswith("x-farthing-") or name in _WISHES for name in headers):
        return Directives()
    session = next((headers[name] for name in _SESSION_HEADERS if headers.get(name)), None)
    return Directives(
        user=_short(headers, "x-farthing-user"),
        session=session[:LONGEST_VALUE] if session else None,
        tags=_tags(headers.get("x-farthing-tags", "")),
        cache=_switch(headers.get("x-farthing-cache")),
        max_cost=_money(headers.get("x-farthing-max-cost-usd")),
        quality_floor=_share(headers.get("x-farthing-quality-floor")),
        experiment_id=_short(headers, "x-farthing-experiment"),
        idempotency_key=_idempotency_key(headers.get("idempotency-key")),
        feedback=_feedback(headers.get("x-farthing-feedback", "")),
    )


def app_name(headers: Headers) -> str | None:
    """The caller's program, as its User-Agent names it first."""
    agent = headers.get("user-agent", "").split("/", 1)[0].strip()
    return agent[:64] if agent.isprintable() and agent else None


def _short(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    if not value or len(value) > LONGEST_VALUE or not value.isprintable():
        raise _unreadable(name, f"1 to {LONGEST_VALUE} printable characters")
    return value


def _tags(text: str) -> dict[str, str]:
    if not text:
        return {}
    pairs = [pair.strip() for pair in text.split(",")]
    if len(pairs) > MOST_TAGS or not all(_TAG.fullmatch(pair) for pair in pairs):
        raise _unreadable("x-farthing-tags", f"at most {MOST_TAGS} pairs such as `team=support,feature=triage`")
    return dict(pair.split("=", 1) for pair in pairs)


def _feedback(text: str) -> dict[str, str]:
    if not text:
        return {}
    said = [each.strip() for each in text.split(",")]
    if len(said) > MOST_RATINGS or not all(_RATING.fullmatch(each) for each in said):
        raise _unreadable(
            "x-farthing-feedback",
            f"at most {MOST_RATINGS} ratings such as `REQUEST_ID=4`: 1 to 5, up, down, correct or incorrect",
        )
    return dict(each.split("=", 1) for each in said)


def _idempotency_key(text: str | None) -> str | None:
    if text is not None and not _IDEMPOTENCY_KEY.fullmatch(text):
        raise InvalidRequest(
            "The header idempotency-key must be 1 to 255 printable ASCII characters, such as a UUID.",
            code="invalid_idempotency_key",
            param="idempotency-key",
        )
    return text


def _switch(text: str | None) -> bool | None:
    if text is None:
        return None
    word = text.strip().lower()
    if word not in ("on", "off"):
        raise _unreadable("x-farthing-cache", "`on` or `off`")
    return word == "on"


def _money(text: str | None) -> int | None:
    if text is None:
        return None
    if not _MONEY.fullmatch(text):
        raise _unreadable("x-farthing-max-cost-usd", "an amount in US dollars such as `0.05`")
    whole, _, fraction = text.partition(".")
    return int(whole) * NANO + int(fraction[:9].ljust(9, "0"))


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    if not _SHARE.fullmatch(text):
        raise _unreadable("x-farthing-quality-floor", "points of quality from 0 to 1 such as `0.02`")
    return float(text)


def _unreadable(name: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"The header {name} must be {expected}.", code="invalid_header", param=name)


def _text(value: bytes) -> str:
    """A header's text: UTF-8 where it is that, else every byte a character."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
