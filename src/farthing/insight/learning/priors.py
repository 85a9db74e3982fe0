"""Fits the prior to recorded outcomes of many tasks and pools, and keeps it as a small file in the package."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from farthing.domain.routing.learning.prior import Prior
from farthing.domain.routing.learning.reading import Reading, read
from farthing.insight.learning.design import design_of, encoder_of
from farthing.insight.learning.labels import Labelled
from farthing.insight.learning.solving import solve
from farthing.insight.learning.vocabulary import vocabulary

FILE = "prior.npz"
"""Beside this module."""
MOST_OF_A_KIND, FEWEST_OF_A_KIND = 400, 10
"""Rows of one task and pool: the largest does not speak for all."""
_RIDGE = 32.0
"""What is to hold for tasks that nobody has seen is told in broad strokes."""
_LONGER = 2.0
"""As much weight has length as what is asked about: on tasks that were not fitted to it tells more."""
_SEED = 20_250_101
_SMALLEST = 1e-6
_ARRAYS = ("centre", "meanings", "of_likeness", "piece_rarity")


def fit_prior(rows: Sequence[Labelled]) -> Prior:
    """What rows of many tasks and pools have in common: what makes dearer models worth more, within a task.

    Tasks differ in how much is gained on the whole, and one says nothing of that of another: each row counts by how
    far it is from the mean of its kind.

    Raises:
        ValueError: No kind has ten rows of two models or more.
    """
    prompts, gains, kinds = _gains(rows)
    if not prompts:
        raise ValueError("a prior is fitted to ten rows of a task at least, each with the outcomes of two models")
    words = vocabulary()
    readings = [read(prompt, words) for prompt in prompts]
    told = np.zeros(len(prompts))
    part = np.random.default_rng(_SEED).permutation(len(prompts)) % 2
    for half in (0, 1):
        there, here = np.flatnonzero(part != half), np.flatnonzero(part == half)
        draft = _fitted([readings[row] for row in there], gains[there])
        told[here] = [draft.excess(prompts[row]) for row in here]
    longer = np.array([reading.traits[0] for reading in readings])
    weights = 1 / np.hypot(1, _LONGER), _LONGER / np.hypot(1, _LONGER)
    steps = float(weights[0] / _spread(told, kinds)), float(weights[1] / _spread(longer, kinds))
    return replace(_fitted(readings, gains), usual=(float(told.mean()), float(longer.mean())), steps=steps)


@cache
def prior() -> Prior:
    """The one that comes with the package, read once."""
    return unpacked(files(__package__).joinpath(FILE).read_bytes())


def packed(found: Prior) -> bytes:
    """A file of it, but for the vocabulary."""
    arrays: dict[str, Any] = {name: getattr(found, name).astype(np.float16) for name in _ARRAYS}
    arrays["scale"] = np.array([found.usual, found.steps])
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpacked(raw: bytes) -> Prior:
    """The prior that a file holds."""
    with np.load(BytesIO(raw)) as file:
        (usual, longer), (step, step_longer) = file["scale"].tolist()
        return Prior(
            vocabulary=vocabulary(),
            **{name: file[name].astype(np.float32) for name in _ARRAYS},
            usual=(usual, longer),
            steps=(step, step_longer),
        )


def _gains(rows: Sequence[Labelled]) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """Prompts, by how much more than usual of their kind the dearer models are worth, and the number of their kind."""
    members: dict[tuple[str, frozenset[str]], list[Labelled]] = defaultdict(list)
    for row in rows:
        if len(row.outcomes) > 1:
            members[row.dataset, frozenset(row.outcomes)].append(row)
    prompts: list[str] = []
    gains: list[NDArray[Any]] = []
    random = np.random.default_rng(_SEED)
    for (_, models), those in members.items():
        if len(those) < FEWEST_OF_A_KIND:
            continue
        chosen = [those[row] for row in random.permutation(len(those))[:MOST_OF_A_KIND]]
        gained = _gained(chosen, models)
        prompts += [row.prompt for row in chosen]
        gains.append(gained - gained.mean())
    kinds = np.repeat(np.arange(len(gains)), [len(gained) for gained in gains])
    return prompts, np.concatenate([*gains, np.zeros(0)]), kinds


def _gained(rows: Sequence[Labelled], models: frozenset[str]) -> NDArray[Any]:
    """By row: mean quality of the dearer half of the models less that of the cheaper half."""
    order = sorted(models, key=lambda model: (_price(rows, model), model))
    quality = np.array([[row.outcomes[model].quality for model in order] for row in rows])
    half = len(order) // 2
    found: NDArray[Any] = quality[:, half:].mean(axis=1) - quality[:, :half].mean(axis=1)
    return found


def _price(rows: Sequence[Labelled], model: str) -> float:
    """Mean cost of a model; mean quality where no cost is recorded: what is better is dearer, mostly."""
    outcomes = [row.outcomes[model] for row in rows]
    costs = [outcome.cost for outcome in outcomes if outcome.cost is not None]
    return float(np.mean(costs or [outcome.quality for outcome in outcomes]))


def _fitted(readings: Sequence[Reading], gains: NDArray[Any]) -> Prior:
    """A prior that tells of gains as they are, and nothing of length."""
    words = vocabulary()
    encoder = encoder_of(readings, words)
    design = design_of(readings, encoder)
    values = gains[:, None].astype(np.float32)
    known = np.ones_like(values)
    (weights,) = solve([design.alike[1]], values, known, np.array([_RIDGE], dtype=np.float32))
    return Prior(
        vocabulary=words,
        piece_rarity=encoder.piece_rarity,
        centre=encoder.centre,
        meanings=encoder.meanings,
        of_likeness=(design.turns[1] @ weights)[:, 0],
        usual=(0.0, 0.0),
        steps=(1.0, 0.0),
    )


def _spread(values: NDArray[Any], kinds: NDArray[Any]) -> float:
    """Standard deviation within kinds."""
    means = np.bincount(kinds, values) / np.bincount(kinds)
    return max(float((values - means[kinds]).std()), _SMALLEST)
