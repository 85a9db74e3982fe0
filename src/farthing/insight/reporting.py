"""A month in sums, as a report tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import convert

from farthing.domain.report import DIMENSIONS, Decided, Line, Report, date_of
from farthing.ports.reports import ExperimentList, MonthQueries, Order

PAGE = 100


async def report_of(
    order: Order, queries: MonthQueries, experiments: ExperimentList, key_names: Mapping[str, str]
) -> Report:
    """The report that is asked for; `key_names` tells what people call keys. Raises `Unavailable`."""
    found = await queries.month(order.tenant, order.stretch)
    usage, estimated = found["usage"], found["estimated"]
    return Report(
        month=order.month,
        tenant=order.tenant,
        is_demo=order.is_demo,
        prices=order.prices,
        generated_us=order.now_us,
        is_complete=order.now_us >= (order.stretch.to_us or 0),
        total=convert({"name": None, **usage["model"]["total"]}, Line),
        estimated_requests=estimated["requests"],
        estimated_cost=estimated["cost"],
        by_source=found["savings"]["by_source"],
        groups={
            dimension: tuple(_line(dimension, row, key_names) for row in usage[dimension]["rows"])
            for dimension in DIMENSIONS
        },
        experiments=tuple([decided async for decided in _decided(order, experiments)]),
    )


def _line(dimension: str, row: Mapping[str, Any], key_names: Mapping[str, str]) -> Line:
    group = row["group"]
    label = key_names.get(group) if dimension == "key" else None
    name = date_of(group) if dimension == "day" else group
    return convert({**row, "name": name, "label": label}, Line)


async def _decided(order: Order, experiments: ExperimentList) -> AsyncIterator[Decided]:
    """Experiments that ended in the month with a verdict, the newest first."""
    from_us, to_us = order.stretch.from_us or 0, order.stretch.to_us or 0
    after: str | None = None
    while page := await experiments.list(order.tenant, limit=PAGE, after=after):
        for kept in page:
            one = kept.experiment
            if one.verdict is not None and one.completed_us is not None and from_us <= one.completed_us < to_us:
                yield Decided(
                    experiment_id=one.id,
                    name=one.name,
                    decided_us=one.completed_us,
                    code=one.verdict.code,
                    winner=one.verdict.winner,
                    reason=one.verdict.reason,
                )
        after = page[-1].experiment.id
