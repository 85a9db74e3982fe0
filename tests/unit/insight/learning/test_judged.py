"""What is made of a judge's grades and of people's ratings of the same answers."""

from __future__ import annotations

from farthing.insight.learning.judged import Judged, judged
from farthing.ports.learning import Graded


def test_each_model_stands_for_itself_and_the_judge_for_all() -> None:
    """A judge who is a quarter too kind to the small model, of whose answers people have rated some."""
    small = [Graded("small", 0.75, 0.5), Graded("small", 0.5, 0.25)] * 15 + [Graded("small", 0.5, None)] * 10
    large = [Graded("large", 1.0, None)] * 3 + [Graded("large", 1.0, 1.0)]
    found = judged([*small, *large])
    assert list(found.models) == ["large", "small"]
    assert found.agreement is not None
    assert (found.agreement.count, found.agreement.share) == (31, 16 / 31)
    one, other = found.models["large"], found.models["small"]
    assert (one.judged, one.rated, one.mean, one.corrected) == (4, 1, 1.0, None)
    assert (other.judged, other.rated, other.mean) == (40, 30, 0.59375)
    assert other.corrected is not None
    assert 0.3 < other.corrected.low < 0.34375 < other.corrected.high < 0.4


def test_of_nothing_nothing_is_said() -> None:
    """Neither of the judge nor of any model."""
    assert judged([]) == Judged(None, {})
