"""Rows without a cost get one, the sums follow in the same transaction, and nothing that was priced changes."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from farthing.background.clock import ManualClock
from farthing.domain.chat import Usage
from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange
from farthing.ports import Stretch
from farthing.store import Store, open_store, repricing
from farthing.store.aggregates import fold
from farthing.store.repricing import Priced, Repriced
from farthing.store.schema import requests, value_metrics
from tests.conformance.store.samples import DAY_US, HOUR_US, NOON_US, exchange
from tests.conformance.store.test_ingest import assert_sums_agree


def ten_each(one: Exchange) -> Exchange | None:
    """`small` costs 10 nano-dollars a call, 25 at the baseline; of other models nothing is known."""
    if one.model != "small":
        return None
    baseline = 25 if one.baseline_cost is None else one.baseline_cost
    return replace(one, cost=10, baseline_cost=baseline, price_version="later")


async def ledger(store: Store) -> dict[str, tuple[int | None, int | None, int, str | None]]:
    """Cost, baseline, savings and price version of every row."""
    row = requests.c
    columns = (row.request_id, row.cost, row.baseline_cost, row.savings, row.price_version)
    async with store._engines.reading() as connection:
        found = await connection.execute(sa.select(*columns))
        return {one: (cost, baseline, saved, version) for one, cost, baseline, saved, version in found}


async def sums(store: Store) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Every row of the sums."""
    async with store._engines.reading() as connection:
        found = await connection.execute(sa.select(value_metrics))
        return {tuple(row[:5]): tuple(row[5:]) for row in found}


async def test_what_a_vendor_searched_is_priced_as_well(store: Store) -> None:
    """It is known from the row again, as it was when the request ended, and shown with the row."""
    searched = exchange(cost=None, price_version=None, usage=Usage(prompt=1, web_searches=3, file_searches=2))
    await store.ingest.write([searched])
    seen: list[Usage] = []

    def look(one: Exchange) -> None:
        seen.append(one.usage)

    await store.repricing.run(look)
    assert seen == [searched.usage]
    shown = await store.queries.request(None, searched.request_id)
    assert (shown["usage"]["web_searches"], shown["usage"]["file_searches"]) == (3, 2)


async def test_what_has_become_known_is_priced(store: Store) -> None:
    """The row says what it cost, what was saved and by which price; others stay as they were."""
    fresh, known, free, unknown = (
        exchange(cost=None, baseline_cost=None, price_version=None),
        exchange(),
        exchange(cost=0, baseline_cost=None),
        exchange(cost=None, model="large", price_version=None),
    )
    await store.ingest.write([fresh, known, free, unknown])
    shares: list[float] = []
    done = await store.repricing.run(ten_each, advance=shares.append)
    assert shares == [1]
    assert done.models == {("openai", "small"): Priced(1, 10, 0), ("openai", "large"): Priced(0, 0, 1)}
    assert done.total == Priced(1, 10, 1)
    assert await ledger(store) == {
        fresh.request_id: (10, 25, 15, "later"),
        known.request_id: (300, 1000, 700, "genai-prices 1"),
        free.request_id: (0, None, 0, "genai-prices 1"),
        unknown.request_id: (None, 1000, 0, None),
    }
    await assert_sums_agree(store)
    assert (await store.queries.stats(None))["overall"]["unpriced_requests"] == 1
    assert (await store.repricing.run(ten_each)).total == Priced(0, 0, 1)


async def test_a_baseline_that_was_known_stands(store: Store) -> None:
    """Only the unknown is filled in."""
    one = exchange(cost=None, baseline_cost=1000)
    await store.ingest.write([one])
    await store.repricing.run(ten_each)
    assert (await ledger(store))[one.request_id] == (10, 1000, 990, "later")
    await assert_sums_agree(store)


async def test_a_dry_run_only_tells(store: Store) -> None:
    """It reports what would be done and changes neither rows nor sums."""
    one = exchange(cost=None, baseline_cost=None)
    await store.ingest.write([one])
    before = await ledger(store), await sums(store)
    assert (await store.repricing.run(ten_each, dry_run=True)).total == Priced(1, 10, 0)
    assert (await ledger(store), await sums(store)) == before


@pytest.mark.parametrize(
    ("stretch", "priced"),
    [
        (Stretch(), [0, 1, 2, 3]),
        (Stretch(from_us=NOON_US), [1, 2, 3]),
        (Stretch(to_us=NOON_US), [0]),
        (Stretch(NOON_US + 1, NOON_US + DAY_US), [2]),
        (Stretch(NOON_US + HOUR_US, NOON_US + HOUR_US), []),
    ],
)
async def test_only_the_stretch_is_priced(store: Store, stretch: Stretch, priced: list[int]) -> None:
    """To the microsecond: its start belongs to it, its end does not."""
    moments = [NOON_US - 1, NOON_US, NOON_US + 1, NOON_US + DAY_US]
    rows = [exchange(cost=None, created_at_us=moment) for moment in moments]
    await store.ingest.write(rows)
    await store.repricing.run(ten_each, stretch)
    found = await ledger(store)
    assert [place for place, row in enumerate(rows) if found[row.request_id][0] == 10] == priced
    await assert_sums_agree(store)


