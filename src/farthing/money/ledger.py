"""What may still be spent: money is held before a request is made, and settled when it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from farthing.domain.budget import Budget, Scope, Span, Window, dollars, span
from farthing.domain.errors import InsufficientQuota
from farthing.domain.exchange import Exchange
from farthing.domain.keys import Caller
from farthing.ports import Clock

_NEVER = 2**63
"""A moment in µs that no clock reaches."""
_Subject = tuple[Scope, str, str]
"""Scope, tenant, and whom the budget is for."""


class Account:
    """What was spent within one window, in nano-dollars, known exactly for this process and by reports for others."""

    __slots__ = ("committed", "ends_us", "held", "others", "settled", "span")

    def __init__(self, window: Span) -> None:
        self.span = window
        self.ends_us = _NEVER if window.end_us is None else window.end_us
        self.held = 0
        self.settled = 0
        """Spent through this process."""
        self.committed = 0
        """The part of `settled` that the database has."""
        self.others = 0
        """Spent by everybody else, as far as the database has told."""

    @property
    def spent(self) -> int:
        """Everything that is known to be spent."""
        return self.settled + self.others

    def commit(self, cost: int) -> None:
        """A row of this process has reached the database."""
        # Rows from before this account was opened are committed too, and were never settled in it.
        self.committed = min(self.settled, self.committed + cost)

    def reported(self, spent: int) -> None:
        """The database's figure, read while no batch of this process was on its way there. Never frees money."""
        self.others = max(self.others, spent - self.committed)


class Ledger:
    """Exact within this process: of requests whose cost was held in full, no hard budget lets one too many pass.

    Belongs to one thread. Implements `ports.Ledger`.
    """

    def __init__(self, clock: Clock) -> None:
        self.open_holds = 0
        """Holds that are not settled yet."""
        self._clock = clock
        self._budgets: dict[_Subject, list[Budget]] = {}
        self._accounts: dict[tuple[str, Window], Account] = {}
        self._today: dict[str, Account] = {}

    def load(
        self, budgets: Iterable[Budget], spent: Mapping[str, int], *, today: Mapping[str, int], at_us: int
    ) -> None:
        """Takes over the budgets, and what the database says was spent.

        `spent` is by budget id and for the window around `at_us`, `today` by tenant and for the day around it, both in
        nano-dollars. `at_us` is a moment before the figures were read, in microseconds since 1970 UTC.
        """
        self._budgets = {}
        known = self._accounts
        self._accounts = {}
        for budget in budgets:
            self._budgets.setdefault((budget.scope, budget.tenant, budget.subject), []).append(budget)
            if (account := known.get((budget.id, budget.window))) is not None:
                self._accounts[budget.id, budget.window] = account
            account = self._account(budget, at_us)
            if account.span.holds(at_us):
                account.reported(spent.get(budget.id, 0))
        for tenant, nano in today.items():
            account = self._day(tenant, at_us)
            if account.span.holds(at_us):
                account.reported(nano)

    def hold(self, caller: Caller, ceiling: int | None, *, at_us: int | None = None) -> Reservation:
        """Reserves `ceiling` nano-dollars in every budget of the caller, or in none.

        A request that costs nothing passes a spent budget. `at_us` tells the windows it counts in, if not now's. Raises
        `InsufficientQuota` where a hard budget has not that much left, or where the cost is unknown (None).
        """
        moment = self._clock.now_us() if at_us is None else at_us
        accounts = [self._day(caller.tenant, moment)]
        limits = []
        for budget in self._of(caller):
            account = self._account(budget, moment)
            accounts.append(account)
            if budget.is_hard:
                limits.append((budget, account))
        hold = Reservation(self, accounts, limits)
        if limits and ceiling is None:
            raise _unpriced(limits[0][0])
        hold.raise_to(ceiling or 0)
        self.open_holds += 1
        return hold

    def spent_today(self, tenant: str | None = None) -> int:
        """Nano-dollars spent since midnight UTC by a tenant, or by all of them; settled here counts at once."""
        now = self._clock.now_us()
        accounts = self._today.values() if tenant is None else [self._day(tenant, now)]
        return sum(account.spent for account in accounts if account.span.holds(now))

    def committed(self, exchanges: Sequence[Exchange]) -> None:
        """Takes note that these exchanges, all settled by this process, are in the database."""
        for exchange in exchanges:
            if exchange.cost:
                moment = exchange.created_at_us
                caller = Caller(tenant=exchange.tenant, key_id=exchange.key_id, team=exchange.team)
                accounts = [self._day(caller.tenant, moment)]
                accounts += [self._account(budget, moment) for budget in self._of(caller)]
                for account in accounts:
                    if account.span.holds(moment):
                        account.commit(exchange.cost)

    def _of(self, caller: Caller) -> list[Budget]:
        if not self._budgets:
            return []
        find, tenant = self._budgets.get, caller.tenant
        budgets = [*find(("tenant", tenant, tenant), ())]
        if caller.team is not None:
            budgets += find(("team", tenant, caller.team), ())
        if caller.key_id is not None:
            budgets += find(("key", tenant, caller.key_id), ())
        return budgets

    def _account(self, budget: Budget, moment_us: int) -> Account:
        """The account of the budget's newest window, opened when the first request of a window comes."""
        account = self._accounts.get((budget.id, budget.window))
        if account is None or moment_us >= account.ends_us:
            account = self._accounts[budget.id, budget.window] = Account(span(budget.window, moment_us))
        return account

    def _day(self, tenant: str, moment_us: int) -> Account:
        account = self._today.get(tenant)
        if account is None or moment_us >= account.ends_us:
            account = self._today[tenant] = Account(span("day", moment_us))
        return account


