"""Whether the gateway lives, is ready and is well."""

from __future__ import annotations

import pytest

from farthing.app.application import VERSION, create_app
from farthing.domain.errors import Unavailable
from farthing.settings import Settings
from farthing.store import Store
from tests.servers.asgi import Client, lifespan, own_logging
from tests.unit.http.conftest import SECRETS


async def test_probes_tell_nothing_but_the_state(client: Client) -> None:
    """No version, no detail, no key needed."""
    for path in ("/livez", "/readyz"):
        answer = await client.get(path)
        assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


async def test_a_gateway_is_ready_between_its_start_and_its_end(settings: Settings) -> None:
    """It lives as long as it answers."""
    with own_logging():
        client = Client(create_app(settings))
        unready = [await client.get("/readyz")]
        async with lifespan(client.application):
            assert (await client.get("/readyz")).status == 200
        unready.append(await client.get("/readyz"))
        assert [(answer.status, answer.json) for answer in unready] == [(503, {"status": "unavailable"})] * 2
        assert (await client.get("/livez")).status == 200


async def test_a_gateway_that_is_well_says_so(client: Client) -> None:
    """To whoever has a key."""
    answer = (await client.with_key(SECRETS.acme).get("/health")).json
    assert answer == {
        "status": "ok",
        "database": "ok",
        "redis": "off",
        "providers": {"demo": "closed"},
        "version": VERSION,
        "demo": True,
        "prices": {"source": "demo", "newest": None},
    }


async def test_without_its_database_it_is_degraded(open_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It still answers 200: requests are served."""

    async def ping(_: Store) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(Store, "ping", ping)
    answer = await open_client.get("/health")
    assert (answer.status, answer.json["status"], answer.json["database"]) == (200, "degraded", "away")


async def test_prometheus_reads_the_figures(open_client: Client) -> None:
    """In its text format, counted up to the last request."""
    said = {"model": "demo/small", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await open_client.post("/v1/chat/completions", said)).status == 200
    answer = await open_client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.body.decode().splitlines()
    assert 'farthing_requests_total{cache="off",model="demo/small",provider="demo",status="ok"} 1.0' in lines
    assert f'farthing_build_info{{version="{VERSION}"}} 1.0' in lines
    assert "farthing_open_holds 0.0" in lines


async def test_hot_routes_need_the_lifespan(settings: Settings) -> None:
    """Before the start there is nothing to answer with."""
    with own_logging():
        application = create_app(settings)
        with pytest.raises(RuntimeError, match="lifespan"):
            await Client(application).post("/complete", {"prompt": "x"})
