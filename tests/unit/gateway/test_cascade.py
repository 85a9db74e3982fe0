"""A cheap model answers first where a rule allows it; what it cannot be sure of another answers, in one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from farthing.domain.budget import Budget
from farthing.domain.chat import Usage
from farthing.domain.errors import Unavailable, UpstreamError, UpstreamUnreachable
from farthing.domain.exchange import Charge, Exchange, Intent, broken_cost
from farthing.domain.routing.rules import Rule
from farthing.domain.scope import Scope
from farthing.gateway.delivery import StreamReply
from farthing.ports import UpstreamRequest
from farthing.providers.fake import Behaviour, answer, break_off, hang, overload
from tests.unit.gateway.rig import MODELS, Rig, chat, completion, drained, events
from tests.unit.gateway.test_budgets import limited

NANO = {name: price * 1_000 for name, _, price in MODELS}
"""What a token costs at each model: 1, 3 and 10; an answer has 15."""
LONG = "A long answer. " * 20
TOKENS = Usage(prompt=10, completion=5)
RULE = Rule(name="all", scope=Scope("key", "k1"), cascade=True)


class Vendor:
    """Answers each model's questions in turn, and remembers them."""

    def __init__(self, **said: list[str | Behaviour]) -> None:
        self.said = said
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: UpstreamRequest) -> Behaviour:
        """The next answer of this model, as a stream where one is wanted."""
        body = json.loads(request.body)
        self.asked.append(body)
        said = self.said[body["model"]].pop(0)
        if not isinstance(said, str):
            return said
        return answer(*events()) if body.get("stream") else answer(completion(said, model=body["model"]))

    @property
    def models(self) -> list[str]:
        """Those that were asked, in order."""
        return [body["model"] for body in self.asked]


def ruled(vendor: Callable[[UpstreamRequest], Behaviour], **rule: Any) -> Rig:
    """A gateway under a rule that allows the cascade."""
    rig = Rig(vendor, strategy="hybrid")
    rig.snapshots.swap(replace(rig.snapshots.current, rules=(replace(RULE, **rule),)))
    return rig


async def row_of(rig: Rig, text: str = "What is the capital of France?", **more: Any) -> Exchange:
    """The record of one request to the gateway's choice."""
    wishes = {name: more.pop(name) for name in ("max_cost", "cache", "quality_floor") if name in more}
    await rig.ask(chat(text, **{"model": "auto", **more}), **wishes)
    return rig.journal.settled[-1]


def told(row: Exchange) -> dict[str, Any]:
    """What the record says of the cascade."""
    metadata = json.loads(str(row.decision))["metadata"]
    assert isinstance(metadata, dict)
    return metadata.get("cascade") or {}


async def test_two_answers_that_agree_are_enough() -> None:
    """The first is served; the second is paid for beside it, to the nano-dollar."""
    vendor = Vendor(small=["Paris.", "**paris**"])
    row = await row_of(ruled(vendor))
    assert vendor.models == ["small", "small"]
    assert (row.status, row.model, row.cost, row.usage) == ("ok", "small", 30 * NANO["small"], TOKENS)
    first, second = row.attempts
    assert (first.charge, first.outcome) == (UNSET, UNSET)
    assert second.outcome == "check"
    assert second.charge == Charge(usage=TOKENS, cost=15 * NANO["small"], price_version="test")
    assert (row.strategy, (row.reason or "").partition("; nothing learned yet. small was asked first")[2]) == (
        "hybrid",
        ", and its answer passed its check (agreement 1.00: 0.81 to be good, of 0.70).",
    )
    assert told(row) == {
        "first": "small",
        "then": "middle",
        "check": "agreement",
        "score": 1.0,
        "expected": 0.5,
        "weight": 0.5,
        "belief": 0.8134,
        "least": 0.7,
        "served": "small",
        "obstacle": None,
    }


async def test_of_two_that_disagree_none_is_served() -> None:
    """The better model answers, all three calls are in the row's cost, and the answer is kept once."""
    vendor = Vendor(small=["Paris", "Lyon"], middle=["Paris"])
    rig = ruled(vendor)
    row = await row_of(rig, cache=True)
    assert vendor.models == ["small", "small", "middle"]
    assert (row.model, row.cost, row.usage) == ("middle", 30 * NANO["small"] + 15 * NANO["middle"], TOKENS)
    assert [(one.outcome, one.charge is UNSET) for one in row.attempts] == [
        ("unserved", False),
        ("check", False),
        (UNSET, True),
    ]
    assert (told(row)["served"], told(row)["score"]) == ("middle", 0.0)
    [entry] = rig.cache.entries.values()
    assert (entry.model, entry.stream, json.loads(entry.body)["model"]) == ("middle", False, "middle")


