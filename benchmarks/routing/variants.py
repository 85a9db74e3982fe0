"""`python -m benchmarks.routing.variants`: what each part of the predictor is worth, into benchmarks/results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks.machine import store
from benchmarks.routing.published import PUBLISHED
from benchmarks.routing.sets import DATA, path_of
from benchmarks.tables import aligned
from farthing.domain.routing.learning.predictor import Predictor
from farthing.insight.evaluation.evaluating import Question, Standing, evaluate
from farthing.insight.evaluation.figures import Figure
from farthing.insight.evaluation.learners import Learned
from farthing.insight.evaluation.routers import Fit
from farthing.insight.learning import design, growing, training
from farthing.insight.learning.labels import Labelled, read_labels

FIGURES = {"pareto4": ("reward_at", "0.000235"), "uiuc9": ("cost@99", "")}
"""What is compared of a set, and for which budget; of the others `apgr`."""

MOST_ROWS = 1_000
"""Of a set, the first by their ids: minutes instead of an hour."""

Setting = tuple[object, str, object]
"""A module, the name of one of its constants, and another value."""


def _always(*shares: float) -> Callable[..., NDArray[Any]]:
    """These shares, however many prompts there are."""
    return lambda *_, **__: np.array(shares, dtype=np.float32)


SETTINGS: Mapping[str, Sequence[Setting]] = {
    "as shipped": (),
    "terms alone, linear": ((training, "_shares", _always(1, 0, 0)),),
    "traits alone, linear": ((training, "_shares", _always(0, 1, 0)),),
    "meaning alone, linear": ((training, "_shares", _always(0, 0, 1)),),
    "equal shares, linear": ((training, "_shares", _always(1 / 3, 1 / 3, 1 / 3)),),
    "shares by rows, linear": (),
    "forest alone": (),
    "ridge 1": ((training, "_QUALITY_RIDGE", 1.0),),
    "ridge 8": ((training, "_QUALITY_RIDGE", 8.0),),
    "questions for cost, too": ((training, "_COST_WORTH", 1.0),),
    "leaves of 12 rows": ((growing, "_FEWEST_ROWS", 12),),
    "12 questions a node": ((growing, "_QUESTIONS", 12),),
    "leaves drawn to the mean by 2 rows": ((growing, "_SHRINK", 2.0),),
    "256 landmarks": ((design, "LANDMARKS", 256),),
}


def main() -> int:
    """Scores all variants, each with the same parts of the rows."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", nargs="?", type=Path, default=DATA, help="folder of the recorded outcomes")
    asked = reader.parse_args()
    columns = {name: _scored(name, read_labels(path_of(asked.data, name))) for name in PUBLISHED}
    lines = [("", *(f"{name} {_figure(name)}" for name in columns))]
    lines += [(variant, *(f"{found[variant]:g}" for found in columns.values())) for variant in SETTINGS]
    tried = Path(__file__).with_name("tried.txt").read_text(encoding="utf-8")
    text = "\n".join([f"first {MOST_ROWS:,} rows of each set", "", *aligned(lines), "", tried.rstrip()])
    print(text)
    store("routing-variants", text)
    return 0


def _scored(name: str, rows: Sequence[Labelled]) -> Mapping[str, float]:
    learners = {variant: fitting(variant, settings) for variant, settings in SETTINGS.items()}
    drawn = sorted(rows, key=lambda row: row.id)[:MOST_ROWS]
    found = evaluate(Question(rows=drawn, learners=learners))
    return {variant: _seen(found.routers[variant], name) for variant in learners}


def fitting(variant: str, settings: Sequence[Setting]) -> Fit:
    """Fits the predictor under other constants."""

    def fitted(rows: Sequence[Labelled], models: Sequence[str]) -> Learned:
        with _set(settings):
            return Learned(_halved(variant, training.fit(rows, models=models)))

    return fitted


def _halved(variant: str, predictor: Predictor) -> Predictor:
    """The predictor, or what one of its halves says for both."""
    if variant.endswith("linear"):
        silent = replace(predictor.forest, values=predictor.forest.values * 0)
        linear = {"of_terms": predictor.of_terms * 2, "of_likeness": predictor.of_likeness * 2}
        return replace(predictor, forest=silent, **linear)
    if variant.startswith("forest"):
        alone = replace(predictor.forest, values=predictor.forest.values * 2)
        return replace(predictor, forest=alone, of_terms=predictor.of_terms * 0, of_likeness=predictor.of_likeness * 0)
    return predictor


@contextmanager
def _set(settings: Sequence[Setting]) -> Iterator[None]:
    """Constants changed for as long as this holds."""
    before = [(module, name, getattr(module, name)) for module, name, _ in settings]
    for module, name, value in settings:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _figure(name: str) -> str:
    return " ".join(FIGURES.get(name, ("apgr",))).strip()


def _seen(standing: Standing, name: str) -> float:
    figure, budget = FIGURES.get(name, ("apgr", ""))
    found = standing.figures[figure]
    value = found if isinstance(found, Figure) else found[budget]
    return float("nan") if value.value is None else value.value


if __name__ == "__main__":
    sys.exit(main())
