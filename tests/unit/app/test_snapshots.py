"""What requests see follows the database and the configuration, and outlives both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from farthing.app import snapshots
from farthing.app.catalogue import build_catalogue
from farthing.app.keyfile import KeyFile
from farthing.app.keyring import MASTER
from farthing.app.snapshots import FIRST_TRIES, Refresher
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.catalogue import Catalogue
from farthing.domain.errors import Unauthenticated, Unavailable
from farthing.domain.keys import LOCAL_CALLER, Caller, Key
from farthing.domain.permissions import EVERYTHING
from farthing.domain.secrets import digest
from farthing.domain.tenancy import Tenant
from farthing.gateway.admission import admit
from farthing.money.ledger import Ledger
from farthing.ports.answers import CacheEntry
from farthing.providers.fake import FakeTransport
from farthing.settings import Settings
from tests.unit.app.conftest import SettingsOf

NOW_US = 1_795_219_200_000_000
LOCAL = """
[providers.local]
dialect = "openai"
base_url = "http://127.0.0.1:1/v1"
[cache]
ttl_s = 60
[[models]]
name = "mine"
provider = "local"
tier = "simple"
[routing]
strategy = "complexity"
"""


class Rig:
    """A refresher over a real database."""

    def __init__(self, settings: Settings, *, key_file: Path | None = None) -> None:
        self.clock = ManualClock(NOW_US)
        self.storage = Storage(settings, self.clock)
        if key_file is not None:
            self.storage.key_file = KeyFile(key_file, self.storage.secret, self.clock)
        self.ledger = Ledger(self.clock)
        self.refresher = Refresher(
            settings=settings,
            storage=self.storage,
            ledger=self.ledger,
            transport=FakeTransport(),
            clock=self.clock,
        )

    def admit(self, secret: str | None) -> Caller:
        """Who this secret is, as requests see it now."""
        return admit(self.refresher.snapshots.current, secret, self.clock.now_us())

    async def make_key(self, secret: str) -> None:
        """A key as another process would make it."""
        key = Key(caller=Caller(tenant="acme", key_id=secret), name=secret, hint="…")
        await self.storage.store.keys.create(key, digest(secret), created_at_us=NOW_US)


@pytest.fixture
async def rig(settings_of: SettingsOf) -> AsyncIterator[Rig]:
    """With an empty database."""
    rig = Rig(settings_of())
    await rig.storage.prepare()
    await rig.refresher.first_refresh()
    yield rig
    await rig.storage.aclose()


async def test_a_laptop_without_keys_is_open(rig: Rig) -> None:
    """Whoever reaches it may do everything."""
    assert rig.admit(None) is LOCAL_CALLER


async def test_the_first_key_closes_the_gateway_and_a_revoked_one_stays_out(rig: Rig) -> None:
    """Each change is in force after the next refresh."""
    await rig.make_key("sk-a")
    await rig.refresher.refresh()
    assert rig.admit("sk-a").tenant == "acme"
    with pytest.raises(Unauthenticated):
        rig.admit(None)
    await rig.storage.store.keys.revoke("sk-a", revoked_at_us=NOW_US)
    await rig.refresher.refresh()
    with pytest.raises(Unauthenticated):
        rig.admit("sk-a")


async def test_the_same_keys_leave_the_snapshot_alone(rig: Rig) -> None:
    """Nothing is swapped where nothing has changed."""
    before = rig.refresher.snapshots.current
    await rig.refresher.refresh()
    assert rig.refresher.snapshots.current is before


async def test_known_keys_outlive_the_database(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away the last ones stay in force."""
    await rig.make_key("sk-a")
    await rig.refresher.refresh()

    async def away(_: int | None) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(rig.storage.store.keys, "changes", away)
    await rig.refresher.refresh()
    assert rig.admit("sk-a").tenant == "acme"


