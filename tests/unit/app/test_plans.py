"""Plans that tenants are on: their budgets, their terms on record, and those that the settings do not name."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from farthing.app.application import create_app
from farthing.app.plans import BroughtBudgets, FollowedPlans, check_plans, some
from farthing.background.clock import ManualClock
from farthing.domain.budget import Budget
from farthing.domain.errors import Unavailable
from farthing.domain.keys import Caller, Key
from farthing.domain.permissions import EVERYTHING
from farthing.domain.plans import PriceList, TenantPlan, Terms
from farthing.domain.secrets import digest
from farthing.domain.tenancy import House, Tenant
from farthing.settings import SettingsError
from farthing.store import Store, open_store
from tests.servers.asgi import Client, own_logging, running
from tests.unit.app.conftest import SettingsOf

NOW_US = 1_795_219_200_000_000
FREE = TenantPlan(name="free", price=3, monthly_budget=5_000_000_000)
ACME = Tenant(tenant="acme", name="Acme", plan="free", created_at_us=1)


def house(*plans: TenantPlan, tenant: Tenant = ACME) -> House:
    """One tenant under these settings."""
    return House(tenants={tenant.tenant: tenant}, teams={}, plans={plan.name: plan for plan in plans})


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """A database of which one tenant is all."""
    store = open_store(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'plans.db')}", clock=ManualClock(NOW_US))
    await store.tenancy.add_tenant(ACME)
    yield store
    await store.aclose()


class Host:
    """A gateway as far as it is about the budgets that come with plans."""

    def __init__(self, store: Store, *plans: TenantPlan) -> None:
        self.house = house(*plans)
        self._budgets = BroughtBudgets(store.budgets)

    async def look(self) -> Mapping[str, int]:
        """The limits that it then knows, in nano-dollars by budget."""
        found = await self._budgets.load(self.house, {}, NOW_US)
        return {budget.id: budget.limit for budget in found}


async def test_who_does_not_know_a_plan_leaves_its_budget_to_those_who_do(store: Store) -> None:
    """It is ended by who knows the plan, or where the tenant has left it."""
    knows, does_not = Host(store, FREE), Host(store)
    assert await does_not.look() == {}
    assert await knows.look() == {"plan:acme": 5_000_000_000}
    assert await does_not.look() == {"plan:acme": 5_000_000_000}
    does_not.house = house(tenant=Tenant(tenant="acme", name="Acme"))
    assert await does_not.look() == {}
    assert await knows.look() == {"plan:acme": 5_000_000_000}
    knows.house = house(TenantPlan(name="free"))
    assert await knows.look() == {}


async def test_two_hosts_whose_files_differ_do_not_fight(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each speaks once: what was said last holds, and what is gone altogether comes back."""
    written: list[str] = []
    follow = store.budgets.follow

    async def noted(wanted: Mapping[str, Budget], *, created_at_us: int) -> None:
        written.extend(str(budget.limit) for budget in wanted.values())
        await follow(wanted, created_at_us=created_at_us)

    monkeypatch.setattr(store.budgets, "follow", noted)
    cheap, dear = Host(store, FREE), Host(store, TenantPlan(name="free", monthly_budget=9))
    for _ in range(3):
        assert [await cheap.look() for _ in range(2)] == [{"plan:acme": 5_000_000_000 if not written[1:] else 9}] * 2
        assert await dear.look() == {"plan:acme": 9}
    assert written == ["5000000000", "9"]
    await follow({}, created_at_us=NOW_US)
    assert await cheap.look() == {"plan:acme": 5_000_000_000}


async def test_terms_are_put_on_record_once(store: Store) -> None:
    """When the plan is first seen, when the settings charge something else, and not again by another worker."""
    first, other = FollowedPlans(store.terms), FollowedPlans(store.terms)
    for followed in (first, first, other):
        await followed.follow(house(FREE), NOW_US)
    dearer = house(TenantPlan(name="free", price=4))
    for at_us, followed in enumerate((first, other, first), start=NOW_US):
        await followed.follow(dearer, at_us)
    await first.follow(house(), NOW_US)
    assert await store.terms.of("acme") == [
        Terms(since_us=0, plan="free", price=3),
        Terms(since_us=NOW_US, plan="free", price=4),
    ]


