"""How much may be asked in a minute and at a time, decided by the generic cell rate algorithm.

A rate is kept as one number, its level: the time in µs until everything that was taken has drained away. Taking adds
what the amount is worth of a minute, and must leave the level within a minute. So whoever has been quiet may take a
whole minute's worth at once, and goes on at an even rate (ITU-T I.371, annex A, with a tolerance of one minute).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Kind = Literal["requests", "tokens", "concurrency"]
Scope = Literal["key", "team", "tenant"]

WINDOW_US = 60_000_000
ALONE_US = WINDOW_US // 4
"""Of a minute's worth, what workers that cannot hear of one another may all together grant at once beyond the limit."""
DEEPEST_US = 2 * WINDOW_US
"""No correction raises a level over this: an answer far longer than expected does not lock its caller out for hours."""
SLOT_WAIT_US = 1_000_000
"""After which it is worth trying again for a place among the requests under way."""


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on one key, team or tenant; None is without one."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    """Requests under way at a time."""


class Quota(Struct, frozen=True, kw_only=True):
    """Limits, and who shares them: everybody with the same scope and subject."""

    scope: Scope
    subject: str
    """The key's id, `TENANT/TEAM`, or the tenant."""
    limits: Limits


class Bound(Struct, frozen=True):
    """One limit of one quota."""

    name: str
    """Under which all workers count it. Its braces keep a tenant's names together in a Redis cluster."""
    scope: Scope
    subject: str
    kind: Kind
    limit: int


class Wish(Struct, frozen=True):
    """What one request wants to take of each bound, of all or of none."""

    bounds: tuple[Bound, ...]
    costs: tuple[int, ...]
    """µs of a rate's minute, or 1 place among the requests under way."""


class Verdict(Struct, frozen=True):
    """Whether a wish was granted."""

    levels: tuple[int, ...]
    """Of each bound, with the wish where it was granted."""
    refused: int | None = None
    """The place of the bound that holds it up the longest; None where it was granted."""
    wait_us: int = 0
    """After which it may fit."""


class Round(Struct, frozen=True, kw_only=True):
    """What one worker has to tell and to ask at a time; the wishes are judged in order, after everything else."""

    wishes: Sequence[Wish] = ()
    corrections: Mapping[str, int]
    """µs to add to rates, negative ones given back."""
    held: Mapping[str, int]
    """Requests under way in this worker, for every name of that kind which it changes or wishes for."""
    known: Mapping[str, int]
    """Levels that this worker knows of, for rates that have been forgotten."""


class Standing(Struct, frozen=True):
    """How one rate stands after a request."""

    kind: Kind
    limit: int
    remaining: int
    full_in_us: int
    """After which the whole limit is to be had again."""
    full_at_us: int
    """The same as a moment, in µs since 1970 UTC."""


@lru_cache(maxsize=4096)
def bounds_of(tenant: str, quotas: tuple[Quota, ...]) -> tuple[Bound, ...]:
    """Every limit in these quotas."""
    return tuple(bound for quota in quotas for bound in _bounds(tenant, quota))


def _bounds(tenant: str, quota: Quota) -> Iterator[Bound]:
    limits = quota.limits
    found: tuple[tuple[Kind, int | None], ...] = (
        ("requests", limits.requests_per_minute),
        ("tokens", limits.tokens_per_minute),
        ("concurrency", limits.concurrent_requests),
    )
    for kind, limit in found:
        if limit is not None:
            yield Bound(f"{{{tenant}}}:{quota.scope}:{quota.subject}:{kind}", quota.scope, quota.subject, kind, limit)


def cost(amount: int, limit: int) -> int:
    """What `amount` is worth of a minute that holds `limit`, in µs; rounded so that the whole limit fits."""
    return max(1, amount * WINDOW_US // limit) if amount else 0


def wish(bounds: tuple[Bound, ...], tokens: int) -> Wish:
    """One request that will likely need so many tokens; no more is taken at once than a minute holds."""
    return Wish(bounds, tuple(_wanted(bound, tokens) for bound in bounds))


def _wanted(bound: Bound, tokens: int) -> int:
    if bound.kind == "concurrency":
        return 1
    return cost(1 if bound.kind == "requests" else min(tokens, bound.limit), bound.limit)


def judge(wanted: Wish, levels: MutableMapping[str, int], *, share: int = 1, window_us: int = WINDOW_US) -> Verdict:
    """Grants a wish and raises the levels, or changes nothing. Within `window_us` a level must stay.

    `share` workers that cannot hear of one another each keep to their part of every limit; to one request at a time
    and to one that finds its rate drained, even where the part is smaller.
    """
    before = [levels.get(bound.name, 0) for bound in wanted.bounds]
    after: list[int] = []
    refused, longest = None, 0
    for place, (bound, price, level) in enumerate(zip(wanted.bounds, wanted.costs, before, strict=True)):
        if bound.kind == "concurrency":
            after.append(level + 1)
            wait = SLOT_WAIT_US if level >= max(1, bound.limit // share) else 0
        else:
            after.append(level + price * share)
            wait = min(level, after[-1] - window_us)
        if wait > longest:
            refused, longest = place, wait
    if refused is not None:
        return Verdict(tuple(before), refused, longest)
    levels.update(zip((bound.name for bound in wanted.bounds), after, strict=True))
    return Verdict(tuple(after))


def corrected(level: int, more: int) -> int:
    """A level after a request turned out to need more, or less, than was taken for it."""
    return max(0, min(level + more, max(level, DEEPEST_US)))


def standings(wanted: Wish, verdict: Verdict, now_us: int) -> tuple[Standing, ...]:
    """For requests and for tokens the bound with the least left, as answers tell it."""
    found: dict[Kind, Standing] = {}
    for bound, level in zip(wanted.bounds, verdict.levels, strict=True):
        if bound.kind == "concurrency":
            continue
        left = max(0, WINDOW_US - level) * bound.limit // WINDOW_US
        known = found.get(bound.kind)
        if known is None or left < known.remaining:
            found[bound.kind] = Standing(bound.kind, bound.limit, left, level, now_us + level)
    return tuple(found.values())
