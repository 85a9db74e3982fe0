"""p-values adjusted for how many there are."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted so that any false one among them is as rare as the level says (Holm 1979); in the order given."""
    adjusted, least = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = least
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted so that the level bounds the share of false ones (Benjamini and Hochberg 1995); in the order given."""
    adjusted, most = [0.0] * len(p), 1.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__, reverse=True)):
        most = min(most, p[index] * len(p) / (len(p) - rank))
        adjusted[index] = most
    return adjusted
