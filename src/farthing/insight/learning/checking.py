"""Fits the check of a model's answers to recorded outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.domain.routing.learning.check import Check, inputs_of
from farthing.insight.learning.labels import Labelled

RIDGE = 200.0
"""The best of those that `benchmarks.routing.checks` compares."""
_SMALLEST_SPREAD = 1e-6


def fit_check(
    rows: Sequence[Labelled], models: Sequence[str], first: str, quality: NDArray[Any], *, ridge: float = RIDGE
) -> Check:
    """A check of one model's answers, by ridge regression of what was expected wrongly.

    Args:
        rows: Each with an outcome of every model, and the first one's answer.
        models: The columns.
        first: The model that is asked first.
        quality: What was expected of each model before, rows by models, by a predictor that has not seen the row.
        ridge: As many rows speak for it that a sign tells nothing.
    """
    answers = [row.outcomes[first].response or "" for row in rows]
    inputs = inputs_of([row.prompt for row in rows], answers, quality)
    means, scales = inputs.mean(axis=0), 1 / np.maximum(inputs.std(axis=0), _SMALLEST_SPREAD)
    inputs = (inputs - means) * scales
    missed = np.array([[row.outcomes[model].quality for model in models] for row in rows]) - quality
    offsets = missed.mean(axis=0)
    curved = inputs.T @ inputs + ridge * np.eye(inputs.shape[1])
    weights = np.linalg.solve(curved, inputs.T @ (missed - offsets))
    return Check(tuple(models), first, means, scales, weights, offsets)
