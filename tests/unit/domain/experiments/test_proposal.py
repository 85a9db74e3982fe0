"""What people ask for when they begin an experiment."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from farthing.domain.errors import Conflict, InvalidRequest
from farthing.domain.experiments.definition import Arm, Experiment, Margins, Namespace, Phase
from farthing.domain.experiments.proposal import Proposal, define, with_shares, with_traffic
from farthing.domain.scope import Scope
from tests.unit.domain.experiments.samples import experiment

BODY: dict[str, Any] = {
    "name": "Cheaper summaries",
    "control_strategy": "complexity",
    "test_strategy": "small",
    "sample_size": 100,
}
THREE: list[dict[str, Any]] = [
    {"name": "now", "strategy": "large"},
    {"name": "small", "strategy": "small", "share": 0.2},
    {"name": "mixed", "strategy": "hybrid"},
]


def defined(**changed: object) -> Experiment:
    """The experiment that a body with these changes defines; None removes a field."""
    body = {name: value for name, value in (BODY | changed).items() if value is not None}
    proposal = msgspec.convert(body, Proposal)
    return define(proposal, experiment_id="e1", tenant="acme", now_us=5, models={"small", "large"})


def test_two_strategies_make_two_equal_arms() -> None:
    """The short form is control against test, half of the users each, and everything else as it is for everybody."""
    assert defined() == Experiment(
        id="e1",
        tenant="acme",
        name="Cheaper summaries",
        arms=(Arm("control", "complexity", 0.5), Arm("test", "small", 0.5)),
        sample_size=100,
        salt="e1",
        phases=(Phase((0.5, 0.5), 5),),
        created_us=5,
    )


def test_arms_and_strategies_are_not_both_sent() -> None:
    """Nobody has to know which of them would count."""
    with pytest.raises(InvalidRequest, match="not both") as refused:
        defined(test_strategy=None, arms=THREE, sample_size=101)
    assert refused.value.param == "arms"


def test_all_that_may_be_asked_for_is_kept() -> None:
    """Arms with shares, margins and rules stand in the experiment as they were sent."""
    one = defined(
        control_strategy=None,
        test_strategy=None,
        arms=THREE,
        sample_size=101,
        description="d",
        hypothesis="h",
        early_stop=True,
        min_effect=0.02,
        policy="strict",
        alpha=0.01,
        margins={"quality": 0.1},
        traffic=0.3,
        namespace={"name": "n", "start": 0.2, "end": 0.6},
        salt="s",
        scope={"where": "tag", "value": "team=support"},
        promote=True,
    )
    assert one.arms == (Arm("now", "large", 0.4), Arm("small", "small", 0.2), Arm("mixed", "hybrid", 0.4))
    assert (one.sample_size, one.early_stop, one.policy, one.alpha) == (101, True, "strict", 0.01)
    assert (one.margins, one.traffic, one.salt, one.promote) == (Margins(quality=0.1), 0.3, "s", True)
    assert one.namespace == Namespace("n", 0.2, 0.6)
    assert one.scope == Scope("tag", "team=support")
    assert (one.control, one.arm("mixed"), one.arm("none")) == (one.arms[0], one.arms[2], None)


@pytest.mark.parametrize("size", [None, 0, 1, -4, 101, 100.0, "100", True, 10**9 + 2], ids=str)
def test_a_planned_size_that_is_none_is_refused(size: object) -> None:
    """Missing, zero, odd for two equal arms, not whole, or beyond all reason."""
    with pytest.raises(InvalidRequest) as refused:
        defined(sample_size=size)
    assert refused.value.param == "sample_size"
    assert refused.value.status == 400


def test_an_odd_size_is_told_its_neighbours() -> None:
    """Two equal arms cannot share 101 results, so 100 or 102 are offered; for 1 result it is said what is least."""
    with pytest.raises(InvalidRequest, match="send 100 or 102"):
        defined(sample_size=101)


@pytest.mark.parametrize(
    ("param", "changed"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "n" * 201}),
        ("description", {"description": "d" * 2_001}),
        ("hypothesis", {"hypothesis": "h" * 2_001}),
        ("salt", {"salt": ""}),
        ("control_strategy", {"control_strategy": None}),
        ("test_strategy", {"test_strategy": "unknown"}),
        ("arms", {"arms": THREE[:1]}),
        ("arms", {"arms": [THREE[0], THREE[0]]}),
        ("arms.1.name", {"arms": [THREE[0], {"name": " ", "strategy": "small"}]}),
        ("arms.1.strategy", {"arms": [THREE[0], {"name": "b", "strategy": "unknown"}]}),
        ("arms", {"arms": [THREE[0], {"name": "b", "strategy": "small", "share": 1.0}]}),
        ("arms", {"arms": [THREE[0] | {"share": 0.5}, {"name": "b", "strategy": "small", "share": 0.4}]}),
        ("alpha", {"alpha": 0.5}),
        ("planned_effect", {"planned_effect": 0.0}),
        ("min_effect", {"min_effect": -0.1}),
        ("traffic", {"traffic": 1.1}),
        ("margins.quality", {"margins": {"quality": -1.0}}),
        ("namespace.name", {"namespace": {"name": ""}}),
        ("namespace", {"namespace": {"name": "n", "start": 0.5, "end": 0.5}}),
        ("scope.value", {"scope": {"where": "key", "value": ""}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_run_is_refused_by_name(param: str, changed: dict[str, object]) -> None:
    """The refusal says which field is wrong and what to send."""
    strategies: dict[str, object] = {"control_strategy": None, "test_strategy": None} if "arms" in changed else {}
    with pytest.raises(InvalidRequest, match=r"send|must|give") as refused:
        defined(**strategies, **changed)
    assert refused.value.param == param


def test_another_traffic_is_the_same_experiment() -> None:
    """A ramp changes the share of users who take part, and opens no phase."""
    assert with_traffic(experiment(), 0.25) == experiment(traffic=0.25)
    with pytest.raises(InvalidRequest, match="0 to 1"):
        with_traffic(experiment(), float("nan"))


def test_other_shares_are_a_new_phase() -> None:
    """The shares before stay on record with their time, since the results before belong to them."""
    one = with_shares(experiment(), (0.9, 0.1), 77)
    assert [arm.share for arm in one.arms] == [0.9, 0.1]
    assert one.phases == (Phase((0.5, 0.5), 1_000), Phase((0.9, 0.1), 77))
    assert (experiment().phase, one.phase) == (0, 1)


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.6), (0.5, float("nan"))], ids=str)
def test_shares_must_fit_the_arms(shares: tuple[float, ...]) -> None:
    """One for each arm, all together 1."""
    with pytest.raises(InvalidRequest):
        with_shares(experiment(), shares, 1)


def test_an_ended_experiment_cannot_be_changed() -> None:
    """What was decided stays as it was when it was decided."""
    ended = replace(experiment(), status="completed", decided_n=60)
    assert (experiment().horizon, ended.horizon) == (100, 60)
    with pytest.raises(Conflict, match="completed"):
        with_traffic(ended, 0.5)
    with pytest.raises(Conflict, match="completed"):
        with_shares(ended, (0.9, 0.1), 1)
