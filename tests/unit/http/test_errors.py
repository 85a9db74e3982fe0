"""How errors leave: headers for retries, an envelope in the caller's dialect, and no surprise told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing.dialects import INBOUND
from farthing.domain.errors import (
    Conflict,
    FarthingError,
    InsufficientQuota,
    InvalidRequest,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamOverloaded,
)
from farthing.http.errors import InternalError, envelope, error_headers, guarded, send_error

ID = "0190a5d0-0000-7000-8000-000000000001"
DONT = (b"x-should-retry", b"false")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest("x"), []),
        (RateLimited("x", retry_after=1.2), [(b"retry-after", b"2"), (b"retry-after-ms", b"1200")]),
        (RateLimited("x"), [DONT]),
        (Conflict("x", retry_after=1), [(b"retry-after", b"1")]),
        (Conflict("x"), [DONT]),
        (Unavailable("x", retry_after=0.1), [(b"retry-after", b"1")]),
        (UpstreamOverloaded("x", retry_after=3), [(b"retry-after", b"3"), DONT]),
        (InsufficientQuota("x", retry_after=3600), [DONT]),
        (Unauthenticated("x"), [(b"www-authenticate", b'Bearer realm="farthing"')]),
    ],
)
def test_clients_are_told_whether_and_when_to_try_again(error: FarthingError, expected: object) -> None:
    """A spent budget never names a time, as some clients would wait that long; our own fallbacks are not multiplied."""
    assert error_headers(error) == expected


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", {"error": {"message": "No.", "type": "invalid_request_error", "param": "n", "code": "bad"}}),
        ("native", {"error": {"message": "No.", "type": "invalid_request_error", "param": "n", "code": "bad"}}),
        (
            "anthropic",
            {"type": "error", "error": {"type": "invalid_request_error", "message": "No."}, "request_id": ID},
        ),
    ],
)
async def test_an_error_is_sent_whole_in_the_callers_dialect(dialect: str, body: object) -> None:
    """With both ids, its length, and the headers of the route."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    error = InvalidRequest("No.", code="bad", param="n")
    await send_error(send, error, dialect=INBOUND[dialect], request_id=ID, headers=[(b"allow", b"POST")])
    start, end = sent
    headers = dict(start["headers"])
    assert start["status"] == 400
    assert json.loads(end["body"]) == body
    assert headers == {
        b"content-type": b"application/json",
        b"content-length": str(len(end["body"])).encode(),
        b"x-request-id": ID.encode(),
        b"request-id": ID.encode(),
        b"allow": b"POST",
    }


def test_routes_of_no_vendor_use_openais_envelope() -> None:
    """The native one."""
    assert json.loads(envelope(InvalidRequest("No."), ID))["error"]["code"] == "invalid_request"


async def test_an_unforeseen_error_is_logged_and_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns the id under which the log has it."""

    async def work() -> None:
        raise KeyError("sk-secret")

    error = await guarded(work(), ID)
    assert isinstance(error, InternalError)
    assert (error.status, error.type, error.code) == (500, "server_error", "internal_error")
    assert ID in error.message
    assert "secret" not in error.message
    assert [record.getMessage() for record in caplog.records] == [f"request {ID} failed"]


async def test_a_foreseen_error_is_handed_on() -> None:
    """And success is none."""
    expected = InvalidRequest("x")

    async def work(error: Exception | None) -> None:
        if error:
            raise error

    assert await guarded(work(expected), ID) is expected
    assert await guarded(work(None), ID) is None