async def test_the_pricing_sees_the_row_as_it_was_recorded(store: Store) -> None:
    """Model, provider, strategy, moment and every token class, on which its price depends."""
    one = exchange(cost=None)
    await store.ingest.write([one])
    seen: list[Exchange] = []
    await store.repricing.run(seen.append)
    [row] = seen
    names = (
        "request_id",
        "created_at_us",
        "tenant",
        "provider",
        "model",
        "requested_model",
        "strategy",
        "usage",
        "tags",
    )
    assert [getattr(row, name) for name in names] == [getattr(one, name) for name in names]


async def test_batches_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are of one moment, each is looked at once, and no transaction holds more than a batch."""
    monkeypatch.setattr(repricing, "BATCH", 3)
    sizes: list[int] = []
    update = repricing._update

    async def noted(connection: AsyncConnection, priced: list[Exchange]) -> None:
        sizes.append(len(priced))
        await update(connection, priced)

    monkeypatch.setattr(repricing, "_update", noted)
    rows = [exchange(cost=None, model="small" if number % 4 else "large") for number in range(10)]
    rows.append(exchange(cost=None, created_at_us=NOON_US + HOUR_US))
    await store.ingest.write(rows)
    assert (await store.repricing.run(ten_each)).total == Priced(8, 80, 3)
    assert max(sizes) <= 3
    assert sum(sizes) == 8
    await assert_sums_agree(store)


async def test_a_run_that_breaks_off_leaves_whole_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and sums agree, and the next run does the rest."""
    monkeypatch.setattr(repricing, "BATCH", 2)
    await store.ingest.write([exchange(cost=None) for _ in range(5)])
    add, calls = store._engines.backend.add, [0]

    async def failing(*args: object) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError("gone")
        await add(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(store._engines.backend, "add", failing)
    with pytest.raises(Unavailable):
        await store.repricing.run(ten_each)
    assert sorted(cost or 0 for cost, *_ in (await ledger(store)).values()) == [0, 0, 0, 10, 10]
    await assert_sums_agree(store)
    assert (await store.repricing.run(ten_each)).total == Priced(3, 30, 0)
    await assert_sums_agree(store)


async def test_two_runs_at_once_price_each_row_once(store: Store, database_url: str, clock: ManualClock) -> None:
    """While the gateway goes on writing."""
    other = open_store(database_url, clock=clock)
    await store.ingest.write([exchange(cost=None) for _ in range(60)])
    first, second, _ = await asyncio.gather(
        store.repricing.run(ten_each),
        other.repricing.run(ten_each),
        store.ingest.write([exchange(created_at_us=NOON_US + number) for number in range(20)]),
    )
    assert isinstance(first, Repriced)
    assert first.total.rows + second.total.rows == 60
    await assert_sums_agree(store)
    await other.aclose()


rows_of_a_day = st.lists(
    st.builds(
        exchange,
        created_at_us=st.integers(NOON_US - DAY_US, NOON_US + DAY_US),
        tenant=st.sampled_from(["acme", "bolt"]),
        user=st.sampled_from([None, "ann", "bob"]),
        team=st.sampled_from([None, "support"]),
        tags=st.sampled_from([{}, {"a": "1"}, {"a": "1", "b": "2"}]),
        model=st.sampled_from(["small", "large"]),
        status=st.sampled_from(["ok", "interrupted", "cancelled"]),
        strategy=st.sampled_from([None, "passthrough", "hybrid"]),
        cost=st.none() | st.integers(0, 10**12),
        baseline_cost=st.none() | st.integers(0, 10**12),
    ),
    max_size=12,
)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_sums_are_what_they_were_had_the_price_been_known(kind: str, request: pytest.FixtureRequest) -> None:
    """After any runs over any rows, every sum of every dimension and grain is that of the rows as they now stand."""
    url: str = request.getfixturevalue(f"{kind}_url")
    written: list[Exchange] = []

    @settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
    @given(rows_of_a_day, st.integers(-DAY_US, DAY_US), st.booleans())
    def holds(rows: list[Exchange], from_noon: int, twice: bool) -> None:
        written.extend(rows)

        async def job() -> tuple[object, object]:
            store = open_store(url, clock=ManualClock(NOON_US))
            try:
                await store.ingest.write(rows)
                for _ in range(1 + twice):
                    await store.repricing.run(ten_each, Stretch(NOON_US + from_noon))
                return await ledger(store), await sums(store)
            finally:
                await store.aclose()

        found, summed = asyncio.run(job())
        for place, row in enumerate(written):
            if row.cost is None and row.created_at_us >= NOON_US + from_noon:
                written[place] = ten_each(row) or row
        assert found == {
            row.request_id: (row.cost, row.baseline_cost, row.savings, row.price_version) for row in written
        }
        assert summed == {tuple(cell[:5]): tuple(cell[5:]) for cell in fold(written)}

    holds()
