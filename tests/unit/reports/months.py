"""A month as formats read it, made up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from farthing.domain.pricing import PriceData
from farthing.domain.report import DIMENSIONS, Charge, Decided, Line, Report
from farthing.ports import Stretch
from farthing.ports.reports import Order

NOVEMBER = Stretch(1_793_491_200_000_000, 1_796_083_200_000_000)
ORDER = Order(
    month="2026-11", stretch=NOVEMBER, tenant="acme", format="json", is_demo=False, now_us=1_796_090_000_000_000
)
CHARGE = Charge(
    day_us=1_793_577_600_000_000,
    tenant="acme",
    provider="openai",
    model="small",
    key_id="key-1",
    team="support",
    tags=(("feature", "triage"),),
    requests=3,
    tokens_in=700,
    tokens_out=300,
    cost=1_234_567_891,
    baseline_cost=2_000_000_000,
    savings=765_432_109,
)
TOTAL = Line(
    name=None,
    requests=4,
    cache_hits=1,
    tokens_in=700,
    tokens_out=300,
    cost=1_234_567_891,
    unpriced_requests=1,
    baseline_cost=2_000_000_000,
    savings=765_432_109,
)
EXPERIMENT = Decided(
    experiment_id="e-1",
    name="Small for triage",
    decided_us=1_794_000_000_000_000,
    code="winner",
    winner="test",
    reason="Test costs less.",
)


def report(**changes: Any) -> Report:
    """Of one tenant, with one value in every dimension."""
    fields: dict[str, Any] = {
        "month": "2026-11",
        "tenant": "acme",
        "prices": PriceData(source="genai-prices 9.9", newest="2026-11-02"),
        "generated_us": ORDER.now_us,
        "is_complete": True,
        "total": TOTAL,
        "estimated_requests": 1,
        "estimated_cost": 234_567_891,
        "by_source": {"routing": 800_000_000, "answer_cache": 0, "overhead": -34_567_891},
        "groups": {name: (replace(TOTAL, name="2026-11-02" if name == "day" else name),) for name in DIMENSIONS},
        "experiments": (EXPERIMENT,),
    }
    return Report(**fields | changes)


class MadeUp:
    """Implements `farthing.ports.reports.Month`."""

    def __init__(
        self, *batches: Sequence[Charge], report: Report | None = None, order: Mapping[str, Any] | None = None
    ) -> None:
        self.order = replace(ORDER, **order or {})
        self._batches = batches
        self._report = report

    async def report(self) -> Report:
        """The one it was made with."""
        assert self._report is not None
        return self._report

    async def charges(self) -> AsyncIterator[Sequence[Charge]]:
        """Those it was made with."""
        for batch in self._batches:
            yield batch


async def whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    """The file."""
    return b"".join([piece async for piece in pieces])
