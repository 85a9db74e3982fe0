"""Which route rule a request falls under."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.routing.rules import Rule
from farthing.domain.scope import Scope
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, completion

SUPPORT = Rule(name="support", scope=Scope("tag", "team=support"))
CHAT = Rule(name="chat", scope=Scope("route", "/v1/chat/completions"), cascade=True)


@pytest.mark.parametrize(
    ("rules", "team", "found"),
    [
        ((), "support", None),
        ((SUPPORT, CHAT), "support", SUPPORT),
        ((SUPPORT, CHAT), "sales", CHAT),
        ((CHAT, SUPPORT), "support", CHAT),
        ((SUPPORT,), "sales", None),
    ],
)
def test_the_first_that_covers_a_request_holds(rules: tuple[Rule, ...], team: str, found: Rule | None) -> None:
    """Others are not asked."""
    rig = Rig([])
    rig.snapshots.swap(replace(rig.snapshots.current, rules=rules))
    order = rig.pipeline.begin(rig.call(chat(model="auto"), tags={"team": team}))
    assert order.rule == found  # type: ignore[union-attr]


async def test_an_answer_that_nobody_checked_is_not_told_where_a_rule_wants_it_checked() -> None:
    """Nor the other way round: the same model's answer, kept for requests of one kind."""
    rig = Rig(lambda _: answer(completion("A long answer. " * 20)), strategy="hybrid")
    rig.snapshots.swap(replace(rig.snapshots.current, rules=(replace(SUPPORT, cascade=True),)))
    async with rig.supervisor:
        for team in ("sales", "support", "sales", "support"):
            await rig.ask(chat(model="auto"), tags={"team": team}, cache=True)
    assert [exchange.cache for exchange in rig.journal.settled] == ["miss", "miss", "hit", "hit"]
