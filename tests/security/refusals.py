"""What every refusal must be, whatever was wrong (the contract C1 to C8 for bad input)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.security.conftest import VENDOR_KEY
from tests.security.wire import Answer
from tests.servers.gateway import Gateway

ANTHROPIC_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "request_too_large",
    414: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    503: "overloaded_error",
}
LEAKS = re.compile(
    rf"""(?ix) traceback | site-packages | \.py\b | \b select\s | sqlite | postgres | sqlalchemy | msgspec | pydantic
    | 127\.0\.0\.1 | /tmp | /home | {re.escape(VENDOR_KEY)}"""
)
MOST_ECHOED = 64
LONGEST_MESSAGE = 600


def refused(
    answer: Answer,
    status: int,
    code: str | None,
    *,
    dialect: str = "openai",
    param: str | None = None,
    type_: str = "invalid_request_error",
) -> Mapping[str, Any]:
    """Checks the envelope in the caller's dialect and that nothing leaks; the error's fields."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    error: Mapping[str, Any] = answer.json["error"]
    if dialect == "anthropic":
        assert answer.json == {"type": "error", "error": error, "request_id": answer.headers["x-request-id"]}
        assert set(error) == {"type", "message"}
        assert error["type"] == ANTHROPIC_TYPES[status]
    else:
        assert set(answer.json) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["code"], error["param"]) == (type_, code, param)
    assert 0 < len(error["message"]) <= LONGEST_MESSAGE
    assert error["message"].isprintable()
    assert not LEAKS.search(answer.body.decode()), answer.body
    return error


def echoes_little(answer: Answer, said: str) -> None:
    """No more than 64 characters in a row of what the caller said stand in the answer."""
    text = answer.body.decode()
    longest = MOST_ECHOED + 1
    assert not any(said[start : start + longest] in text for start in range(len(said) - longest + 1))


def resident_mib(gateway: Gateway) -> float:
    """Memory of the gateway in MiB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{gateway.pid}/status").read_text())
    assert match
    return int(match[1]) / 1024