async def test_terms_wait_for_a_database_that_is_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are put on record when it is back."""
    followed, latest = FollowedPlans(store.terms), store.terms.latest

    async def away() -> Mapping[str, Terms]:
        raise Unavailable("away")

    monkeypatch.setattr(store.terms, "latest", away)
    await followed.follow(house(FREE), NOW_US)
    monkeypatch.setattr(store.terms, "latest", latest)
    assert await store.terms.of("acme") == []
    await followed.follow(house(FREE), NOW_US)
    assert len(await store.terms.of("acme")) == 1


async def test_a_plan_that_is_not_named_is_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """With who is on it; again when it was named meanwhile."""
    followed = FollowedPlans(store.terms)
    for known in (house(), house(), house(TenantPlan(name="x")), house(FREE), house()):
        await followed.follow(known, NOW_US)
    told = 'no plan is called "free" in the settings, and the tenant acme is on it: under these settings'
    assert [record.getMessage()[: len(told)] for record in caplog.records] == [told, told]


@pytest.mark.parametrize(
    ("tenants", "told"),
    [
        (["a"], "the tenant a is"),
        (["a", "b", "c"], "the tenants a, b, c are"),
        (["a", "b", "c", "d"], "4 tenants, such as a, b, c, are"),
    ],
)
def test_of_many_tenants_a_few_are_named(tenants: list[str], told: str) -> None:
    """A message stays short."""
    assert some(tenants) == told


def test_settings_name_the_plans_that_somebody_is_on(settings_of: SettingsOf) -> None:
    """Each that they do not name is a mistake of its own, with its place in the file."""
    check_plans(house(), settings_of("[plans.free]\n"))
    with pytest.raises(SettingsError, match=r"plans\.free: expected this plan to be named: the tenant acme is on it"):
        check_plans(house(), settings_of("[plans.fre]\n"))


PLAN = "[plans.free]\nmonthly_budget_usd = 5\n"


async def test_a_file_that_drops_a_plan_in_use_is_not_taken_over(
    settings_of: SettingsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by a process that reads it again, nor by a worker that is to replace another."""
    for name in [name for name in os.environ if name.startswith("FARTHING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = settings_of(PLAN, FARTHING_DEMO="1")
    monkeypatch.setenv("FARTHING_DEMO", "1")
    told = "plans.free: expected this plan to be named: the tenant acme is on it"
    async with running(settings) as application:
        store = open_store(settings.database.url.get_secret_value(), clock=ManualClock(NOW_US))
        await store.tenancy.add_tenant(ACME, PriceList(plans=settings.plans, at_us=NOW_US))
        await store.keys.create(
            Key(caller=Caller(tenant="acme", key_id="k"), name="k", hint="…"), digest("sk-k"), created_at_us=1
        )
        await application._gateway._refresher.refresh()
        await application._gateway._refresher.refresh_spending()
        (tmp_path / "farthing.toml").write_text("[plans.gold]\n")
        await application.reload()
        assert told in capsys.readouterr().err
        asked = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
        client = Client(application).with_key("sk-k")
        assert (await client.post("/v1/chat/completions", asked)).status == 200
    bad = settings_of("[plans.gold]\n", FARTHING_DEMO="1")
    with own_logging(), pytest.raises(SettingsError, match=told):
        async with create_app(bad)._gateway.running(is_successor=True):
            pass
    async with running(bad) as application:
        answer = await Client(application).with_key("sk-k").post("/v1/chat/completions", asked)
        assert (answer.status, answer.json["error"]["code"]) == (403, "unknown_plan")
        assert (await Client(application).with_key("sk-k").get("/v1/usage")).status == 200
        assert [budget.id for budget in await store.budgets.load()] == ["plan:acme"]
        await store.tenancy.change_tenant("acme", EVERYTHING, {"plan": "gold"})
        await application._gateway._refresher.refresh()
        assert (await Client(application).with_key("sk-k").post("/v1/chat/completions", asked)).status == 200
    await store.aclose()
