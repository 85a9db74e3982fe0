"""The figures of all databases and sizes beside one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.micro.figures import Figure, ratios
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
    calibration_us: float
    """The least that a fixed piece of work took, between the questions."""
    load: float = 0.0
    """Processes that wanted a core, over the last minute of asking."""

    @property
    def head(self) -> str:
        """The column's head."""
        return f"{self.database} {self.rows:.0e}".replace("e+0", "e")


def figures(databases: Sequence[Filled]) -> dict[str, Figure]:
    """Every answer by database, rows and question, as they are stored and compared."""
    return {
        f"{each.head}: {name}": Figure(
            min_us=round(took.cpu_ms * 1000, 1),
            median_us=round(took.wall_ms * 1000, 1),
            calibration_us=round(each.calibration_us, 2),
        )
        for each in databases
        for name, took in each.took.items()
        if took is not None
    }


Goals = Mapping[str, float | None]


def told(goals: Goals, databases: Sequence[Filled], stored: Mapping[str, Figure]) -> str:
    """The wall's time, the processor's, the latter beside what is stored, and what is over its goal."""
    heads = [each.head for each in databases]
    walls = [(name, _shown(goals[name], "g"), *(_wall(each.took[name]) for each in databases)) for name in goals]
    cpus = [(name, "", *(_cpu(each.took[name]) for each in databases)) for name in goals]
    now = ratios(figures(databases), stored)
    compared = [(name, "", *(_shown(now.get(f"{head}: {name}"), ".2f") for head in heads)) for name in goals]
    return "\n".join(
        [
            "milliseconds for an answer, median",
            *aligned([("", "goal", *heads), *walls]),
            "",
            "milliseconds of processor for an answer: the gateway's and the database server's",
            *aligned([("", "", *heads), *cpus]),
            "",
            "the latter over what was stored before, each beside a fixed piece of work in the same minutes",
            *aligned([("", "", *heads), *compared]),
            "",
            *aligned([("filled", "sums", "MiB", "seconds"), *(_filled(each) for each in databases)]),
            "",
            *_over(goals, databases),
        ]
    )


def over(goals: Goals, database: Filled) -> list[str]:
    """The questions that took longer than their goal, or were given up."""
    return [
        name
        for name, goal in goals.items()
        if (took := database.took[name]) is None or (goal is not None and took.wall_ms > goal)
    ]


def _over(goals: Goals, databases: Sequence[Filled]) -> list[str]:
    missed = [f"over the goal in {each.head}: {', '.join(names)}" for each in databases if (names := over(goals, each))]
    return missed or ["Every answer is within its goal."]


def _filled(each: Filled) -> tuple[str, ...]:
    return each.head, f"{each.sums:,}", f"{each.mib:,.0f}", f"{each.seconds:.0f}"


def _shown(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def _wall(took: Took | None) -> str:
    return "given up" if took is None else f"{took.wall_ms:.2f}"


def _cpu(took: Took | None) -> str:
    return "given up" if took is None else f"{took.cpu_ms:.2f}"
