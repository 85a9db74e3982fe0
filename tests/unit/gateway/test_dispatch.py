"""Which models are asked, in which order, with what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.dialects import INBOUND
from farthing.domain.budget import Budget
from farthing.domain.errors import (
    InsufficientQuota,
    InvalidRequest,
    NoHealthyDeployment,
    Unavailable,
    UpstreamError,
    UpstreamInterrupted,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from farthing.gateway.breaker import FAILURES_TO_OPEN
from farthing.gateway.delivery import StreamReply
from farthing.providers.fake import Behaviour, answer, break_off, hang, overload, refuse
from tests.unit.gateway.rig import DEADLINES, Rig, chat, completion, drained, events


def asked(rig: Rig) -> list[str]:
    """The models that were asked, in order."""
    return [json.loads(request.body)["model"] for request in rig.transport.requests]


async def test_the_next_model_of_the_plan_is_asked_after_a_failure() -> None:
    """The caller gets the first answer, and the record tells of every try."""
    rig = Rig([overload(), refuse(), answer(completion(model="large"))])
    body = json.loads(await rig.ask(chat(model="auto")))
    assert (asked(rig), body["model"]) == (["small", "middle", "large"], "large")
    attempts = [(attempt.model, attempt.error) for attempt in rig.journal.settled[0].attempts]
    assert attempts == [("small", "upstream_overloaded"), ("middle", "upstream_unreachable"), ("large", None)]
    assert rig.journal.settled[0].model == "large"


async def test_a_concrete_model_is_never_rerouted() -> None:
    """It is asked a second time, and then the caller learns that it cannot."""
    rig = Rig([refuse(), refuse(), answer(completion())])
    with pytest.raises(Exception, match="refuses connections"):
        await rig.ask(chat())
    assert asked(rig) == ["small", "small"]


async def test_a_repeat_can_succeed() -> None:
    """One hiccup of the only candidate stays unseen."""
    rig = Rig([overload(), answer(completion())])
    assert json.loads(await rig.ask(chat()))["id"] == "up-1"


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (hang(), UpstreamTimeout),
        (break_off(), UpstreamInterrupted),
        (answer(b"<html>"), UpstreamInvalid),
        (answer(b"{}", status=401), UpstreamUnauthorized),
    ],
)
async def test_who_may_have_charged_or_will_not_change_its_mind_is_not_asked_again(
    behaviour: Behaviour, error: type[Exception]
) -> None:
    """Only a provider that was not reached, or had no capacity, is asked twice."""
    rig = Rig(lambda _: behaviour)
    with pytest.raises(error):
        await rig.ask(chat())
    assert asked(rig) == ["small"]


async def test_a_long_wish_for_a_pause_is_passed_on() -> None:
    """The caller gets the 429 with the pause, and until then nobody else asks."""
    rig = Rig([answer(b"{}", status=429, headers={"retry-after": "30"})])
    with pytest.raises(UpstreamRateLimited) as caught:
        await rig.ask(chat())
    assert caught.value.retry_after == 30
    with pytest.raises(NoHealthyDeployment) as resting:
        await rig.ask(chat())
    assert (resting.value.retry_after, asked(rig)) == (30, ["small"])


async def test_a_wish_for_a_pause_is_over_when_it_is_over() -> None:
    """A second later the same deployment answers."""
    rig = Rig([answer(b"{}", status=429, headers={"retry-after": "1"}), answer(completion())])
    with pytest.raises(UpstreamRateLimited):
        await rig.ask(chat())
    rig.clock.advance(1)
    assert json.loads(await rig.ask(chat()))["id"] == "up-1"


async def test_repeats_end_when_their_budget_is_spent() -> None:
    """In a storm of failures at most a tenth of the requests is asked twice."""
    rig = Rig(lambda _: answer(b"{}", status=503, headers={"retry-after": "0"}))
    for _ in range(40):
        with pytest.raises((UpstreamOverloaded, NoHealthyDeployment)):
            await rig.ask(chat())
        rig.breakers.of("fake", "small").succeeded()
    assert len(asked(rig)) == 40 + 13


async def test_a_rejected_request_is_not_tried_elsewhere() -> None:
    """Nobody else would take it either."""
    rig = Rig([answer(b'{"error": {"message": "bad"}}', status=400), answer(completion())])
    with pytest.raises(UpstreamRejected):
        await rig.ask(chat(model="auto"))
    assert asked(rig) == ["small"]


async def test_a_key_that_the_provider_refuses_is_our_fault() -> None:
    """The caller is not told that the caller's key is wrong."""
    rig = Rig(lambda _: answer(b'{"error": {"message": "bad key sk-upstream"}}', status=401))
    with pytest.raises(UpstreamUnauthorized) as caught:
        await rig.ask(chat())
    assert caught.value.status == 502
    assert "sk-upstream" not in caught.value.message


