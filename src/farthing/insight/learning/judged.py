"""What a judge's grades are worth: how far people agree, and each model's mean grade put right by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct

from farthing.domain.stats.agreement import Agreement, Corrected, agreement, corrected
from farthing.ports.learning import Graded


class Standing(Struct, frozen=True):
    """What is thought of one model's answers, where they were served."""

    judged: int
    """Answers with a grade."""
    rated: int
    """Those that people have rated as well."""
    mean: float
    """Of the grades, 0..1."""
    corrected: Corrected | None
    """What people would say on average; None where too few have."""


class Judged(Struct, frozen=True):
    """All that is known of a judge."""

    agreement: Agreement | None
    """None where people have rated too few of the answers."""
    models: Mapping[str, Standing]
    """By name."""


def judged(answers: Sequence[Graded]) -> Judged:
    """What follows from these answers."""
    by_model: dict[str, list[Graded]] = defaultdict(list)
    for each in answers:
        by_model[each.model].append(each)
    return Judged(agreement(_both(answers)), {name: _standing(by_model[name]) for name in sorted(by_model)})


def _standing(answers: Sequence[Graded]) -> Standing:
    both, alone = _both(answers), [each.judged for each in answers if each.told is None]
    mean = sum(each.judged for each in answers) / len(answers)
    return Standing(len(answers), len(both), mean, corrected(alone, both))


def _both(answers: Sequence[Graded]) -> list[tuple[float, float]]:
    return [(each.judged, each.told) for each in answers if each.told is not None]
