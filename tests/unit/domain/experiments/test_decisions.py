"""The reference decisions: what the rule says of whole experiments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Cohort, Data
from tests.unit.domain.experiments.samples import cohort, data, experiment

CASES = json.loads(Path(__file__).with_name("decisions.json").read_text())["cases"]


def users_of(arm: str, said: dict[str, Any]) -> Cohort:
    """Users with the same number of requests and the same cost each."""
    each = said.get("requests", 1)
    return cohort(arm, [(said["cost"] or 0.0) * each] * said["users"], requests=[each] * said["users"])


def data_of(case: dict[str, Any]) -> Data:
    """The results that a case describes."""
    return data(users_of("control", case["control"]), users_of("test", case["test"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_verdict_is_that_of_the_reference(case: dict[str, Any]) -> None:
    """Significance, winner, code and p-value of each case."""
    settings = {name: case[name] for name in ("early_stop", "min_effect") if name in case}
    results = analyse(experiment(sample_size=case["sample_size"], **settings), data_of(case))
    expected, verdict = case["expect"], results.verdict
    assert (verdict.significant, verdict.winner) == (expected["significant"], expected["winner"])
    assert verdict.code == expected.get("verdict", "winner" if expected["winner"] else "no_difference")
    primary = results.primary("test")
    if "p" in expected:
        assert primary is not None
        assert primary.p_fixed == pytest.approx(expected["p"], rel=1e-12)
    assert json.loads(msgspec.json.encode(results))["verdict"]["reason"].endswith(".")