async def test_resting_models_are_passed_over() -> None:
    """Once the small model rests, the next one is asked at once."""
    rig = Rig(lambda request: overload() if b'"small"' in request.body else answer(completion()))
    for _ in range(FAILURES_TO_OPEN):
        await rig.ask(chat(model="auto"))
    await rig.ask(chat(model="auto"))
    assert asked(rig) == ["small", "middle"] * FAILURES_TO_OPEN + ["middle"]


async def test_not_all_of_several_models_are_given_up() -> None:
    """When all rest, the one that will be back first is asked; what it answers ends its rest."""
    rig = Rig([overload()] * 3 * FAILURES_TO_OPEN + [answer(completion())])
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(UpstreamOverloaded):
            await rig.ask(chat(model="auto"))
    assert {rig.breakers.of("fake", name).state for name in ("small", "middle", "large")} == {"open"}
    await rig.ask(chat(model="auto"))
    assert asked(rig) == ["small", "middle", "large"] * FAILURES_TO_OPEN + ["small"]
    assert rig.breakers.of("fake", "small").state == "closed"


async def test_a_vendor_that_wished_for_a_pause_is_not_pressed() -> None:
    """Though nobody else is left."""
    rig = Rig([])
    for name in ("small", "middle", "large"):
        rig.breakers.of("fake", name).failed(UpstreamOverloaded("busy", retry_after=30))
    with pytest.raises(NoHealthyDeployment):
        await rig.ask(chat(model="auto"))
    assert asked(rig) == []


async def test_a_stream_that_breaks_before_its_first_word_falls_back() -> None:
    """The caller never sees the broken one."""
    rig = Rig([break_off(events()[0][:10]), answer(*events())])
    assert (await rig.ask(chat(model="auto", stream=True))).endswith(b"data: [DONE]\n\n")
    assert asked(rig) == ["small", "middle"]


async def test_an_empty_stream_falls_back() -> None:
    """An upstream that ends before it began has not answered."""
    rig = Rig([answer(b": hello\n\n"), answer(*events())])
    assert (await rig.ask(chat(model="auto", stream=True))).endswith(b"data: [DONE]\n\n")


async def test_nonsense_falls_back_and_is_named_when_nobody_answers() -> None:
    """HTML with status 200 is no answer."""
    rig = Rig(lambda _: answer(b"<html>"))
    with pytest.raises(UpstreamInvalid):
        await rig.ask(chat(model="auto"))
    assert asked(rig) == ["small", "middle", "large"]


async def test_the_total_deadline_counts_from_the_arrival() -> None:
    """A second try has less time than the first."""
    rig = Rig([hang(), answer(completion())])
    await rig.ask(chat(model="auto"))
    totals = [request.deadlines.total for request in rig.transport.requests]
    assert totals == [DEADLINES.total, DEADLINES.total - DEADLINES.first_token]


async def test_the_callers_own_bytes_go_up_and_the_vendors_come_back() -> None:
    """Same dialect on both sides: neither is rewritten."""
    raw = b'{ "model":"small" ,"messages":[{"role":"user","content":"\\u00e9"}],"x":{"z":[1.50,1E2]} }'
    odd = completion()[:-1] + b', "vendor_field": {"z": 1.50} }'
    rig = Rig([answer(odd)])
    reply = await rig.pipeline.run(rig.call(raw))
    assert (rig.transport.requests[0].body, getattr(reply, "body", None)) == (raw, odd)


EMBEDDINGS = INBOUND["embeddings"]


@pytest.mark.parametrize(
    ("body", "wishes"),
    [
        ({**chat(), "logit_bias": {"5": 1}}, {}),
        ({"model": "small", "input": "?"}, {"route": "/v1/embeddings", "dialect": EMBEDDINGS}),
    ],
)
async def test_what_a_vendor_has_no_words_for_costs_nothing(body: dict[str, Any], wishes: dict[str, Any]) -> None:
    """Nobody is asked, so that nothing is noted but the refusal."""
    rig = Rig([], dialect="anthropic")
    with pytest.raises(InvalidRequest):
        await rig.pipeline.run(replace(rig.call(body), **wishes))
    (refused,) = rig.journal.settled
    assert (refused.status, refused.cost, refused.attempts) == ("rejected", 0, ())
    assert rig.journal.intents == []


