"""Which models can be asked, in three shapes."""

from __future__ import annotations

import pytest

from farthing.domain.catalogue import VIRTUAL_MODELS
from tests.servers.asgi import Client
from tests.unit.http.conftest import SECRETS

DEMO = ["demo/small", "demo/medium", "demo/large"]
ANTHROPIC = [("anthropic-version", "2023-06-01")]


async def test_models_in_openais_shape(open_client: Client) -> None:
    """The virtual ones first, each with its owner."""
    listed = (await open_client.get("/v1/models")).json
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == [*VIRTUAL_MODELS, *DEMO]
    assert listed["data"][0] == {"id": "auto", "object": "model", "created": 0, "owned_by": "farthing"}
    assert listed["data"][-1] == {"id": "demo/large", "object": "model", "created": 0, "owned_by": "demo"}


async def test_models_in_anthropics_shape(open_client: Client) -> None:
    """For whoever sends that vendor's version header."""
    listed = (await open_client.get("/v1/models", ANTHROPIC)).json
    assert [model["id"] for model in listed["data"]] == [*VIRTUAL_MODELS, *DEMO]
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "auto", "demo/large")
    assert listed["data"][0] == {
        "type": "model",
        "id": "auto",
        "display_name": "auto",
        "created_at": "1970-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(("path", "found"), [("demo/small", "demo/small"), ("auto", "auto"), ("farthing/auto", None)])
async def test_one_model_is_found_by_its_name(open_client: Client, path: str, found: str | None) -> None:
    """Slashes included, in both shapes."""
    answer = await open_client.get(f"/v1/models/{path}")
    assert (answer.status, answer.json["id"]) == (200, found or path)
    assert (await open_client.get(f"/v1/models/{path}", ANTHROPIC)).json["type"] == "model"


async def test_a_key_sees_the_models_it_may_use(client: Client) -> None:
    """A model outside of its list is as unknown as one that does not exist."""
    narrow = client.with_key(SECRETS.small_only)
    listed = (await narrow.get("/v1/models")).json["data"]
    assert [model["id"] for model in listed] == ["farthing/complexity", "demo/small"]
    assert list((await narrow.get("/providers")).json["models"]) == ["demo/small"]
    answers = [await narrow.get(f"/v1/models/{name}") for name in ("demo/large", "demo/never")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].body.replace(b"demo/large", b"") == answers[1].body.replace(b"demo/never", b"")


@pytest.mark.parametrize("path", ["/providers", "/v1/providers"])
async def test_providers_tell_prices_tiers_and_health(open_client: Client, path: str) -> None:
    """For each model, in US dollars per million tokens."""
    answer = (await open_client.get(path)).json
    assert (answer["enabled_providers"], answer["demo"]) == (["demo"], True)
    assert list(answer["models"]) == DEMO
    assert answer["models"]["demo/small"] == {
        "provider": "demo",
        "upstream": "demo/small",
        "tier": "simple",
        "routed": True,
        "context_tokens": 32_768,
        "max_output_tokens": 4_096,
        "capabilities": ["json", "tools"],
        "priced": True,
        "price_version": answer["models"]["demo/small"]["price_version"],
        "input_usd_per_mtok": 0.1,
        "cached_input_usd_per_mtok": 0.1,
        "output_usd_per_mtok": 0.4,
        "health": "closed",
    }
