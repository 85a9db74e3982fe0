"""What a batch of exchanges adds to `value_metrics`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from farthing.domain.exchange import Exchange
from farthing.domain.keys import ERRANDS
from farthing.domain.routing.holdback import group_of, unit_of

MINUTE_US = 60_000_000
GRAINS = (1, 60, 1440)
"""Lengths of a bucket in minutes: minute, hour, day (UTC)."""

TOTAL, SIDES = "total", "side"
LONGEST_VALUE = 200
"""Characters of a value that are kept: an index entry of PostgreSQL holds 2,700 bytes."""

SOURCES = ("routing", "answer_cache", "prompt_cache", "batch", "overhead")
"""Where savings come from. Overhead is what the gateway spends on its own behalf."""

Cell = tuple[str, int, int, str, str, *tuple[int, ...]]
"""A row of `value_metrics` in its columns' order: dimension, grain, bucket (µs), tenant, value, counters."""

_group = attrgetter("tenant", "provider", "model", "key_id", "team", "strategy", "tier", "confidence", "status")
"""What most exchanges of a batch have in common. Their users are summed apart, for of those there are many."""
_ONE_EACH = ("provider", "model", "key", "team", "strategy", "tier", "confidence", "status")
"""Dimensions whose value stands in the group itself, in its order after the tenant."""

_Parts = defaultdict[tuple[Any, ...], list[list[int]]]
"""Counters that are still to be added up."""


def fold(exchanges: Iterable[Exchange]) -> list[Cell]:
    """The sums of all counters for every dimension and grain that the exchanges touch, in primary key order.

    Batches that are written in this order wait for one another but never deadlock.
    """
    by_minute: _Parts = defaultdict(list)
    exchanges = list(exchanges)
    groups, users = _groups(exchanges)
    for (minute, tenant, user), sums in users.items():
        by_minute["user", 1, minute, tenant, user[:LONGEST_VALUE]].append(sums)
    for (minute, tags, cache, level, tenant, *group), sums in groups.items():
        for dimension, value in _values(tags, group, (level or "hit") if cache == "hit" else cache):
            by_minute[dimension, 1, minute, tenant, value].append(sums)
    minutes = _summed(by_minute)
    longer: _Parts = defaultdict(list)
    for (dimension, _, minute, tenant, value), sums in minutes.items():
        for grain in GRAINS[1:]:
            longer[dimension, grain, minute - minute % (grain * MINUTE_US), tenant, value].append(sums)
    return [
        (dimension, grain, bucket, tenant, value, *sums)
        for (dimension, grain, bucket, tenant, value), sums in sorted(
            (minutes | _summed(longer) | _sides(exchanges)).items()
        )
    ]


def hits(exchanges: Iterable[Exchange]) -> dict[str, tuple[int, int]]:
    """How often each kept answer served, by its key, and the nano-dollars that saved; in the keys' order, as `fold`."""
    found: dict[str, tuple[int, int]] = {}
    for exchange in exchanges:
        if exchange.status == "cached" and exchange.cache_key:
            number, saved = found.get(exchange.cache_key, (0, 0))
            found[exchange.cache_key] = number + 1, saved + exchange.savings
    return dict(sorted(found.items()))


def _sides(exchanges: Iterable[Exchange]) -> dict[tuple[Any, ...], list[int]]:
    """Sums by day alone, of what was held back and of what could have been, by group of users' days.

    What the cache answered is on neither side: who is held back is decided after it.
    """
    sides: _Parts = defaultdict(list)
    for exchange in exchanges:
        if exchange.arm and not exchange.experiment_id and exchange.status != "cached":
            tenant, at_us = exchange.tenant, exchange.created_at_us
            group = group_of(unit_of(tenant, exchange.user, exchange.request_id, at_us))
            place = SIDES, GRAINS[-1], at_us - at_us % (GRAINS[-1] * MINUTE_US), tenant, f"{exchange.arm} {group}"
            sides[place].append(counters(exchange))
    return _summed(sides)


def _groups(exchanges: Iterable[Exchange]) -> tuple[dict[tuple[Any, ...], list[int]], dict[tuple[Any, ...], list[int]]]:
    """Sums for exchanges that are alike in every dimension but the user, and sums for each user."""
    groups: _Parts = defaultdict(list)
    users: _Parts = defaultdict(list)
    for exchange in exchanges:
        created, tags, user = exchange.created_at_us, exchange.tags, exchange.user
        minute, sums = created - created % MINUTE_US, counters(exchange)
        tagged = tuple(tags.items()) if tags else ()
        groups[(minute, tagged, exchange.cache, exchange.cache_level, *_group(exchange))].append(sums)
        if user:
            users[minute, exchange.tenant, user].append(sums)
    return _summed(groups), _summed(users)


def _summed(parts: _Parts) -> dict[tuple[Any, ...], list[int]]:
    """Column by column, which is quicker than adding up pair by pair."""
    return {place: some[0] if len(some) == 1 else [*map(sum, zip(*some, strict=True))] for place, some in parts.items()}


def counters(exchange: Exchange) -> list[int]:
    """What one exchange adds, in the order of `schema.COUNTERS`."""
    usage, cost, status = exchange.usage, exchange.cost, exchange.status
    return [
        1,
        int(status in {"error", "interrupted"}),
        int(status == "cached"),
        usage.tokens_in,
        usage.tokens_out,
        cost or 0,
        int(cost is None),
        exchange.baseline_cost or 0,
        exchange.savings,
        exchange.duration_us,
    ]


def _values(tags: tuple[tuple[str, str], ...], group: list[str | None], cache: str) -> Iterator[tuple[str, str]]:
    """Every dimension but the user, with the value under which a group counts."""
    yield TOTAL, ""
    is_errand = group[4] in ERRANDS
    for dimension, value in zip(_ONE_EACH, group, strict=True):
        if value and not (is_errand and dimension == "confidence"):
            yield dimension, value[:LONGEST_VALUE]
    yield "cache", cache
    yield "source", "overhead" if is_errand else "answer_cache" if group[-1] == "cached" else "routing"
    for tag in {f"{name}={value}"[:LONGEST_VALUE] for name, value in tags}:
        yield "tag", tag
