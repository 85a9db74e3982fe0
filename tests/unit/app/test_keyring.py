"""Keys are followed change by change, outlive the database for a while, and a revoked one never comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from farthing.app.keyring import CENSUS_EVERY, MASTER_KEY, STALE_S, Keyring
from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.domain.keys import Caller, Key
from farthing.domain.limits import Limits
from farthing.domain.plans import TenantPlan
from farthing.domain.tenancy import KeyChanges, Team, Tenant

A, B, MASTER = b"a", b"b", b"master"


def key(name: str, tenant: str = "acme", *, is_blocked: bool = False, is_revoked: bool = False) -> Key:
    """A key of this name in team `blue`."""
    caller = Caller(tenant=tenant, key_id=name, team="blue")
    return Key(caller=caller, name=name, hint="…", is_blocked=is_blocked, is_revoked=is_revoked)


class Source:
    """A database in memory, which counts changes as the real one does and notes what it was asked."""

    def __init__(self) -> None:
        self.number = 0
        self.is_away = False
        self.asked: list[int | None] = []
        self.tenants: list[Tenant] = []
        self.teams: list[Team] = []
        self._rows: dict[bytes, tuple[int, Key]] = {}

    def put(self, name: bytes, row: Key, *, counts: bool = True) -> None:
        """A key as it is from now on; older code would not count the change."""
        self.number += counts
        self._rows[name] = self.number if counts else 0, row

    def drop(self, name: bytes) -> None:
        """Somebody deletes a row by hand."""
        del self._rows[name]

    async def changes(self, since: int | None) -> KeyChanges | None:
        """As the store's."""
        self.asked.append(since)
        if self.is_away:
            raise Unavailable("away")
        if since == self.number:
            return None
        has_all = since is None or self.number < since
        return KeyChanges(
            number=self.number,
            keys={name: row for name, (number, row) in self._rows.items() if has_all or number > (since or 0)},
            has_all=has_all,
            tenants=self.tenants,
            teams=self.teams,
        )

    async def census(self) -> tuple[int, int]:
        """As the store's."""
        return len(self._rows), sum(row.is_blocked for _, row in self._rows.values())


class Rig:
    """A keyring over such a database."""

    def __init__(self, plans: Mapping[str, TenantPlan] | None = None, master: bytes | None = None) -> None:
        self.clock = ManualClock(0)
        self.source = Source()
        self.ring = Keyring(self.source, self.clock, master=master, plans=plans or {})  # type: ignore[arg-type]

    async def refresh(self) -> bool:
        """Whether anything is different."""
        return await self.ring.refresh()


@pytest.fixture
async def rig() -> Rig:
    """Which knows its one key."""
    rig = Rig()
    rig.source.put(A, key("a"))
    assert await rig.refresh()
    return rig


async def test_what_has_not_changed_is_not_read(rig: Rig) -> None:
    """Only the number of the last change is asked for, and nothing is swapped."""
    before = rig.ring.keys
    assert not await rig.refresh()
    assert rig.ring.keys is before
    assert rig.source.asked == [None, 1]


async def test_only_what_changed_is_read(rig: Rig) -> None:
    """The other keys stay the very same, and the old mapping is left alone for requests that hold it."""
    before = rig.ring.keys
    rig.source.put(B, key("b"))
    assert await rig.refresh()
    assert rig.ring.keys == {A: key("a"), B: key("b")}
    assert rig.ring.keys[A] is before[A]
    assert B not in before


async def test_the_master_key_is_always_there() -> None:
    """Before the database has answered, and whatever it says."""
    rig = Rig(master=MASTER)
    assert rig.ring.keys == {MASTER: MASTER_KEY}
    rig.source.put(MASTER, key("an impostor"))
    await rig.refresh()
    rig.source.put(MASTER, key("another"))
    await rig.refresh()
    assert rig.ring.keys == {MASTER: MASTER_KEY}


@pytest.mark.parametrize("change", ["blocked", "deleted", "added"])
async def test_changes_that_nobody_counted_are_found_by_a_census(rig: Rig, change: str) -> None:
    """Made by older code, or by hand: within a few refreshes everything is read anew."""
    if change == "blocked":
        rig.source.put(A, key("a", is_blocked=True), counts=False)
    elif change == "deleted":
        rig.source.drop(A)
    else:
        rig.source.put(B, key("b"), counts=False)
    for _ in range(CENSUS_EVERY):
        await rig.refresh()
    expected = {"blocked": {A: key("a", is_blocked=True)}, "deleted": {}, "added": {A: key("a"), B: key("b")}}
    assert rig.ring.keys == expected[change]


async def test_a_backup_that_was_restored_is_read_anew(rig: Rig) -> None:
    """Numbers that go back mean another history."""
    rig.source.number = 0
    rig.source.put(B, key("b"), counts=False)
    await rig.refresh()
    assert rig.ring.keys == {A: key("a"), B: key("b")}


