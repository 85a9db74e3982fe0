"""Fits a predictor to recorded outcomes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from farthing.domain.routing.learning.predictor import Predictor
from farthing.domain.routing.learning.reading import Reading, read
from farthing.domain.routing.learning.terms import PLACES
from farthing.insight.learning.design import Design, design_of, encoder_of
from farthing.insight.learning.growing import grow
from farthing.insight.learning.labels import Labelled
from farthing.insight.learning.nearness import nearness_of
from farthing.insight.learning.solving import solve
from farthing.insight.learning.vocabulary import vocabulary
from farthing.ports.embedding import Embed

MOST_ROWS = 50_000
"""Of more prompts the last are learned from."""

_MOST_OF_TERMS, _TERMS_FROM = 0.5, 2_000
"""Share of what two prompts have in common that falls to terms in the end, and the prompts at which it is half of that:
words are many, and tell little until there are as many prompts."""
_OF_TRAITS = 0.6
"""Of what is left to traits and meaning."""
_OF_EMBEDDINGS = 0.3
"""Of all that two prompts have in common, where there are embeddings."""
_QUALITY_RIDGE, _COST_RIDGE = 3.0, 0.5
"""Variance of one answer's quality, and of the logarithm of its cost, to that of what prompts tell of it."""
_COST_WORTH = 0.3
"""Of questions that tell cost to those that tell quality: lengths tell of cost all that there is to tell."""
_STRETCH_LINEAR, _STRETCH_FOREST = (1.2, 1.5), (1.2, 1.0)
"""Of what each says of quality and of cost, before the mean of both is taken: each alone keeps near to the mean for
errors that the other does not share. Of cost a linear function tells more."""
_LEAST_COST = 1e-9
"""US dollars: a thousandth of the price of a short answer by the cheapest model."""


def fit(rows: Sequence[Labelled], *, models: Sequence[str] | None = None, embed: Embed | None = None) -> Predictor:
    """A predictor for the given models, or for all that the rows know; with `embed` one that reads embeddings.

    Raises:
        ValueError: There are no rows.
    """
    if not rows:
        raise ValueError("a predictor is fitted to one prompt at least")
    rows = rows[-MOST_ROWS:]
    names = tuple(models if models is not None else sorted({model for row in rows for model in row.outcomes}))
    words = vocabulary()
    readings = [_compact(read(row.prompt, words)) for row in rows]
    embeddings = None if embed is None else embed([row.prompt for row in rows])
    encoder = encoder_of(readings, words, embeddings)
    design = design_of(readings, encoder, embeddings)
    values, known = outputs_of(rows, names)
    means = (values * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    ridge = np.repeat(np.array([_QUALITY_RIDGE, _COST_RIDGE], dtype=np.float32), len(names))
    centred = ((values - means) * (known > 0)).astype(np.float32)
    of_terms, of_likeness = _weights(design, centred, known, ridge, embeds=embed is not None)
    forest = grow(design.numbers, centred, known, np.repeat([1.0, _COST_WORTH], len(names)))
    return Predictor(
        models=names,
        vocabulary=words,
        encoder=encoder,
        of_terms=of_terms,
        of_likeness=of_likeness,
        forest=replace(forest, values=(forest.values * _stretch(_STRETCH_FOREST, len(names))).astype(np.float16)),
        nearness=nearness_of(readings, known[:, : len(names)]),
        means=means,
        levels=_levels(rows, names, means[len(names) :]),
    )


def _compact(reading: Reading) -> Reading:
    """The same in a tenth of the room: of fifty thousand prompts it would be a gigabyte."""
    places, pieces = (array("i", numbers) for numbers in (reading.places, reading.pieces))
    return Reading(places, pieces, array("d", reading.traits))


def outputs_of(rows: Sequence[Labelled], models: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Qualities and logarithms of costs, rows by outputs, 0 where not recorded; and how much each counts, float32."""
    width = len(models)
    values, known = np.zeros((len(rows), 2 * width)), np.zeros((len(rows), 2 * width), dtype=np.float32)
    for place, model in enumerate(models):
        for number, row in enumerate(rows):
            outcome = row.outcomes.get(model)
            if outcome is None:
                continue
            values[number, place], known[number, place] = outcome.quality, outcome.weight
            if outcome.cost is not None:
                values[number, width + place] = np.log(max(outcome.cost, _LEAST_COST))
                known[number, width + place] = 1
    return values, known


def _weights(
    design: Design, values: NDArray[Any], known: NDArray[Any], ridge: NDArray[Any], *, embeds: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """By place in the table and by landmark."""
    scales = np.sqrt(_shares(len(values), embeds=embeds))
    blocks = [block * scale for block, scale in zip((design.terms, *design.alike), scales, strict=True)]
    stretch = _stretch(_STRETCH_LINEAR, values.shape[1] // 2)
    terms, *alike = [
        weights * scale * stretch for weights, scale in zip(solve(blocks, values, known, ridge), scales, strict=True)
    ]
    of_terms = np.zeros((PLACES, values.shape[1]), dtype=np.float16)
    of_terms[design.used] = terms
    turned = [turn @ weights for turn, weights in zip(design.turns, alike, strict=True)]
    return of_terms, np.concatenate(turned).astype(np.float32)


def _stretch(of_quality_and_cost: tuple[float, float], models: int) -> NDArray[Any]:
    """By output."""
    return np.repeat(np.array(of_quality_and_cost, dtype=np.float32), models)


def _shares(prompts: int, *, embeds: bool) -> NDArray[Any]:
    """Of terms, traits, meaning and embeddings if there are any in what two prompts have in common; they sum to 1."""
    terms = _MOST_OF_TERMS * prompts / (prompts + _TERMS_FROM)
    rest = 1 - terms
    shares = np.array([terms, _OF_TRAITS * rest, (1 - _OF_TRAITS) * rest], dtype=np.float32)
    if embeds:
        shares = np.append(shares * (1 - _OF_EMBEDDINGS), _OF_EMBEDDINGS).astype(np.float32)
    return shares


def _levels(rows: Sequence[Labelled], models: Sequence[str], means: NDArray[Any]) -> NDArray[Any]:
    """What makes of the mean logarithm of a model's cost its mean cost; 0 where none is recorded."""
    found = np.zeros(len(models))
    for place, model in enumerate(models):
        costs = [row.outcomes[model].cost for row in rows if model in row.outcomes]
        recorded = [cost for cost in costs if cost is not None]
        if recorded:
            found[place] = np.mean(recorded) / np.exp(means[place])
    return found
