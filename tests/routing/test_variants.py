"""Variants of the predictor, as `benchmarks.routing.variants` compares them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.routing.variants import SETTINGS, Setting, fitting
from farthing.insight.evaluation.routers import Fitted
from tests.unit.insight.evaluation.outcomes import halves


@pytest.mark.parametrize(("variant", "settings"), SETTINGS.items())
def test_every_variant_can_be_fitted(variant: str, settings: Sequence[Setting]) -> None:
    """And foretells each model's quality and cost of every row."""
    rows = halves(10)
    fitted: Fitted = fitting(variant, settings)(rows, ("a", "b"))
    quality, cost = fitted.predict(rows)
    assert quality.shape == cost.shape == (10, 2)