async def test_a_kill_in_between_loses_nothing() -> None:
    """Each step of the journal holds all that was charged until then, and an estimate of what is being asked."""
    rig = ruled(Vendor(small=["Paris", "Lyon"], middle=["Paris"]))
    await row_of(rig)
    asked, answered, checking, checked, last = [each.exchange for each in rig.journal.intents]
    tokens_in = asked.usage.prompt
    small, middle = NANO["small"], NANO["middle"]
    assert [each.cost for each in (asked, answered, checking, checked, last)] == [
        tokens_in * small,
        15 * small,
        (15 + tokens_in) * small,
        30 * small,
        30 * small + tokens_in * middle,
    ]
    assert {each.status for each in (asked, answered, checking, checked, last)} == {"interrupted"}


@pytest.mark.parametrize(
    ("doubt", "model", "score"),
    [("95", "small", 0.95), ("I am 30% sure.", "middle", 0.3), ("Hard to say.", "middle", None)],
)
async def test_a_longer_answer_is_doubted_by_its_own_model(doubt: str, model: str, score: float | None) -> None:
    """It says how sure it is: one number, asked for with the conversation before it, in a few tokens."""
    vendor = Vendor(small=[LONG, doubt], middle=[LONG])
    row = await row_of(ruled(vendor), max_tokens=500)
    assert (row.model, told(row)["check"], told(row)["score"]) == (model, "self_check", score)
    question = vendor.asked[1]
    assert [(each["role"], each["content"]) for each in question["messages"][:2]] == [
        ("user", "What is the capital of France?"),
        ("assistant", LONG),
    ]
    assert (question["max_tokens"], "stream" in question) == (16, False)


async def test_the_question_of_a_check_is_held_for_and_estimated_as_itself() -> None:
    """Not as the caller's, which is shorter."""
    bare = json.loads(completion("70"))
    del bare["usage"]
    rig = ruled(Vendor(small=[LONG, answer(json.dumps(bare).encode())], middle=[LONG]))
    row = await row_of(rig)
    checking = rig.journal.intents[2].exchange
    charge = row.attempts[1].charge
    assert isinstance(charge, Charge)
    assert checking.usage.prompt == charge.usage.prompt > 2 * rig.journal.intents[0].exchange.usage.prompt
    assert row.usage.estimated


async def test_what_says_nothing_is_not_checked() -> None:
    """There is nothing to be sure of."""
    vendor = Vendor(small=[" "], middle=["Paris"])
    row = await row_of(ruled(vendor))
    assert (vendor.models, told(row)["check"]) == (["small", "middle"], None)


async def test_a_check_that_fails_leaves_the_answer_unsure() -> None:
    """So the better model is asked."""
    row = await row_of(ruled(Vendor(small=["Paris", overload()], middle=["Paris"])))
    assert (row.status, row.model, told(row)["score"]) == ("ok", "middle", None)
    assert (row.reason or "").endswith("its answer did not pass a check: middle was asked.")


@pytest.mark.parametrize(
    ("failure", "cost"), [(overload(), 30 * NANO["small"]), (answer(b"<html>"), None), (hang(), None)]
)
async def test_where_the_better_model_fails_the_cheap_answer_is_served(failure: Behaviour, cost: int | None) -> None:
    """What the failure was charged is in the cost as well."""
    rig = ruled(Vendor(small=["Paris", "Lyon"], middle=[failure]))
    limited(rig)
    row = await row_of(rig)
    assert (row.status, row.model, row.usage.completion, told(row)["served"]) == ("ok", "small", 5, "small")
    lost = row.attempts[2]
    assert (lost.error, lost.outcome) == (told(row)["obstacle"], UNSET)
    charged = 0 if lost.charge is UNSET else lost.charge.cost or 0
    assert row.cost == 30 * NANO["small"] + charged
    assert (charged == 0) == (cost is not None)
    [account] = rig.ledger.accounts.values()
    assert (account.spent, account.held) == (row.cost, 0)


async def test_a_resting_model_is_not_asked() -> None:
    """The cheap answer is served."""
    rig = ruled(Vendor(small=["Paris", "Lyon"]))
    breaker = rig.breakers.of("fake", "middle")
    while breaker.admits():
        breaker.failed(UpstreamUnreachable("away"))
    row = await row_of(rig)
    assert (row.model, told(row)["obstacle"]) == ("small", "no_healthy_deployment")


