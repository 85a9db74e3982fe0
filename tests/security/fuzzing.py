"""Requests made up from the gateway's own description, good and bad ones, and what every answer to them must be."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis.errors import Unsatisfiable
from msgspec import Struct, field
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

from tests.servers.gateway import Gateway

MASTER = "the-master-key-of-the-fuzzer"
SETTINGS = ""
ENVIRONMENT = {"FARTHING_DEMO": "1", "FARTHING_MASTER_KEY": MASTER}
"""Simulated providers, so that sound requests are answered, too."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
ANTHROPIC = frozenset({"/v1/messages", "/v1/messages/count_tokens"})
"""Paths that refuse in the envelope of Anthropic."""
SLOW = frozenset({"/reports/{month}", "/v1/replay", "/v1/savings/what-if", "/admin/learning/retrain"})
"""Paths that start a process for what is sound, which takes it a second."""
MOST_SLOW = 100
SECONDS = 30.0


class Findings(Struct):
    """What was asked and found; `wrong` holds a line for each answer that must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    unsendable: int = 0
    """Cases that no HTTP client will send, such as line breaks in a header."""
    wrong: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """How many were answered."""
        return self.statuses.total()


def fuzz(gateway: Gateway, *, cases: int, seed: int, findings: Findings | None = None) -> Findings:
    """Asks about so many requests, as many of each operation good and bad; the same seed makes the same ones.

    Where there is nothing more to make up about an operation, or it is slow, the others get its share.
    """
    findings = findings or Findings()
    with contextlib.closing(requests.Session()) as session, warnings.catch_warnings():
        # Made-up addresses and patterns move the libraries between to remarks.
        warnings.simplefilter("ignore")
        session.headers["authorization"] = f"Bearer {MASTER}"
        description = session.get(f"{gateway.url}/api/openapi.json", timeout=SECONDS).json()
        strategies = list(_strategies(description))
        while strategies and findings.cases < cases:
            share = max(1, (cases - findings.cases) // len(strategies))
            richer = []
            for operation, mode in strategies:
                seed += 1
                most = min(share, MOST_SLOW) if operation.path in SLOW else share
                if _ask(operation, mode, most, seed, (gateway.url, session, findings)) == share > 1:
                    richer.append((operation, mode))
            strategies = richer
    return findings


def _strategies(description: dict[str, Any]) -> Iterator[tuple[APIOperation[Any, Any, Any, Any], GenerationMode]]:
    """Operations with something to make up; there is nothing to be wrong about without a parameter or a body."""
    for result in schemathesis.openapi.from_dict(description).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        has_input = any(True for _ in operation.iter_parameters()) or bool(operation.body)
        for mode in MODES if has_input else MODES[:1]:
            yield operation, mode


def _ask(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    cases: int,
    seed: int,
    target: tuple[str, requests.Session, Findings],
) -> int:
    """How many different requests there were to make up, at most `cases`."""
    url, session, findings = target
    asked = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        nonlocal asked
        asked += 1
        try:
            answer = case.call(base_url=url, session=session, timeout=SECONDS)
        except requests.ConnectionError as error:
            findings.wrong.append(f"{operation.label} seed {seed}: no answer: {error}")
        except (requests.RequestException, ValueError, UnicodeError):
            findings.unsendable += 1
        else:
            findings.statuses[answer.status_code] += 1
            findings.operations.add(operation.label)
            if found := judged(operation.path, answer.status_code, answer.headers, answer.content):
                findings.wrong.append(f"{operation.label} seed {seed}: {answer.status_code}: {found}")

    with contextlib.suppress(Unsatisfiable):
        ask()
    return asked


def judged(path: str, status: int, headers: Any, body: bytes) -> str | None:
    """What is wrong with an answer."""
    if status >= 500:
        return body.decode(errors="replace")[:200]
    if "x-request-id" not in headers:
        return "no request id"
    if status < 400:
        return None
    try:
        told = json.loads(body)
        error = told["error"]
        expected = {"message", "type"} if path in ANTHROPIC else {"message", "type", "param", "code"}
        is_whole = set(error) == expected and (path not in ANTHROPIC or told["type"] == "error")
        return None if is_whole and error["message"].isprintable() else f"not the envelope: {told}"
    except (ValueError, KeyError, TypeError) as unread:
        return f"no envelope: {unread!r}: {body[:200]!r}"