async def test_a_start_without_the_database_asks_to_wait(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tries a few times, and then calls nobody wrong; the master key needs no database."""
    rig = Rig(settings_of(FARTHING_MASTER_KEY="sk-master"))
    tries = []

    async def away(_: int | None) -> None:
        tries.append(1)
        raise Unavailable("away")

    async def at_once(_: float) -> None:
        return

    monkeypatch.setattr(rig.storage.store.keys, "changes", away)
    monkeypatch.setattr(asyncio, "sleep", at_once)
    await rig.refresher.first_refresh()
    assert len(tries) == FIRST_TRIES
    with pytest.raises(Unavailable):
        rig.admit("sk-unknown")
    assert rig.admit("sk-master") is MASTER
    await rig.storage.aclose()


async def test_tenants_own_keys_are_known_before_the_first_request(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the database fails once: else the gateway's key would pay for a tenant that has its own."""
    rig = Rig(settings_of())
    await rig.storage.prepare()
    version = rig.storage.store.credentials.version
    tries = 0

    async def away_once() -> tuple[int, int]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("away")
        return await version()

    monkeypatch.setattr(rig.storage.store.credentials, "version", away_once)
    await rig.refresher.first_refresh()
    assert tries == 2
    await rig.storage.aclose()


async def test_a_vote_elsewhere_is_heard_here(rig: Rig) -> None:
    """An answer that another process has buried is not served from this one's memory."""
    entry = CacheEntry(
        dialect="openai",
        stream=False,
        body=b"{}",
        provider="demo",
        model="demo/small",
        cost=1,
        created_at_us=NOW_US,
        expires_at_us=NOW_US + 3_600_000_000,
        tenant="local",
    )
    rig.storage.cache.hold("key", entry)
    await rig.storage.cache.keep([("key", entry)])
    assert await rig.storage.cache.find("key") is not None
    for _ in range(3):
        await rig.storage.store.feedback.vote("key", -1, tenant="local", principal=None)
    await rig.refresher.refresh()
    assert await rig.storage.cache.find("key") is None


@pytest.mark.parametrize(
    ("text", "baseline"),
    [
        (f'{LOCAL}baseline = "mine"\n', "mine"),
        (f'{LOCAL}baseline = "gpt-5.5"\n', None),
        (f'{LOCAL}baseline = "mine"\n'.replace('tier = "simple"\n', ""), None),
    ],
)
async def test_a_baseline_that_cannot_be_routed_to_promises_nothing(
    rig: Rig, settings_of: SettingsOf, text: str, baseline: str | None
) -> None:
    """One of which only the price is known, or that has no tier."""
    await rig.refresher.configure(settings_of(text))
    assert rig.refresher.in_force() == ((), baseline)


async def test_requests_are_held_back_only_where_a_baseline_is_set(rig: Rig, settings_of: SettingsOf) -> None:
    """One that is only the dearest of the models was never anybody's."""
    assert rig.refresher.snapshots.current.hold_back == 0
    await rig.refresher.configure(settings_of(LOCAL + 'baseline = "mine"\n'))
    assert rig.refresher.snapshots.current.hold_back == 0.02


async def test_a_changed_configuration_is_taken_over_whole(rig: Rig, settings_of: SettingsOf) -> None:
    """Models, routing, rules and cache of the new file, keys as they were."""
    rule = '[[routes]]\nname = "chat"\nwhere = "route"\nvalue = "/v1/chat/completions"\n'
    await rig.refresher.configure(settings_of(LOCAL + rule))
    snapshot = rig.refresher.snapshots.current
    assert [rule.name for rule in snapshot.rules] == ["chat"]
    assert list(snapshot.catalogue.models) == ["mine"]
    assert (snapshot.strategy, snapshot.cache_ttl_us, snapshot.keys_known) == ("complexity", 60_000_000, True)


async def test_prices_change_at_their_hour(settings_of: SettingsOf) -> None:
    """A price announced for later is charged from then on, without a restart."""
    rig = Rig(settings_of(DEEPSEEK_API_KEY="sk-x"))
    before = rig.refresher.snapshots.current
    await rig.refresher.reprice()
    assert rig.refresher.snapshots.current is before
    rig.clock.advance(366 * 86_400)
    await rig.refresher.reprice()
    assert rig.refresher.snapshots.current.catalogue.models.keys() == before.catalogue.models.keys()
    await rig.storage.aclose()


class Gate:
    """Stands in the way of a catalogue, outside the loop, until the loop has turned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.turned = Event(), Event()
        self.waited: list[bool] = []
        monkeypatch.setattr(snapshots, "build_catalogue", self.build)

    def build(self, settings: Settings, now_us: int) -> Catalogue:
        """The catalogue, once it may pass."""
        self.reached.set()
        self.waited.append(self.turned.wait(timeout=10))
        return build_catalogue(settings, now_us)

    async def open(self) -> None:
        """As a request would: in a turn of the loop of its own."""
        await asyncio.sleep(0)
        self.turned.set()


@pytest.mark.parametrize("way", ["configure", "reprice"])
async def test_requests_go_on_while_a_catalogue_is_built(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """It is built beside the loop; what requests see is swapped when it is whole."""
    settings = settings_of(DEEPSEEK_API_KEY="sk-x")
    rig = Rig(settings)
    before = rig.refresher.snapshots.current
    rig.clock.advance(366 * 86_400)
    gate = Gate(monkeypatch)
    work = rig.refresher.reprice() if way == "reprice" else rig.refresher.configure(settings)
    await asyncio.gather(work, gate.open())
    assert gate.waited == [True]
    assert rig.refresher.snapshots.current.catalogue is not before.catalogue
    await rig.storage.aclose()


async def test_settings_taken_over_meanwhile_stay(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices that change while a configuration is taken over bring none of the old one back."""
    rig = Rig(settings_of(DEEPSEEK_API_KEY="sk-x"))
    rig.clock.advance(366 * 86_400)
    gate = Gate(monkeypatch)
    repricing = asyncio.ensure_future(rig.refresher.reprice())
    assert await asyncio.to_thread(gate.reached.wait, 10)
    monkeypatch.undo()
    await rig.refresher.configure(settings_of(LOCAL))
    gate.turned.set()
    await repricing
    assert gate.waited == [True]
    assert list(rig.refresher.snapshots.current.providers) == ["local"]
    assert list(rig.refresher.snapshots.current.catalogue.models) == ["mine"]
    await rig.storage.aclose()


async def test_health_tells_what_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database by name; Redis is off where none is configured."""
    assert await rig.storage.health() == {"database": "ok", "redis": "off"}

    async def away() -> None:
        raise Unavailable("away")

    monkeypatch.setattr(rig.storage.store, "ping", away)
    assert (await rig.storage.health())["database"] == "away"


async def test_budgets_are_known_before_the_first_request(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that fails once is asked again; one that stays away is not waited for long."""
    tries = 0
    load = rig.storage.store.budgets.load

    async def away_once() -> object:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("away")
        return await load()

    async def away() -> None:
        nonlocal tries
        tries += 1
        raise Unavailable("away")

    async def at_once(_: float) -> None:
        return

    monkeypatch.setattr(asyncio, "sleep", at_once)
    monkeypatch.setattr(rig.storage.store.budgets, "load", away)
    rig.refresher.spending = (), {}, 0
    await rig.refresher.first_refresh_spending()
    assert tries == FIRST_TRIES
    tries = 0
    monkeypatch.setattr(rig.storage.store.budgets, "load", away_once)
    await rig.refresher.first_refresh_spending()
    assert (tries, rig.refresher.spending[2]) == (2, NOW_US)


async def test_no_key_is_in_force_before_its_budgets(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that comes back in the middle of a look tells of keys first: until it tells of budgets, all wait."""
    rig = Rig(settings_of())
    await rig.storage.prepare()
    await rig.make_key("sk-a")
    load = rig.storage.store.budgets.load

    async def away() -> None:
        raise Unavailable("away")

    monkeypatch.setattr(rig.storage.store.budgets, "load", away)
    await rig.refresher.refresh()
    with pytest.raises(Unavailable):
        rig.admit("sk-a")
    monkeypatch.setattr(rig.storage.store.budgets, "load", load)
    await rig.refresher.refresh()
    assert rig.admit("sk-a").tenant == "acme"
    await rig.storage.aclose()


async def test_a_tenants_plan_brings_its_budget(settings_of: SettingsOf) -> None:
    """It holds from the next look on, changes with the plan, and goes with it."""
    rig = Rig(settings_of("[plans.free]\nmonthly_budget_usd = 5\n"))
    await rig.storage.prepare()
    store = rig.storage.store
    await store.tenancy.add_tenant(Tenant(tenant="acme", name="Acme", plan="free"))
    await rig.refresher.first_refresh()
    await rig.refresher.refresh_spending()
    [budget] = rig.refresher.spending[0]
    assert (budget.id, budget.limit, budget.window) == ("plan:acme", 5_000_000_000, "month")
    assert await store.budgets.load() == [budget]
    await store.tenancy.change_tenant("acme", EVERYTHING, {"plan": None})
    await rig.refresher.refresh()
    await rig.refresher.refresh_spending()
    assert rig.refresher.spending[0] == []
    await rig.storage.aclose()


async def test_nothing_is_compared_before_the_days_budgets_hold(settings_of: SettingsOf) -> None:
    """They come with the settings, change with them, and go with them."""
    on = '[learning]\nshadow_share = 0.25\njudge = "mine"\nshadow_usd_per_day = 0.5\n'
    rig = Rig(settings_of(on + LOCAL))
    await rig.storage.prepare()
    assert rig.refresher.snapshots.current.shadow_share == 0.0
    await rig.refresher.first_refresh()
    limits = {budget.id: budget.limit for budget in rig.refresher.spending[0]}
    assert limits == {"learning:shadow": 500_000_000, "learning:judge": 1_000_000_000}
    current = rig.refresher.snapshots.current
    assert (current.shadow_share, current.judge) == (0.25, "mine")
    await rig.refresher.configure(settings_of(on.replace("0.5", "2") + LOCAL))
    await rig.refresher.refresh_spending()
    assert sorted(budget.limit for budget in rig.refresher.spending[0]) == [1_000_000_000, 2_000_000_000]
    await rig.refresher.configure(settings_of(LOCAL))
    assert rig.refresher.snapshots.current.shadow_share == 0.0
    await rig.refresher.refresh_spending()
    assert rig.refresher.spending[0] == []
    await rig.storage.aclose()
