"""The monthly report over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from farthing.app.reporting import Reporter
from farthing.domain.alerts import Notice
from farthing.domain.errors import NotInstalled
from farthing.ports.reports import Order
from farthing.reports import FORMATS
from farthing.store import Store
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

NOVEMBER = "/reports/2026-11"


class Paper:
    """Implements `farthing.ports.reports.Document`: two pieces."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces."""
        yield b"one,"
        yield b"two\n"

    async def aclose(self) -> None:
        """Remembers it."""
        self.is_closed = True


class Press:
    """In the place of what writes reports."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.papers: list[Paper] = []
        self.error: Exception | None = None

    async def write(self, reporter: Reporter, order: Order) -> Paper:
        """The paper, or the error."""
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        self.papers.append(Paper())
        return self.papers[-1]


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Press:
    """What is ordered is kept."""
    press = Press()

    async def call(reporter: Reporter, order: Order) -> Paper:
        return await press.write(reporter, order)

    monkeypatch.setattr(Reporter, "__call__", call)
    return press


@pytest.fixture
async def auditor(client: Client) -> str:
    """The secret of a key that reads figures of the tenant acme."""
    made = await client.with_key(SECRETS.admin).post(
        "/admin/keys", {"name": "auditor", "tenant": "acme", "role": "auditor"}
    )
    secret: str = made.json["secret"]
    return secret


@pytest.mark.parametrize("name", FORMATS)
async def test_a_report_is_a_file(client: Client, press: Press, name: str) -> None:
    """Of its format's type and a name that says what it is; it is closed once it is sent."""
    answer = await client.with_key(SECRETS.admin).get(f"{NOVEMBER}?format={name}")
    assert (answer.status, answer.body) == (200, b"one,two\n")
    assert answer.headers["content-type"] == FORMATS[name].media_type
    named = f'attachment; filename="farthing-2026-11{FORMATS[name].suffix}"'
    assert answer.headers["content-disposition"] == named
    assert [paper.is_closed for paper in press.papers] == [True]
    (order,) = press.orders
    assert (order.month, order.tenant, order.format, order.is_demo) == ("2026-11", None, name, True)
    assert (order.stretch.from_us, order.stretch.to_us) == (1_793_491_200_000_000, 1_796_083_200_000_000)


@pytest.mark.parametrize(
    ("query", "answered"),
    [
        ({"month": "2026-13"}, (400, "invalid_parameter")),
        ({"month": "1969-12"}, (400, "invalid_parameter")),
        ({"query": "?format=doc"}, (400, "invalid_parameter")),
        ({"query": "?from=2026-11-01"}, (400, "invalid_parameter")),
    ],
)
async def test_what_is_no_report_is_refused(
    client: Client, press: Press, query: Mapping[str, Any], answered: tuple[int, str]
) -> None:
    """Before anything is read."""
    path = f"/reports/{query.get('month', '2026-11')}{query.get('query', '')}"
    refused = await client.with_key(SECRETS.admin).get(path)
    assert (refused.status, refused.json["error"]["code"]) == answered
    assert press.orders == []


async def test_a_tenant_sees_its_own(client: Client, press: Press, auditor: str) -> None:
    """An admin sees all, or the one named; a plain key sees none."""
    audit, admin = client.with_key(auditor), client.with_key(SECRETS.admin)
    for asking, query in ((audit, ""), (audit, "?tenant=acme"), (admin, "?tenant=other"), (admin, "")):
        assert (await asking.get(f"{NOVEMBER}{query}")).status == 200
    assert [order.tenant for order in press.orders] == ["acme", "acme", "other", None]
    refused = await audit.get(f"{NOVEMBER}?tenant=other")
    assert (refused.status, refused.json["error"]["code"]) == (404, "not_found")
    assert (await client.with_key(SECRETS.acme).get(NOVEMBER)).status == 403


async def test_a_missing_extra_is_told(client: Client, press: Press) -> None:
    """With the status of what is not implemented here."""
    press.error = NotInstalled("Reports as PDF need an extra.", param="format")
    refused = await client.with_key(SECRETS.admin).get(f"{NOVEMBER}?format=pdf")
    assert (refused.status, refused.json["error"]["code"]) == (501, "not_installed")


async def test_it_tells_how_reports_stand_that_went_out_by_themselves(
    client: Client, auditor: str, store: Store
) -> None:
    """Sent, waiting, or failing and why; to a tenant of its own alone, and to a plain key of none."""
    outbox = store.report_outbox
    for name, tenant in (("whole", None), ("acme", "acme")):
        data = {"report": name, "month": "2026-10", "tenant": tenant}
        event = f"report:{name}:2026-10"
        notice = Notice(event_id=event, kind="report.monthly", text="", occurred_at_us=0, data=data)
        await outbox.announce([notice], [f"{name}:email", f"{name}:webhook"])
    for delivery in await outbox.claim(limit=4, lease_us=1):
        if delivery.channel == "whole:email":
            await outbox.delivered(delivery)
        if delivery.channel == "acme:webhook":
            await outbox.postpone(delivery, 60_000_000, "the webhook answered 500")
    told = (await client.with_key(SECRETS.admin).get("/reports")).json["data"]
    shown = [(one["report"], one["channel"], one["status"], one["attempts"], one["failure"]) for one in told]
    assert shown == [
        ("acme", "email", "waiting", 1, None),
        ("acme", "webhook", "failing", 1, "the webhook answered 500"),
        ("whole", "email", "sent", 1, None),
        ("whole", "webhook", "waiting", 1, None),
    ]
    assert [one["next_try_at"] is None for one in told] == [one["sent_at"] is not None for one in told]
    assert {one["month"] for one in told} == {"2026-10"}
    own = (await client.with_key(auditor).get("/reports")).json["data"]
    assert [one["report"] for one in own] == ["acme", "acme"]
    assert (await client.with_key(SECRETS.acme).get("/reports")).status == 403