class Reservation:
    """Money reserved for one request. Implements `ports.Hold`."""

    __slots__ = ("_accounts", "_amount", "_ledger", "_limits")

    def __init__(self, ledger: Ledger, accounts: list[Account], limits: list[tuple[Budget, Account]]) -> None:
        """Made by `Ledger.hold`."""
        self._ledger: Ledger | None = ledger
        self._accounts = accounts
        self._limits = limits
        self._amount = 0

    def raise_to(self, ceiling: int | None) -> None:
        """Reserves up to `ceiling` nano-dollars in all, for a dearer model; never less than before.

        Raises `InsufficientQuota`, also for an unknown cost (None) under a hard budget, and leaves the hold as it was.
        """
        if ceiling is None:
            if self._limits:
                raise _unpriced(self._limits[0][0])
            return
        more = ceiling - self._amount
        if more <= 0 or self._ledger is None:
            return
        for budget, account in self._limits:
            if account.spent + account.held + more > budget.limit:
                raise _spent(budget, account, ceiling)
        for account in self._accounts:
            account.held += more
        self._amount = ceiling

    def settle(self, cost: int) -> None:
        """Books `cost` nano-dollars and frees the rest. Calling it again changes nothing."""
        if self._ledger is None:
            return
        for account in self._accounts:
            account.held -= self._amount
            account.settled += cost
        self._ledger.open_holds -= 1
        self._ledger = None


def _name(budget: Budget) -> str:
    whose = f"{budget.scope} {budget.subject}"
    return f"The budget of {whose}" if budget.window == "total" else f"The {budget.window}'s budget of {whose}"


def _spent(budget: Budget, account: Account, ceiling: int) -> InsufficientQuota:
    end = account.span.end_us
    until = "" if end is None else f" until it resets at {datetime.fromtimestamp(end // 1_000_000, UTC):%FT%TZ}"
    return InsufficientQuota(
        f"{_name(budget)} does not hold this request: {dollars(account.spent)} of {dollars(budget.limit)} are spent, "
        f"{dollars(account.held)} are reserved by requests under way, and this one may cost {dollars(ceiling)}. "
        f"Ask for less or for a cheaper model{until}, or have the limit raised."
    )


def _unpriced(budget: Budget) -> InsufficientQuota:
    return InsufficientQuota(
        f"{_name(budget)} is limited, and this model's price is not known, so its cost cannot be reserved. "
        "Ask for another model, or have a price set for this one.",
        code="unpriced_model",
    )
