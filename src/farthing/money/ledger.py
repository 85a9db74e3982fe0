"""What may still be spent: money is held before a request is made, and settled when it has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence

from farthing.domain.budget import Budget, Place, Span, Subject, Window, alike, charged, span, subjects
from farthing.domain.catalogue import Model
from farthing.domain.exchange import Exchange
from farthing.domain.holding import PREFETCH_HOLDS, Bid, bid_for
from farthing.domain.keys import ERRANDS, Caller
from farthing.domain.lengths import Lengths
from farthing.domain.routing.plan import Needs
from farthing.money import shortage
from farthing.money.account import Account
from farthing.money.leases import Limit, Limits, Purse, Wanted, Wish
from farthing.ports import Clock

_MOST_KINDS = 10_000
"""Pairs of tenant and model whose answers' lengths are learned."""
LATE_US = 3_600_000_000
"""For so long after the end of a window there may be requests that arrived in it and are bought only now."""
_MOST_KNOWN = 10_000
"""Callers and users whose budgets are remembered."""
_NOBODY: Mapping[str, str] = {}
NO_LIMITS = Limits(())


class Ledger:
    """Exact within this process, and with leases within all that share the database.

    Of requests whose cost was held in full, no hard budget lets one too many pass. Belongs to one thread. Implements
    `ports.Ledger`, and `ports.Sink` to learn how long answers are.
    """

    def __init__(self, clock: Clock, purse: Purse | None = None) -> None:
        """`purse` leases money where other processes spend from the same budgets; None where there are none."""
        self.open_holds = 0
        """Requests that are not settled yet."""
        self.accounts: dict[Place, Account] = {}
        self.purse = purse
        self._clock = clock
        self._budgets: dict[Subject, list[Budget]] = {}
        self._by_id: dict[str, Budget] = {}
        self._known: dict[tuple[str | None, ...], tuple[Account, Limits]] = {}
        """The budgets of callers and users as of the last `load`, and the day for which their windows were found."""
        self.has_model_budgets = False
        self._spans: dict[Window, Span] = {}
        self._today: dict[str, Account] = {}
        self._lengths: dict[tuple[str, str], Lengths] = {}

    @property
    def has_budgets(self) -> bool:
        """Whether anybody has one."""
        return bool(self._by_id)

    def load(
        self,
        budgets: Iterable[Budget],
        spent: Mapping[str, int],
        *,
        today: Mapping[str, int],
        at_us: int,
        is_certain: bool = True,
    ) -> None:
        """Takes over the budgets, and what the database says was spent.

        `spent` is by budget id and for the window around `at_us`, `today` by tenant and for the day around it, both in
        nano-dollars. `at_us` is a moment before the figures were read, in microseconds since 1970 UTC. `is_certain`
        says that they hold every row of this process that it believes committed, and no other.
        """
        by_subject: dict[Subject, list[Budget]] = {}
        self._by_id = {budget.id: budget for budget in budgets}
        self._forget_old(at_us)
        for budget in self._by_id.values():
            by_subject.setdefault(budget.key, []).append(budget)
            self._account(budget, at_us).reported(spent.get(budget.id, 0), is_certain=is_certain)
        self._budgets = by_subject
        self._known.clear()
        self.has_model_budgets = any(budget.scope == "model" for budget in self._by_id.values())
        if self.purse is not None:
            self.purse.attend(self.accounts, self._by_id)
        for tenant, nano in today.items():
            account = self._day(tenant, at_us)
            if account.span.holds(at_us):
                account.reported(nano, is_certain=is_certain)

    def open(
        self,
        caller: Caller,
        user: str | None = None,
        tags: Mapping[str, str] = _NOBODY,
        *,
        at_us: int | None = None,
    ) -> Reservation:
        """A hold of nothing yet, in every budget that a request of this caller counts for.

        `at_us` is when it arrived, which decides the windows it counts in; now if not given.
        """
        moment = self._clock.now_us() if at_us is None else at_us
        day = self._day(caller.tenant, moment)
        limits = self._fixed(caller, user, tags, moment, day) if self._budgets else NO_LIMITS
        self.open_holds += 1
        return Reservation(self, caller.tenant, moment, day, limits)

    def reserve(self, hold: Reservation, models: Sequence[Limit], bid: Bid) -> Awaitable[None] | None:
        """Holds what the bid asks for in all budgets, the model's included, or in none; None for no need to wait.

        Raises `InsufficientQuota` at once where it surely does not fit.
        """
        wanted: list[Wanted] = []
        for budget, account in (*hold.binding, *models):
            whole = hold.sunk + bid.safe(budget.limit)
            more = whole - hold.held.get(account, 0)
            if more <= 0:
                continue
            if budget.degrade and budget.stage(account.spent) == "cache_only":
                raise shortage.only_kept(budget, account.span, spent=account.spent)
            if not budget.is_hard:
                continue
            if account.spent + account.held + more > budget.limit:
                more = _rest(budget, account, hold, bid)
            wanted.append((budget, account, more, whole))
        if self.purse is None or self.purse.covers(wanted):
            for _, account, more, _ in wanted:
                hold.take(account, more)
            hold.adopt(models)
            return None
        return self.purse.wait_for(Wish(hold, wanted, models))

    def model_limits(self, tenant: str, model: str, moment_us: int) -> list[Limit]:
        """The budgets of one model."""
        return self._limits([("model", tenant, model)], moment_us)

    def bid(self, tenant: str, model: Model, needs: Needs, body: bytes = b"") -> Bid | None:
        """What a request may cost at a model; None where that has no price. `body` as of `Reservation.raise_to`."""
        kind = self._lengths.get((tenant, model.name))
        return bid_for(model, needs, body, kind.p95 if kind is not None else None)

    def record(self, exchange: Exchange) -> None:
        """Learns from a finished request how long answers are."""
        if not self._budgets or exchange.status != "ok" or exchange.usage.estimated or exchange.model is None:
            return
        if exchange.strategy in ERRANDS:
            # A judge says less than the same model does to callers.
            return
        kind = exchange.tenant, exchange.model
        lengths = self._lengths.get(kind)
        if lengths is None:
            if len(self._lengths) >= _MOST_KINDS:
                del self._lengths[next(iter(self._lengths))]
            lengths = self._lengths[kind] = Lengths()
        lengths.add(exchange.usage.tokens_out)

    def spent_today(self, tenant: str | None = None) -> int:
        """Nano-dollars spent since midnight UTC by a tenant, or by all of them; settled here counts at once."""
        now = self._clock.now_us()
        if tenant is None:
            return sum([account.spent for account in self._today.values() if account.span.holds(now)])
        account = self._day(tenant, now)
        return account.spent if account.span.start_us <= now else 0

    def used_up(self, at_us: int) -> frozenset[str]:
        """The ids of hard budgets that refuse what they held before, in the windows around a moment (µs since 1970)."""
        return frozenset(
            budget.id
            for budget in self._by_id.values()
            if (account := self.accounts.get(Place(budget.id, self._span(budget.window, at_us).start_us))) is not None
            and account.used_up_at == budget.limit
            and budget.is_hard
        )

    def charges(self, exchanges: Iterable[Exchange]) -> Mapping[Place, int]:
        """What these exchanges cost each window of each budget, in nano-dollars."""
        return self._charges(alike(exchanges)) if self._budgets else {}

    def committed(self, exchanges: Sequence[Exchange]) -> None:
        """Takes note that these exchanges, all settled by this process, are in the database."""
        kinds = alike(exchanges)
        for exchange, cost in kinds:
            day = self._day(exchange.tenant, exchange.created_at_us)
            if day.span.holds(exchange.created_at_us):
                day.commit(cost)
        for place, cost in self._charges(kinds).items():
            if (account := self.accounts.get(place)) is not None:
                account.commit(cost)

    def _charges(self, kinds: Iterable[tuple[Exchange, int]]) -> Mapping[Place, int]:
        sums: dict[Place, int] = defaultdict(int)
        find = self._budgets.get
        for exchange, cost in kinds:
            for subject in charged(exchange):
                for budget in find(subject, ()):
                    sums[Place(budget.id, self._span(budget.window, exchange.created_at_us).start_us)] += cost
        return sums

    def _fixed(self, caller: Caller, user: str | None, tags: Mapping[str, str], moment_us: int, day: Account) -> Limits:
        """As `_limits`, looked up once for all requests of a caller and user between two loads."""
        if tags or moment_us < day.span.start_us:
            return Limits.of(self._limits(subjects(caller, user, tags), moment_us))
        who = caller.tenant, caller.team, caller.key_id, user, caller.errand
        known = self._known.get(who)
        # Every window begins with a day, so that all stay the same while the day does.
        if known is None or known[0] is not day:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[who] = day, Limits.of(self._limits(subjects(caller, user, tags), moment_us))
        return known[1]

    def _limits(self, who: Iterable[Subject], moment_us: int) -> list[Limit]:
        find = self._budgets.get
        return [(budget, self._account(budget, moment_us)) for subject in who for budget in find(subject, ())]

    def _span(self, window: Window, moment_us: int) -> Span:
        known = self._spans.get(window)
        if known is None or not known.holds(moment_us):
            known = self._spans[window] = span(window, moment_us)
        return known

    def _account(self, budget: Budget, moment_us: int) -> Account:
        window = self._span(budget.window, moment_us)
        place = Place(budget.id, window.start_us)
        account = self.accounts.get(place)
        if account is None:
            account = self.accounts[place] = Account(window)
        return account

    def _day(self, tenant: str, moment_us: int) -> Account:
        account = self._today.get(tenant)
        if account is None or moment_us >= account.ends_us:
            account = self._today[tenant] = Account(span("day", moment_us))
        return account

    def _forget_old(self, at_us: int) -> None:
        """Lets go of windows that are over, and of budgets that are gone, once nothing of theirs is under way."""
        for place, account in [*self.accounts.items()]:
            is_over = account.ends_us + LATE_US <= at_us and account.is_quiet and not account.lease
            if is_over or place.budget_id not in self._by_id:
                del self.accounts[place]


