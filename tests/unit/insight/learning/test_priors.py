"""The prior learns what tasks have in common, and nothing of how they differ."""

from __future__ import annotations

import pytest

from farthing.insight.learning.labels import Labelled, Outcome
from farthing.insight.learning.priors import fit_prior, packed, prior, unpacked

TOPICS = ["enzymes", "neutrinos", "alkenes", "tensors", "quarks", "isotopes", "genomes", "photons"]
GREETINGS = ["friend", "mother", "brother", "teacher", "neighbour", "sister", "father", "colleague"]


def task(name: str, opening: str, *, gain: float, costs: tuple[float | None, float | None]) -> list[Labelled]:
    """The large model is worth more for science than for greetings; on the whole by `gain`."""
    told = [(f"{opening} something about {word}", 0.4 + gain) for word in TOPICS]
    told += [(f"{opening} something for my {word}", gain) for word in GREETINGS]
    small, large = costs
    return [
        Labelled(text, {"small": Outcome(0.2, small), "large": Outcome(0.2 + worth, large)}, dataset=name)
        for text, worth in told
    ]


def test_what_tasks_have_in_common_holds_for_another() -> None:
    """Science asks for more than a greeting, in a task that was not fitted to, however much the tasks differ."""
    rows = task("one", "Write", gain=0.0, costs=(0.1, 1.0)) + task("two", "Please say", gain=0.4, costs=(0.1, 1.0))
    found = fit_prior(rows)
    assert found.demand("Tell me of molecules") > found.demand("Tell me of the uncle")


def test_without_costs_the_better_model_is_the_dearer() -> None:
    """Where what is dear is the worse by cost, the signs turn round."""
    free = fit_prior(task("one", "Write", gain=0.2, costs=(None, None)))
    turned = fit_prior(task("one", "Write", gain=0.2, costs=(1.0, 0.1)))
    science, greeting = "Write something about atom", "Write something for cousin"
    assert len(science) == len(greeting)
    assert free.excess(science) > free.excess(greeting)
    assert turned.excess(science) < turned.excess(greeting)


def test_rows_of_one_model_and_small_tasks_teach_nothing() -> None:
    """The refusal says what is needed."""
    alone = [Labelled(f"number {number}", {"small": Outcome(1.0)}) for number in range(20)]
    few = task("few", "Write", gain=0.0, costs=(0.1, 1.0))[:9]
    with pytest.raises(ValueError, match="ten rows of a task"):
        fit_prior(alone + few)


def test_a_packed_prior_says_the_same() -> None:
    """Within what half precision keeps."""
    found = fit_prior(task("one", "Write", gain=0.0, costs=(0.1, 1.0)))
    again = unpacked(packed(found))
    assert again.excess("Write something about quarks") == pytest.approx(
        found.excess("Write something about quarks"), abs=0.02
    )


def test_the_package_brings_a_prior() -> None:
    """A long question of physics asks for more than a greeting."""
    question = "A particle of mass m moves in a potential V(x) = k x^4. Derive the energy levels to first order. " * 3
    assert prior().demand("Hi, how are you?") < 0.25 < prior().demand(question)
