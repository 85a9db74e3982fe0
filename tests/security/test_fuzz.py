"""Requests made up from the description: whatever they say, the gateway answers, and refuses in the envelope."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.security.fuzzing import MASTER, Findings, fuzz, judged
from tests.security.watch import Watched, foreign, warm_up
from tests.security.wire import Wire
from tests.servers.gateway import Gateway

CASES = 400
SEED = 20_261_121
ENVELOPE = b'{"error":{"message":"m","type":"t","param":null,"code":null}}'
ID = {"x-request-id": "i"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, started: Callable[[Gateway], Gateway]) -> Watched:
    """A demo for whoever has the master key, and a watch over the code that it runs."""
    return Watched(tmp_path_factory.mktemp("watched"), started)


@pytest.mark.timeout(240)
def test_made_up_requests_are_answered(watched: Watched) -> None:
    """None with a status of ours, all refusals in the envelope; S26, S27: no process is started, no new code run."""
    locked = watched.gateway
    warm_up(locked)
    findings = Findings()
    assert foreign(watched.during(lambda: fuzz(locked, cases=CASES, seed=SEED, findings=findings))) == set()
    assert findings.wrong == []
    assert findings.cases + findings.unsendable > CASES * 0.8
    assert findings.unsendable < CASES // 10
    with Wire(locked.port) as wire:
        described = wire.ask("GET", "/api/openapi.json", headers=(("authorization", f"Bearer {MASTER}"),)).json
    spoken = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    assert findings.operations == spoken
    assert {200, 400, 404} <= set(findings.statuses)
    assert "Traceback" not in locked.log.read_text()


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "is_right"),
    [
        ("/stats", 200, ID, b"anything", True),
        ("/stats", 200, {}, b"{}", False),
        ("/stats", 500, ID, ENVELOPE, False),
        ("/stats", 400, ID, ENVELOPE, True),
        ("/stats", 400, ID, ENVELOPE.replace(b'"m"', b'"\\u001b"'), False),
        ("/stats", 400, ID, b"<html>", False),
        ("/stats", 400, ID, b"[]", False),
        ("/stats", 422, ID, b'{"detail":[]}', False),
        ("/v1/messages", 400, ID, ENVELOPE, False),
        ("/v1/messages", 400, ID, b'{"type":"error","error":{"message":"m","type":"t"}}', True),
    ],
)
def test_the_fuzzer_knows_what_is_wrong(
    path: str, status: int, headers: dict[str, str], body: bytes, *, is_right: bool
) -> None:
    """A failure, a missing id, another form than the route's."""
    assert (judged(path, status, headers, body) is None) is is_right
