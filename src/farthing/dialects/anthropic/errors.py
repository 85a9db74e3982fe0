"""Errors of the Messages API: told to callers, and understood from the vendor."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from farthing.dialects.failures import failure
from farthing.domain.errors import FarthingError, UpstreamError, UpstreamInvalid, UpstreamUnauthorized

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    414: "invalid_request_error",
    415: "invalid_request_error",
    431: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "api_error": 500,
    "overloaded_error": 529,
}
_NO_CREDIT = "credit balance is too low"
"""In the text of a 400 that is about the gateway's account, not about the request."""


class _Error(Struct, frozen=True):
    type: str = ""
    message: str = ""


class _ErrorBody(Struct, frozen=True):
    error: _Error


_BODY = msgspec.json.Decoder(_ErrorBody)
_ERROR = msgspec.json.Decoder(_Error)


def error_body(error: FarthingError, request_id: str) -> bytes:
    """The body of an error answer, and the data of an error event."""
    kind = _TYPES.get(error.status, "api_error")
    return msgspec.json.encode(
        {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}
    )


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error behind a status of 400 or more."""
    try:
        reason = _BODY.decode(body).error.message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reason = ""
    return _judged(status, headers, reason)


def stream_error(raw: Raw) -> UpstreamError:
    """The error in an error event: it has a type, but no status."""
    try:
        error = _ERROR.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UpstreamInvalid("The provider's stream broke with an error that cannot be read.")
    return _judged(_STATUSES.get(error.type, 500), {}, error.message)


def _judged(status: int, headers: Mapping[str, str], reason: str) -> UpstreamError:
    if _NO_CREDIT in reason:
        return UpstreamUnauthorized("The gateway's account at the provider has no credit left.")
    return failure(status, headers, reason)
