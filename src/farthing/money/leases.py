"""Leases: parts of budgets that the database sets aside for this worker, so that most requests need not ask it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from msgspec import Struct

from farthing.domain.budget import Budget, Place, Span, Standing
from farthing.domain.errors import FarthingError, Unavailable
from farthing.domain.holding import prefetch
from farthing.money import shortage
from farthing.money.account import Account
from farthing.ports import Clock, Spawn

logger = logging.getLogger(__name__)

RENEW_EVERY_S = 20.0
VALID_S = 570.0
"""A worker that could not renew for so long uses no lease any more."""
REAP_AFTER_S = 600.0
"""A lease that nobody renewed for so long is anybody's again."""
HEALTHY_S = 30.0
"""How long the database must have answered before leases of others are taken for dead."""
SURE_S = 5.0
"""How long it must have answered before nothing of what broke off can be on its way any more."""

_AWAY = float("inf")
"""Since when the database answers, while it does not."""
MOST_AT_ONCE = 50
"""Budgets that are leased ahead for in one transaction."""

Limit = tuple[Budget, Account]
Wanted = tuple[Budget, Account, int, int]
"""How much more is to be held, and with what is held already."""
Choose = Callable[[Mapping[Place, Standing]], Mapping[Place, int]]


class Limits(Struct, frozen=True):
    """Budgets that a request counts for."""

    each: Sequence[Limit]
    binding: Sequence[Limit] = ()
    """Those that may refuse the request, or let it have kept answers alone."""
    staged: Sequence[Limit] = ()
    """Those that prefer cheaper models before they are spent."""
    has_hard: bool = False

    @classmethod
    def of(cls, limits: Sequence[Limit]) -> Limits:
        """Of these."""
        binding = [limit for limit in limits if limit[0].is_hard or limit[0].degrade]
        staged = [limit for limit in binding if limit[0].degrade]
        return cls(limits, binding, staged, any(budget.is_hard for budget, _ in limits))


class Lessor(Protocol):
    """The database's side, where spent + leased <= limit is kept. Everything raises `Unavailable` while it is away."""

    async def grant(self, worker: str, places: Mapping[Place, tuple[Budget, Span]], choose: Choose) -> None:
        """Adds to the worker's leases what `choose` makes of how the places stand; nobody else can in between.

        Places whose budget is gone or is no longer hard are left out.
        """

    async def give_back(self, worker: str, amounts: Mapping[Place, int]) -> None:
        """Takes so much off the worker's leases."""

    async def own(self, worker: str, *, renew: bool) -> Mapping[Place, int]:
        """The worker's leases; `renew` says that it lives, and drops those that are used up."""

    async def drop(self, worker: str) -> None:
        """Ends all of the worker's leases."""

    async def reap(self, after_s: float) -> int:
        """Ends the leases that were not renewed for so many seconds; how many there were."""


class Holder(Protocol):
    """A request that money is held for."""

    @property
    def is_over(self) -> bool:
        """Whether it was settled."""

    def take(self, account: Account, amount: int) -> None:
        """Holds so much more in one account."""

    def give_back(self, account: Account, amount: int) -> None:
        """Holds so much less, unless it was settled meanwhile."""

    def adopt(self, models: Sequence[Limit]) -> None:
        """The request is now one of the model with these budgets."""