async def test_a_second_answer_that_no_budget_holds_is_not_bought() -> None:
    """The first is held for, served and booked; so is the check."""
    rig = ruled(Vendor(small=["Paris", "Lyon"]))
    limited(rig, scope="model", subject="middle", limit=1, spent=1)
    row = await row_of(rig)
    assert (row.status, row.model, told(row)["obstacle"], row.cost) == (
        "ok",
        "small",
        "insufficient_quota",
        30 * NANO["small"],
    )


async def test_the_budget_of_the_model_that_is_served_pays() -> None:
    """For all calls, as the row says; that of the model that failed pays nothing."""
    rig = ruled(Vendor(small=["Paris", "Lyon"], middle=[answer(b"<html>")]))
    facts: dict[str, Any] = {"scope": "model", "limit": 10**9, "tenant": "acme", "window": "total"}
    budgets = [Budget(id=name, subject=name, **facts) for name in ("small", "middle")]
    rig.ledger.load(budgets, {"small": 0, "middle": 0}, today={}, at_us=rig.clock.now_us())
    row = await row_of(rig)
    spent = sorted((account.spent, account.held) for account in rig.ledger.accounts.values())
    assert (row.model, spent) == ("small", [(0, 0), (row.cost, 0)])


async def test_a_second_answer_that_cannot_be_journaled_is_not_bought() -> None:
    """Nor is the check, where there is no room for it; the first answer stands."""
    rig = ruled(Vendor(small=["Paris", "Lyon"]))
    opened = rig.journal.open

    def full(intent: Intent) -> None:
        if len(rig.journal.intents) == 3:
            raise Unavailable("The disk is full.", code="accounting_unavailable")
        opened(intent)

    rig.journal.open = full  # type: ignore[method-assign]
    row = await row_of(rig)
    assert (row.status, row.model, row.cost) == ("ok", "small", 30 * NANO["small"])
    assert told(row)["obstacle"] == "accounting_unavailable"


async def test_no_second_answer_is_begun_that_has_no_time_left() -> None:
    """A model that has less than the first one took is not asked."""
    slow = Behaviour(chunks=((31.0, completion("Paris")),))
    row = await row_of(ruled(Vendor(small=[slow, "Lyon"])))
    assert (row.model, told(row)["obstacle"], len(row.attempts)) == ("small", "upstream_timeout", 2)


async def test_who_leaves_pays_for_what_was_asked() -> None:
    """The first answer, the check, and the question to the better model."""
    rig = ruled(Vendor(small=["Paris", "Lyon"], middle=[Behaviour(chunks=((9.0, b"{"),), ending="hanging")]))
    task = asyncio.ensure_future(rig.ask(chat("What is the capital of France?", model="auto")))
    while len(rig.journal.intents) < 5:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [row] = rig.journal.settled
    assert (row.status, row.model, row.cost) == ("cancelled", "middle", rig.journal.intents[-1].exchange.cost)


async def test_where_the_cheap_model_fails_its_fallback_answers_unchecked() -> None:
    """As without the cascade."""
    vendor = Vendor(small=[overload()], middle=["Paris"])
    row = await row_of(ruled(vendor))
    assert (vendor.models, row.model, told(row)) == (["small", "middle"], "middle", {})


async def test_streams_are_left_alone_unless_they_may_start_late() -> None:
    """They go straight to the plan's choice."""
    vendor = Vendor(small=["Paris"])
    row = await row_of(ruled(vendor), stream=True)
    assert (vendor.models, row.model, told(row)) == (["small"], "small", {})


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
async def test_a_stream_that_may_start_late_tells_the_checked_answer(options: dict[str, Any]) -> None:
    """Bought whole, told and kept as what it is; a second caller is told the same."""
    vendor = Vendor(small=["Paris", "Paris"])
    rig = ruled(vendor, cascade_streams=True)
    body = chat("What is the capital of France?", model="auto", stream=True, **options)
    said = await rig.ask(body, cache=True)
    assert b'"content":"Paris"' in said
    assert said.endswith(b"data: [DONE]\n\n")
    assert (b"usage" in said) == bool(options)
    assert [("stream_options" in each, each.get("stream", False)) for each in vendor.asked] == [(False, False)] * 2
    [entry] = rig.cache.entries.values()
    assert not entry.stream
    assert await rig.ask(body, cache=True) == said.replace(b"request-1", b"request-2")
    assert [(row.status, row.stream, row.model) for row in rig.journal.settled] == [
        ("ok", True, "small"),
        ("cached", True, "small"),
    ]


