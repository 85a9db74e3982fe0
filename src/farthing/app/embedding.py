"""The model that tells what prompts are about, where the settings ask for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.settings import Settings

if TYPE_CHECKING:
    from farthing.embeddings.waiting import WaitingEmbedder
    from farthing.ports.embedding import Embed


def load_model() -> Embed:
    """Takes about half a second."""
    from farthing.embeddings.minilm import MiniLM

    return MiniLM()


def embeds(settings: Settings) -> bool:
    """Whether they ask for one."""
    return settings.learning.embeddings != "none"


def build_embedder(settings: Settings, before: WaitingEmbedder | None = None) -> WaitingEmbedder | None:
    """What embeds for requests, the one `before` if there is one; None where nothing is to be embedded."""
    if not embeds(settings):
        return None
    from farthing.embeddings.waiting import WaitingEmbedder

    return before or WaitingEmbedder(load_model)
