"""Grows forests of extremely randomized trees (Geurts, Ernst and Wehenkel 2006) for many outputs at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farthing.domain.routing.learning.forest import Forest

TREES = 240
"""More of them say the same."""
MOST_ROWS = 4_000
"""For each tree, drawn anew: with more of them trees grow larger and say the same."""
_QUESTIONS = 32
"""Tried at each node, each with a bound drawn between the least and the largest number."""
_FEWEST_ROWS = 6
"""Of a leaf."""
_DEEPEST = 16
_SHRINK = 0.5
"""As much of a row at the mean speaks for a leaf beside its own."""
_LEAST_GAIN = 1e-9
_SEED = 20_060_301


@dataclass
class _Tree:
    """Nodes in the order in which they were made, as `Forest` keeps them but counted from the tree's root."""

    asked: NDArray[Any] = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    bounds: NDArray[Any] = field(default_factory=lambda: np.full(1, np.inf, dtype=np.float32))
    children: NDArray[Any] = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    depth: int = 0

    def split(self, nodes: NDArray[Any], asked: NDArray[Any], bounds: NDArray[Any]) -> NDArray[Any]:
        """Gives each of these nodes two children, which are returned: the first and the second of each in turn."""
        made = len(self.asked) + np.arange(2 * len(nodes), dtype=np.int32)
        self.asked[nodes], self.bounds[nodes], self.children[nodes] = asked, bounds, made[::2]
        self.asked = np.concatenate((self.asked, np.zeros(len(made), dtype=np.int32)))
        self.bounds = np.concatenate((self.bounds, np.full(len(made), np.inf, dtype=np.float32)))
        self.children = np.concatenate((self.children, made))
        self.depth += 1
        return made

    def leaves(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The node that each row ends at."""
        rows, nodes = np.arange(len(numbers)), np.zeros(len(numbers), dtype=np.int64)
        for _ in range(self.depth):
            nodes = self.children[nodes] + (numbers[rows, self.asked[nodes]] > self.bounds[nodes])
        return nodes


@dataclass(frozen=True)
class _Sample:
    """The rows that one tree grows on."""

    numbers: NDArray[Any]
    pull: NDArray[Any]
    """By row: the outputs in one direction, drawn for the tree."""
    weight: NDArray[Any]
    """By row: share of the outputs that are known."""


@dataclass(frozen=True)
class _Front:
    """Nodes that may still be split."""

    nodes: NDArray[Any]
    rows: NDArray[Any]
    """Rows of the sample, those of a node together, in the order of the nodes."""
    sizes: NDArray[Any]
    """By node: how many rows."""


def grow(numbers: NDArray[Any], values: NDArray[Any], known: NDArray[Any], worth: NDArray[Any]) -> Forest:
    """A forest that tells outputs from numbers.

    `numbers`, float32, are rows by questions; `values` and `known` (0 to 1) are rows by outputs, values centred at 0.
    Questions are chosen for outputs by their `worth`.
    """
    random = np.random.default_rng(_SEED)
    scales = np.sqrt((known * values**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    scales[scales == 0] = 1
    trees, leaves = [], []
    for _ in range(TREES):
        drawn = random.permutation(len(numbers))[:MOST_ROWS]
        those, theirs = numbers[drawn], known[drawn]
        pulls = theirs * values[drawn] / scales
        direction = worth * random.normal(size=len(scales))
        tree = _grown(_Sample(those, pulls @ direction, theirs.mean(axis=1)), random)
        trees.append(tree)
        ends, size = tree.leaves(those), len(tree.asked)
        leaves.append(_sums(ends, size, pulls) / (_sums(ends, size, theirs) + _SHRINK) * scales)
    return _joined(trees, leaves)


def _grown(sample: _Sample, random: np.random.Generator) -> _Tree:
    tree, count = _Tree(), len(sample.numbers)
    front = _Front(np.zeros(1, dtype=np.int32), np.arange(count), np.array([count]))
    while len(front.nodes) and tree.depth < _DEEPEST:
        front = _divided(tree, sample, front, random)
    return tree


def _divided(tree: _Tree, sample: _Sample, front: _Front, random: np.random.Generator) -> _Front:
    """Splits what gains by it, and returns those of the parts that are large enough to be split again."""
    shape = len(front.nodes), _QUESTIONS
    starts = np.cumsum(front.sizes) - front.sizes
    owner = np.repeat(np.arange(shape[0]), front.sizes)
    asked = random.integers(0, sample.numbers.shape[1], size=shape)
    found = sample.numbers[front.rows[:, None], asked[owner]]
    least = np.minimum.reduceat(found, starts)
    bounds = least + (np.maximum.reduceat(found, starts) - least) * random.random(shape, dtype=np.float32)
    above = found > bounds[owner]
    gains = _gains(sample, front, starts, above)
    best, every = gains.argmax(axis=1), np.arange(shape[0])
    split = gains[every, best] > _LEAST_GAIN
    made = tree.split(front.nodes[split], asked[every, best][split], bounds[every, best][split]) if split.any() else ()
    kept = split[owner]
    side = above[np.arange(len(owner)), best[owner]][kept]
    part = (np.cumsum(split) - 1)[owner][kept] * 2 + side
    sizes = np.bincount(part, minlength=len(made))
    large = sizes >= 2 * _FEWEST_ROWS
    rows = front.rows[kept][part.argsort(kind="stable")][np.repeat(large, sizes)]
    return _Front(np.asarray(made, dtype=np.int32)[large], rows, sizes[large])


def _gains(sample: _Sample, front: _Front, starts: NDArray[Any], above: NDArray[Any]) -> NDArray[Any]:
    """By node and question: how much of the pull's variance a split takes away; below 0 where a part is too small."""
    pull, weight = sample.pull[front.rows], sample.weight[front.rows]
    counts = np.add.reduceat(above, starts, dtype=np.int64)
    pulled = np.add.reduceat(above * pull[:, None], starts)
    weighed = np.add.reduceat(above * weight[:, None], starts)
    rest = np.add.reduceat(pull, starts)[:, None] - pulled, np.add.reduceat(weight, starts)[:, None] - weighed
    large = (counts >= _FEWEST_ROWS) & (front.sizes[:, None] - counts >= _FEWEST_ROWS)
    whole = (pulled + rest[0]) ** 2 / (weighed + rest[1] + _LEAST_GAIN)
    gains = pulled**2 / (weighed + _LEAST_GAIN) + rest[0] ** 2 / (rest[1] + _LEAST_GAIN) - whole
    found: NDArray[Any] = np.where(large, gains, -1.0)
    return found


def _sums(nodes: NDArray[Any], size: int, values: NDArray[Any]) -> NDArray[Any]:
    """Of the values by the node, one of so many, that their row ends at."""
    return np.stack([np.bincount(nodes, column, size) for column in values.T], axis=1)


def _joined(trees: list[_Tree], values: list[NDArray[Any]]) -> Forest:
    """One table of the nodes of all trees."""
    roots = np.cumsum([0, *(len(tree.asked) for tree in trees)])[:-1]
    children = np.concatenate([tree.children + root for tree, root in zip(trees, roots, strict=True)])
    ends = np.flatnonzero(children == np.arange(len(children)))
    leaves = np.zeros(len(children), dtype=np.int32)
    leaves[ends] = np.arange(len(ends))
    return Forest(
        roots=roots.astype(np.int32),
        asked=np.concatenate([tree.asked for tree in trees]),
        bounds=np.concatenate([tree.bounds for tree in trees]),
        children=children.astype(np.int32),
        leaves=leaves,
        values=np.concatenate(values)[ends].astype(np.float16),
        depth=max(tree.depth for tree in trees),
    )