async def test_the_better_models_stream_is_told_as_it_comes() -> None:
    """Only the checks are waited for."""
    vendor = Vendor(small=["Paris", "Lyon"], middle=["as a stream"])
    rig = ruled(vendor, cascade_streams=True)
    reply = await rig.pipeline.run(rig.call(chat("What is the capital of France?", model="auto", stream=True)))
    assert isinstance(reply, StreamReply)
    assert not rig.journal.settled
    assert b"w4 " in await drained(reply)
    [row] = rig.journal.settled
    assert (row.model, row.cost) == ("middle", 30 * NANO["small"] + 15 * NANO["middle"])


async def test_identical_streams_share_one_cascade() -> None:
    """The second caller pays nothing."""
    vendor = Vendor(small=["Paris", "Paris"])
    rig = ruled(vendor, cascade_streams=True)
    body = chat("What is the capital of France?", model="auto", stream=True)
    first, second = await asyncio.gather(rig.ask(body, cache=True), rig.ask(body, cache=True))
    assert first.replace(b"request-1", b"") == second.replace(b"request-2", b"")
    assert sorted((row.status, row.cost) for row in rig.journal.settled) == [("cached", 0), ("ok", 30 * NANO["small"])]


@pytest.mark.parametrize(
    "more",
    [
        {"model": "small"},
        {"model": "farthing/complexity"},
        {"n": 2},
        {"max_cost": 10_000_000_000},
        {"quality_floor": 0.1},
    ],
)
async def test_what_it_cannot_be_is_no_cascade(more: dict[str, Any]) -> None:
    """By name, another strategy, several answers, a limit for all calls together, a floor on no knowledge."""
    vendor = Vendor(small=["Paris"])
    row = await row_of(ruled(vendor), **more)
    assert (len(vendor.asked), told(row)) == (1, {})


async def test_a_rule_must_allow_it() -> None:
    """Without, a request under a rule is as any other."""
    vendor = Vendor(small=["Paris"])
    row = await row_of(ruled(vendor, cascade=False))
    assert (vendor.models, told(row)) == (["small"], {})


async def test_the_native_answer_tells_of_it() -> None:
    """In its routing metadata: each attempt and what it was for, and the verdict."""
    rig = ruled(Vendor(small=["Paris", "Lyon"], middle=["Paris"]))
    said = json.loads(await rig.ask({"prompt": "Capital of France?", "auto_route": True}, dialect="native"))
    routing = said["routing_metadata"]
    assert [(each["model"], each["outcome"]) for each in routing["attempts"]] == [
        ("small", "unserved"),
        ("small", "check"),
        ("middle", None),
    ]
    assert (routing["cascade"]["served"], said["model"], said["strategy_used"]) == ("middle", "middle", "hybrid")


FAILURES = {
    "busy": overload(),
    "garbage": answer(b"data: <>\n\n"),
    "silent": break_off(b": \n\n"),
    "late": hang(),
}
KINDS = ("Paris", "Lyon", LONG, "90", " ", *FAILURES)


@settings(max_examples=40, deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=4, max_size=4), stream=st.booleans())
async def test_what_is_booked_is_what_was_charged(kinds: list[str], stream: bool) -> None:
    """To the nano-dollar, in the row, its parts, the budget and the journal, whatever becomes of the calls."""
    left, bill = list(kinds), 0

    def vendor(request: UpstreamRequest) -> Behaviour:
        nonlocal bill
        body = json.loads(request.body)
        kind = left.pop(0) if left else "Paris"
        read = rig.journal.intents[-1].exchange.usage.prompt
        bill += {"busy": 0, "garbage": read, "silent": read, "late": read}.get(kind, 15) * NANO[body["model"]]
        fine = answer(*events()) if body.get("stream") else answer(completion(kind))
        return FAILURES.get(kind, fine)

    rig = ruled(vendor, cascade_streams=stream)
    limited(rig)
    with suppress(UpstreamError):
        await rig.ask(chat("What is the capital of France?", model="auto", stream=stream))
    [row] = rig.journal.settled
    [account] = rig.ledger.accounts.values()
    assert (row.cost, account.spent, account.held) == (bill, bill, 0)
    price = rig.snapshots.current.catalogue.models[row.model or ""].price
    assert price is not None
    assert price.cost(row.usage) + (broken_cost(row.attempts) or 0) == bill