def _rest(budget: Budget, account: Account, hold: Reservation, bid: Bid) -> int:
    """All that is left, for a request that goes alone: at the end of a budget those that may cost more go one by one.

    So a guess that is too high leaves nothing unused, and one that is too low exceeds it by one request at most. That
    can only be by what the vendor counts beyond the known error, where the caller limits the answer. Where nobody does,
    a fallback to a dearer model, which holds something already, is not let through. Raises `InsufficientQuota`.
    """
    own, left = hold.held.get(account, 0), budget.limit - account.spent
    needed = hold.sunk + (bid.least if bid.most is None else bid.under(budget.limit))
    if account.held == own and left > 0 and needed <= left and not (own and bid.most is None):
        return left - own
    asked = hold.sunk + bid.safe(budget.limit)
    account.refused(asked, account.spent, budget.limit)
    raise shortage.not_enough(budget, account.span, spent=account.spent, held=account.held, asked=asked)


def _is_short(budget: Budget, account: Account, bid: Bid | None, spare: int) -> bool:
    """Whether so many bids may be too many for what is left."""
    if budget.degrade and budget.stage(account.spent) == "cache_only":
        return True
    if not budget.is_hard:
        return False
    return bid is None or account.spent + account.held + spare * bid.safe(budget.limit) > budget.limit


