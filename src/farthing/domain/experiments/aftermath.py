"""What becomes of a winner that was promoted: held for good against the users who were held back."""

from __future__ import annotations

from collections.abc import Mapping

from farthing.domain.experiments.definition import Experiment
from farthing.domain.stats.harm import harm


def regretted(experiment: Experiment, counts: Mapping[str, tuple[int, int]]) -> str | None:
    """Why the promoted arm should give way to control, in words that end a sentence; None where it should not.

    `counts` are requests since the promotion and those of them that failed, by arm. The switch is the one that ends a
    running arm, and may be looked at after every request.
    """
    winner, control = experiment.promoted, experiment.control
    if winner is None:
        return None
    requests, errors = counts.get(winner.name, (0, 0))
    held_back, failures = counts.get(control.name, (0, 0))
    # With nobody on one side there is nothing to compare with.
    if not requests or not held_back:
        return None
    if not harm(treatment=errors, control=failures, share=requests / (requests + held_back)).tripped:
        return None
    rates = f"{errors / requests:.1%} against {failures / held_back:.1%}"
    return f"{winner.name} has failed more often than {control.name} since it was promoted: {rates}"
