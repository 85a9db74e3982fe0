"""Gemini's errors, as a status with a body and as an event of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from farthing.dialects.failures import failure
from farthing.domain.errors import UpstreamError, UpstreamInvalid

_UNAUTHORIZED = 401
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?(?=s$)")


class _Status(Struct, frozen=True):
    """The vendor's error: `status` is its name, `details` may hold why and how long to wait."""

    code: int = 0
    message: str = ""
    status: str = ""
    details: list[dict[str, Any]] = []


class _Body(Struct, frozen=True):
    error: _Status


_BODY = msgspec.json.Decoder(_Body | list[_Body])
_ERROR = msgspec.json.Decoder(_Status)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error behind a status of 400 or more."""
    try:
        decoded = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return failure(status, headers)
    first = decoded if isinstance(decoded, _Body) else next(iter(decoded), None)
    return failure(status, headers) if first is None else _judged(status, headers, first.error)


def stream_error(raw: Raw) -> UpstreamError:
    """The error in an event of a stream; its code is the status it would have had."""
    try:
        error = _ERROR.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UpstreamInvalid("The provider's stream broke with an error that cannot be read.")
    return _judged(error.code, {}, error)


def _judged(status: int, headers: Mapping[str, str], error: _Status) -> UpstreamError:
    """A wrong key is a 400 at this vendor, told apart only by its reason."""
    if any(detail.get("reason") == "API_KEY_INVALID" for detail in error.details):
        status = _UNAUTHORIZED
    waits = [found[0] for detail in error.details if (found := _SECONDS.match(str(detail.get("retryDelay"))))]
    return failure(status, headers, error.message, float(waits[0]) if waits else None)
