"""Many random trees that ask for one number of a prompt at a time, and what they say on average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Forest(Struct, frozen=True):
    """All trees in one table of nodes; a leaf leads to itself."""

    roots: NDArray[Any]
    """int32, the first node of each tree."""
    asked: NDArray[Any]
    """int32, by node: the number that it asks for."""
    bounds: NDArray[Any]
    """float32, by node: a larger number goes to the second child; infinite for a leaf."""
    children: NDArray[Any]
    """int32, by node: the first of its two children, which follow each other."""
    leaves: NDArray[Any]
    """int32, by node: its row in `values`; 0 where it is no leaf."""
    values: NDArray[Any]
    """float16, leaves by outputs."""
    depth: int
    """Questions that the deepest tree asks."""

    def predict(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The mean of the trees' outputs for one prompt, float32."""
        import numpy as np

        nodes = self.roots
        for _ in range(self.depth):
            nodes = self.children[nodes] + (numbers[self.asked[nodes]] > self.bounds[nodes])
        mean: NDArray[Any] = self.values[self.leaves[nodes]].mean(axis=0, dtype=np.float32)
        return mean