async def test_keys_are_believed_for_ten_minutes_without_the_database(rig: Rig) -> None:
    """Then nobody is, but the master; and it is said when the database could not be asked."""
    rig.source.is_away = True
    assert await rig.refresh()
    assert (rig.ring.is_away, rig.ring.is_known) == (True, True)
    rig.clock.advance(STALE_S)
    assert not await rig.refresh()
    assert rig.ring.keys == {A: key("a")}
    rig.clock.advance(1)
    assert await rig.refresh()
    assert (rig.ring.keys, rig.ring.is_known) == ({}, False)
    assert not await rig.refresh()
    rig.source.is_away = False
    assert await rig.refresh()
    assert (rig.ring.keys, rig.ring.is_known, rig.ring.is_away) == ({A: key("a")}, True, False)


async def test_what_was_revoked_during_an_outage_is_refused_after_it(rig: Rig) -> None:
    """And a short outage costs no reading of everything."""
    rig.source.is_away = True
    await rig.refresh()
    rig.source.put(A, key("a", is_blocked=True, is_revoked=True))
    rig.source.is_away = False
    assert await rig.refresh()
    assert rig.ring.keys[A].is_blocked
    assert rig.source.asked == [None, 1, 1]


async def test_a_slow_reader_brings_nothing_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two refreshes at once the second waits, so that the last word is the newest."""
    may_answer = asyncio.Event()
    changes = rig.source.changes

    async def slowly(since: int | None) -> KeyChanges | None:
        found = await changes(since)
        await may_answer.wait()
        return found

    monkeypatch.setattr(rig.source, "changes", slowly)
    rig.source.put(A, key("a, renamed"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rig.refresh())
        await asyncio.sleep(0)
        rig.source.put(A, key("a", is_blocked=True, is_revoked=True))
        tasks.create_task(rig.refresh())
        await asyncio.sleep(0)
        may_answer.set()
    assert rig.ring.keys[A].is_revoked


async def test_a_tenant_is_blocked_with_all_its_keys_and_let_in_again(rig: Rig) -> None:
    """Other tenants' keys stay the very same."""
    rig.source.put(B, key("b", "other"))
    await rig.refresh()
    other = rig.ring.keys[B]
    for is_blocked in (True, False):
        rig.source.tenants = [Tenant(tenant="acme", name="acme", is_blocked=is_blocked)]
        rig.source.number += 1
        assert await rig.refresh()
        assert rig.ring.keys[A].is_blocked is is_blocked
        assert rig.ring.keys[B] is other


async def test_a_teams_limits_reach_its_keys(rig: Rig) -> None:
    """Also when they change, or the team goes."""
    for limits in (Limits(requests_per_minute=1), Limits(requests_per_minute=2)):
        rig.source.teams = [Team(tenant="acme", team="blue", name="Blue", limits=limits)]
        rig.source.number += 1
        await rig.refresh()
        assert [quota.limits for quota in rig.ring.keys[A].caller.quotas] == [limits]
    rig.source.teams = []
    rig.source.number += 1
    await rig.refresh()
    assert rig.ring.keys[A].caller.quotas == ()


async def test_plans_of_changed_settings_are_in_force_at_once() -> None:
    """The same plans change nothing."""
    plan = TenantPlan(name="pro", allowed_models=frozenset({"small"}))
    rig = Rig({"pro": plan})
    rig.source.put(A, key("a"))
    rig.source.tenants = [Tenant(tenant="acme", name="acme", plan="pro")]
    await rig.refresh()
    assert rig.ring.keys[A].caller.allowed_models == frozenset({"small"})
    before = rig.ring.keys
    rig.ring.configure({"pro": plan})
    assert rig.ring.keys is before
    rig.ring.configure({"pro": replace(plan, allowed_models=None)})
    assert rig.ring.keys == {A: key("a")}
    assert rig.ring.house.plan_of("acme") == TenantPlan(name="pro")


async def test_what_another_process_knew_is_believed_for_the_rest_of_its_time(rig: Rig) -> None:
    """Ten minutes after the database told, whoever heard it; then, or when it tells more, that holds."""
    rig.clock.advance(60)
    await rig.refresh()
    everything, told_at_us = rig.ring.everything(), rig.ring.told_at_us
    assert told_at_us == rig.clock.now_us()
    rig.clock.advance(STALE_S - 100)
    other = Rig()
    other.clock.set(rig.clock.now_us())
    other.source = rig.source
    other.ring = Keyring(other.source, other.clock, master=None, plans={})  # type: ignore[arg-type]
    other.ring.recall(everything, told_at_us)
    assert (other.ring.keys, other.ring.is_known, other.ring.is_away) == ({A: key("a")}, True, True)
    assert other.ring.told_at_us == told_at_us
    other.source.is_away = True
    other.clock.advance(100)
    assert not await other.refresh()
    other.clock.advance(1)
    assert await other.refresh()
    assert (other.ring.keys, other.ring.is_known) == ({}, False)


async def test_what_was_revoked_since_is_refused_when_the_database_is_back(rig: Rig) -> None:
    """Only what has changed is read."""
    other = Rig()
    other.source = rig.source
    other.ring = Keyring(other.source, other.clock, master=None, plans={})  # type: ignore[arg-type]
    other.ring.recall(rig.ring.everything(), rig.ring.told_at_us)
    rig.source.put(A, key("a", is_blocked=True, is_revoked=True))
    assert await other.refresh()
    assert other.ring.keys[A].is_revoked
    assert rig.source.asked == [None, 1]
