"""Limits shared by workers of one test: as Redis keeps them, in a dictionary, and away when told to be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from farthing.background.clock import ManualClock
from farthing.domain.keys import Caller
from farthing.domain.limits import Limits, Quota, Round, Verdict, corrected, judge
from farthing.domain.routing.plan import Needs

LEASE_US = 60_000_000


class SharedInMemory:
    """Implements `ports.SharedLimits`."""

    patience_s = 0.05

    def __init__(self, clock: ManualClock) -> None:
        self.is_away = False
        self.deaf: set[str] = set()
        """Workers that hear nothing."""
        self.hang: asyncio.Event | None = None
        """Until this is set, nobody is answered."""
        self.rounds = 0
        self.slots: dict[str, dict[str, tuple[int, int]]] = {}
        self._clock = clock
        self._empty_at: dict[str, int] = {}
        self._workers: set[str] = set()

    def forget(self) -> None:
        """As FLUSHALL."""
        self.slots.clear()
        self._empty_at.clear()

    def level(self, name: str) -> int:
        """A rate's level now, in µs."""
        return max(0, self._empty_at.get(name, 0) - self._clock.now_us())

    def taken(self, name: str) -> int:
        """Places that somebody holds."""
        now = self._clock.now_us()
        return sum(number for number, ends in self.slots.get(name, {}).values() if ends > now)

    async def round(self, worker: str, asked: Round) -> Sequence[Verdict] | None:
        """As every place that counts together."""
        self.rounds += 1
        await self._answer()
        if self.is_away or worker in self.deaf:
            return None
        for name, more in asked.corrections.items():
            self._set(name, corrected(self.level(name), more))
        self._hold(worker, asked.held)
        verdicts = []
        for wanted in asked.wishes:
            names = [(bound.name, bound.kind == "concurrency") for bound in wanted.bounds]
            levels = {
                name: self.taken(name) if is_held else self.level(name) or asked.known.get(name, 0)
                for name, is_held in names
            }
            before = dict(levels)
            verdicts.append(judge(wanted, levels))
            for name, is_held in names:
                if not is_held:
                    self._set(name, levels[name])
                elif levels[name] > before[name]:
                    mine = self.slots.get(name, {}).get(worker, (0, 0))[0]
                    self._hold(worker, {name: mine + 1})
        return verdicts

    async def attend(self, worker: str, held: Mapping[str, int]) -> int | None:
        """As every place that counts together."""
        await self._answer()
        if self.is_away or worker in self.deaf:
            return None
        self._hold(worker, held)
        self._workers.add(worker)
        return len(self._workers)

    async def _answer(self) -> None:
        if self.hang is not None:
            await self.hang.wait()
        await asyncio.sleep(0)

    def _hold(self, worker: str, held: Mapping[str, int]) -> None:
        for name, number in held.items():
            self.slots.setdefault(name, {})[worker] = number, self._clock.now_us() + LEASE_US

    def _set(self, name: str, level: int) -> None:
        self._empty_at[name] = self._clock.now_us() + level


def limited(**limits: int) -> Caller:
    """A key with limits of its own."""
    return Caller(tenant="acme", key_id="k1", quotas=(Quota(scope="key", subject="k1", limits=Limits(**limits)),))


def needs(tokens_in: int = 5, tokens_out: int = 5) -> Needs:
    """A request of so many tokens."""
    return Needs(tokens_in=tokens_in, tokens_out=tokens_out, max_tokens=None)
