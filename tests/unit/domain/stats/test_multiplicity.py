"""Adjusted p-values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farthing.domain.stats.multiplicity import benjamini_hochberg, holm


def test_nothing_to_adjust() -> None:
    """No p-values, and a single one."""
    assert (holm([]), benjamini_hochberg([])) == ([], [])
    assert (holm([0.04]), benjamini_hochberg([0.04])) == ([0.04], [0.04])


@given(st.lists(st.floats(1e-300, 1.0), min_size=1, max_size=12))
def test_adjusting_keeps_the_order_and_never_helps(p: list[float]) -> None:
    """Holm is at least as strict as Benjamini-Hochberg, which is scipy's."""
    strict, lenient = holm(p), benjamini_hochberg(p)
    assert all(a <= b * (1 + 1e-12) <= c * (1 + 2e-12) <= 1 + 4e-12 for a, b, c in zip(p, lenient, strict, strict=True))
    order = sorted(range(len(p)), key=p.__getitem__)
    assert [strict[k] for k in order] == sorted(strict)
    theirs = stats.false_discovery_control(p)
    assert all(abs(a - b) <= 1e-12 * b for a, b in zip(lenient, theirs, strict=True))
