"""Results of experiments as odd as a store may hand them over, and what must hold of any."""

from __future__ import annotations

import json
from array import array
from typing import Any

import msgspec
from hypothesis import strategies as st

from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.data import Cohort, Data
from farthing.domain.experiments.definition import Experiment, Phase
from farthing.domain.experiments.results import Results
from tests.unit.domain.experiments.samples import NAMES, data, experiment


def figures(results: Results) -> Any:
    """All that is told, as it leaves in JSON; `nan` and infinities are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(msgspec.json.encode(results), parse_constant=refuse)


WHOLE = st.one_of(st.integers(0, 5), st.integers(0, 10**12), st.sampled_from([0, 1, 2**40, 10**15]))
REAL = st.one_of(st.floats(0, 10), st.floats(-1e18, 1e18), st.sampled_from([0.0, 1e-300, 1e18]))


@st.composite
def cohorts(draw: st.DrawFn, arm: str, phase: int) -> Cohort:
    """Anything that the store may hand over, however odd."""
    users = draw(st.integers(0, 12))
    lists = {name: draw(st.lists(WHOLE, min_size=users, max_size=users)) for name in ("cost", "latency", "covariate")}
    requests = draw(st.lists(st.integers(1, 10**6), min_size=users, max_size=users))
    many = draw(st.sampled_from([0, 0, 80, 500])) if users else 0
    return Cohort(
        arm=arm,
        phase=phase,
        requests=array("q", requests),
        **{name: array("q", values) for name, values in lists.items()},
        errors=array("q", [draw(st.integers(0, most)) for most in requests]),
        rated=array("q", [draw(st.integers(0, most)) for most in requests]),
        quality=array("d", draw(st.lists(REAL, min_size=users, max_size=users))),
        latency_user=array("q", [place % max(users, 1) for place in range(many)]),
        latency_us=array("q", [(place * place) % draw(st.integers(1, 10**12)) for place in range(min(many, 3))] * 200)[
            :many
        ],
    )


@st.composite
def anything(draw: st.DrawFn) -> tuple[Experiment, Data]:
    """An experiment with up to three arms and two phases, and data for it."""
    arms, phases = draw(st.integers(2, 3)), draw(st.integers(1, 2))
    shares = (0.5, 0.5) if arms == 2 else (0.2, 0.3, 0.5)
    every = [draw(cohorts(arm, phase)) for phase in range(phases) for arm in NAMES[:arms]]
    one = experiment(
        shares=shares,
        phases=tuple(Phase(shares, phase) for phase in range(phases)),
        sample_size=draw(st.sampled_from([2, 100, 10**9])),
        early_stop=draw(st.booleans()),
        policy=draw(st.sampled_from(["default", "strict"])),
        alpha=draw(st.sampled_from([0.05, 1e-6, 0.2])),
    )
    return one, data(*every, crossovers=draw(st.integers(0, 2)))


def holds(one: Experiment, given_: Data) -> None:
    """No exception, no warning, nothing that is no JSON, and every p-value is one."""
    results = analyse(one, given_)
    figures(results)
    for metric in results.metrics:
        for p in (metric.p_fixed, metric.p_anytime, metric.p_adjusted, metric.p_floor):
            assert p is None or 0 < p <= 1
    assert results.verdict.reason.endswith(".")
