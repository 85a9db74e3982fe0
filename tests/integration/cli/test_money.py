"""A model without a price, from its first call to an invoice that agrees, all beside a running gateway."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.servers.application import Served
from tests.servers.command import Farthing
from tests.servers.gateway import Gateway, StartGateway

SECONDS = 20.0
CALLS = 3
PRICE = "input_usd_per_mtok = 2\noutput_usd_per_mtok = 8\ncached_usd_per_mtok = 0.5\n"
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "mystery",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 500_000,
        "completion_tokens": 250_000,
        "total_tokens": 750_000,
        "prompt_tokens_details": {"cached_tokens": 100_000},
    },
}
"""400,000 tokens at $2, 100,000 at $0.50 and 250,000 at $8 per million: $2.85."""


async def answer(request: web.Request) -> web.Response:
    """What the provider says to everything."""
    await request.read()
    return web.json_response(ANSWER)


@pytest.fixture
def settings() -> Iterator[str]:
    """A farthing.toml with one provider and one model that nobody has priced."""
    application = web.Application()
    application.router.add_post("/{path:.*}", answer)
    with Served(application) as served:
        yield (
            f'[providers.local]\ndialect = "openai"\nbase_url = "{served.url}/v1"\n'
            '[[models]]\nname = "mystery"\nprovider = "local"\n'
        )


def fetched(gateway: Gateway, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON at a path, asked for with this body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}{path}", data, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as reply:  # noqa: S310
        found: dict[str, Any] = json.loads(reply.read())
        return found


def usage_after(gateway: Gateway, requests: int) -> dict[str, Any]:
    """The gateway's sums, once they hold so many requests."""
    end = time.monotonic() + SECONDS
    while (total := fetched(gateway, "/v1/usage")["total"])["requests"] < requests:
        assert time.monotonic() < end, total
        time.sleep(0.05)
    return dict(total)


def test_from_an_unpriced_call_to_an_invoice_that_agrees(
    farthing: Farthing, start_gateway: StartGateway, settings: str, postgres_database: str, tmp_path: Path
) -> None:
    """Unknown first, then priced by the command, charged to the tenant with a markup, found on a provider's bill."""
    gateway = start_gateway(settings, database=postgres_database)
    for _ in range(CALLS):
        fetched(
            gateway,
            "/v1/chat/completions",
            {"model": "mystery", "messages": [{"role": "user", "content": "Is it?"}]},
        )
    unknown = usage_after(gateway, CALLS)
    assert (unknown["cost"], unknown["unpriced_requests"]) == (0, CALLS)

    (tmp_path / "farthing.toml").write_text(f"{settings}{PRICE}[plans.pro]\nprice_usd = 5\nmarkup_percent = 10\n")
    environ = {"DATABASE_URL": postgres_database}
    repriced = json.loads(farthing("reprice", "--json", **environ).out)
    assert (repriced["rows"], repriced["cost"], repriced["still_unpriced"]) == (CALLS, 8.55, 0)
    known = fetched(gateway, "/v1/usage")["total"]
    assert (known["cost"], known["unpriced_requests"]) == (8.55, 0)

    now = datetime.now(UTC)
    invoice = farthing("invoice", "local", "--month", f"{now:%Y-%m}", "--plan", "pro", "--json", **environ)
    assert json.loads(invoice.out)["total"] == 14.4

    day, month = f"{now:%Y-%m-%d}", f"{now:%Y-%m}"
    (tmp_path / "bill.csv").write_text(f"date,model,cost_usd\n{day},mystery,8.55\n")
    agreed = farthing("reconcile", "bill.csv", "--provider", "local", "--month", month, **environ)
    assert (agreed.status, agreed.err) == (0, "")
    assert agreed.out.splitlines()[-1].split() == ["total", "$8.55", "$8.55", "$0.00", "+0.00"]
