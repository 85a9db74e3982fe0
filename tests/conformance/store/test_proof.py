"""Whether the sums are those of the rows is compared to the nano-dollar, while others write."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from farthing.domain.exchange import Exchange
from farthing.ports import Stretch
from farthing.store import Store, proof
from farthing.store.proof import Difference, Proof, Prover
from farthing.store.schema import requests, value_metrics
from tests.conformance.store.samples import DAY_US, HOUR_US, NOON_US, exchange

MIDNIGHT_US = NOON_US - 12 * HOUR_US
SUM = value_metrics.c


def several() -> list[Exchange]:
    """Of two days and tenants, with everything that decides in which sums a row is."""
    return [
        exchange(created_at_us=NOON_US),
        exchange(created_at_us=NOON_US + HOUR_US, tenant="bolt", user=None, tags={}, team=None),
        exchange(created_at_us=NOON_US + DAY_US, cost=None, price_version=None),
        exchange(created_at_us=NOON_US + DAY_US, status="cached", cache="hit", cache_level="memory", cost=0),
        exchange(created_at_us=NOON_US + DAY_US, strategy="judge"),
        exchange(created_at_us=NOON_US + DAY_US, experiment_id=None, arm="hold_back", user="u" * 300),
    ]


async def change(store: Store, *statements: sa.Update | sa.Delete) -> None:
    """What somebody does past the gateway."""
    async with store._engines.writing() as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_sums_that_the_gateway_wrote_are_those_of_its_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every dimension, also after rows were priced late, and however few are read at once."""
    assert await store.prover.compare() == Proof(0, 0, ())
    await store.ingest.write(several())
    await store.repricing.run(lambda one: replace(one, cost=10, price_version="later"))
    shares: list[float] = []
    assert await store.prover.compare(advance=shares.append) == Proof(2, 6, ())
    assert shares == [0.5, 1]
    monkeypatch.setattr(proof, "BATCH", 2)
    assert await store.prover.compare() == Proof(2, 6, ())
    assert await store.prover.compare(Stretch(NOON_US + DAY_US, NOON_US + DAY_US + 1)) == Proof(1, 4, ())


async def test_a_sum_that_somebody_changed_is_named(store: Store) -> None:
    """Its day, dimension and grain, by how much it is wrong, and in what."""
    await store.ingest.write(several())
    its = SUM.dimension == "model", SUM.grain == 60, SUM.bucket == NOON_US, SUM.tenant == "acme"
    await change(store, sa.update(value_metrics).where(*its).values(cost=SUM.cost + 5, errors=1))
    found = await store.prover.compare()
    wrong = Difference(
        day_us=MIDNIGHT_US,
        dimension="model",
        grain=60,
        cost=5,
        sums=1,
        tenant="acme",
        value="small",
        counters=("errors", "cost"),
    )
    assert found == Proof(2, 6, (wrong,))
    assert (await store.prover.compare(Stretch(NOON_US + DAY_US, None))).differences == ()


async def test_wrong_sums_are_made_those_of_the_rows(store: Store) -> None:
    """Whatever is wrong: one is another's, one is missing, one is of nothing. Those that are right stay."""
    await store.ingest.write(several())
    await change(
        store,
        sa.update(value_metrics).where(SUM.dimension == "model").values(cost=SUM.cost + 5, errors=1),
        sa.delete(value_metrics).where(SUM.dimension == "key"),
        sa.update(value_metrics).where(SUM.dimension == "team", SUM.grain == 1).values(value="nobody"),
    )
    first = await store.prover.compare(mend=True)
    assert {each.dimension for each in first.differences} == {"model", "key", "team"}
    assert await store.prover.compare() == Proof(2, 6, ())


async def test_a_row_that_somebody_changed_or_removed_is_missed_in_every_sum(store: Store) -> None:
    """Also where none of its day is left, and a sum that nobody has written is missed as well."""
    rows = several()
    await store.ingest.write(rows)
    await change(store, sa.update(requests).where(requests.c.request_id == rows[0].request_id).values(cost=307))
    found = (await store.prover.compare()).differences
    assert {(each.day_us, each.cost, each.counters) for each in found} == {(MIDNIGHT_US, -7, ("cost", "savings"))}
    assert {each.grain for each in found if each.dimension == "tag"} == {1, 60, 1440}
    await change(store, sa.delete(requests).where(requests.c.created_at < NOON_US + DAY_US))
    found = (await store.prover.compare()).differences
    assert {each.cost for each in found if each.dimension == "total"} == {600}
    await change(store, sa.delete(value_metrics))
    found = (await store.prover.compare()).differences
    assert {(each.day_us, each.cost) for each in found if each.dimension == "total"} == {(MIDNIGHT_US + DAY_US, -600)}


async def test_a_wrong_sum_that_grows_is_left_for_another_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much of it is wrong cannot be told while rows are read; it is named all the same."""
    await store.ingest.write([exchange(created_at_us=NOON_US)])
    await change(store, sa.update(value_metrics).values(cost=SUM.cost + 5))
    read = Prover._told

    async def told(self: Prover, day: int) -> Any:
        found = await read(self, day)
        await store.ingest.write([exchange(created_at_us=NOON_US)])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Prover, "_told", told)
        assert len((await store.prover.compare(mend=True)).differences) > 1
    differences = (await store.prover.compare(mend=True)).differences
    assert {each.cost for each in differences} == {5}
    assert (await store.prover.compare()).differences == ()


@pytest.mark.parametrize("step", ["before", "after"])
async def test_what_is_written_meanwhile_is_no_difference(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Neither where the rows are read with it, nor where they are read without it."""
    await store.ingest.write(several())
    read = Prover._told

    async def told(self: Prover, day: int) -> Any:
        if step == "before":
            await store.ingest.write([exchange(created_at_us=day)])
        found = await read(self, day)
        if step == "after":
            await store.ingest.write([exchange(created_at_us=day)])
        return found

    monkeypatch.setattr(Prover, "_told", told)
    assert (await store.prover.compare()).differences == ()
