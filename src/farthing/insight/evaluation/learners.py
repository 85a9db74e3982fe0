"""The shipped predictor, and a check of first answers that is used here alone, as routers that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farthing.domain.routing.learning.check import Check
from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.evaluation.nesting import Learner
from farthing.insight.evaluation.routers import Fit, demanding
from farthing.insight.evaluation.table import Array, alike
from farthing.insight.learning.checking import fit_check
from farthing.insight.learning.embedding import Remembered
from farthing.insight.learning.labels import BadLabels, Labelled
from farthing.insight.learning.priors import fit_prior
from farthing.insight.learning.training import fit
from farthing.ports.embedding import Embed


@dataclass(frozen=True)
class Learned:
    """A fitted predictor, which is shown prompts and nothing else."""

    predictor: Predictor
    embed: Embed | None = None

    def predict(self, rows: Sequence[Labelled]) -> tuple[Array, Array]:
        """Quality and cost in US dollars, rows by models."""
        prompts = [row.prompt for row in rows]
        return self.predictor.predict_many(prompts, None if self.embed is None else self.embed(prompts))


def learning(rows: Sequence[Labelled], models: Sequence[str]) -> Learned:
    """Fits the shipped predictor."""
    return Learned(fit(rows, models=models))


def embedding(embed: Embed) -> Fit:
    """Fits the shipped predictor with embeddings; those to learn from are made once, those to foretell each time."""
    remembered = Remembered(embed)

    def fitted(rows: Sequence[Labelled], models: Sequence[str]) -> Learned:
        return Learned(fit(rows, models=models, embed=remembered), embed)

    return fitted


@dataclass(frozen=True)
class Checked:
    """A fitted check, which is shown prompts and the first model's answers."""

    check: Check

    def revise(self, rows: Sequence[Labelled], quality: Array) -> Array:
        """The quality expected of each model after the answer, rows by models."""
        answers = [row.outcomes[self.check.first].response or "" for row in rows]
        return self.check.revise_many([row.prompt for row in rows], answers, quality)


def checking(rows: Sequence[Labelled], models: Sequence[str], first: str, quality: Array) -> Checked:
    """Fits a check of one model's answers."""
    return Checked(fit_check(rows, models, first, quality))


def cold(elsewhere: Sequence[Labelled], scored: Sequence[Labelled]) -> Fit:
    """A router that knows prices and a prior fitted to rows elsewhere: those of no task and no prompt that is scored.

    Raises `BadLabels` where too few of these are left.
    """
    prompts, tasks = {alike(row.prompt) for row in scored}, {row.dataset for row in scored} - {""}
    others = [row for row in elsewhere if row.dataset not in tasks and alike(row.prompt) not in prompts]
    try:
        return demanding(fit_prior(others).demand)
    except ValueError as error:
        raise BadLabels(f"{len(others):,} rows of other tasks are too few for the cold router: {error}") from error


LEARNERS: Mapping[str, Fit] = {"learning": learning}
CASCADES: Mapping[str, Learner] = {"hybrid": Learner(fit=learning, fit_check=checking)}
"""By their names in tables: this `hybrid` reads answers, the gateway's strategy of that name does not."""
