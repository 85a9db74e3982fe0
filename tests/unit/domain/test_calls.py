"""What each call of a request was for, and what it cost: together as much as the request."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.domain.calls import calls_of
from farthing.domain.chat import Usage
from farthing.domain.exchange import Attempt, Charge, Exchange

SMALL: dict[str, Any] = {"model": "small", "provider": "near"}
LARGE: dict[str, Any] = {"model": "large", "provider": "far"}
CHARGE = Charge(usage=Usage(prompt=10, completion=5), cost=15)
ANSWERED, REPLACED = Attempt(**SMALL), Attempt(**SMALL, charge=CHARGE, outcome="unserved")
CHECK = Attempt(**SMALL, charge=CHARGE, outcome="check")
AGREED = {"check": "agreement", "score": 1.0, "belief": 0.8134, "least": 0.7}
DIFFERED = {"check": "agreement", "score": 0.0, "belief": 0.1866, "least": 0.7}
DOUBTED = {"check": "self_check", "score": 0.3, "belief": 0.3956, "least": 0.7}
UNTOLD = {"check": "self_check", "score": None, "belief": None, "least": 0.7}
BROKEN = Attempt(**LARGE, error="upstream_error")


def told(*attempts: Attempt, cascade: dict[str, Any] | None = None, **row: Any) -> list[tuple[str, str, str, Any]]:
    """Model, outcome, reason and cost of each call of a row whose own answer costs 100."""
    others = sum(one.charge.cost or 0 for one in attempts if isinstance(one.charge, Charge))
    facts = {"status": "ok", **LARGE, "cost": 100 + others, "usage": Usage(prompt=7, completion=3), **row}
    exchange = Exchange(
        request_id="r", created_at_us=1, route="/", dialect="openai", tenant="", attempts=attempts, **facts
    )
    calls = calls_of(exchange, cascade or {})
    costs = [call.cost for call in calls]
    assert None in costs or not costs or sum(costs) == exchange.cost  # type: ignore[arg-type]
    return [(call.model, call.outcome, call.why, call.cost) for call in calls]


def test_the_only_call_is_the_answer() -> None:
    """It has all the tokens and all the cost."""
    assert told(Attempt(**LARGE)) == [("large", "served", "first of the plan", 100)]


def test_what_the_cache_answers_was_asked_of_nobody() -> None:
    """No attempts, no calls."""
    assert told(status="cached", cost=0) == []


@pytest.mark.parametrize(
    "broken", [Attempt(**SMALL, error="overloaded"), Attempt(**SMALL, error="late", charge=CHARGE)]
)
def test_a_fallback_is_asked_because_the_one_before_failed(broken: Attempt) -> None:
    """Which is paid for if it was charged."""
    cost = 15 if isinstance(broken.charge, Charge) else 0
    assert told(broken, Attempt(**LARGE)) == [
        ("small", "failed", "first of the plan", cost),
        ("large", "served", "small failed", 100),
    ]


@pytest.mark.parametrize("cost", [None, 100])
def test_where_all_fail_the_last_has_what_is_left_of_the_cost(cost: int | None) -> None:
    """Unknown stays unknown."""
    assert told(Attempt(**SMALL, error="overloaded"), BROKEN, status="error", cost=cost)[1:] == [
        ("large", "failed", "small failed", cost)
    ]


def test_what_was_charged_and_led_to_no_other_call_is_all_there_is() -> None:
    """The row has no usage of its own."""
    assert told(Attempt(**SMALL, error="late", charge=CHARGE), status="error", cost=15) == [
        ("small", "failed", "first of the plan", 15)
    ]


@pytest.mark.parametrize(
    ("cascade", "found"),
    [
        (AGREED, "to answer once more: both come to the same, 0.81 to be good where 0.70 is enough"),
        (DOUBTED, "how sure it is of its answer: 30% sure, 0.40 to be good where 0.70 is enough"),
    ],
)
def test_the_check_of_an_answer_says_what_it_found(cascade: dict[str, Any], found: str) -> None:
    """And is paid for beside the answer that was served."""
    assert told(ANSWERED, CHECK, cascade=cascade, **SMALL) == [
        ("small", "served", "the cheapest of the plan, to be checked", 100),
        ("small", "check", found, 15),
    ]


def test_an_answer_that_does_not_pass_gives_way() -> None:
    """All three are paid for."""
    assert told(REPLACED, CHECK, Attempt(**LARGE), cascade=DIFFERED) == [
        ("small", "unserved", "the cheapest of the plan, to be checked", 15),
        (
            "small",
            "check",
            "to answer once more: the two differ, 0.19 to be good where 0.70 is enough",
            15,
        ),
        ("large", "served", "the answer before would not do", 100),
    ]


def test_an_answer_is_checked_that_came_at_the_second_try() -> None:
    """Only what follows a failure is asked for because of one."""
    failed = Attempt(**SMALL, error="overloaded")
    calls = told(failed, REPLACED, CHECK, Attempt(**LARGE), cascade=DIFFERED)
    assert [why for _, _, why, _ in calls] == [
        "first of the plan",
        "small failed",
        "to answer once more: the two differ, 0.19 to be good where 0.70 is enough",
        "the answer before would not do",
    ]


def test_what_would_not_do_is_served_where_the_better_model_fails() -> None:
    """A check that failed itself found nothing."""
    failed = Attempt(**SMALL, error="overloaded")
    assert told(ANSWERED, failed, BROKEN, cascade=UNTOLD, **SMALL) == [
        ("small", "served", "the cheapest of the plan, to be checked", 100),
        ("small", "failed", "how sure it is of its answer", 0),
        ("large", "failed", "the answer before would not do", 0),
    ]


def test_an_empty_answer_gives_way_unchecked() -> None:
    """The next call is the better model's."""
    cascade = {"check": None, "score": None, "belief": None, "least": 0.7}
    assert told(REPLACED, Attempt(**LARGE), cascade=cascade)[1] == (
        "large",
        "served",
        "the answer before would not do",
        100,
    )


@pytest.mark.parametrize(
    ("before", "model", "why"),
    [
        ((), LARGE, "first of the plan"),
        ((REPLACED,), SMALL, "to tell how good its answer is"),
        ((REPLACED, CHECK), LARGE, "the answer before would not do"),
        ((Attempt(**SMALL, error="overloaded"),), LARGE, "small failed"),
    ],
)
def test_a_killed_process_leaves_a_last_call(before: tuple[Attempt, ...], model: dict[str, Any], why: str) -> None:
    """It was under way, and the row has its estimate."""
    *_, last = told(*before, status="interrupted", **model)
    assert last == (model["model"], "failed", why, 100)


def test_a_process_that_ended_in_order_has_told_of_its_last_call() -> None:
    """There is no other."""
    last = Attempt(**LARGE, error="cancelled")
    assert told(last, status="interrupted") == [("large", "failed", "first of the plan", 100)]
