"""Results of experiments as rows: numbered in the order of arrival, each once, under the experiment's own lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, groupby
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.domain.exchange import Exchange
from farthing.domain.experiments.assignment import group
from farthing.domain.experiments.data import MILLION, Followed
from farthing.ports.experiments import Result
from farthing.store.schema import experiment_results, experiments

TOGETHER = 500
"""Request ids in one question."""
_TABLE, _RESULT = experiments.c, experiment_results.c
_SETTLED = ("experiment_id", "tenant", "n", "decided_n", "lost", "aftermath", "completed_at")


class _Part(Struct, frozen=True):
    """What a request's decision tells of its experiment."""

    phase: int = 0
    tokens: int | None = None


class _Decision(Struct, frozen=True):
    experiment: _Part = _Part()


class Lost(Struct, frozen=True):
    """By arm, requests that have no result: refused or of unknown cost, and answered by the cache."""

    dropped: Mapping[str, int] = {}
    hits: Mapping[str, int] = {}


_read = msgspec.json.Decoder(_Decision).decode


def taking_part(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """Those that belong to an experiment. An answer that was only repeated is no second result."""
    return [each for each in exchanges if each.experiment_id and each.arm and each.cache_level != "idempotency"]


async def settle(connection: AsyncConnection, exchanges: Sequence[Exchange]) -> None:
    """Adds the results of new rows of the ledger, in the transaction that adds the rows.

    Whoever else writes results of the same experiments waits until its end: in the order of their ids, and after all
    other locks that a writer of rows takes, so that nobody waits in a circle. Where a winner was promoted they are only
    counted: it answers for good. What the cache had is noted until the verdict, as no result.
    """
    mine = sorted(exchanges, key=lambda each: (each.experiment_id or "", each.request_id))
    groups = {name: list(group) for name, group in groupby(mine, key=attrgetter("experiment_id"))}
    statement = (
        sa.select(*(_TABLE[name] for name in _SETTLED))
        .where(_TABLE.experiment_id.in_(groups))
        .order_by(_TABLE.experiment_id)
        .with_for_update()
    )
    for row in (await connection.execute(statement)).all():
        own = [each for each in groups[row.experiment_id] if each.tenant == row.tenant]
        bought = [each for each in own if not _is_hit(each)]
        if row.aftermath is not None:
            await _follow(connection, row, bought)
        else:
            await _take(connection, row, bought, [each for each in own if _is_hit(each)])


async def _take(
    connection: AsyncConnection, row: sa.Row[Any], bought: Sequence[Exchange], hits: Sequence[Exchange]
) -> None:
    """Adds results, and counts what is none."""
    before, name = lost(row), row.experiment_id
    if row.decided_n is None:
        await _add(connection, name, count(-1 - sum(before.hits.values()), -1), _results(hits))
    else:
        hits = ()
    added, duplicates = await _add(connection, name, count(row.n + 1), _results(bought))
    now = Lost(
        dropped=Counter(before.dropped) + Counter(each.arm or "" for each in bought if _is_dropped(each)),
        hits=Counter(before.hits) + Counter(each.arm or "" for each in hits),
    )
    await _count(connection, name, n=row.n + added, duplicates=duplicates, without=now)


async def _follow(connection: AsyncConnection, row: sa.Row[Any], exchanges: Sequence[Exchange]) -> None:
    """Sums what the arms answered of requests that have begun since one of them was promoted."""
    begun = [each for each in exchanges if each.status != "rejected" and each.created_at_us >= row.completed_at]
    if not begun:
        return
    sums = followed(row) or {}
    for each in begun:
        sums.setdefault(each.arm or "", Followed()).add(
            group(each.user or each.request_id),
            cost=each.cost,
            latency_us=each.duration_us,
            is_error=each.status == "error",
        )
    await _sum(connection, row.experiment_id, sums)


async def _sum(connection: AsyncConnection, experiment_id: str, sums: Mapping[str, Followed]) -> None:
    change = sa.update(experiments).where(_TABLE.experiment_id == experiment_id)
    await connection.execute(change.values(aftermath=msgspec.to_builtins(sums)))


async def keep(connection: AsyncConnection, row: sa.Row[Any], result: Result) -> int | None:
    """Adds one result to the experiment of this row, which is locked; its number, None where it is known already."""
    added, duplicates = await _add(connection, row.experiment_id, count(row.n + 1), [result])
    await _count(connection, row.experiment_id, n=row.n + added, duplicates=duplicates)
    return row.n + 1 if added else None


async def rate(
    connection: AsyncConnection, request: Mapping[Any, Any], quality: float, *, before: float | None
) -> None:
    """Gives the result of this row of the ledger its quality, from 1 to 5, in the place of what it had before.

    As long as it can be part of a verdict to come; where a winner was promoted its arm has the quality.
    """
    experiment_id, request_id = request["experiment_id"], request["request_id"]
    columns = (_TABLE[name] for name in ("experiment_id", "decided_n", "completed_at", "aftermath"))
    locked = sa.select(*columns).where(_TABLE.experiment_id == experiment_id).with_for_update()
    row = (await connection.execute(locked)).first()
    if row is None:
        return
    if row.decided_n is not None:
        await _rate_arm(connection, row, request, quality, before=before)
        return
    change = sa.update(experiment_results).where(
        _RESULT.experiment_id == experiment_id, _RESULT.request_id == request_id, _RESULT.seq > 0
    )
    if (await connection.execute(change.values(quality=round(quality * MILLION)))).rowcount:
        more = sa.update(experiments).where(_TABLE.experiment_id == experiment_id)
        await connection.execute(more.values(ratings=_TABLE.ratings + 1))


async def _rate_arm(
    connection: AsyncConnection,
    row: sa.Row[Any],
    request: Mapping[Any, Any],
    quality: float,
    *,
    before: float | None,
) -> None:
    """Adds the quality to those of an arm that is followed, unless the request is none of those that are."""
    sums = followed(row) or {}
    arm = sums.get(request["arm"])
    if arm is None or request["status"] == "cached" or request["created_at"] < row.completed_at:
        return
    arm.rate(group(request["user_id"] or request["request_id"]), quality, before=before)
    await _sum(connection, row.experiment_id, sums)


async def _add(
    connection: AsyncConnection, experiment_id: str, numbers: Iterable[int], results: Sequence[Result]
) -> tuple[int, int]:
    """How many of the results are new, which get these numbers, and how many are not."""
    ids = [result.request_id for result in results]
    known: set[str] = set()
    for start in range(0, len(ids), TOGETHER):
        statement = sa.select(_RESULT.request_id).where(
            _RESULT.experiment_id == experiment_id, _RESULT.request_id.in_(ids[start : start + TOGETHER])
        )
        known.update((await connection.execute(statement)).scalars())
    new = [result for result in results if result.request_id not in known]
    if new:
        rows = [_row(experiment_id, number, result) for number, result in zip(numbers, new, strict=False)]
        await connection.execute(sa.insert(experiment_results), rows)
    return len(new), len(results) - len(new)


async def _count(
    connection: AsyncConnection,
    experiment_id: str,
    *,
    n: int,
    duplicates: int,
    without: Lost | None = None,
) -> None:
    values: dict[str, Any] = {"n": n}
    if duplicates:
        values["duplicates"] = _TABLE.duplicates + duplicates
    if without is not None and (without.dropped or without.hits):
        values["lost"] = msgspec.to_builtins(without)
    await connection.execute(sa.update(experiments).where(_TABLE.experiment_id == experiment_id).values(**values))


def _row(experiment_id: str, number: int, result: Result) -> dict[str, Any]:
    quality = result.quality
    return {
        "experiment_id": experiment_id,
        "request_id": result.request_id,
        "seq": number,
        "user_id": result.user,
        "arm": result.arm,
        "phase": result.phase,
        "cost": result.cost,
        "latency_us": result.latency_us,
        "quality": None if quality is None else round(quality * MILLION),
        "is_error": result.is_error,
        "covariate": result.covariate,
        "provider": result.provider,
        "model": result.model,
        "created_at": result.created_at_us,
    }


def followed(row: sa.Row[Any]) -> dict[str, Followed] | None:
    """By arm, what was answered since the winner of the experiment of this row was promoted."""
    return msgspec.convert(row.aftermath, dict[str, Followed] | None)


def lost(row: sa.Row[Any]) -> Lost:
    """What is counted beside the results of the experiment of this row."""
    return msgspec.convert(row.lost or {}, Lost)


def _is_hit(exchange: Exchange) -> bool:
    """Whether nothing was bought: it has no price and no latency of the arm's own."""
    return exchange.status == "cached"


def _is_dropped(exchange: Exchange) -> bool:
    """Whether it was assigned and cannot be analysed: refused before it began, or of unknown cost."""
    return exchange.status == "rejected" or exchange.cost is None


def _results(exchanges: Iterable[Exchange]) -> list[Result]:
    return [result for each in exchanges if (result := _result(each)) is not None]


def _result(exchange: Exchange) -> Result | None:
    if exchange.cost is None or _is_dropped(exchange):
        return None
    part = _part(exchange.decision)
    return Result(
        request_id=exchange.request_id,
        user=exchange.user or exchange.request_id,
        arm=exchange.arm or "",
        cost=exchange.cost,
        latency_us=exchange.duration_us,
        is_error=exchange.status == "error",
        covariate=part.tokens,
        phase=part.phase,
        provider=exchange.provider,
        model=exchange.model,
        created_at_us=exchange.created_at_us,
    )


def _part(decision: dict[str, Any] | str | None) -> _Part:
    try:
        if isinstance(decision, str):
            return _read(decision).experiment
        return msgspec.convert(decision or {}, _Decision).experiment
    except msgspec.MsgspecError:
        return _Part()