class Wish:
    """A request that waits for a larger lease: what it wants of each budget, all of it or nothing."""

    def __init__(self, holder: Holder, wanted: Sequence[Wanted], models: Sequence[Limit]) -> None:
        self.holder = holder
        self.wanted = wanted
        self.models = models
        self.taken: list[tuple[Account, int]] = []
        self.refusal: FarthingError | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def decide(self, standings: Mapping[Place, Standing]) -> None:
        """Holds the money if lease and database have it together."""
        if self.holder.is_over or self.done.cancelled():
            return
        for budget, account, amount, whole in self.wanted:
            standing = standings.get(Place(budget.id, account.span.start_us))
            if standing is not None and amount > account.room + standing.free:
                spent = standing.spent + account.pending
                held = max(account.held, standing.leased - account.pending - max(0, account.room))
                account.refused(whole, spent, budget.limit)
                self.refusal = shortage.not_enough(budget, account.span, spent=spent, held=held, asked=whole)
                return
        for budget, account, amount, _ in self.wanted:
            if Place(budget.id, account.span.start_us) in standings:
                self.holder.take(account, amount)
                self.taken.append((account, amount))

    def fail(self) -> None:
        """The transaction was not committed: gives up what was held, and says that the database is away."""
        for account, amount in self.taken:
            self.holder.give_back(account, amount)
        self.taken.clear()
        self.refusal = shortage.out_of_reach(self.wanted[0][0])
        self.finish()

    def finish(self) -> None:
        """Tells whoever waits."""
        if self.done.done():
            return
        if self.refusal is not None:
            self.done.set_exception(self.refusal)
        else:
            self.holder.adopt(self.models)
            self.done.set_result(None)


