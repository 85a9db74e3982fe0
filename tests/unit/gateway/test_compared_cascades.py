"""What becomes of checked answers: they are compared, not bought again, and tell what a check is worth."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.exchange import Attempt
from farthing.domain.routing.rules import Rule
from farthing.domain.routing.weighing import Weights
from farthing.domain.scope import Scope
from farthing.ports.learning import Finding, Pair
from farthing.providers.fake import Behaviour, answer, overload
from tests.unit.gateway.comparisons import PLENTY, Compared
from tests.unit.gateway.rig import chat, completion, events

ASKED = chat("What is the capital of France?", model="auto")
RULE = Rule(name="all", scope=Scope("key", "k1"), cascade=True, cascade_streams=True)


class Doubted(Compared):
    """The small model contradicts itself, so the middle one answers; the large one judges, and is the baseline."""

    def __init__(self, first: str | bytes = "Lyon", **more: Any) -> None:
        super().__init__(lambda one, other: json.dumps({"first": _grade(one), "second": _grade(other)}), **more)
        self.first = first if isinstance(first, bytes) else completion(first, model="small")
        self.snapshots.swap(
            replace(self.snapshots.current, judge="large", strategy="hybrid", rules=(RULE,), exploration=0.0)
        )

    def _answer(self, request: Any) -> Behaviour:
        body = json.loads(request.body)
        model = body["model"]
        if model == "large":
            self.asked.append((model, body["messages"]))
            shown = json.loads(body["messages"][-1]["content"])
            return answer(completion(self.verdicts(shown["first answer"], shown["second answer"]), model=model))
        said = [model for model, _ in self.asked]
        self.asked.append((model, body["messages"]))
        if model in self.answers:
            return self.answers[model]
        if model == "small":
            return answer(completion("Nice", model="small") if "small" in said else self.first)
        return answer(*events()) if body.get("stream") else answer(completion("Paris", model="middle"))

    @property
    def models(self) -> list[str]:
        """Those that were asked, in order."""
        return [model for model, _ in self.asked]


def _grade(text: str) -> int:
    return 2 if text == "Lyon" else 4


@pytest.mark.parametrize("stream", [False, True])
async def test_both_answers_of_an_escalation_are_compared(*, stream: bool) -> None:
    """They are one request's; only the judge is paid."""
    rig = Doubted()
    asked_us = rig.clock.now_us()
    await rig.ask({**ASKED, "stream": stream})
    assert rig.models == ["small", "small", "middle"]
    await rig.compare()
    assert rig.models == ["small", "small", "middle", "large", "large"]
    [pair] = rig.pairs.kept
    assert pair == Pair(
        request_id="request-1",
        other_request_id="request-1",
        created_at_us=asked_us,
        tenant="acme",
        rule="all",
        pattern="factual",
        served_model="middle",
        other_model="small",
        baseline_model="large",
        served_quality=0.75,
        other_quality=0.25,
        cost=2 * 150_000,
    )
    assert rig.pairs.rated == [("request-1", 4.0, "acme", "judge:large", "judge")]
    assert [row.strategy for row in rig.journal.settled] == ["hybrid", "judge", "judge"]


async def test_what_a_check_has_found_is_noted_with_the_question() -> None:
    """Of which model it was, how sure of it, and what that answer alone has cost; of no check nothing is noted."""
    rig = Doubted()
    await rig.ask(ASKED)
    rig.answers["small"] = answer(completion("Paris", model="small"))
    await rig.ask(ASKED)
    rig.answers["small"] = answer(completion("", model="small"))
    await rig.ask(ASKED)
    await rig.ask(chat("What is the capital of France?", model="small"))
    replaced, passed, *others = rig.lessons.take()
    found = Finding(
        model="small", check="agreement", score=0.0, expected=0.5, belief=0.1866, is_served=False, cost=15_000
    )
    assert (replaced.model, replaced.cost, replaced.checked) == ("middle", 45_000, found)
    better = replace(found, score=1.0, belief=0.8134, is_served=True)
    assert (passed.model, passed.cost, passed.checked) == ("small", 15_000, better)
    assert [lesson.checked for lesson in others] == [None, None]


async def test_what_gave_way_has_its_own_cost_also_where_a_try_before_it_failed() -> None:
    """The one that failed charged nothing."""
    rig = Doubted()
    await rig.ask(ASKED)
    [found] = rig.lessons.take()
    drawn = await rig.shadows.next()
    failed = Attempt(model="small", provider="near", error="overloaded")
    rig.lessons.note(drawn.order, replace(drawn.exchange, attempts=(failed, *drawn.exchange.attempts)))
    [again] = rig.lessons.take()
    assert (again.cost, again.checked) == (found.cost, found.checked)
    assert again.checked is not None
    assert again.checked.cost == 15_000


async def test_no_money_for_shadow_calls_is_needed() -> None:
    """There is none."""
    rig = Doubted(limits=PLENTY | {"shadow": 1})
    await rig.ask(ASKED)
    await rig.compare()
    assert len(rig.pairs.kept) == 1


@pytest.mark.parametrize("first", [completion("Cut", model="small", finish="length"), completion("", model="small")])
async def test_what_was_no_whole_answer_is_not_compared(first: bytes) -> None:
    """Nor is it asked for again."""
    rig = Doubted(first)
    await rig.ask(ASKED)
    asked = len(rig.asked)
    await rig.compare()
    assert (rig.journal.settled[0].model, rig.pairs.kept, len(rig.asked)) == ("middle", [], asked)


async def test_an_answer_that_is_served_after_all_is_compared_with_the_baselines() -> None:
    """As any other: the better model could not answer."""
    rig = Doubted()
    rig.answers["middle"] = overload()
    await rig.ask(ASKED)
    found = await rig.shadows.next()
    assert (found.exchange.model, found.other.name, found.bought) == ("small", "large", None)


@pytest.mark.parametrize(("weight", "model", "second"), [(0.5, "small", "small"), (0.2, "middle", "middle")])
async def test_a_check_counts_for_what_it_has_been_worth(weight: float, model: str, second: str) -> None:
    """Of a model whose answers were hardly better where both were the same, no second one is bought in vain."""
    rig = Doubted("Nice")
    weights = Weights({"agreement": weight})
    rig.snapshots.swap(replace(rig.snapshots.current, check_weights=weights))
    await rig.ask(ASKED)
    [row] = rig.journal.settled
    assert (row.model, json.loads(str(row.decision))["metadata"]["cascade"]["weight"]) == (model, weight)
    assert rig.models == ["small", second]
