"""The keys in force: followed in the database change by change, and kept for a while when it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from farthing.domain.errors import Unavailable
from farthing.domain.keys import Caller, Key
from farthing.domain.plans import TenantPlan
from farthing.domain.tenancy import House, KeyChanges, Team, Tenant, in_force
from farthing.ports import Clock
from farthing.store.keys import Keys

MASTER = Caller(tenant="local", key_id="master", role="admin")
MASTER_KEY = Key(caller=MASTER, name="master", hint="…")

STALE_S = 600.0
"""How long keys are believed that nobody could look after: one revoked meanwhile is not known to be."""
CENSUS_EVERY = 4
"""Refreshes between two looks for changes that were not counted: made by older code, or by hand."""


class Keyring:
    """Every key by the digest of its secret, as requests meet it."""

    def __init__(self, source: Keys, clock: Clock, *, master: bytes | None, plans: Mapping[str, TenantPlan]) -> None:
        """`master` is the digest of the master key's secret, which no database needs to know."""
        self._source = source
        self._clock = clock
        self._own = {} if master is None else {master: MASTER_KEY}
        self._house = House(tenants={}, teams={}, plans=plans)
        self._raw: dict[bytes, Key] = {}
        self._number = 0
        self._turn = 0
        self._blocked = 0
        self._lock = asyncio.Lock()
        self._seen_s = clock.monotonic()
        self.keys: Mapping[bytes, Key] = self._own
        """Swapped whole."""
        self.is_known = False
        """Whether the database has told, and not too long ago."""
        self.is_away = False
        """Whether it could not be asked the last time: a key that is not known may be a new one."""

    @property
    def house(self) -> House:
        """Tenants, teams and plans."""
        return self._house

    @property
    def told_at_us(self) -> int:
        """When the database told last, in microseconds since 1970 UTC."""
        return self._clock.now_us() - round((self._clock.monotonic() - self._seen_s) * 1_000_000)

    def everything(self) -> KeyChanges:
        """All that the database has told."""
        house = self._house
        return KeyChanges(
            number=self._number,
            keys=dict(self._raw),
            has_all=True,
            tenants=tuple(house.tenants.values()),
            teams=tuple(house.teams.values()),
        )

    def recall(self, everything: KeyChanges, told_at_us: int) -> None:
        """Believes what the database told at a moment, until it tells more or that is too long ago."""
        self._take(everything)
        self._seen_s = self._clock.monotonic() - (self._clock.now_us() - told_at_us) / 1e6
        self.is_known = self.is_away = True

    def configure(self, plans: Mapping[str, TenantPlan]) -> None:
        """Takes over changed plans."""
        if plans != self._house.plans:
            self._house = House(tenants=self._house.tenants, teams=self._house.teams, plans=plans)
            self._enforce(self._raw, onto=self._own)

    async def refresh(self) -> bool:
        """Follows the database; whether anything is different now for requests."""
        # Of two at once, the one that read first may end last, and would bring back what the other saw revoked.
        async with self._lock:
            return await self._follow()

    async def _follow(self) -> bool:
        before = (self.keys, self.is_known, self.is_away)
        try:
            changes = await self._changes()
        except Unavailable:
            self._miss()
        else:
            self.is_known, self.is_away, self._seen_s = True, False, self._clock.monotonic()
            if changes is not None:
                self._take(changes)
        return before[0] is not self.keys or before[1:] != (self.is_known, self.is_away)

    async def _changes(self) -> KeyChanges | None:
        if not self.is_known:
            return await self._source.changes(None)
        changes = await self._source.changes(self._number)
        self._turn += 1
        if changes is None and self._turn % CENSUS_EVERY == 0 and await self._source.census() != self._census():
            # What was counted since is the likelier reason, and quicker to read.
            return await self._source.changes(self._number) or await self._source.changes(None)
        return changes

    def _census(self) -> tuple[int, int]:
        return len(self._raw), self._blocked

    def _miss(self) -> None:
        self.is_away = True
        if self.is_known and self._clock.monotonic() - self._seen_s > STALE_S:
            self.is_known = False
            self._raw, self._blocked, self._number, self.keys = {}, 0, 0, self._own

    def _take(self, changes: KeyChanges) -> None:
        tenants: Mapping[str, Tenant] = {tenant.tenant: tenant for tenant in changes.tenants}
        teams: Mapping[tuple[str, str], Team] = {(team.tenant, team.team): team for team in changes.teams}
        moved = {name for name, _ in tenants.items() ^ self._house.tenants.items()}
        moved |= {name for (name, _), _ in teams.items() ^ self._house.teams.items()}
        self._house = House(tenants=tenants, teams=teams, plans=self._house.plans)
        self._number = changes.number
        if changes.has_all:
            self._raw = {}
            self._blocked = 0
        for name, key in changes.keys.items():
            old = self._raw.get(name)
            self._blocked += key.is_blocked - (old is not None and old.is_blocked)
            self._raw[name] = key
        if changes.has_all:
            self._enforce(self._raw, onto=self._own)
            return
        touched = {name: key for name, key in self._raw.items() if key.caller.tenant in moved} if moved else {}
        self._enforce({**touched, **changes.keys}, onto=self.keys)

    def _enforce(self, keys: Mapping[bytes, Key], *, onto: Mapping[bytes, Key]) -> None:
        self.keys = {**onto, **_in_force(keys, self._house), **self._own}


def _in_force(keys: Mapping[bytes, Key], house: House) -> dict[bytes, Key]:
    return {name: in_force(key, house) for name, key in keys.items()}
