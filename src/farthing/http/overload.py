"""More requests than a worker can serve: it knows by its own lateness, and refuses some before they cost anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from math import inf

from farthing.domain.errors import Overloaded
from farthing.domain.keys import LOCAL_CALLER
from farthing.domain.overload import Valve
from farthing.domain.secrets import digest
from farthing.gateway.snapshot import Snapshots
from farthing.ports import Clock

CALM_TICK_S = 0.05
TICK_S = 0.02
"""Seconds between two looks while there may be too much."""
PEAK_S = 1.0
MOST_CREDENTIALS = 10_000
NOBODY = ""
"""Whose requests are those with a wrong key, or none."""


class Overload:
    """Watches one worker's loop: by a timer, and where a turn lasts long, by the requests that are taken in in it."""

    def __init__(
        self,
        *,
        late_s: float,
        snapshots: Snapshots,
        clock: Clock,
        under_way: Callable[[], int],
        by_tenant: Callable[[], Mapping[str, int]],
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        """`late_s`: seconds of lateness at which shedding begins, 0 for never; `cpu_s`: what the process has used.

        `under_way` and `by_tenant`: the requests under way, in all and of each tenant.
        """
        self.is_active = False
        """Whether every request has to ask."""
        self.asks_from = inf
        """The moment on the clock from which a request has to ask; that is never while the loop is in time."""
        self.shed = {"capacity": 0, "share": 0}
        """Requests refused: for want of room, or for being over their tenant's share of it."""
        self._late_s = late_s
        self._valve = Valve(late_s, by_tenant) if late_s else None
        self._snapshots = snapshots
        self._clock = clock
        self._under_way = under_way
        self._cpu_s = cpu_s
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._looked = self._peak_since = 0.0
        self._peaks = [0.0, 0.0]
        self._tenants: dict[str, str] = {}

    @property
    def late_s(self) -> float:
        """The greatest lateness of the last second or two."""
        return max(self._peaks)

    def start(self) -> None:
        """Begins to watch the loop that runs."""
        self._peak_since = self._clock.monotonic()
        self._next()

    def stop(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()

    def check(self, credential: str | None, now: float) -> None:
        """As `refuses`. Raises `Overloaded` where a request is not let in."""
        if wait_s := self.refuses(credential, now):
            raise Overloaded(retry_after=wait_s)

    def refuses(self, credential: str | None, now: float) -> float:
        """Counts a request by its credential; seconds after which it may be sent again, 0 where it is let in."""
        valve = self._valve
        if valve is None:
            return 0.0
        if now > max(self._due + self._late_s, self._looked + TICK_S):
            self._measure(valve, now)
        tenant = self._tenant(credential)
        if valve.admits(tenant, self._under_way()):
            return 0.0
        self.shed["share" if valve.is_over_share(tenant) else "capacity"] += 1
        return valve.wait_s

    def _tenant(self, credential: str | None) -> str:
        if self._snapshots.current.is_open:
            return LOCAL_CALLER.tenant
        if credential is None:
            return NOBODY
        tenant = self._tenants.get(credential)
        if tenant is None:
            key = self._snapshots.current.keys.get(digest(credential))
            tenant = key.caller.tenant if key is not None else NOBODY
            if len(self._tenants) >= MOST_CREDENTIALS:
                self._tenants.clear()
            self._tenants[credential] = tenant
        return tenant

    def _measure(self, valve: Valve, now: float) -> None:
        self._looked = now
        valve.tick(now, max(0.0, now - self._due), self._cpu_s(), self._under_way())

    def _next(self) -> None:
        valve = self._valve
        self.is_active = is_active = valve is not None and valve.is_active
        wait_s = TICK_S if is_active else CALM_TICK_S
        self._due = self._clock.monotonic() + wait_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)
        if valve is not None:
            self.asks_from = -inf if is_active else self._due + self._late_s

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._peak_since >= PEAK_S:
            self._peaks = [self._peaks[1], 0.0]
            self._peak_since = now
        self._peaks[1] = max(self._peaks[1], now - self._due)
        if self._valve is not None:
            self._measure(self._valve, now)
            if not self._valve.is_active:
                self._tenants.clear()
        self._next()
