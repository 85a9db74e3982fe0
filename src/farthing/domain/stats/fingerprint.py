"""A hash of columns that does not depend on the order of their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from farthing.domain.stats.columns import Numbers

_MIXERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Of the generator SplitMix64 (Steele, Lea and Flood 2014), whose last step spreads each bit over all of them."""
_STEP = 0x9E3779B97F4A7C15


def fingerprint(parts: Sequence[tuple[str, Sequence[Numbers]]]) -> str:
    """SHA-256 in 64 hexadecimal digits of named groups of equally long columns.

    Each row is mixed to 64 bits, and a group is known by its rows' number, sum and exclusive or, which tells honest
    data apart in any order of their rows; it is no seal against somebody who makes rows up.
    """
    whole = hashlib.sha256()
    for name, columns in parts:
        whole.update(f"{len(name)}:{name}{_rows(columns)}".encode())
    return whole.hexdigest()


def _rows(columns: Sequence[Numbers]) -> str:
    import numpy as np

    state = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        values = np.asarray(column)
        bits = (values + 0.0 if values.dtype.kind == "f" else values.astype(np.int64)).view(np.uint64)
        state = (state + np.uint64(_STEP)) ^ bits
        for mixer, shift in zip(_MIXERS, (30, 27), strict=True):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(mixer)
        state ^= state >> np.uint64(31)
    return f"{state.size}:{int(state.sum(dtype=np.uint64))}:{int(np.bitwise_xor.reduce(state))};"
