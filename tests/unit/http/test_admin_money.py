"""Invoices, re-pricing and plans over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from farthing.domain.chat import Usage
from farthing.domain.permissions import EVERYTHING
from farthing.domain.plans import PriceList, TenantPlan
from farthing.settings import Settings, load
from farthing.store import Store
from farthing.store.schema import tenants
from tests.conformance.store.samples import exchange
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

OLD = TenantPlan(name="pro", price=7_000_000_000, markup_basis_points=1_000)
MONTH = "2025-12"
"""When the samples were asked."""


@pytest.fixture
def settings(migrated_file: Path, tmp_path: Path) -> Settings:
    """A demo's, with a plan."""
    plan = {"PRICE_USD": "49", "MARKUP_PERCENT": "12.5", "MODELS": '["demo/small"]'}
    named = {f"FARTHING_PLANS__PRO__{name}": value for name, value in plan.items()}
    settings = load(None, {"XDG_DATA_HOME": str(tmp_path), "FARTHING_DEMO": "1", **named})
    file = Path(settings.database.url.get_secret_value().removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True)
    shutil.copy(migrated_file, file)
    return settings


async def test_an_invoice_is_the_months_usage_under_the_terms_then(client: Client, store: Store) -> None:
    """Its own alone: the plan's price, and its markup on what was used; what is agreed today changes no past month."""
    await store.ingest.write(
        [
            exchange(cost=2_000_000_000, usage=Usage(prompt=7, completion=1)),
            exchange(cost=5, tenant="other"),
            exchange(cost=None, model="mystery"),
        ]
    )
    admin = client.with_key(SECRETS.admin)
    await store.tenancy.change_tenant("acme", EVERYTHING, {"plan": "pro"}, PriceList(plans={"pro": OLD}, at_us=1))
    assert (await admin.post("/admin/tenants/acme", {"plan": None}, method="PATCH")).status == 200
    found = (await admin.get(f"/admin/invoices/acme/{MONTH}")).json
    assert (found["tenant"], found["month"], found["plan"]) == ("acme", MONTH, "pro")
    assert (found["markup_percent"], found["plan_price"], found["total"]) == (10.0, 7, 9.2)
    assert (found["usage"]["requests"], found["usage"]["unpriced_requests"]) == (2, 1)
    assert (found["lines"][0]["tokens_in"], found["lines"][0]["amount"]) == (7, 2.2)
    assert (found["plan_since"], found["terms"][0]["days"]) == ("1970-01-01T00:00:00.000Z", 31)
    empty = (await admin.get("/admin/invoices/acme/2025-11")).json
    assert (empty["lines"], empty["total"]) == ([], 7)


async def test_a_plan_is_paid_for_from_the_day_on_which_it_was_taken(client: Client, store: Store) -> None:
    """At what the settings say that day; months before are not charged for it."""
    admin = client.with_key(SECRETS.admin)
    assert (await admin.post("/admin/tenants/acme", {"plan": "pro"}, method="PATCH")).status == 200
    assert (await admin.post("/admin/tenants", {"tenant": "new", "plan": "pro"})).status == 201
    for tenant in ("acme", "new"):
        [terms] = await store.terms.of(tenant)
        assert (terms.plan, terms.price, terms.markup_basis_points) == ("pro", 49_000_000_000, 1_250)
        before = (await admin.get(f"/admin/invoices/{tenant}/{MONTH}")).json
        assert (before["plan"], before["total"]) == (None, 0)


async def test_an_invoice_that_would_be_wrong_is_not_given(client: Client, store: Store) -> None:
    """Of a tenant whose plan is gone, of nobody, or of no month."""
    admin = client.with_key(SECRETS.admin)
    async with store._engines.writing() as connection:
        await connection.execute(sa.update(tenants).where(tenants.c.tenant == "acme").values(plan="gone"))
    for path, status in ((f"acme/{MONTH}", 409), (f"nobody/{MONTH}", 404), ("acme/2025-13", 400), ("acme/2025", 400)):
        assert (await admin.get(f"/admin/invoices/{path}")).status == status, path


async def test_a_member_or_a_team_sees_no_invoice(client: Client) -> None:
    """It is the tenant's; an auditor's key opens it."""
    admin = client.with_key(SECRETS.admin)
    for role, status in (("member", 403), ("team_admin", 404), ("auditor", 200), ("org_admin", 200)):
        body = {"name": role, "role": role, "team": "support"}
        secret = (await admin.post("/admin/keys", body)).json["secret"]
        assert (await client.with_key(secret).get(f"/admin/invoices/acme/{MONTH}")).status == status, role


async def test_requests_are_priced_when_that_is_meant(client: Client, store: Store) -> None:
    """Only told of unless `dry_run` is false; what lies outside of the stretch stays as it is."""
    admin = client.with_key(SECRETS.admin)
    # The gateway itself looks once, when it starts.
    await client.application._gateway._late_rows.price()  # type: ignore[attr-defined]
    row = exchange(cost=None, provider="demo", model="demo/small", usage=Usage(prompt=1_000_000))
    await store.ingest.write([row])
    for body, rows in (({}, 1), ({}, 1), ({"until": MONTH + "-01", "dry_run": False}, 0), ({"dry_run": False}, 1)):
        found = await admin.post("/admin/reprice", body)
        assert (found.status, found.json["rows"], found.json["dry_run"]) == (200, rows, not body)
    assert (await admin.post("/admin/reprice", {})).json["rows"] == 0
    for bad in ({"since": "yesterday"}, {"dry_run": "no"}, {"tenant": "acme"}):
        assert (await admin.post("/admin/reprice", bad)).status == 400


async def test_a_plans_models_bound_keys_without_standing_in_them(client: Client) -> None:
    """Whoever's own key names none makes keys that name none, and that can do more when the plan can."""
    admin = client.with_key(SECRETS.admin)
    assert (await admin.post("/admin/tenants/acme", {"plan": "pro"}, method="PATCH")).status == 200
    secret = (await admin.post("/admin/keys", {"name": "chief", "role": "org_admin"})).json["secret"]
    made = await client.with_key(secret).post("/admin/keys", {"name": "app"})
    assert (made.status, made.json.get("models")) == (201, None)
    app = client.with_key(made.json["secret"])
    assert [model["id"] for model in (await app.get("/v1/models")).json["data"]] == ["demo/small"]
