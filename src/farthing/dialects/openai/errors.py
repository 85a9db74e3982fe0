"""Errors of vendors who speak this dialect, by status, in a body, or in the midst of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from farthing.dialects.failures import failure
from farthing.domain.errors import UpstreamError, UpstreamInterrupted, UpstreamRejected

_CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]]{1,128}")
_WORDS: Final = (
    ("rate_limit", 429),
    ("overloaded", 503),
    ("server_error", 500),
    ("invalid_request", 400),
    ("context_length", 400),
    ("authentication", 401),
    ("permission", 403),
)
"""What a `code` or `type` must contain to stand for a status, first match first."""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error behind a status of 300 or more."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tree = None
    error = tree.get("error", tree) if isinstance(tree, dict) else None
    return _failure(status, headers, error)


def told(error: Any) -> UpstreamError:
    """The error in an answer that began as if all were well."""
    status = error.get("code") if isinstance(error, dict) else None
    if not isinstance(status, int) or not 400 <= status <= 599:  # noqa: PLR2004
        words = " ".join(str(error.get(name)) for name in ("code", "type")) if isinstance(error, dict) else ""
        status = next((number for word, number in _WORDS if word in words), None)
    if status is None:
        return UpstreamInterrupted("The provider broke its answer off with an error.")
    return _failure(status, {}, error)


def _failure(status: int, headers: Mapping[str, str], error: Any) -> UpstreamError:
    found = failure(status, headers, _reason(error))
    if isinstance(found, UpstreamRejected) and isinstance(error, dict):
        code, param = error.get("code"), error.get("param")
        if isinstance(code, str) and _CODE.fullmatch(code):
            found.code = code
        if isinstance(param, str) and _PARAM.fullmatch(param):
            found.param = param
    return found


def _reason(error: Any) -> str:
    """The vendor's text, wherever it stands."""
    if isinstance(error, dict):
        error = next((error[name] for name in ("message", "detail") if isinstance(error.get(name), str)), "")
    return error if isinstance(error, str) else ""
