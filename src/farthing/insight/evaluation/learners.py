"""The shipped predictors as routers that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.evaluation.routers import Fit
from farthing.insight.evaluation.table import Array
from farthing.insight.learning.labels import Labelled
from farthing.insight.learning.training import fit


@dataclass(frozen=True)
class Learned:
    """A fitted predictor, which is shown prompts and nothing else."""

    predictor: Predictor

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """Quality and cost in US dollars, rows by models."""
        return self.predictor.predict_many([row.prompt for row in rows])


def learning(rows: Sequence[Labelled], models: Sequence[str]) -> Learned:
    """Fits the shipped predictor."""
    return Learned(fit(rows, models=models))


LEARNERS: Mapping[str, Fit] = {"learning": learning}
"""By the name of the strategy."""
