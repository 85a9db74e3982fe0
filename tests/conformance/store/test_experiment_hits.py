"""What the cache answered is no result: it is counted beside them, and its users stay assigned."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.domain.exchange import Exchange
from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Served
from farthing.store import Store
from tests.conformance.store.samples import NOON_US
from tests.conformance.store.trials import WINNER, counted, experiment, result, row

NOBODY: dict[str, int] = {}


@pytest.fixture
async def running(store: Store) -> Store:
    """A store with one experiment."""
    await store.experiments.create(experiment())
    return store


def hit(number: int, user: str = "ann", arm: str = "control", level: str = "memory", **changes: Any) -> Exchange:
    """A row of the ledger whose answer was kept."""
    return row(number, user, arm, **{"status": "cached", "cache": "hit", "cache_level": level, "cost": 0, **changes})


async def test_a_hit_is_no_result(running: Store) -> None:
    """Whichever level had it, or a request under way; costs and latencies are those of what was bought."""
    rows = [row(1), hit(2), hit(3, level="flight"), hit(4, "bob", "test"), row(5, "bob", "test", cost=500)]
    await running.ingest.write([*rows, hit(6, level="idempotency")])
    await running.ingest.write([hit(7), row(8, cost=None)])
    kept, data = await running.experiments.data("acme", "exp-1")
    assert (kept.tally.n, kept.tally.hits, kept.tally.dropped) == (2, {"control": 3, "test": 1}, {"control": 1})
    assert [(each.arm, list(each.requests), list(each.cost)) for each in data.cohorts] == [
        ("control", [1], [300]),
        ("test", [1], [500]),
    ]
    assert (data.n, data.served, data.crossovers) == (2, (), 0)


async def test_a_user_whose_answers_were_all_kept_is_assigned_all_the_same(running: Store) -> None:
    """Once, however often he asks; one who is seen in another arm crosses over, as with results."""
    await running.ingest.write(
        [row(1), hit(2, "bob", "test"), hit(3, "bob", "test"), hit(4, "cid"), hit(5, "ann", "test")]
    )
    await running.ingest.write([hit(6, "cid", "test"), hit(7, "bob", "gone")])
    _, data = await running.experiments.data("acme", "exp-1")
    assert data.served == (Served(arm="control", phase=0, users=1), Served(arm="test", phase=0, users=1))
    assert data.crossovers == 3


async def test_shares_of_users_are_not_doubted_for_hits(running: Store) -> None:
    """An arm with many users finds many answers in the cache: its shares are those of all who were assigned."""
    bought = [row(n, f"u{n}", ("control", "test")[n > 40]) for n in range(1, 81)]
    kept = [hit(n, f"u{n}", "control") for n in range(81, 281)]
    for few in (bought, kept, [hit(n, f"u{n}", "test") for n in range(281, 481)]):
        await running.ingest.write(few)
    about, data = await running.experiments.data("acme", "exp-1")
    found = analyse(about.experiment, data)
    assert not found.srm.blocked
    assert found.srm.p_chi2 == 1.0
    assert (found.arms["control"].users, found.arms["control"].results) == (40, 40)


async def test_hits_alone_are_news(running: Store) -> None:
    """Users who only meet the cache change the sample ratio: kept results are of before, and somebody looks again."""
    await running.ingest.write([row(1)])
    (due,) = await running.experiments.pending()
    await running.experiments.looked(due, is_done=True, rest_s=0)
    assert await running.experiments.pending() == []
    await running.ingest.write([hit(2, "bob", "test")])
    (again,) = await running.experiments.pending()
    assert (again.tally.serial, again.tally.version) == (due.tally.serial + 1, f"{due.tally.version[:-1]}1")


async def test_hits_are_frozen_with_the_verdict(running: Store) -> None:
    """Later ones are counted nowhere; while it is promoted neither are they among what it is watched by."""
    await running.ingest.write([row(1), hit(2)])
    assert await running.experiments.decide(await running.experiments.get(None, "exp-1"), WINNER, at_us=NOON_US)
    await running.ingest.write([hit(3), hit(4, "bob")])
    kept, data = await running.experiments.data("acme", "exp-1")
    assert (kept.tally.hits, data.served) == ({"control": 1}, ())
    await running.experiments.create(experiment(id="exp-2", promote=True))
    assert await running.experiments.decide(await running.experiments.get(None, "exp-2"), WINNER, at_us=NOON_US)
    await running.ingest.write([hit(5, experiment_id="exp-2"), row(6, experiment_id="exp-2", status="error")])
    assert counted(await running.experiments.get(None, "exp-2")) == {"control": (1, 1)}


async def test_a_rating_of_a_hit_rates_no_arm(running: Store) -> None:
    """The answer is rated, and no result."""
    await running.ingest.write([row(1), hit(2)])
    await running.feedback.rate(hit(2).request_id, 5, tenant="acme", principal="k1")
    kept, data = await running.experiments.data("acme", "exp-1")
    assert (kept.tally.ratings, [list(each.rated) for each in data.cohorts]) == (0, [[0]])


async def test_what_was_reported_from_outside_and_kept_here_counts_once(running: Store) -> None:
    """Under one request id; numbers of later hits are none of earlier ones."""
    await running.experiments.record("acme", "exp-1", result(hit(1).request_id))
    for number in (1, 2, 3):
        await running.ingest.write([hit(number)])
    tally = (await running.experiments.get(None, "exp-1")).tally
    assert (tally.n, tally.hits) == (1, {"control": 3})
    assert await running.experiments.record("acme", "exp-1", result(hit(2).request_id)) == "duplicate"