class Purse:
    """This worker's leases. Requests that need more at the same time are served by one transaction, in their order."""

    def __init__(self, *, lessor: Lessor, worker: str, clock: Clock, spawn: Spawn) -> None:
        """`worker` is the name of this worker's journal, under which others find what it leaves behind."""
        self.worker = worker
        self._lessor = lessor
        self._clock = clock
        self._spawn = spawn
        self._lock = asyncio.Lock()
        self._waiting: list[Wish] = []
        self._is_serving = False
        self._accounts: Mapping[Place, Account] = {}
        self._budgets: Mapping[str, Budget] = {}
        now = clock.monotonic()
        self._renewed = self._healthy = self._looked = now
        self._renew_at = now

    def attend(self, accounts: Mapping[Place, Account], budgets: Mapping[str, Budget]) -> None:
        """Whose accounts these leases are for, and the budgets by id."""
        self._accounts, self._budgets = accounts, budgets

    def covers(self, wanted: Sequence[Wanted]) -> bool:
        """Whether the leases hold so much of each, and are this worker's still, however long it was stopped."""
        return all(more <= account.room for _, account, more, _ in wanted) and not (wanted and self._has_expired)

    @property
    def _has_expired(self) -> bool:
        return self._clock.monotonic() - self._renewed > VALID_S

    def _let_expire(self) -> None:
        for account in self._accounts.values():
            account.lease = 0

    async def wait_for(self, wish: Wish) -> None:
        """Returns when the money is held. Raises `InsufficientQuota`, or `Unavailable` while the database is away."""
        self._waiting.append(wish)
        if not self._is_serving:
            self._is_serving = True
            self._spawn(self._serve(), "leasing")
        await wish.done

    async def refresh(self) -> None:
        """Compares with the database, while no batch of this worker is on its way there. Raises `Unavailable`."""
        now = self._clock.monotonic()
        if not self._accounts and now < self._renew_at:
            return
        async with self._lock:
            renew = now >= self._renew_at
            with self._watched():
                own = await self._lessor.own(self.worker, renew=renew)
            if renew:
                self._renewed, self._renew_at = now, now + RENEW_EVERY_S
            # A transaction that broke off may yet be carried out: until it surely is not, only less is believed.
            is_sure = now - self._healthy >= SURE_S
            for place, account in self._accounts.items():
                leased = own.get(place, 0)
                account.lease = leased if is_sure else min(account.lease, leased)
            forgotten = {place: amount for place, amount in own.items() if amount and place not in self._accounts}
            if forgotten and is_sure:
                with self._watched():
                    await self._lessor.give_back(self.worker, forgotten)
            if renew and now - self._healthy >= HEALTHY_S:
                await self._reap()

    async def tidy(self) -> None:
        """Leases ahead where much is spent, and gives back what lies idle; to be called a few times a second."""
        now = self._clock.monotonic()
        seconds, self._looked = now - self._looked, now
        if self._has_expired:
            self._let_expire()
            return
        surplus: dict[Place, int] = {}
        is_short = False
        for place, account in self._accounts.items():
            idle = account.look(max(seconds, 0.001))
            budget = self._budgets.get(place.budget_id)
            if budget is None or not budget.is_hard:
                continue
            free = max(0, budget.limit - account.spent - account.held)
            account.target = target = prefetch(account.rate, account.largest, free)
            if idle > 2 * target:
                surplus[place] = idle - target
            is_short = is_short or account.room < target // 2
        if surplus and self._healthy != _AWAY:
            await self._give_back(surplus)
        if is_short and not self._is_serving:
            self._is_serving = True
            await self._serve(ahead=True)

    async def _give_back(self, surplus: Mapping[Place, int]) -> None:
        async with self._lock:
            amounts = {place: min(amount, self._accounts[place].room) for place, amount in surplus.items()}
            amounts = {place: amount for place, amount in amounts.items() if amount > 0}
            for place, amount in amounts.items():
                self._accounts[place].lease -= amount
            if not amounts:
                return
            try:
                with self._watched():
                    await self._lessor.give_back(self.worker, amounts)
            except Unavailable:
                logger.debug("idle leases are given back when the database is there")

    async def _serve(self, *, ahead: bool = False) -> None:
        wishes: list[Wish] = []
        try:
            while self._waiting or ahead:
                ahead = False
                async with self._lock:
                    wishes, self._waiting = self._waiting, []
                    await self._grant(wishes, self._needed(wishes) or self._short())
        finally:
            self._is_serving = False
            for wish in (*wishes, *self._waiting):
                if not wish.done.done():
                    wish.fail()

    async def _grant(self, wishes: Sequence[Wish], places: Mapping[Place, tuple[Budget, Span]]) -> None:
        """One transaction for all of them."""
        if self._has_expired:
            self._let_expire()
        granted: Mapping[Place, int] = {}

        def choose(standings: Mapping[Place, Standing]) -> Mapping[Place, int]:
            nonlocal granted
            for wish in wishes:
                wish.decide(standings)
            granted = dict(self._increases(standings))
            return granted

        try:
            if places:
                with self._watched():
                    await self._lessor.grant(self.worker, places, choose)
        except Unavailable:
            for wish in wishes:
                wish.fail()
            return
        for place, amount in granted.items():
            if (account := self._accounts.get(place)) is not None:
                account.lease += amount
        for wish in wishes:
            wish.finish()

    def _needed(self, wishes: Sequence[Wish]) -> dict[Place, tuple[Budget, Span]]:
        return {
            Place(budget.id, account.span.start_us): (budget, account.span)
            for wish in wishes
            for budget, account, _, _ in wish.wanted
        }

    def _short(self) -> dict[Place, tuple[Budget, Span]]:
        """Accounts that are to be leased ahead for."""
        found: dict[Place, tuple[Budget, Span]] = {}
        for place, account in self._accounts.items():
            budget = self._budgets.get(place.budget_id)
            if (
                budget is not None
                and budget.is_hard
                and len(found) < MOST_AT_ONCE
                and account.room < account.target // 2
            ):
                found[place] = budget, account.span
        return found

    def _increases(self, standings: Mapping[Place, Standing]) -> Iterator[tuple[Place, int]]:
        """What is missing under what is held, and what it is wise to have beyond."""
        for place, standing in standings.items():
            account = self._accounts.get(place)
            if account is None:
                continue
            missing = min(standing.free, max(0, -account.room))
            ahead = prefetch(account.rate, account.largest, standing.free - missing)
            more = missing + min(max(0, ahead - max(0, account.room)), standing.free - missing)
            if more:
                yield place, more

    async def _reap(self) -> None:
        with self._watched():
            if number := await self._lessor.reap(REAP_AFTER_S):
                logger.warning("%d leases of workers that were not heard of have ended", number)

    @contextmanager
    def _watched(self) -> Iterator[Any]:
        """Notes since when the database answers without a break."""
        try:
            yield
        except Unavailable:
            self._healthy = _AWAY
            raise
        if self._healthy == _AWAY:
            self._healthy = self._clock.monotonic()
