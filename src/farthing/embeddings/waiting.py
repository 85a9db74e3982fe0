"""Prompts that wait for a thread of their own to embed them, so that no other request waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from farthing.embeddings.pieces import READ_CHARS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from farthing.ports.embedding import Embed

MOST_WAITING = 32
"""Requests; more would wait longer than the embedding is worth."""
REMEMBERED = 1_024
"""Prompts, each with 1.5 KB and the characters that were read of it."""


class WaitingEmbedder:
    """Implements `farthing.ports.embedding.Embedder`."""

    def __init__(self, load: Callable[[], Embed], *, most_waiting: int = MOST_WAITING) -> None:
        """`load` makes the model, in the thread, when it is first needed."""
        self._load = load
        self._model: Embed | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._most_waiting = most_waiting
        self._waiting = 0
        self._remembered: dict[str, NDArray[Any]] = {}

    async def embed(self, text: str) -> None:
        """Remembers the embedding for `recall`; with too many before it, at once nothing."""
        if text[:READ_CHARS] in self._remembered or self._waiting >= self._most_waiting:
            return
        self._waiting += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._told, text)
        finally:
            self._waiting -= 1

    def recall(self, text: str) -> NDArray[Any] | None:
        """What is remembered."""
        return self._remembered.get(text[:READ_CHARS])

    def told(self, text: str) -> NDArray[Any]:
        """The embedding, waited for in a thread that is not the event loop's."""
        return self._thread.submit(self._told, text).result()

    def _told(self, text: str) -> NDArray[Any]:
        read = text[:READ_CHARS]
        found = self._remembered.get(read)
        if found is None:
            if self._model is None:
                self._model = self._load()
            found = self._model([read])[0]
            if len(self._remembered) >= REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[read] = found
        return found
