"""Ridge regression of many outputs at once, each known for some of the rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_STEPS = 60
_CLOSE = 2e-3
"""Of the first gradient: closer than this the figures of the evaluation do not change."""
_TINY = np.float32(1e-30)
"""Keeps an output that is met from dividing by nothing."""


def solve(blocks: Sequence[Any], values: NDArray[Any], known: NDArray[Any], ridge: NDArray[Any]) -> list[NDArray[Any]]:
    """Weights W of each block X that make Σ known · (values - Σ X·W)² + ridge · Σ W² least, by conjugate gradients.

    `blocks` are rows by features, sparse or not; `values` and `known` (0 to 1) are rows by outputs; `ridge` is by
    output. Hestenes and Stiefel (1952), each output on its own but all in one pass over the blocks.
    """
    turned = [block.T if isinstance(block, np.ndarray) else block.T.tocsr() for block in blocks]
    gradients = [block @ (known * values) for block in turned]
    weights = [np.zeros_like(gradient) for gradient in gradients]
    directions = gradients
    size = first = _products(gradients, gradients)
    for _ in range(_MOST_STEPS):
        if (size <= _CLOSE**2 * first).all():
            break
        change = known * sum(block @ direction for block, direction in zip(blocks, directions, strict=True))
        curved = [block @ change + ridge * direction for block, direction in zip(turned, directions, strict=True)]
        step = size / np.maximum(_products(directions, curved), _TINY)
        weights = [weight + step * direction for weight, direction in zip(weights, directions, strict=True)]
        gradients = [gradient - step * curve for gradient, curve in zip(gradients, curved, strict=True)]
        before, size = size, _products(gradients, gradients)
        turn = size / np.maximum(before, _TINY)
        directions = [gradient + turn * direction for gradient, direction in zip(gradients, directions, strict=True)]
    return weights


def _products(left: Sequence[NDArray[Any]], right: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """By output."""
    found: NDArray[Any] = np.sum([(one * other).sum(axis=0) for one, other in zip(left, right, strict=True)], axis=0)
    return found
