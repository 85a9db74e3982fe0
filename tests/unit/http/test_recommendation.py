"""What would be chosen, and why, with nobody asked."""

from __future__ import annotations

import pytest
from fastapi import Request
from msgspec.structs import replace

from farthing.domain.routing import strategies_with
from farthing.embeddings.fake import FakeModel
from farthing.embeddings.waiting import WaitingEmbedder
from farthing.http import recommendation
from farthing.http.services import Services, services_of
from tests.servers.asgi import Client
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.http.conftest import SECRETS

EASY = "What+is+Python?"


async def test_a_recommendation_shows_every_candidate_and_why_it_lost(open_client: Client) -> None:
    """The choice, its reason, and the cost of each model; nothing is spent."""
    answer = (await open_client.get(f"/recommendation?prompt={EASY}")).json
    assert (answer["provider"], answer["model"]) == ("demo", "demo/small")
    assert answer["confidence"] in {"high", "medium", "low"}
    assert answer["metadata"]["complexity"] == "simple"
    candidates = {candidate["model"]: candidate for candidate in answer["candidates"]}
    assert set(candidates) == {"demo/small", "demo/medium", "demo/large"}
    assert all(candidate["reason"] for candidate in candidates.values())
    assert 0 < candidates["demo/small"]["estimated_cost"] < candidates["demo/large"]["estimated_cost"] < 1
    assert (await open_client.get("/stats")).json["overall"]["total_requests"] == 0


@pytest.mark.parametrize(("query", "strategy"), [("", "complexity"), ("&auto_route=true", "hybrid")])
async def test_a_decision_is_made_as_complete_would_make_it(open_client: Client, query: str, strategy: str) -> None:
    """By complexity alone unless the configured strategy is asked for; metadata holds the candidates."""
    answer = (await open_client.get(f"/routing/decision?prompt={EASY}{query}")).json
    assert set(answer) == {"decision", "metadata"}
    assert set(answer["decision"]) == {"provider", "model", "confidence", "strategy_used", "reasoning"}
    assert answer["decision"]["strategy_used"] == strategy
    assert len(answer["metadata"]["candidates"]) == 3
    by_complexity = (await open_client.get(f"/routing/decision?prompt={EASY}&auto_route=false")).json
    assert by_complexity["decision"]["strategy_used"] == "complexity"


async def test_a_key_is_recommended_what_it_may_use(client: Client) -> None:
    """Other models are no candidates that could win."""
    hard = "Prove+that+there+are+infinitely+many+primes,+step+by+step,+and+derive+the+prime+number+theorem"
    narrow = client.with_key(SECRETS.small_only)
    assert (await narrow.get(f"/recommendation?prompt={hard}")).json["model"] == "demo/small"


@pytest.mark.parametrize("path", ["/recommendation", "/routing/decision"])
@pytest.mark.parametrize("query", ["", "?prompt=", f"?prompt={'x' * 100_001}"])
async def test_what_cannot_be_judged_is_refused(open_client: Client, path: str, query: str) -> None:
    """No prompt, an empty one, or one beyond the limit of an address."""
    answer = await open_client.get(path + query)
    assert (answer.status, answer.json["error"]["code"], answer.json["error"]["param"]) == (
        400,
        "invalid_parameter",
        "prompt",
    )


@pytest.mark.parametrize(("floor", "model"), [(None, "demo/large"), ("0.2", "demo/small")])
async def test_what_is_expected_of_each_model_is_shown(
    open_client: Client, monkeypatch: pytest.MonkeyPatch, floor: str | None, model: str
) -> None:
    """Under the floor of the request, as a question under it would be answered; `demo/medium` is not known."""
    told = {"demo/small": 0.75, "demo/large": 0.9}

    def learned(request: Request) -> Services:
        services = services_of(request)
        strategies = strategies_with(Told(told), rated=often(*told))
        services.snapshots.swap(replace(services.snapshots.current, strategies=strategies))
        return services

    monkeypatch.setattr(recommendation, "services_of", learned)
    headers = () if floor is None else (("x-farthing-quality-floor", floor),)
    answer = (await open_client.get(f"/recommendation?prompt={EASY}", headers)).json
    assert (answer["model"], answer["metadata"]["decided_by"]) == (model, "learning")
    assert answer["metadata"]["expected"] == told
    expected = {candidate["model"]: candidate["estimated_quality"] for candidate in answer["candidates"]}
    assert expected == told | {"demo/medium": None}
    intervals = {candidate["model"]: candidate["quality_interval"] for candidate in answer["candidates"]}
    assert intervals == {"demo/small": [0.657, 0.8245], "demo/large": [0.8256, 0.9448], "demo/medium": None}
    assert answer["metadata"]["least"] == (0.88 if floor is None else 0.7)
    decision = (await open_client.get(f"/routing/decision?prompt={EASY}&auto_route=true", headers)).json
    assert decision["decision"]["model"] == model


async def test_a_floor_that_cannot_be_read_is_refused_here_too(open_client: Client) -> None:
    """Nothing is guessed."""
    answer = await open_client.get(f"/recommendation?prompt={EASY}", (("x-farthing-quality-floor", "2"),))
    assert (answer.status, answer.json["error"]["param"]) == (400, "x-farthing-quality-floor")


async def test_a_prompt_is_embedded_before_it_is_judged(open_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what was learned reads embeddings, and not where complexity decides."""
    model = FakeModel()

    def reading(request: Request) -> Services:
        services = services_of(request)
        current = services.snapshots.current
        services.snapshots.swap(replace(current, embedder=WaitingEmbedder(lambda: model)))
        return services

    monkeypatch.setattr(recommendation, "services_of", reading)
    await open_client.get("/routing/decision?prompt=one")
    await open_client.get("/routing/decision?prompt=two&auto_route=true")
    await open_client.get("/recommendation?prompt=three")
    assert model.asked == ["two", "three"]
