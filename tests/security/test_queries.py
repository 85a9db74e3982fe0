"""Questions to the ledger that make no sense are refused, not answered otherwise than they were meant (row B46)."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from tests.security.bodies import GOOD
from tests.security.refusals import refused
from tests.security.wire import Wire

SPANS = ("/v1/requests", "/v1/usage", "/v1/savings", "/v1/replay")
MOMENTS = (
    *("0000-01-01", "9999-12-31", "NaN", "-1", "1e9", "2026-11-21T12:00:00", "2026-02-30", "2026-11-21Z", "now"),
    "x" * 41,
)
LIMITS = ("-1", "0", "1001", "1000000000", "1.5", "NaN", "true", "", "%00", "9" * 5000)
CURSORS = ("x", "AAAA", "%00", "' OR 1=1", "-1", "9" * 600)
WRONG = [
    *(f"/v1/requests?limit={limit}" for limit in LIMITS),
    *(f"/v1/requests?cursor={cursor}" for cursor in CURSORS),
    *(f"{path}?{more}" for path in SPANS for more in ("sort=%3Bdrop", "tenant=other", "__class__=x")),
    *(f"{path}?{name}={quote(moment)}" for path in SPANS for name in ("from", "to") for moment in MOMENTS),
    *("/v1/usage?group_by=password", "/v1/usage?group_by=", "/v1/usage?group_by=model%3Bdrop", "/v1/usage?limit=5"),
    *("/v1/requests?status=good", "/v1/requests?tag=x", "/v1/requests?model=%00"),
]

pytestmark = pytest.mark.usefixtures("upstream")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path[:60])
def test_a_question_that_makes_no_sense_is_refused(wire: Wire, path: str) -> None:
    """The parameter is named."""
    answer = wire.ask("GET", path.replace(" ", "%20"))
    error = answer.json["error"]
    name = path.partition("?")[2].partition("=")[0]
    refused(answer, 400, "invalid_parameter", param=name)
    assert name in error["message"]
    assert wire.ask("GET", "/livez").status == 200


@pytest.mark.parametrize("text", ["%25", "%25%25%25", "_" * 100, "%5C", "'%20OR%20'1'='1", "$ne", "%F0%9F%99%82"])
def test_a_name_is_taken_as_it_is(wire: Wire, text: str) -> None:
    """S31: no wildcard, no pattern, no language: nothing has this name."""
    for name in ("model", "provider", "user", "session", "key", "team"):
        answer = wire.ask("GET", f"/v1/requests?{name}={text}")
        assert (answer.status, answer.json["data"]) == (200, [])


def test_a_cursor_is_good_for_its_own_question_alone(wire: Wire) -> None:
    """One that was changed, or came from another question, is refused."""
    for _ in range(3):
        wire.ask("POST", "/v1/chat/completions", GOOD[:-1])
    cursor = wire.ask("GET", "/v1/requests?limit=1").json["next_cursor"]
    assert wire.ask("GET", f"/v1/requests?limit=1&cursor={cursor}").status == 200
    forged = base64.urlsafe_b64encode(b'{"id":"0"}').decode()
    for wrong in (cursor[:-2], cursor[::-1], cursor + "A", forged):
        refused(wire.ask("GET", f"/v1/requests?cursor={wrong}"), 400, "invalid_parameter", param="cursor")
    refused(wire.ask("GET", f"/v1/requests?status=ok&cursor={cursor}"), 400, "invalid_parameter", param="cursor")
