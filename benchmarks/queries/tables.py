"""The figures of all databases and sizes beside one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.queries.questions import Took
from benchmarks.tables import aligned


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A database with so many rows, and how long each question took there; None where it was given up."""

    database: str
    rows: int
    sums: int
    """Rows of `value_metrics`."""
    mib: float
    seconds: float
    """What filling it took."""
    took: Mapping[str, Took | None]
    load: float = 0.0
    """Processes that wanted a core, over the last minute of asking."""

    @property
    def head(self) -> str:
        """The column's head."""
        return f"{self.database} {self.rows:.0e}".replace("e+0", "e")


def told(goals: Mapping[str, float], databases: Sequence[Filled]) -> str:
    """A table on the wall's time and one on the processor's, and what is over its goal."""
    head = ("", "goal", *(each.head for each in databases))
    walls = [(name, f"{goals[name]:g}", *(_wall(each.took[name]) for each in databases)) for name in goals]
    cpus = [(name, "", *(_cpu(each.took[name]) for each in databases)) for name in goals]
    return "\n".join(
        [
            "milliseconds for an answer, median",
            *aligned([head, *walls]),
            "",
            "milliseconds of processor for an answer: the gateway's and the database server's",
            *aligned([("", "", *(each.head for each in databases)), *cpus]),
            "",
            *aligned([("filled", "sums", "MiB", "seconds"), *(_filled(each) for each in databases)]),
            "",
            *_over(goals, databases),
        ]
    )


def over(goals: Mapping[str, float], database: Filled) -> list[str]:
    """The questions that took longer than their goal, or were given up."""
    return [
        name for name, goal in goals.items() if (took := database.took[name]) is None or max(took.wall_ms, 0) > goal
    ]


def _over(goals: Mapping[str, float], databases: Sequence[Filled]) -> list[str]:
    missed = [f"over the goal in {each.head}: {', '.join(names)}" for each in databases if (names := over(goals, each))]
    return missed or ["Every answer is within its goal."]


def _filled(each: Filled) -> tuple[str, ...]:
    return each.head, f"{each.sums:,}", f"{each.mib:,.0f}", f"{each.seconds:.0f}"


def _wall(took: Took | None) -> str:
    return "given up" if took is None else f"{took.wall_ms:.2f}"


def _cpu(took: Took | None) -> str:
    return "given up" if took is None else f"{took.cpu_ms:.2f}"
