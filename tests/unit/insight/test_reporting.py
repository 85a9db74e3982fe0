"""A month in sums, as a report tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.report import DIMENSIONS, Charge, Decided, Line
from farthing.insight import reporting
from farthing.insight.reporting import report_of
from farthing.ports import Stretch
from farthing.ports.experiments import Kept
from tests.conformance.store.trials import WINNER, experiment
from tests.unit.reports.months import NOVEMBER, ORDER

ROW = {"requests": 4, "errors": 1, "cache_hits": 1, "tokens_in": 7, "tokens_out": 3, "cost": 9, "unpriced_requests": 1}
SUMS: dict[str, Any] = {**ROW, "baseline_cost": 20, "savings": 11, "avg_latency_ms": 1.5}


class Ledger:
    """Implements `farthing.ports.reports.MonthQueries`."""

    async def month(self, tenant: str | None, stretch: Stretch) -> Mapping[str, Any]:
        """The same row in every dimension."""
        assert (tenant, stretch) == ("acme", NOVEMBER)
        groups: dict[str, Any] = {name: f"some {name}" for name in DIMENSIONS}
        groups["day"] = NOVEMBER.from_us
        usage = {name: {"rows": [{"group": group, **SUMS}], "total": SUMS} for name, group in groups.items()}
        return {"usage": usage, "savings": {"by_source": {"routing": 11}}, "estimated": {"requests": 2, "cost": 5}}

    def charges(self, tenant: str | None, stretch: Stretch) -> AsyncIterator[Sequence[Charge]]:
        """No report in sums asks for them."""
        raise NotImplementedError


class Shelf:
    """Implements `farthing.ports.reports.ExperimentList`."""

    def __init__(self, *completed_us: int | None) -> None:
        """The newest first; None for one that runs."""
        self._kept = [
            Kept(experiment=experiment(id=f"e-{place}", completed_us=moment, verdict=moment and WINNER))
            for place, moment in enumerate(completed_us)
        ]

    async def list(self, tenant: str | None, *, limit: int, after: str | None = None) -> Sequence[Kept]:
        """Page by page."""
        assert tenant == "acme"
        first = 0 if after is None else int(after.removeprefix("e-")) + 1
        return self._kept[first : first + limit]


def line(name: str, label: str | None = None) -> Line:
    """What the row says of a value."""
    fields = {field: value for field, value in SUMS.items() if field not in ("errors", "avg_latency_ms")}
    return Line(name=name, label=label, **fields)


async def test_the_ledgers_sums_are_the_reports() -> None:
    """With the names that people gave keys, days as dates, and what is estimated apart."""
    found = await report_of(ORDER, Ledger(), Shelf(), {"some key": "Support desk"})
    assert replace(found.total, name="some model") == line("some model")
    assert found.groups["key"] == (line("some key", "Support desk"),)
    assert found.groups["day"] == (line("2026-11-01"),)
    assert (found.estimated_requests, found.estimated_cost, found.counted_cost) == (2, 5, 4)
    assert (found.by_source, found.saved_percent) == ({"routing": 11}, 55.0)
    assert (found.month, found.tenant, found.is_demo, found.is_complete) == ("2026-11", "acme", False, True)


async def test_a_month_that_is_not_over_says_so() -> None:
    """Up to its last moment."""
    early = replace(ORDER, now_us=(NOVEMBER.to_us or 0) - 1)
    assert not (await report_of(early, Ledger(), Shelf(), {})).is_complete


async def test_experiments_that_were_decided_in_the_month_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever page they stand on; not those that run, nor those of other months."""
    monkeypatch.setattr(reporting, "PAGE", 2)
    begin, end = NOVEMBER.from_us or 0, NOVEMBER.to_us or 0
    found = await report_of(ORDER, Ledger(), Shelf(end, None, end - 1, begin, begin - 1), {})
    assert [decided.experiment_id for decided in found.experiments] == ["e-2", "e-3"]
    assert found.experiments[0] == Decided(
        experiment_id="e-2",
        name="cheaper",
        decided_us=end - 1,
        code="winner",
        winner="test",
        reason="Test is cheaper.",
    )
