"""Many rows quickly: one day goes through the ledger's own ingest, and copies of it fill the days before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import sqlalchemy as sa
from msgspec.structs import replace

from benchmarks.micro.samples import exchange
from farthing.domain.budget import DAY_US
from farthing.domain.exchange import Exchange
from farthing.domain.ids import RANDOM_BITS, uuid7
from farthing.store import Store
from farthing.store.engine import Engines
from farthing.store.schema import requests, value_metrics

HOUR_US = 3_600_000_000
FIRST_HOUR, HOURS = 8, 8
"""People work from eight to four."""
BATCH = 5000
KINDS = 1200
"""Different exchanges, as `samples.exchange` numbers them."""
_RANDOM_PART = 15
"""Where a UUIDv7's text stops being the time, counted from 1."""

MILLISECOND_US = 1000
LOW_BITS = 1 << 16


def of_a_day(midnight_us: int, count: int) -> Iterator[list[Exchange]]:
    """So many exchanges spread over the working hours of a day, in batches."""
    dice = random.Random(count)
    start, step = midnight_us + FIRST_HOUR * HOUR_US, HOURS * HOUR_US // count
    for first in range(0, count, BATCH):
        yield [exchange_at(start + number * step, dice) for number in range(first, min(first + BATCH, count))]


def exchange_at(moment_us: int, dice: random.Random) -> Exchange:
    """One of the mix at this moment."""
    request_id = uuid7(moment_us, dice.getrandbits(RANDOM_BITS))
    return replace(exchange(dice.randrange(KINDS), dice), request_id=request_id, created_at_us=moment_us)


async def fill(store: Store, engines: Engines, *, midnight_us: int, count: int, days: int) -> None:
    """`count` requests on the day that begins at `midnight_us`, and the same on each of the `days - 1` before it.

    A copy differs in its moments and ids alone, and its sums are the first day's moved by whole days: rows and sums
    agree as if the ledger had written each of them.
    """
    for batch in of_a_day(midnight_us, count):
        await store.ingest.write(batch)
    moments = [midnight_us - back * DAY_US for back in range(days)]
    examples = [exchange_at(moment, random.Random(0)) for moment in moments]
    if missing := engines.backend.unprepared(examples):
        async with engines.writing("migration") as connection:
            await engines.backend.prepare(connection, missing)
    for back in range(1, days):
        async with engines.writing("migration") as connection:
            for statement in copies(engines.backend.name, midnight_us, back):
                await connection.execute(statement)


async def settle(engines: Engines, url: str) -> None:
    """What PostgreSQL does by itself in the course of time, so that it does not do it while it is being timed."""
    if engines.backend.name == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.close()


def copies(kind: str, midnight_us: int, back: int) -> list[sa.Insert]:
    """What copies the rows and the sums of a day to the one that is `back` days earlier."""
    earlier: Any = sa.literal(timedelta(days=back), sa.Interval) if kind == "postgresql" else sa.literal(back * DAY_US)
    created_at = sa.type_coerce(requests.c.created_at, sa.TIMESTAMP if kind == "postgresql" else sa.BigInteger)
    bucket = sa.type_coerce(value_metrics.c.bucket, sa.TIMESTAMP if kind == "postgresql" else sa.BigInteger)
    moved = {"created_at": created_at - earlier, "request_id": _identifier(kind, created_at - earlier)}
    return [
        _copied(requests, requests.c.created_at, midnight_us, moved),
        _copied(value_metrics, value_metrics.c.bucket, midnight_us, {"bucket": bucket - earlier}),
    ]


def _copied(table: sa.Table, moment: sa.Column[int], midnight_us: int, moved: dict[str, Any]) -> sa.Insert:
    names = [column.name for column in table.columns]
    of_the_day = sa.select(*(moved.get(name, table.c[name]) for name in names)).where(
        moment >= midnight_us, moment < midnight_us + DAY_US
    )
    return sa.insert(table).from_select(names, of_the_day)


def _identifier(kind: str, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A row's id with the time in it that the row has: its chance part is the original's."""
    if kind == "postgresql":
        milliseconds = sa.cast(sa.func.floor(sa.extract("epoch", moment) * 1000), sa.BigInteger)
        digits = sa.func.lpad(sa.func.to_hex(milliseconds), 12, "0")
        rest = sa.func.substr(sa.cast(requests.c.request_id, sa.Text), _RANDOM_PART)
        text = sa.func.substr(digits, 1, 8) + "-" + sa.func.substr(digits, 9, 4) + "-" + rest
        return sa.cast(text, sa.UUID)
    since_1970 = moment // MILLISECOND_US
    parts = (since_1970 // LOW_BITS, since_1970 % LOW_BITS, sa.func.substr(requests.c.request_id, _RANDOM_PART))
    return sa.func.printf("%08x-%04x-%s", *parts)
