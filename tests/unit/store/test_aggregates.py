"""What a batch adds to the sums."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange
from farthing.domain.routing.holdback import group_of, unit_of
from farthing.store.aggregates import GRAINS, LONGEST_VALUE, MINUTE_US, SOURCES, Cell, counters, fold
from farthing.store.schema import COUNTERS
from tests.conformance.store.samples import NOON_US, TOKENS_IN, TOKENS_OUT, exchange

MONEY = st.none() | st.integers(0, 10**15)
NAMES = st.sampled_from([None, "a", "b"])
EXCHANGES = st.builds(
    Exchange,
    request_id=st.uuids().map(str),
    created_at_us=st.integers(NOON_US - 10**11, NOON_US + 10**11),
    status=st.sampled_from(["ok", "cached", "error", "cancelled", "interrupted", "rejected"]),
    route=st.just("/complete"),
    dialect=st.just("native"),
    tenant=st.sampled_from(["acme", "bolt"]),
    team=NAMES,
    model=NAMES,
    tags=st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
    cost=MONEY,
    baseline_cost=MONEY,
    duration_us=st.integers(0, 10**9),
    usage=st.builds(Usage, prompt=st.integers(0, 10**6), reasoning=st.integers(0, 10**6)),
    cache=st.sampled_from(["hit", "miss", "off"]),
)


def added(cells: list[Cell], **place: Any) -> list[int]:
    """The counters of all cells at a place, added up."""
    names = ("dimension", "grain", "bucket", "tenant", "value")
    chosen = [cell[5:] for cell in cells if all(cell[names.index(name)] == value for name, value in place.items())]
    return [sum(column) for column in zip(*chosen, strict=True)] or [0] * len(COUNTERS)


def test_one_exchange_counts_once_in_each_dimension() -> None:
    """Every dimension it has a value in, at the minute, the hour and the day."""
    cells = fold([exchange(created_at_us=NOON_US + 90 * MINUTE_US + 5)])
    sums = (1, 0, 0, TOKENS_IN, TOKENS_OUT, 300, 0, 1000, 700, 2500)
    values = {
        "total": "",
        "provider": "openai",
        "model": "small",
        "key": "key-1",
        "team": "support",
        "user": "ann",
        "strategy": "complexity",
        "tier": "simple",
        "confidence": "high",
        "status": "ok",
        "cache": "miss",
        "source": "routing",
        "tag": "feature=triage",
    }
    buckets = {1: NOON_US + 90 * MINUTE_US, 60: NOON_US + 60 * MINUTE_US, 1440: NOON_US - 720 * MINUTE_US}
    expected = [
        (dimension, grain, bucket, "acme", value, *sums)
        for dimension, value in values.items()
        for grain, bucket in buckets.items()
    ]
    assert cells == sorted(expected)


@given(batch=st.lists(EXCHANGES, max_size=30))
def test_sums_are_the_sums_of_their_rows(batch: list[Exchange]) -> None:
    """In every dimension and at every grain, for all that have the value and for nobody else."""
    cells = fold(batch)
    assert cells == sorted(cells)
    assert len({cell[:5] for cell in cells}) == len(cells)

    def expected(chosen: list[Exchange]) -> list[int]:
        return [sum(column) for column in zip(*map(counters, chosen), strict=True)] or [0] * len(COUNTERS)

    for grain in GRAINS:
        for dimension in ("total", "status", "cache", "source"):
            assert added(cells, dimension=dimension, grain=grain) == expected(batch)
        for tenant in ("acme", "bolt"):
            mine = [one for one in batch if one.tenant == tenant]
            assert added(cells, dimension="total", grain=grain, tenant=tenant) == expected(mine)
        for field in ("team", "model"):
            named = [one for one in batch if getattr(one, field) == "a"]
            assert added(cells, dimension=field, grain=grain, value="a") == expected(named)
        tagged = [one for one in batch if one.tags.get("x") == "1"]
        assert added(cells, dimension="tag", grain=grain, value="x=1") == expected(tagged)


def test_a_hit_is_counted_for_its_level_and_saves_by_the_cache() -> None:
    """The level that had the answer is its value, or `hit` where none is known."""
    for level, value in (("redis", "redis"), (None, "hit")):
        cells = fold([exchange(status="cached", cache="hit", cache_level=level, cost=0)])
        assert added(cells, dimension="cache", grain=1, value=value)[0] == 1
        assert added(cells, dimension="source", grain=1, value="answer_cache")[COUNTERS.index("savings")] == 1000


def test_an_errand_is_overhead_and_no_confident_decision() -> None:
    """What it cost is missing from the savings."""
    cells = fold([exchange(strategy="judge", cost=300, baseline_cost=0)])
    assert added(cells, dimension="source", value="overhead", grain=1)[COUNTERS.index("savings")] == -300
    assert added(cells, dimension="strategy", value="judge", grain=1)[0] == 1
    assert added(cells, dimension="confidence") == [0] * len(COUNTERS)
    assert added(cells, dimension="source", value="routing") == [0] * len(COUNTERS)


def test_sources_are_those_the_contract_names() -> None:
    """Routing, answer cache, prompt cache, batch, overhead."""
    assert SOURCES == ("routing", "answer_cache", "prompt_cache", "batch", "overhead")


def test_long_values_are_cut() -> None:
    """An index has no room for a novel; two that begin alike are one."""
    cells = fold([exchange(user="x" * 10_000, tags={"t": "y" * 500, "t" + "": "y" * 500})])
    assert {cell[4] for cell in cells if cell[0] == "user"} == {"x" * LONGEST_VALUE}
    assert {len(cell[4]) for cell in cells if cell[0] == "tag"} == {LONGEST_VALUE}


def test_sides_of_the_comparison_are_summed_by_day_and_group() -> None:
    """But for what the cache answered, and for arms of experiments."""
    day_us = NOON_US - 720 * MINUTE_US
    alike = [exchange(arm="hold_back", created_at_us=NOON_US + n, experiment_id=None) for n in range(2)]
    cached = exchange(arm="routed", status="cached", experiment_id=None)
    tried = exchange(arm="control", experiment_id="e1")
    cells = [cell for cell in fold([*alike, cached, tried]) if cell[0] == "side"]
    group = group_of(unit_of("acme", "ann", "", NOON_US))
    sums = [2 * figure for figure in counters(alike[0])]
    assert cells == [("side", 1440, day_us, "acme", f"hold_back {group}", *sums)]