class Reservation:
    """Money reserved for one request. Implements `ports.Hold`."""

    __slots__ = (
        "_day",
        "_ledger",
        "_models",
        "_moment_us",
        "_staged",
        "_tenant",
        "binding",
        "fixed",
        "held",
        "is_limited",
        "sunk",
    )

    def __init__(self, ledger: Ledger, tenant: str, moment_us: int, day: Account, limits: Limits) -> None:
        """Made by `Ledger.open`."""
        self.fixed = limits.each
        """Budgets that are the same whichever model is asked."""
        self.binding = limits.binding
        """Those of them that may refuse something."""
        self.is_limited = limits.has_hard or ledger.has_model_budgets
        """Whether a budget may refuse the request."""
        self.held: dict[Account, int] = {}
        self.sunk = 0
        """What answers that the caller does not get have cost already."""
        self._ledger: Ledger | None = ledger
        self._tenant = tenant
        self._moment_us = moment_us
        self._day = day
        self._staged = limits.staged
        self._models: Sequence[Limit] = ()

    @property
    def is_over(self) -> bool:
        """Whether it was settled."""
        return self._ledger is None

    @property
    def is_thrifty(self) -> bool:
        """Whether a budget is so near its end that cheaper models are to be preferred."""
        staged = self._staged
        return bool(staged) and any(budget.stage(account.spent) is not None for budget, account in staged)

    def has_room(self, model: Model, needs: Needs, body: bytes = b"") -> bool:
        """Whether no budget would refuse the request at this model; nothing is reserved.

        Where others spend from the same budgets, there must be room for so many that they cannot be in the way.
        """
        ledger = self._ledger
        if ledger is None:
            return True
        limits = [*self.binding]
        if ledger.has_model_budgets:
            limits += ledger.model_limits(self._tenant, model.name, self._moment_us)
        bid = ledger.bid(self._tenant, model, needs, body) if limits else None
        spare = 1 if ledger.purse is None else PREFETCH_HOLDS
        return not any(_is_short(budget, account, bid, spare) for budget, account in limits)

    def raise_to(self, model: Model, needs: Needs, body: bytes = b"") -> Awaitable[None] | None:
        """Reserves what this model may cost in all; never less than before, but in budgets of another model.

        `body` is the request as it came, which may ask that a prompt be cached, at a price.
        What must be awaited before the model is asked, or None. Both raise `InsufficientQuota`, also for an unknown
        cost under a hard budget, or `Unavailable`, and then leave the hold as it was.
        """
        ledger = self._ledger
        if ledger is None:
            return None
        name, has_budgets = model.name, ledger.has_model_budgets
        models = ledger.model_limits(self._tenant, name, self._moment_us) if has_budgets else ()
        if not (models or self._models or self.binding):
            return None
        bid = ledger.bid(self._tenant, model, needs, body)
        if bid is not None:
            return ledger.reserve(self, models, bid)
        for budget, _ in (*self.binding, *models):
            if budget.is_hard:
                raise shortage.unpriced(budget)
        self.adopt(models)
        return None

    def take(self, account: Account, amount: int) -> None:
        """Holds so much more in one account."""
        account.hold(amount)
        self.held[account] = self.held.get(account, 0) + amount

    def give_back(self, account: Account, amount: int) -> None:
        """Holds so much less, unless it was settled meanwhile."""
        if self._ledger is not None:
            account.held -= amount
            self.held[account] -= amount

    def adopt(self, models: Sequence[Limit]) -> None:
        """The request is now one of the model with these budgets, and of no other."""
        if self._ledger is None or not (models or self._models):
            return
        stays = {account for _, account in models}
        for _, account in self._models:
            if account not in stays:
                account.held -= self.held.pop(account, 0)
        self._models = models

    def return_to(self, model: Model) -> None:
        """The request is again one of this model, whose budgets pay for all of it; nothing more is reserved."""
        ledger = self._ledger
        if ledger is not None and ledger.has_model_budgets:
            self.adopt(ledger.model_limits(self._tenant, model.name, self._moment_us))

    def sink(self, cost: int) -> None:
        """Whatever is held from now on, is held beside these nano-dollars, which are spent."""
        self.sunk += cost

    def settle(self, cost: int) -> None:
        """Books `cost` nano-dollars and frees the rest. Calling it again changes nothing."""
        if self._ledger is None:
            return
        self._day.settled += cost
        for _, account in (*self.fixed, *self._models):
            account.settled += cost
        for account, amount in self.held.items():
            account.held -= amount
        self.held.clear()
        self._ledger.open_holds -= 1
        self._ledger = None
