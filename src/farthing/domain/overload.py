"""How much is let in where more is asked than a worker can do, and whose requests are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf, sqrt

SUSTAINED_S = 0.2
"""For which a worker must be late before it sheds: one long step is no overload."""
BUSY = 0.15
"""Share of a core that a worker must use for its lateness to be its own doing, not that of others on the machine."""
AIM_S = 0.02
"""Lateness of its own doing at which a worker that sheds is held: its core is full, and its callers hardly notice."""
PERIOD_S = 0.1
"""Between two changes of the limit."""
WINDOW_S = 0.2
"""For which requests are counted by tenant."""
LEAST = 64
"""Requests under way that are always let in: a worker with so few has not too many of them."""
PATIENCE_S = 1.0
"""For which a lower limit is given time to show in what is under way."""
SETTLED_S = 1.0
"""Without a refusal, after which a worker calls itself well."""
SLACK = 1.5
"""By how much tenants may exceed an equal share before they are the first to be left out: chance alone makes that."""
MEMORY = 0.5
"""Weight of the past in a rate when a window ends."""
FORGOTTEN = 0.05
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 5.0
_LOWER, _LOWEST, _HIGHER = 0.9, 0.5, 1.05
"""Factors by which the limit moves in a step: down a little or by half at most, and up."""
_QUOTA, _ALLOWANCE = 1.1, 4.0
"""Of an equal share, what a window has for one who asks for more, and for sure for one who asks for less."""
_STRANGERS = 2.0
"""How many limits may be under way with tenants that did not ask of late, of whom there may be any number."""


class Valve:
    """Bounds the requests under way in one worker by how late it is, and deals them out fairly among tenants.

    Lateness is by how much later than wanted the worker's loop comes to a timer; as one long step proves nothing, the
    median counts. Multiplicative decrease and slow increase (Chiu and Jain 1989) of the bound hold it near `AIM_S`.
    A bound on what is under way, and not on what comes in, needs to know neither what a request costs nor how long it
    lasts. A tenant gets in by either measure: it asks for less than others, or has less under way than its share.
    """

    def __init__(self, start_s: float, by_tenant: Callable[[], Mapping[str, int]]) -> None:
        """`start_s`: seconds of lateness at which shedding begins; `by_tenant`: the requests of each under way."""
        self.is_active = False
        """Whether requests have to ask."""
        self.is_shedding = False
        self.limit = inf
        """Requests under way beyond which nobody gets in who asks for more than an equal share."""
        self._start_s = start_s
        self._by_tenant = by_tenant
        self._since = 0.0
        self._cpu_since = 0.0
        self._late: list[float] = []
        self._period_since = 0.0
        self._is_full = False
        self._beyond = 0
        self._lowered_at = 0.0
        self._refused_at = 0.0
        self._window_since = 0.0
        self._asked: dict[str, int] = {}
        self._let_in: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._capacity = 0.0
        self._greedy: frozenset[str] = frozenset()
        self._quota = self._allowance = inf
        self._held: Mapping[str, int] = {}
        self._room = 0.0

    @property
    def wait_s(self) -> float:
        """Seconds after which a caller who was not let in had better ask again: the longer, the more is asked."""
        excess = sum(self._rates.values()) / self._capacity if self._capacity else LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, excess))

    def is_over_share(self, tenant: str) -> bool:
        """Whether this tenant asks for more than others who therefore get all they ask for."""
        return tenant in self._greedy and len(self._greedy) < len(self._rates)

    def admits(self, tenant: str, under_way: int) -> bool:
        """Whether this tenant's next request is let in beside those that are `under_way`."""
        self._asked[tenant] = self._asked.get(tenant, 0) + 1
        let_in = self._let_in.get(tenant, 0)
        if tenant in self._greedy:
            fits = under_way < self.limit and let_in < self._quota
        elif tenant in self._rates:
            fits = under_way < self.limit or let_in < self._allowance
        else:
            fits = under_way < _STRANGERS * self.limit
        if fits or self._is_owed(tenant, let_in):
            self._let_in[tenant] = let_in + 1
            self._beyond += under_way >= self.limit
            return True
        self._is_full = True
        return False

    def _is_owed(self, tenant: str, let_in: int) -> bool:
        """Whether it has less under way than its share of the limit, although others may have filled it.

        Nothing that was let in since the shares were worked out counts as ended, and all who are owed something may
        go as far beyond the limit as the limit itself.
        """
        return self._beyond < self.limit and self._held.get(tenant, 0) + let_in + 1 <= self._room

    def tick(self, now: float, late_s: float, cpu_s: float, under_way: int) -> None:
        """Takes in one measurement: the moment, how late it came, the CPU used so far in seconds, what is under way."""
        if not self.is_active:
            if late_s >= self._start_s:
                self._watch(now, late_s, cpu_s)
            return
        self._late.append(late_s)
        if self.is_shedding:
            self._steer(now, cpu_s, under_way)
        elif now - self._since >= SUSTAINED_S:
            if median(self._late) < self._start_s:
                self.is_active = False
            elif cpu_s - self._cpu_since < BUSY * (now - self._since):
                self._watch(now, late_s, cpu_s)
            else:
                self._begin(now, cpu_s, under_way)

    def _watch(self, now: float, late_s: float, cpu_s: float) -> None:
        """It may be getting too much: begins to count whose requests these are."""
        self.is_active = True
        self._since = self._window_since = now
        self._cpu_since = cpu_s
        self._late, self._asked, self._let_in, self._rates = [late_s], {}, {}, {}

    def _begin(self, now: float, cpu_s: float, under_way: int) -> None:
        self.is_shedding = True
        self._lower(now, median(self._late), under_way)
        self._refused_at = self._period_since = now
        self._cpu_since = cpu_s
        self._late, self._is_full, self._beyond, self._capacity = [], False, 0, 0.0
        self._turn(now)

    def _steer(self, now: float, cpu_s: float, under_way: int) -> None:
        if now - self._period_since >= PERIOD_S:
            # What others on the machine take of the core makes it late as well, and doing less is no help against it.
            own = min(1.0, (cpu_s - self._cpu_since) / (now - self._period_since))
            self._bound(now, own * median(self._late), under_way)
            self._cpu_since = cpu_s
            if self._is_full:
                self._refused_at = now
            self._late, self._is_full, self._beyond, self._period_since = [], False, 0, now
        if now - self._refused_at >= SETTLED_S:
            self.is_active = self.is_shedding = False
            self.limit, self._greedy, self._quota, self._allowance = inf, frozenset(), inf, inf
        elif now - self._window_since >= WINDOW_S:
            self._turn(now)

    def _bound(self, now: float, late_s: float, under_way: int) -> None:
        """Moves the limit; down only when the last step has taken effect, for what is under way takes time to end."""
        if late_s <= AIM_S:
            if self._is_full:
                self.limit = max(self.limit + 1, _HIGHER * self.limit)
        elif under_way - self._beyond <= self.limit / _LOWER or now - self._lowered_at >= PATIENCE_S:
            self._lower(now, late_s, min(self.limit, under_way))

    def _lower(self, now: float, late_s: float, under_way: float) -> None:
        """Lateness grows with what is under way: far from the aim the step is longer."""
        self.limit = max(LEAST, under_way * min(_LOWER, max(_LOWEST, sqrt(AIM_S / late_s))))
        self._lowered_at = now

    def _turn(self, now: float) -> None:
        """A window ends: its counts become rates, and those who ask for too much are known."""
        span = now - self._window_since
        weight = MEMORY if self._rates else 0.0
        rates = {
            tenant: weight * self._rates.get(tenant, 0.0) + (1.0 - weight) * self._asked.get(tenant, 0) / span
            for tenant in self._rates.keys() | self._asked.keys()
        }
        self._rates = {tenant: rate for tenant, rate in rates.items() if rate > FORGOTTEN}
        done = sum(self._let_in.values()) / span
        # What was let in while nobody was refused is more than can be done.
        self._capacity = MEMORY * self._capacity + (1.0 - MEMORY) * done
        room = min(self._capacity, _LOWER * sum(self._rates.values()))
        share = level(self._rates.values(), room)
        self._greedy = greedy(self._rates, share)
        self._quota = _QUOTA * share * WINDOW_S + 1 if len(self._greedy) > 1 else inf
        self._allowance = _ALLOWANCE * share * WINDOW_S + LEAST
        self._asked, self._let_in, self._window_since = {}, {}, now
        self._held = self._by_tenant()
        # What one gets who wants as much as there is: with room for all it is not without bound.
        self._room = level([*self._held.values(), inf], self.limit)


def median(values: list[float]) -> float:
    """The lower of two middle ones."""
    return sorted(values)[(len(values) - 1) // 2]


def level(rates: Iterable[float], room: float) -> float:
    """The most that one may have where those who ask for less have all, and `room` is enough for what all have.

    Max-min fairness: Bertsekas and Gallager, Data Networks, section 6.5.2. Infinite where there is room for all.
    """
    ordered = sorted(rates)
    for place, rate in enumerate(ordered):
        share = room / (len(ordered) - place)
        if rate > share:
            return share
        room -= rate
    return inf


def greedy(rates: Mapping[str, float], share: float) -> frozenset[str]:
    """Those who ask for clearly more than their share, or where it is not enough to bound them, for more at all."""
    clearly = frozenset(tenant for tenant, rate in rates.items() if rate > SLACK * share)
    slight = sum(rate - share for rate in rates.values() if share < rate <= SLACK * share)
    if slight <= (SLACK - 1.0) * share * len(clearly):
        return clearly
    return frozenset(tenant for tenant, rate in rates.items() if rate > share)
