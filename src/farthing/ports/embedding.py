"""Seams of embeddings: what tells what a text is about, and what requests wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], "NDArray[Any]"]
"""Texts to float32, texts by dimensions, each of length 1. Takes milliseconds for each text."""


class Embedder(Protocol):
    """Embeds prompts off the event loop, and remembers the last ones."""

    async def embed(self, text: str) -> None:
        """Sees to it that the embedding can be recalled; where too much waits to be embedded it leaves it."""

    def recall(self, text: str) -> NDArray[Any] | None:
        """The embedding of a text of late; None where it was left or is forgotten."""

    def told(self, text: str) -> NDArray[Any]:
        """The embedding, waited for: for threads other than the event loop's."""
