"""Which arm is promoted, and when it should give way."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.domain.experiments.aftermath import regretted
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.verdict import Verdict

WINNER = Verdict(code="winner", winner="test", reason="Test is cheaper.", is_final=True)
PROMOTED = Experiment(
    id="e1",
    tenant="acme",
    name="size",
    arms=(Arm("control", "small", 0.5), Arm("test", "large", 0.5)),
    sample_size=100,
    salt="e1",
    phases=(Phase((0.5, 0.5), 1),),
    promote=True,
    status="completed",
    created_us=1,
    completed_us=2,
    verdict=WINNER,
)


@pytest.mark.parametrize(
    "fields",
    [
        {"promote": False},
        {"status": "running"},
        {"status": "cancelled"},
        {"rolled_back_us": 5},
        {"verdict": None},
        {"verdict": replace(WINNER, code="trade_off")},
        {"verdict": replace(WINNER, winner=None)},
        {"verdict": replace(WINNER, winner="control")},
    ],
)
def test_only_a_winner_that_is_not_control_is_promoted(fields: dict[str, Any]) -> None:
    """By an experiment that promotes, once it is completed, until it gave way."""
    assert PROMOTED.promoted == PROMOTED.arms[1]
    without = replace(PROMOTED, **fields)
    assert without.promoted is None
    assert regretted(without, {"test": (9_800, 400), "control": (200, 0)}) is None


@pytest.mark.parametrize(
    ("counts", "gives_way"),
    [
        ({}, False),
        ({"test": (9_800, 9_800)}, False),
        ({"control": (200, 0)}, False),
        ({"test": (9_800, 0), "control": (200, 0)}, False),
        ({"test": (9_800, 980), "control": (200, 20)}, False),
        ({"test": (9_800, 0), "control": (200, 200)}, False),
        ({"test": (9_800, 100), "control": (200, 0)}, False),
        ({"test": (9_800, 400), "control": (200, 0)}, True),
        ({"test": (9_800, 400), "control": (200, 0), "third": (50, 50)}, True),
    ],
)
def test_it_gives_way_where_it_fails_more_often(counts: dict[str, tuple[int, int]], *, gives_way: bool) -> None:
    """Not where both fail alike, nor where there is too little to tell."""
    said = regretted(PROMOTED, counts)
    assert (said is not None) is gives_way
    assert said is None or said.endswith("since it was promoted: 4.1% against 0.0%")
