"""What may be spent by whom, and in which stretch of time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from farthing.domain.exchange import Exchange
from farthing.domain.keys import ERRANDS, Caller
from farthing.domain.pricing import NANO

Scope = Literal["key", "team", "user", "tag", "model", "tenant", "gateway"]
"""Whose spending counts; `gateway` is everybody's, of all tenants."""
Window = Literal["day", "week", "month", "total"]
Action = Literal["cheaper", "cache_only"]
"""What happens before a refusal: `auto` plans one tier lower, or only kept answers are given."""
Subject = tuple[Scope, str, str]
"""Scope, tenant, and whom a budget is for."""

LARGEST = 2**63 - 1
"""Nano-dollars that the database can hold."""
LONGEST_SUBJECT = 200
"""Characters by which the ledger tells subjects apart."""
_payers = attrgetter("tenant", "key_id", "team", "user", "model", "strategy")
_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")

DAY_US = 86_400_000_000
_MONDAY_US = 4 * DAY_US
"""1970 began on a Thursday; its first Monday was the 5th of January."""


class Step(Struct, frozen=True):
    """From `at_percent` of the limit on, `action` is taken."""

    at_percent: int
    action: Action


class Budget(Struct, frozen=True, kw_only=True):
    """A limit in nano-dollars for `subject` within each window. Windows begin at midnight UTC."""

    id: str
    tenant: str
    """Empty for the scope `gateway`."""
    scope: Scope
    subject: str
    """A key's id; a team, user, model or tag (`name=value`) within the tenant; the tenant itself; empty for all.

    Of the scope `gateway` also an `Errand`: what the gateway spends on that, for all tenants.
    """
    window: Window
    limit: int
    is_hard: bool = True
    """A soft budget is watched and refuses nothing."""
    name: str | None = None
    degrade: tuple[Step, ...] = ()
    """What happens before it is spent, in rising order."""

    @property
    def key(self) -> Subject:
        """Under what it is found."""
        return self.scope, self.tenant, self.subject

    def is_within(self, other: Budget) -> bool:
        """Whether it lets nothing pass that the other would not, both being the same person's and window's."""
        is_as_hard = self.is_hard or not other.is_hard
        return self.limit <= other.limit and is_as_hard and other.degrade in ((), self.degrade)

    def stage(self, spent: int) -> Action | None:
        """What is in force when so many nano-dollars are spent."""
        actions = [step.action for step in self.degrade if spent * 100 >= step.at_percent * self.limit]
        return actions[-1] if actions else None


class Span(Struct, frozen=True):
    """A window in time, from `start_us` up to but without `end_us`, which is None for a window that never resets."""

    start_us: int
    end_us: int | None

    def holds(self, moment_us: int) -> bool:
        """Whether the moment, in microseconds since 1970 UTC, lies in this window."""
        return self.start_us <= moment_us and (self.end_us is None or moment_us < self.end_us)


def span(window: Window, moment_us: int) -> Span:
    """The window around a moment given in microseconds since 1970 UTC; weeks begin on Monday."""
    if window == "day":
        start = moment_us - moment_us % DAY_US
        return Span(start, start + DAY_US)
    if window == "week":
        start = moment_us - (moment_us - _MONDAY_US) % (7 * DAY_US)
        return Span(start, start + 7 * DAY_US)
    if window == "month":
        day = datetime.fromtimestamp(moment_us // 1_000_000, UTC)
        year, month = day.year + day.month // 12, day.month % 12 + 1
        return Span(_first_of(day.year, day.month), _first_of(year, month))
    return Span(0, None)


def _first_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000


class Place(Struct, frozen=True, order=True):
    """One window of one budget. `starts_us` in µs since 1970 UTC."""

    budget_id: str
    starts_us: int


class Standing(Struct, frozen=True, kw_only=True):
    """How one window of one budget stands in the ledger that all workers share, in nano-dollars."""

    limit: int
    spent: int
    leased: int
    """Set aside for workers, all together."""

    @property
    def free(self) -> int:
        """What nobody has spent or leased."""
        return max(0, self.limit - self.spent - self.leased)


def subjects(caller: Caller, user: str | None, tags: Mapping[str, str]) -> list[Subject]:
    """Everything that a request counts for, but for the model, which may change on its way."""
    tenant = caller.tenant
    found: list[Subject] = [("gateway", "", ""), ("tenant", tenant, tenant)]
    if caller.errand is not None:
        found.append(("gateway", "", caller.errand))
    if caller.team is not None:
        found.append(("team", tenant, caller.team[:LONGEST_SUBJECT]))
    if caller.key_id is not None:
        found.append(("key", tenant, caller.key_id[:LONGEST_SUBJECT]))
    if user:
        found.append(("user", tenant, user[:LONGEST_SUBJECT]))
    found += {("tag", tenant, f"{name}={value}"[:LONGEST_SUBJECT]) for name, value in tags.items()}
    return found


def charged(exchange: Exchange) -> list[Subject]:
    """Everything that a finished request counts for."""
    errand = next((errand for errand in ERRANDS if errand == exchange.strategy), None)
    caller = Caller(tenant=exchange.tenant, key_id=exchange.key_id, team=exchange.team, errand=errand)
    found = subjects(caller, exchange.user, exchange.tags)
    if exchange.model:
        found.append(("model", exchange.tenant, exchange.model[:LONGEST_SUBJECT]))
    return found


def alike(exchanges: Iterable[Exchange]) -> Sequence[tuple[Exchange, int]]:
    """One exchange of each kind that was charged, and the nano-dollars that all of its kind cost.

    Those of a kind count for the same subjects, and in the same window whichever that is.
    """
    kinds: dict[tuple[object, ...], list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        if exchange.cost:
            tags = tuple(exchange.tags.items()) if exchange.tags else ()
            kinds[exchange.created_at_us // DAY_US, tags, *_payers(exchange)].append(exchange)
    return [(same[0], sum([exchange.cost or 0 for exchange in same])) for same in kinds.values()]


def nano_dollars(text: str) -> int:
    """The exact amount that a text such as `12.50` names. Raises `ValueError` for anything else."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError("expected an amount in US dollars such as 12.50, with at most nine decimals")
    whole, _, decimals = text.partition(".")
    amount = int(whole) * NANO + int(decimals.ljust(9, "0"))
    if amount > LARGEST:
        raise ValueError(f"the largest amount is {dollars(LARGEST).removeprefix('$')}")
    return amount


def dollars(nano: int) -> str:
    """The exact amount as text with at least two decimals: 12_500_000 is `$0.0125`."""
    whole, rest = divmod(abs(nano), NANO)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole}.{decimals}"
