"""Experiments and results to fill a store with."""

from __future__ import annotations

import json
from typing import Any

from farthing.domain.exchange import Exchange
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.verdict import Verdict
from farthing.ports.experiments import Kept, Result
from tests.conformance.store.samples import NOON_US, exchange

WINNER = Verdict(code="winner", significant=True, winner="test", reason="Test is cheaper.", is_final=True)


def experiment(**changes: Any) -> Experiment:
    """Two equal arms of `acme`, a hundred results planned."""
    fields: dict[str, Any] = {
        "id": "exp-1",
        "tenant": "acme",
        "name": "cheaper",
        "arms": (Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5)),
        "sample_size": 100,
        "salt": "exp-1",
        "phases": (Phase((0.5, 0.5), NOON_US),),
        "created_us": NOON_US,
    }
    return Experiment(**{**fields, **changes})


def counted(kept: Kept) -> dict[str, tuple[int, int]]:
    """By arm, requests since a winner was promoted, and those that failed."""
    return {arm: (sum(one.requests), sum(one.errors)) for arm, one in (kept.aftermath or {}).items()}


def result(request_id: str, user: str = "ann", arm: str = "control", **changes: Any) -> Result:
    """A result of ten nano-dollars and half a second."""
    fields: dict[str, Any] = {"cost": 10, "latency_us": 500_000, "created_at_us": NOON_US}
    return Result(request_id=request_id, user=user, arm=arm, **{**fields, **changes})


def row(number: int, user: str | None = "ann", arm: str = "control", **changes: Any) -> Exchange:
    """A row of the ledger that takes part, with the number in its id."""
    part = {"candidates": [], "metadata": {}, "experiment": {"phase": 0, "tokens": 7}}
    fields: dict[str, Any] = {
        "request_id": f"00000000-0000-7000-8000-{number:012d}",
        "user": user,
        "arm": arm,
        "decision": json.dumps(part),
    }
    return exchange(**{**fields, **changes})
