"""How a prompt looks to a predictor: weighted terms, and its likeness to prompts that stand for all it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from farthing.domain.routing.learning.reading import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FARTHEST = 4.0
"""Standard deviations from the mean that a trait counts for at most."""


class Seen(NamedTuple):
    """One prompt."""

    places: NDArray[Any]
    """int64, those of its terms that are known, each once."""
    weights: NDArray[Any]
    """float32, of these terms; their squares sum to 1."""
    likeness: NDArray[Any]
    """float32, 0..1: in traits to each landmark, then in meaning to each, then in embedding where there is one."""
    numbers: NDArray[Any]
    """float32: traits, then meaning."""


class Encoder(Struct, frozen=True):
    """What the prompts were like that a predictor was fitted to."""

    rarity: NDArray[Any]
    """float32 by a term's place: the logarithm of how many prompts go to one that has it; 0 where it is not known."""
    piece_rarity: NDArray[Any]
    """float32, the same by piece of the vocabulary."""
    vectors: NDArray[Any]
    """int8, pieces by dimensions: the vocabulary's."""
    means: NDArray[Any]
    """float32, by trait."""
    scales: NDArray[Any]
    """float32, by trait: one over its standard deviation."""
    centre: NDArray[Any]
    """float32, by dimension: the mean meaning."""
    traits: NDArray[Any]
    """float32, landmarks by traits, as `standard` gives them."""
    meanings: NDArray[Any]
    """float32, landmarks by dimensions, as `meaning` gives them; the same prompts."""
    embeddings: NDArray[Any] | None = None
    """float32, landmarks by an embedding's dimensions, each of length 1, the same prompts; None where none are read."""

    def encode(self, reading: Reading, embedding: NDArray[Any] | None = None) -> Seen:
        """What of a prompt weighs with the predictor. Without an embedding it is like no other in that."""
        import numpy as np

        places, weights = self.terms(reading)
        traits, meaning = np.array([reading.traits], dtype=np.float32), self.meaning([reading.pieces])
        alike = [likeness(self.standard(traits), self.traits)[0], likeness(meaning, self.meanings)[0]]
        if self.embeddings is not None:
            unlike = np.zeros(len(self.embeddings), dtype=np.float32)
            alike.append(unlike if embedding is None else likeness(embedding[None], self.embeddings)[0])
        return Seen(places, weights, np.concatenate(alike), np.concatenate((traits[0], meaning[0])))

    def terms(self, reading: Reading) -> tuple[NDArray[Any], NDArray[Any]]:
        """Places of the known terms and their weights: (1 + ln count) · rarity, scaled to length 1."""
        import numpy as np

        places, counts = np.unique(np.array(reading.places, dtype=np.int64), return_counts=True)
        weights = (1 + np.log(counts, dtype=np.float32)) * self.rarity[places]
        known = weights > 0
        weights = weights[known]
        return places[known], weights / (float(np.sqrt((weights * weights).sum())) or 1.0)

    def standard(self, traits: NDArray[Any]) -> NDArray[Any]:
        """Traits, prompts by traits, scaled so that the squared distance of two prompts is about 1."""
        import numpy as np

        apart = np.clip((traits - self.means) * self.scales, -_FARTHEST, _FARTHEST)
        scaled: NDArray[Any] = apart * np.float32((2 * len(self.means)) ** -0.5)
        return scaled

    def meaning(self, pieces: Sequence[Sequence[int]]) -> NDArray[Any]:
        """What prompts are about, prompts by dimensions, of length 1: rare pieces count for more than common ones."""
        return meaning(pieces, self.piece_rarity, self.vectors, self.centre)


def meaning(
    pieces: Sequence[Sequence[int]], rarity: NDArray[Any], vectors: NDArray[Any], centre: NDArray[Any]
) -> NDArray[Any]:
    """What prompts of these pieces are about, prompts by dimensions, as seen from a centre, of length 1."""
    import numpy as np

    sums = np.zeros((len(pieces), vectors.shape[1]), dtype=np.float32)
    for row, those in enumerate(pieces):
        rows = np.array(those, dtype=np.int64)
        sums[row] = rarity[rows] @ vectors[rows]
    return unit(unit(sums) - centre)


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    """Each row scaled to length 1; one of zeros stays."""
    import numpy as np

    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    scaled: NDArray[Any] = rows / np.where(lengths > 0, lengths, 1)
    return scaled


def likeness(rows: NDArray[Any], landmarks: NDArray[Any]) -> NDArray[Any]:
    """exp(-d²), d being the distance of each row from each landmark: rows by landmarks, 0..1."""
    import numpy as np

    # Without the squares of all landmarks in memory, which would take longer than all the rest.
    far, near = (np.einsum("ij,ij->i", each, each) for each in (landmarks, rows))
    squares = near[:, None] + far - 2 * rows @ landmarks.T
    alike: NDArray[Any] = np.exp(-np.maximum(squares, 0))
    return alike
