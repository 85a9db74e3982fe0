"""What a request shows of itself."""

from __future__ import annotations

from farthing.dialects import UPSTREAM
from farthing.gateway.breaker import Breaker
from farthing.gateway.candidate import Candidate
from tests.unit.gateway.rig import Rig, chat


def test_a_request_shows_neither_key_nor_words() -> None:
    """Where it is printed or logged."""
    shown = repr(Rig([]).call(chat("canary"), key="sk-canary"))
    assert shown == "Call('request-1', '/v1/chat/completions')"


def test_where_a_model_is_reached_shows_no_key() -> None:
    """Nor what else its vendor is sent with each request."""
    rig = Rig([])
    snapshot = rig.snapshots.current
    model = snapshot.catalogue.models["small"]
    provider = snapshot.providers[model.provider]
    candidate = Candidate(model, provider, UPSTREAM["openai"], ((b"authorization", b"canary"),), Breaker(rig.clock))
    assert repr(candidate) == f"Candidate('small', {provider!r})"
