"""Columns of numbers, one for each user: checked once, summed without rounding in any order."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

Numbers: TypeAlias = "Sequence[int] | Sequence[float] | NDArray[Any]"
"""What a column is made of; `array.array` and numpy's arrays are read without a copy."""

LARGEST_VALUE = 1e100
"""In size, whatever the unit: the square of anything within it is a number."""
_HALF = 32


def column(values: Numbers) -> NDArray[Any]:
    """The values as int64, where all are integers that fit, else as float64.

    Raises:
        ValueError: One of them is not finite, or over 1e100 in size.
    """
    import numpy as np

    found = np.asarray(values)
    if found.dtype.kind in "iu" and found.dtype.itemsize <= np.dtype(np.int64).itemsize and found.dtype != np.uint64:
        return found.astype(np.int64, copy=False)
    found = found.astype(np.float64)
    if found.size and not np.max(np.abs(found)) <= LARGEST_VALUE:
        raise ValueError("a column of numbers holds one that is not finite, or over 1e100 in size")
    return found


def counts(values: Numbers) -> NDArray[Any]:
    """The values as int64.

    Raises:
        ValueError: They are not whole numbers, or more than 2^62 in sum.
    """
    import numpy as np

    found = column(values)
    if not found.size:
        return np.zeros(0, dtype=np.int64)
    if found.dtype != np.int64:
        raise ValueError("counts are whole numbers")
    if float(np.abs(found).max()) * found.size >= 2**62 and sum(map(abs, found.tolist())) >= 2**62:
        raise ValueError("counts are over 2^62 in sum")
    return found


def squares(values: NDArray[Any]) -> float:
    """Σ of the squares, in pairs: numpy's `dot` would wake a thread on every core, for less accuracy."""
    return float((values * values).sum())


def total(values: NDArray[Any]) -> int | float:
    """The exact sum of a column: an integer where it holds integers, else correctly rounded."""
    if values.dtype.kind == "f":
        return fsum(values.tolist())
    high, low = values >> _HALF, values & ((1 << _HALF) - 1)
    return (int(high.sum()) << _HALF) + int(low.sum())
