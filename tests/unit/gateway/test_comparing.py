"""An answer is compared with a second model's, on the gateway's own account and never at the caller's cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.chat import Message, Text
from farthing.domain.errands import errand_budgets
from farthing.domain.errors import Unavailable
from farthing.domain.holding import bid_for
from farthing.domain.judging import question
from farthing.domain.routing.needs import read_needs
from farthing.money.leases import Purse
from farthing.ports.learning import Pair
from farthing.providers.fake import answer, hang
from tests.unit.gateway.comparisons import PLENTY, VERDICT, Compared
from tests.unit.gateway.rig import chat, completion
from tests.unit.money.lessor import MemoryLessor

USER = Message("user", (Text("What is a farthing?"),))
ASKED = chat("What is a farthing?", model="auto")
"""The small model answers it: 10 tokens in and 5 out at $1 a million, of the judge at $3, of the large one at $10."""


def prefers(text: str) -> Any:
    """A judge who knows what is good, wherever it stands."""
    return lambda first, second: json.dumps({"first": 5 if first == text else 2, "second": 5 if second == text else 2})


async def test_the_baseline_is_asked_as_well_and_both_are_judged_twice() -> None:
    """Once in each order; the pair says what both were worth and what it cost to know."""
    rig = Compared(prefers("By large."))
    asked_us = rig.clock.now_us()
    await rig.ask(ASKED)
    assert [model for model, _ in rig.asked] == ["small"]
    await rig.compare()
    assert [model for model, _ in rig.asked] == ["small", "large", "middle", "middle"]
    first, second = (json.loads(messages[-1]["content"]) for _, messages in rig.asked[2:])
    assert (first["first answer"], first["second answer"]) == ("By small.", "By large.")
    assert (second["first answer"], second["second answer"]) == ("By large.", "By small.")
    assert rig.pairs.kept == [
        Pair(
            request_id="request-1",
            other_request_id="errand-1",
            created_at_us=asked_us,
            tenant="acme",
            pattern="factual",
            served_model="small",
            other_model="large",
            baseline_model="large",
            served_quality=0.25,
            other_quality=1.0,
            cost=150_000 + 45_000 + 45_000,
        )
    ]


async def test_the_judge_rates_both_answers() -> None:
    """As one who rates by request, after everything bought is in the ledger."""
    rig = Compared(prefers("By large."))
    await rig.ask(ASKED)
    await rig.compare()
    assert rig.flushed == 1
    assert rig.pairs.rated == [
        ("request-1", 2.0, "acme", "judge:middle", "judge"),
        ("errand-1", 5.0, "acme", "judge:middle", "judge"),
    ]


async def test_errands_are_rows_of_their_own_without_savings() -> None:
    """Of the tenant, but of none of its keys and users; priced to the nano-dollar, and compared with nothing."""
    rig = Compared()
    await rig.ask({**ASKED, "user": "ada"})
    await rig.compare()
    own, shadow, *judged = rig.journal.settled
    assert (own.request_id, own.key_id, own.strategy, own.cost) == ("request-1", "k1", "complexity", 15_000)
    assert own.baseline_cost == 150_000
    for row, strategy, model, cost in (
        (shadow, "shadow", "large", 150_000),
        (judged[0], "judge", "middle", 45_000),
        (judged[1], "judge", "middle", 45_000),
    ):
        assert (row.status, row.strategy, row.route, row.model, row.cost) == ("ok", strategy, strategy, model, cost)
        assert (row.baseline_cost, row.savings) == (0, -cost)
        assert (row.tenant, row.key_id, row.user, row.session, row.cache) == ("acme", None, None, None, "off")
        assert (row.tags, row.experiment_id) == ({"farthing": strategy}, None)
    intents = {intent.exchange.request_id: intent.exchange for intent in rig.journal.intents}
    assert intents[shadow.request_id].baseline_cost == 0
    assert rig.ledger.open_holds == len(rig.recorder.drafts) == 0


async def test_the_second_answer_is_a_lesson_and_the_judges_is_none() -> None:
    """The same question, asked of another model."""
    rig = Compared()
    await rig.ask(ASKED)
    await rig.compare()
    lessons = rig.lessons.take()
    assert [(lesson.request_id, lesson.model, lesson.prompt) for lesson in lessons] == [
        ("request-1", "small", "What is a farthing?"),
        ("errand-1", "large", "What is a farthing?"),
    ]


@pytest.mark.parametrize(
    "verdicts",
    [("No idea.",), (VERDICT, "No idea."), ('{"first": 9, "second": 1}',)],
    ids=["garbage", "garbage-in-the-other-order", "grades-out-of-bounds"],
)
async def test_without_a_verdict_there_is_no_pair(verdicts: tuple[str, ...]) -> None:
    """Nor is anything rated; and the judge is not asked again."""
    rig = Compared(verdicts)
    await rig.ask(ASKED)
    await rig.compare()
    assert (rig.pairs.kept, rig.pairs.rated) == ([], [])
    assert len(rig.asked) == 2 + len(verdicts)


async def test_a_judge_who_contradicts_itself_has_seen_a_tie() -> None:
    """The first place won both times."""
    rig = Compared((VERDICT, VERDICT))
    await rig.ask(ASKED)
    await rig.compare()
    (pair,) = rig.pairs.kept
    assert (pair.served_quality, pair.other_quality) == (0.5, 0.5)


@pytest.mark.parametrize(
    "bad",
    [answer(completion("Cut", model="large", finish="length")), answer(completion("", model="large"))],
    ids=["cut", "empty"],
)
async def test_what_is_no_whole_answer_is_not_judged(bad: Any) -> None:
    """It was paid for, and that is all."""
    rig = Compared()
    rig.answers["large"] = bad
    await rig.ask(ASKED)
    await rig.compare()
    assert [model for model, _ in rig.asked] == ["small", "large"]
    assert rig.pairs.kept == []


async def test_a_model_that_fails_ends_one_comparison_only() -> None:
    """Its row says how it ended, and the next request is compared."""
    rig = Compared(prefers("By large."))
    rig.answers["large"] = answer(b"{}", status=400)
    await rig.ask(ASKED)
    async with rig.supervisor:
        rig.supervisor.keep(rig.comparing.work, "comparing answers")
        await rig.settle()
        assert (rig.journal.settled[1].strategy, rig.journal.settled[1].status) == ("shadow", "error")
        del rig.answers["large"]
        await rig.ask(ASKED)
        await rig.settle()
    await rig.comparing.keep()
    assert [pair.request_id for pair in rig.pairs.kept] == ["request-2"]


@pytest.mark.parametrize("errand", ["shadow", "judge"])
async def test_a_day_without_money_for_it_compares_nothing(errand: Any) -> None:
    """Nobody is asked, and no row tells of a refusal."""
    rig = Compared(limits=PLENTY | {errand: 1})
    await rig.ask(ASKED)
    await rig.compare()
    assert [row.request_id for row in rig.journal.settled] == ["request-1"]


async def test_the_days_budget_is_never_exceeded() -> None:
    """Of what a verdict may cost at most it holds three: the fourth is refused, and callers are served on."""
    judge = (rig := Compared(prefers("By large."))).snapshots.current.catalogue.models["middle"]
    needs = read_needs(question("middle", (USER,), "By small.", "By large."), "moderate")
    bid = bid_for(judge, needs, b"")
    assert bid is not None
    limit = bid.highest + 100_000
    rig = Compared(prefers("By large."), limits=PLENTY | {"judge": limit})
    for _ in range(5):
        await rig.ask(ASKED)
    await rig.compare()
    judged = [row for row in rig.journal.settled if row.strategy == "judge"]
    assert [row.status for row in judged] == ["ok"] * 3 + ["rejected"]
    assert sum(row.cost or 0 for row in judged) <= limit
    assert [row.status for row in rig.journal.settled if row.key_id] == ["ok"] * 5


@pytest.mark.parametrize(("is_away", "models"), [(False, ["small", "large", "middle", "middle"]), (True, ["small"])])
async def test_money_is_leased_where_others_spend_it_too(models: list[str], *, is_away: bool) -> None:
    """It is waited for; while nobody can tell what is left, nothing is bought."""
    rig = Compared()
    await rig.ask(ASKED)
    lessor = MemoryLessor()
    lessor.limits |= {f"learning:{errand}": limit for errand, limit in PLENTY.items()}
    rig.ledger.purse = Purse(lessor=lessor, worker="w1", clock=rig.clock, spawn=rig.supervisor.spawn)
    rig.ledger.load([*errand_budgets(PLENTY)], {}, today={}, at_us=rig.clock.now_us())
    lessor.is_away = is_away
    await rig.compare()
    assert [model for model, _ in rig.asked] == models


async def test_what_was_drawn_before_it_was_switched_off_is_let_go() -> None:
    """There is no budget for it any more."""
    rig = Compared()
    await rig.ask(ASKED)
    rig.snapshots.swap(replace(rig.snapshots.current, shadow_share=0.0))
    await rig.compare()
    assert [model for model, _ in rig.asked] == ["small"]


async def test_a_judge_that_is_not_here_judges_nothing() -> None:
    """And so no second answer is bought."""
    rig = Compared(judge="nobody")
    await rig.ask(ASKED)
    await rig.compare()
    assert [model for model, _ in rig.asked] == ["small"]


async def test_pairs_wait_while_the_database_is_away() -> None:
    """And are written once when it is back."""
    rig = Compared()
    await rig.ask(ASKED)
    rig.pairs.is_away = True
    await rig.compare()
    await rig.comparing.keep()
    assert rig.pairs.kept == []
    rig.pairs.is_away = False
    await rig.comparing.keep()
    await rig.comparing.keep()
    assert len(rig.pairs.kept) == 1
    assert (rig.flushed, len(rig.pairs.rated)) == (3, 2)


async def test_a_request_that_the_ledger_has_let_go_of_is_not_rated() -> None:
    """The other one is."""
    rig = Compared()
    rig.pairs.forgotten.add("request-1")
    await rig.ask(ASKED)
    await rig.compare()
    assert [rating[0] for rating in rig.pairs.rated] == ["errand-1"]


async def test_what_is_under_way_at_the_end_is_recorded() -> None:
    """The gateway does not wait for it, and its row says that it was cut short."""
    rig = Compared()
    rig.answers["large"] = hang()
    await rig.ask(ASKED)

    async def forever(_: float) -> None:
        await rig.supervisor.spawn(rig.settle(), "settling")

    rig.transport._sleep = forever
    async with rig.supervisor:
        rig.supervisor.keep(rig.comparing.work, "comparing answers")
        await rig.settle()
        rig.recorder.is_stopping = True
    shadow = rig.journal.settled[-1]
    assert (shadow.strategy, shadow.status, len(rig.recorder.drafts)) == ("shadow", "interrupted", 0)


async def test_an_unpriced_other_answer_is_never_bought() -> None:
    """What cannot be held cannot be kept within a budget."""
    rig = Compared()
    catalogue = rig.snapshots.current.catalogue
    models = {**catalogue.models, "large": replace(catalogue.models["large"], price=None)}
    rig.snapshots.swap(replace(rig.snapshots.current, catalogue=replace(catalogue, models=models)))
    await rig.ask(ASKED)
    await rig.compare()
    assert [model for model, _ in rig.asked] == ["small"]


async def test_a_flush_that_fails_leaves_the_pairs_waiting() -> None:
    """Nothing is rated that is not in the ledger yet."""
    rig = Compared()
    await rig.ask(ASKED)

    async def fail() -> None:
        raise Unavailable("away")

    rig.comparing._flush = fail
    await rig.compare()
    assert rig.pairs.kept == []
