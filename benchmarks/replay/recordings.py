"""Real prompts with what two real models answered, how good that was, and what it costs by a rule of our own."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.machine import ROOT

FILE = ROOT.parent / "shared" / "data" / "routing" / "gsm8k_gpt4_mixtral.jsonl.gz"

STRONG = "gpt-4-1106-preview"
CHEAP = "mixtral-8x7b-instruct"
NANO_PER_TOKEN: Mapping[str, int] = {STRONG: 24_700, CHEAP: 240}
"""List prices, 24.7 and 0.24 USD per million tokens in and out, in nano-dollars."""

CHARACTERS_PER_TOKEN = 4


class Answer(msgspec.Struct, frozen=True):
    """What a model said, and whether it was right: 0 or 1."""

    quality: float
    response: str


class Recording(msgspec.Struct, frozen=True):
    """One prompt and the answer of each model."""

    id: str
    prompt: str
    models: Mapping[str, Answer]

    def tokens(self, model: str) -> tuple[int, int]:
        """Tokens in and out, should this model answer."""
        return token_count(self.prompt), token_count(self.models[model].response)

    def cost(self, answered_by: str, priced_as: str) -> int:
        """Nano-dollars for the answer of one model at the price of another, or of the same."""
        return sum(self.tokens(answered_by)) * NANO_PER_TOKEN[priced_as]


def token_count(text: str) -> int:
    """The rule of the replay, as the recordings lack token counts: one token for each four characters begun."""
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


def load(path: Path = FILE) -> Sequence[Recording]:
    """All recordings in the order of the file. Raises `FileNotFoundError` where they are not at hand."""
    with gzip.open(path, "rb") as lines:
        return [msgspec.json.decode(line, type=Recording) for line in lines]
