"""Recorded outcomes as arrays, one row a prompt and one column a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from farthing.insight.learning.labels import BadLabels, Labelled, fold_of, id_of

Array: TypeAlias = "NDArray[np.float64]"

_COMMON = 0.5
"""A model that fewer than this share of the rows hold is no member of the pool."""
_SMALLEST_POOL = 2


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows that every model of the pool has answered."""

    rows: Sequence[Labelled]
    models: tuple[str, ...]
    """The pool, by mean cost: the cheapest first, of equals the best."""
    quality: Array
    """Rows by models, 0..1."""
    cost: Array
    """Rows by models, US dollars."""
    left_out: int
    """Rows that lack a model of the pool, and are not scored."""

    @property
    def best(self) -> int:
        """The column of the model with the highest mean quality; of equals the cheapest."""
        return int(self.quality.mean(axis=0).argmax())


def tabulate(rows: Sequence[Labelled]) -> Table:
    """All rows that hold every model of the pool: of those that at least half of the rows hold.

    Every outcome has a cost. Raises `BadLabels` where fewer than two models, or no rows, are left.
    """
    seen = Counter(model for row in rows for model in row.outcomes)
    pool = [model for model, count in seen.items() if count >= _COMMON * len(rows)]
    if len(pool) < _SMALLEST_POOL:
        raise BadLabels(
            f"routing needs two models to choose from: {', '.join(pool) or 'none'} stands in at least half of the rows"
        )
    whole = [row for row in rows if all(model in row.outcomes for model in pool)]
    if not whole:
        raise BadLabels(f"no row holds an outcome for each of {', '.join(sorted(pool))}")
    quality = np.array([[row.outcomes[model].quality for model in pool] for row in whole], dtype=np.float64)
    cost = np.array([[row.outcomes[model].cost or 0.0 for model in pool] for row in whole], dtype=np.float64)
    order = np.lexsort((pool, -quality.mean(axis=0), cost.mean(axis=0)))
    return Table(
        rows=whole,
        models=tuple(pool[place] for place in order),
        quality=quality[:, order],
        cost=cost[:, order],
        left_out=len(rows) - len(whole),
    )


def alike(prompt: str) -> str:
    """What two prompts share that are the same but for case and white space."""
    return " ".join(prompt.casefold().split())


def folds(rows: Sequence[Labelled], split: Callable[[str], int] = fold_of) -> Mapping[str, int]:
    """The part of each prompt, as `alike` gives it: that of the first row's id which holds it.

    Where all ids fall into one, as in a part that was held out by them, they are split by the prompt instead.
    """
    found: dict[str, int] = {}
    for row in rows:
        found.setdefault(alike(row.prompt), split(row.id))
    if len(set(found.values())) > 1:
        return found
    return {prompt: split(id_of(prompt)) for prompt in found}
