"""What a promise makes of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.domain.catalogue import Model
from farthing.domain.routing import STRATEGIES, strategies_with
from farthing.domain.routing.plan import Plan
from farthing.domain.routing.promised import BOLDEST, promised
from farthing.domain.routing.rules import Promise, Rule
from farthing.domain.scope import Scope
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.domain.routing.samples import LARGE, SMALL, THREE, ask, model

EASY = ask("Good morning to you")


def rule(margin: float | None, *shown: str) -> Rule:
    """A rule that promises two points, tested for the small model or for others."""
    challengers = frozenset(shown or ("small",))
    scope, promise = Scope("key", "k"), Promise(points=0.02)
    return Rule(name="support", scope=scope, promise=promise, margin=margin, challengers=challengers)


def plan(small: float, margin: float | None, baseline: Model | None = LARGE) -> Plan:
    """What becomes of a plan, with 0.9 expected of the baseline."""
    told = {"small": small, "large": 0.9}
    learned = strategies_with(Told(told), rated=often(*told))["learning"]
    return promised(learned.plan(EASY, THREE, floor=BOLDEST), rule(margin), baseline)


def first(found: Plan) -> tuple[str, Any]:
    """Who is asked first, and what is told of the promise."""
    return found.models[0].name, found.metadata.get("promise")


@pytest.mark.parametrize(
    ("small", "margin", "asked"),
    [(0.85, 0.05, "small"), (0.84, 0.05, "large"), (0.95, 0.0, "small"), (0.89, None, "large"), (0.75, 1.0, "small")],
)
def test_a_cheaper_model_answers_as_far_as_the_margin_goes(small: float, margin: float | None, asked: str) -> None:
    """Else the baseline does; both are told, with how much less is expected of the cheaper one."""
    short = round(0.9 - small, 4)
    told = {"rule": "support", "challenger": "small", "short": short, "margin": margin}
    assert first(plan(small, margin)) == (asked, told)


def test_a_plan_that_the_baseline_leads_says_why() -> None:
    """In its reason, in who decided, and to replays in what else could have come first."""
    found = plan(0.8, 0.05)
    assert found.reason == (
        "large, the baseline, answers: small is expected 0.10 below it, and the promise of support is kept within 0.05."
    )
    assert (found.metadata["decided_by"], found.metadata["propensities"]) == ("promise", {"large": 1.0})
    assert (found.confidence, [one.name for one in found.models][1]) == ("high", "small")
    assert plan(0.8, None).reason == (
        "large, the baseline, answers: that small is good enough for the promise of support is not shown."
    )


@pytest.mark.parametrize(("margin", "asked"), [(None, "large"), (0.2, "large"), (1.0, "small")])
def test_a_choice_of_which_nothing_is_known_needs_the_widest_margin(margin: float | None, asked: str) -> None:
    """As complexity makes it."""
    chosen = STRATEGIES["complexity"].plan(EASY, THREE)
    found = promised(chosen, rule(margin), LARGE)
    assert first(found) == (asked, {"rule": "support", "challenger": "small", "short": 1.0, "margin": margin})
    assert found.reason.endswith("is not shown.") is (asked == "large")


def test_what_was_shown_of_one_model_is_not_shown_of_another() -> None:
    """A model that was never compared does not answer, whatever is expected of it."""
    chosen = STRATEGIES["complexity"].plan(EASY, THREE)
    found = promised(chosen, rule(1.0, "other"), LARGE)
    assert found.models[0] is LARGE
    assert found.reason.endswith("that small is good enough for the promise of support is not shown.")


def test_where_routing_chooses_the_baseline_nothing_changes() -> None:
    """There is no choice to be made."""
    chosen = STRATEGIES["complexity"].plan(EASY, THREE)
    assert promised(chosen, rule(None), SMALL) is chosen


@pytest.mark.parametrize("baseline", [None, model("elsewhere", "complex", 9)])
def test_nothing_is_promised_where_the_baseline_cannot_be_asked(baseline: Model | None) -> None:
    """The plan stays, and says so."""
    found = plan(0.8, 0.05, baseline)
    assert first(found) == ("small", None)
    assert found.reason.endswith("Nothing is promised: the baseline cannot be asked.")
