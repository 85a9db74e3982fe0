"""Recorded outcomes made up for tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from farthing.insight.learning.labels import Labelled, Outcome


def row(number: int, qualities: Sequence[float], costs: Sequence[float | None], **others: str) -> Labelled:
    """One prompt, answered by models called a, b and so on; its fold is the number modulo five."""
    outcomes = {
        chr(ord("a") + place): Outcome(quality, cost)
        for place, (quality, cost) in enumerate(zip(qualities, costs, strict=True))
    }
    return Labelled(**{"prompt": f"prompt {number}", "id": f"{number:08x}", **others}, outcomes=outcomes)


def halves(count: int) -> list[Labelled]:
    """Prompts of two tasks: the cheap model is right in all of the first task, and only the dear one in the second."""
    tasks = [("easy", (1.0, 1.0)), ("hard", (0.0, 1.0))]
    rows = []
    for number in range(count):
        dataset, qualities = tasks[number // 5 % 2]
        rows.append(row(number, qualities, (1.0, 10.0), dataset=dataset))
    return rows
