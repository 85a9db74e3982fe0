"""The oracle: what the gateway's ledger says is held against what clients heard and what the vendor wrote down."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from msgspec import Struct

from farthing.domain.tokens import estimate
from tests.faults.rig.cluster import PROVIDER_KEY
from tests.faults.rig.load import Heard, canary, until
from tests.faults.rig.words import NANO_IN, NANO_OUT, Entry, Wish, text

QUIET_S = 0.7
_COLUMNS = (
    "request_id, status, tenant, key_id, team, user_id, model, upstream_id, prompt_tokens, completion_tokens, "
    "estimated, cost, error_code, cache, duration_us, stream"
)
_SUMS = "SELECT dimension, tenant, value, requests, tokens_out, cost FROM value_metrics WHERE grain = {}"
UNBOUGHT = {"cached", "rejected"}


class Row(Struct, frozen=True):
    """A row of the ledger."""

    request_id: str
    status: str
    tenant: str
    key_id: str | None
    team: str | None
    user: str | None
    model: str | None
    upstream_id: str | None
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: int | None
    error_code: str | None
    cache: str
    duration_us: int
    stream: bool


class Books:
    """A gateway's database, read past the gateway."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def _ask(self, sql: str) -> list[Sequence[Any]]:
        if self._url.startswith("sqlite:///"):
            connection = sqlite3.connect(f"file:{self._url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=10)
            try:
                return connection.execute(sql).fetchall()
            finally:
                connection.close()
        database = await asyncpg.connect(self._url, statement_cache_size=0, timeout=10)
        try:
            return [tuple(record) for record in await database.fetch(sql)]
        finally:
            await database.close()

    async def rows(self) -> list[Row]:
        """Every request."""
        found = await self._ask(f"SELECT {_COLUMNS} FROM requests")  # noqa: S608 - our own columns
        return [Row(str(row[0]), *row[1:]) for row in found]

    async def count(self) -> int:
        """How many requests there are; none where there is no ledger yet."""
        try:
            [[number]] = await self._ask("SELECT count(*) FROM requests")
        except asyncpg.UndefinedTableError:
            return 0
        return int(number)

    async def reached(self, number: int, *, within_s: float = 30.0) -> float:
        """Seconds until there are so many rows."""

        async def are_there() -> bool:
            return await self.count() >= number

        return await until(are_there, within_s=within_s)

    async def settled(self, at_least: int = 0, *, within_s: float = 90.0) -> float:
        """Seconds until there are so many rows; returns once no more come."""
        waited = await self.reached(at_least, within_s=within_s)
        before = await self.count()
        await asyncio.sleep(QUIET_S)
        while before != (now := await self.count()):
            before = now
            await asyncio.sleep(QUIET_S)
        return waited

    async def unsummed(self) -> tuple[int, int]:
        """By how many requests and nano-dollars the sums by day differ from the rows, once no more of these come."""
        await self.settled()
        [[requests, cost]] = await self._ask("SELECT count(*), coalesce(sum(cost), 0) FROM requests")
        summed = "SELECT sum(requests), sum(cost) FROM value_metrics WHERE dimension = 'total' AND grain = 1440"
        [[counted, charged]] = await self._ask(summed)
        return int(requests) - int(counted), int(cost) - int(charged)

    async def held(self) -> int:
        """Nano-dollars that workers have set aside."""
        [[held]] = await self._ask("SELECT coalesce(sum(amount), 0) FROM budget_leases")
        return int(held)

    async def days(self) -> list[Any]:
        """The days on which there were requests, in their order."""
        return [day for [day] in await self._ask("SELECT DISTINCT DATE(created_at) FROM requests ORDER BY 1")]

    async def sums(self, grain: int) -> dict[tuple[str, str, str], tuple[int, int, int]]:
        """Requests, tokens out and cost by dimension, tenant and value, over buckets of `grain` minutes."""
        totals: dict[tuple[str, str, str], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
        for dimension, tenant, value, *counters in await self._ask(_SUMS.format(grain)):
            before = totals[dimension, tenant, value]
            totals[dimension, tenant, value] = (
                before[0] + counters[0],
                before[1] + counters[1],
                before[2] + counters[2],
            )
        return dict(totals)


def summed(rows: Iterable[Row]) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """What `Books.sums` must say of these rows, for five dimensions."""
    totals: dict[tuple[str, str, str], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for row in rows:
        values = {"total": "", "key": row.key_id, "team": row.team, "model": row.model, "user": row.user}
        for dimension, value in values.items():
            if value is not None:
                before = totals[dimension, row.tenant, value]
                totals[dimension, row.tenant, value] = (
                    before[0] + 1,
                    before[1] + row.completion_tokens,
                    before[2] + (row.cost or 0),
                )
    return dict(totals)


class Verdict(Struct):
    """What the oracle has counted; what it found wrong it has said already."""

    rows: int
    complete: int
    by_status: Mapping[str, int]
    unasked: int
    """Interrupted rows of requests that never reached the vendor: noted, and killed before the first byte went out."""


async def check(
    books: Books,
    heard: Sequence[Heard],
    entries: Mapping[str, Entry],
    *,
    allowed: frozenset[int] = frozenset(),
    attempts: bool = True,
) -> Verdict:
    """O1 to O4 and O6; `allowed` are statuses over 499 that the row permits.

    Without `attempts` a request may have reached the vendor several times.
    """
    rows = await books.rows()
    by_user = _once(rows)
    for each in heard:
        assert each.status < 500 or each.status in allowed, f"O6: {each.status} {each.body[:300]!r}"
        if each.is_complete:
            _check_answer(each, by_user, entries)
        _check_canaries(each)
    unasked = _check_vendor(heard, rows, entries, attempts=attempts)
    await check_sums(books, rows)
    complete = sum(each.is_complete for each in heard)
    return Verdict(len(rows), complete, Counter(row.status for row in rows), unasked)


async def check_sums(books: Books, rows: Sequence[Row]) -> None:
    """O3: the sums by minute, hour and day are those of the rows."""
    expected = summed(rows)
    for grain in (1, 60, 1440):
        sums = await books.sums(grain)
        assert {place: sums.get(place) for place in expected} == expected, f"O3: grain {grain}"


def _once(rows: Sequence[Row]) -> dict[str, Row]:
    doubles = [user for user, number in Counter(row.user for row in rows).items() if number > 1]
    assert not doubles, f"O1: several rows for {doubles[:5]}"
    return {row.user: row for row in rows if row.user}


def _check_answer(heard: Heard, by_user: Mapping[str, Row], entries: Mapping[str, Entry]) -> None:
    ask = heard.ask
    assert heard.text == text(ask.wish), f"O4: {ask.user} heard {heard.text[:200]!r}"
    row = by_user.get(ask.user)
    assert row is not None, f"O1: no row for {ask.user}, {heard.headers.get('x-request-id')}"
    assert row.status in {"ok", "cached"}, f"O1: {row}"
    assert row.request_id == heard.headers["x-request-id"], "O1: another id"
    wanted = 0 if row.status == "cached" else ask.wish.cost
    assert row.cost == wanted, f"O1: {row} costs {wanted}"
    assert (row.tenant, row.estimated) == (ask.holder.tenant if ask.holder else "local", False), f"O1: {row}"
    if row.status == "ok":
        assert entries[row.upstream_id or ""].nonce == ask.wish.nonce, f"O1: {row}"


def _check_canaries(heard: Heard) -> None:
    assert PROVIDER_KEY.encode() not in heard.body, "O5: the vendor's key was told"
    foreign = set(re.findall(canary(".*?"), heard.body.decode(errors="replace"))) - {heard.ask.wish.canary}
    assert not foreign, f"O4: {heard.ask.user} heard {foreign}"


def _check_vendor(heard: Sequence[Heard], rows: Sequence[Row], entries: Mapping[str, Entry], *, attempts: bool) -> int:
    nonces = {each.ask.user: each.ask.wish.nonce for each in heard}
    bought = Counter(nonces.get(row.user or "", "") for row in rows if row.status not in UNBOUGHT)
    asked = Counter(entry.nonce for entry in entries.values())
    unpaid = {nonce: number for nonce, number in asked.items() if bought[nonce] < (number if attempts else 1)}
    assert not unpaid, f"O2: the vendor was asked and no row says so: {dict(list(unpaid.items())[:5])}"
    surplus = [
        row
        for row in rows
        if row.status not in UNBOUGHT and not asked[nonces.get(row.user or "", "")] and row.status != "error"
    ]
    wrong = [row for row in surplus if row.status not in {"interrupted", "cancelled"}]
    assert not wrong, f"O2: rows for what the vendor never saw: {wrong[:3]}"
    return len(surplus)


def check_estimate(row: Row) -> None:
    """A partial answer is flagged, and costs what its tokens cost."""
    assert row.estimated, f"{row} is not flagged"
    assert row.cost == row.prompt_tokens * NANO_IN + row.completion_tokens * NANO_OUT, f"{row}"


def is_near(row: Row, wish: Wish, entry: Entry, *, slack: int) -> bool:
    """Whether a partial answer's output is that of what the vendor said, give or take `slack` chunks."""
    least, most = (estimate(text(wish, max(0, entry.chunks + by))) for by in (-slack, slack))
    return least <= row.completion_tokens <= most
