"""How the complexity score goes with what a cheap model gets wrong.

Run as `python -m benchmarks.complexity_outcomes FILE CHEAP STRONG`. FILE is gzipped and holds one recorded
prompt a line: `{"prompt": …, "models": {NAME: {"quality": 0..1}}}`.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

from farthing.domain.catalogue import TIERS
from farthing.domain.chat import ChatRequest, Message, Text
from farthing.domain.routing.cold import COLD
from farthing.domain.routing.complexity import score, tier_of
from farthing.domain.routing.features import read_features
from farthing.domain.tokens import estimate

FAILED = 0.5
"""A quality under this counts as a failure."""


class Row(NamedTuple):
    """One prompt: its score, as it is and moved by the prior, its length in tokens, and the quality of both models."""

    score: float
    moved: float
    tokens: int
    cheap: float
    strong: float


def main() -> None:
    """Prints the table for one file and pair of models."""
    path, cheap, strong = sys.argv[1:]
    rows = read(path, cheap, strong)
    failed = [row.cheap < FAILED for row in rows]
    print(f"{len(rows):,} prompts, {cheap} fails {sum(failed) / len(rows):.1%}")
    print(f"AUC for that failure: score {auc([row.score for row in rows], failed):.3f}", end=", ")
    print(f"moved by the prior {auc([row.moved for row in rows], failed):.3f}", end=", ")
    print(f"length alone {auc([row.tokens for row in rows], failed):.3f}")
    gains = [row.strong - row.cheap for row in rows]
    recovered = [apgr([row[place] for row in rows], gains) for place in range(3)]
    print("gain recovered (APGR): score {:.3f}, moved by the prior {:.3f}, length alone {:.3f}".format(*recovered))
    print(f"{'tier':10}{'share':>8}{'cheap':>8}{'strong':>8}")
    for tier in TIERS:
        those = [row for row in rows if tier_of(row.score) == tier]
        if those:
            cheap_mean, strong_mean = (sum(column) / len(those) for column in list(zip(*those, strict=True))[3:])
            print(f"{tier:10}{len(those) / len(rows):8.1%}{cheap_mean:8.3f}{strong_mean:8.3f}")


def read(path: str, cheap: str, strong: str) -> list[Row]:
    """The rows in which both models were recorded."""
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            recorded = json.loads(line)
            models, prompt = recorded["models"], recorded["prompt"]
            if cheap in models and strong in models:
                chat = ChatRequest(model="auto", messages=(Message("user", (Text(prompt),)),))
                parts, _ = read_features(chat)
                qualities = models[cheap]["quality"], models[strong]["quality"]
                found = score(parts.values())
                rows.append(Row(found, COLD.moved(found, len(prompt)), estimate(prompt), *qualities))
    return rows


def auc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """The chance that a positive row has a higher score than a negative one, ties counting half (Mann-Whitney U)."""
    ranked = sorted(zip(scores, positive, strict=True))
    total = wins = negatives = 0.0
    place = 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        hits = sum(flag for _, flag in ranked[place:end])
        misses = end - place - hits
        wins += hits * (negatives + misses / 2)
        negatives += misses
        total += hits
        place = end
    return wins / (total * negatives)


def apgr(scores: Sequence[float], gains: Sequence[float]) -> float:
    """The share of the strong model's gain that is recovered, on average over all shares of calls to it (RouteLLM).

    Rows of one score stand in the order in which they were recorded.
    """
    found = recovered = 0.0
    for _, gain in sorted(zip(scores, gains, strict=True), key=lambda row: -row[0]):
        recovered += gain
        found += recovered
    return found / recovered / len(gains)


if __name__ == "__main__":
    main()