async def test_what_is_no_json_in_an_answer_becomes_null() -> None:
    """A vendor's -Infinity would break every client."""
    odd = completion().replace(b'"finish_reason"', b'"logprobs": {"content": [-Infinity, NaN]}, "finish_reason"')
    rig = Rig([answer(odd)])
    assert json.loads(await rig.ask(chat()))["choices"][0]["logprobs"] == {"content": [None, None]}


async def test_the_key_sent_up_is_the_providers() -> None:
    """The caller's key never travels on."""
    rig = Rig([answer(completion())])
    await rig.ask(chat())
    headers = dict(rig.transport.requests[0].headers)
    assert headers[b"authorization"] == b"Bearer sk-upstream"
    assert not any(b"sk-known" in value for value in headers.values())


async def test_nothing_is_asked_that_cannot_be_noted() -> None:
    """A journal that refuses stops the request before a byte goes up."""
    rig = Rig([answer(completion())])
    rig.journal.refusal = Unavailable("full", code="accounting_unavailable")
    with pytest.raises(Unavailable):
        await rig.ask(chat())
    assert (rig.transport.requests, [e.status for e in rig.journal.settled]) == ([], ["rejected"])


def budget(rig: Rig, limit: int) -> None:
    """A hard budget for the rig's key, in nano-dollars."""
    budget = Budget(id="b", tenant="acme", scope="key", subject="k1", window="total", limit=limit)
    rig.ledger.load([budget], {}, today={}, at_us=rig.clock.now_us())


async def test_a_fallback_that_the_budget_does_not_hold_is_no_candidate() -> None:
    """The caller learns why the model that fits failed; the dearer one is not asked and not in the record."""
    rig = Rig([overload(), answer(completion())])
    budget(rig, 600_000)
    with pytest.raises(UpstreamOverloaded):
        await rig.ask(chat(model="auto"))
    assert (asked(rig), rig.ledger.open_holds) == (["small"], 0)
    assert [(a.model, a.error) for a in rig.journal.settled[0].attempts] == [("small", "upstream_overloaded")]


async def test_a_budget_too_small_for_the_first_model_refuses() -> None:
    """Before anything is asked."""
    rig = Rig([])
    budget(rig, 1000)
    with pytest.raises(InsufficientQuota):
        await rig.ask(chat(model="auto"))
    assert [exchange.status for exchange in rig.journal.settled] == ["rejected"]


async def test_a_budget_too_small_for_the_only_healthy_model_refuses() -> None:
    """The small model rests at its vendor's wish, and the next one is too dear."""
    rig = Rig([])
    rig.breakers.of("fake", "small").failed(UpstreamOverloaded("busy", retry_after=30))
    budget(rig, 600_000)
    with pytest.raises(InsufficientQuota):
        await rig.ask(chat(model="auto", max_tokens=250))
    assert (asked(rig), rig.ledger.open_holds) == ([], 0)


async def test_an_unpriced_fallback_never_passes_a_hard_budget() -> None:
    """What it costs cannot be reserved."""
    rig = Rig([overload(), answer(completion())])
    current = rig.snapshots.current
    models = {**current.catalogue.models, "middle": replace(current.catalogue.models["middle"], price=None)}
    del models["large"]
    rig.snapshots.swap(replace(current, catalogue=replace(current.catalogue, models=models)))
    budget(rig, 10_000_000_000)
    with pytest.raises(UpstreamOverloaded):
        await rig.ask(chat(model="auto"))
    assert asked(rig) == ["small"]


@pytest.mark.parametrize("said", [hang(completion()[:50]), break_off(completion()[:50]), answer(b"<html>")])
async def test_what_was_answered_and_cannot_be_read_is_booked(said: Behaviour) -> None:
    """With its status the vendor has begun to charge: the input is counted here, and marked."""
    rig = Rig(lambda _: said)
    with pytest.raises(UpstreamError):
        await rig.ask(chat())
    exchange = rig.journal.settled[0]
    assert (exchange.status, exchange.usage.estimated) == ("error", True)
    assert exchange.cost == exchange.usage.prompt * 1000 > 0


@pytest.mark.parametrize("streams", [False, True])
async def test_the_vendors_own_request_id_is_kept(streams: bool) -> None:
    """Before a stream's first byte as well: it is what the vendor's support asks for."""
    said = events() if streams else [completion()]
    rig = Rig([answer(*said, headers={"x-request-id": "vendor-7"})])
    reply = await rig.pipeline.run(rig.call(chat(stream=streams)))
    assert reply.draft.answered_by[3] == "vendor-7"
    if isinstance(reply, StreamReply):
        await drained(reply)
    assert rig.journal.settled[0].upstream_id == "vendor-7"
