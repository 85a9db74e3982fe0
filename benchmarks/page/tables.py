"""What the browser saw, as it is printed and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.page.visits import GOAL_MS, PAINT_GOAL_MS, Seen, answered, summed_up
from benchmarks.tables import aligned


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """A database with so many rows, and every visit of each address."""

    database: str
    rows: int
    seconds: float
    """What filling it took."""
    visits: Mapping[str, Sequence[Seen]]
    load: float = 0.0
    """Processes that wanted a core, over the last minute of looking."""

    @property
    def head(self) -> str:
        """Its name in a table."""
        return f"{self.database} {self.rows:.0e}".replace("e+0", "e")

    def questions(self) -> dict[str, float | None]:
        """How long each answer took, whichever view asked; None where one was refused."""
        return answered([seen for visits in self.visits.values() for seen in visits])


def told(looked: Sequence[Looked]) -> str:
    """A table for each database, one of all questions, and what is over its goal."""
    parts = [line for each in looked for line in [*_table(each), ""]]
    names = sorted({name for each in looked for name in each.questions()})
    answers = [(name, *(_ms(each.questions().get(name)) for each in looked)) for name in names]
    missed = [f"over the goal in {each.head}: {', '.join(names)}" for each in looked if (names := over(each))]
    filled = ", ".join(f"{each.head} in {each.seconds:.0f} s" for each in looked)
    load = " ".join(f"{each.load:.1f}" for each in looked)
    return "\n".join(
        [
            *parts,
            *aligned([("milliseconds for an answer", *(each.head for each in looked)), *answers]),
            "",
            *(missed or ["Everything is within its goal."]),
            "",
            f"Goals: first paint {PAINT_GOAL_MS:g} ms, every answer {GOAL_MS:g} ms. Medians of visits in new windows.",
            "A view asks all at once; browser, gateway and database share the cores.",
            f"Filled: {filled}; 100 days, 3 tenants, 40 users, 10 keys, 6 models. Load while looking: {load}.",
        ]
    )


def over(looked: Looked) -> list[str]:
    """The answers that took longer than their goal or were refused, and addresses that were painted too late."""
    late = [name for name, took in looked.questions().items() if took is None or took > GOAL_MS]
    paints = {name: summed_up(visits).paint for name, visits in looked.visits.items()}
    return [*sorted(late), *(name for name, paint in paints.items() if paint is None or paint > PAINT_GOAL_MS)]


def _table(looked: Looked) -> list[str]:
    head = (f"{looked.head}, milliseconds to", "first paint", "sentence", "whole view", "slowest answer")
    rows = {name: summed_up(visits) for name, visits in looked.visits.items()}
    lines = [
        (name, _ms(row.paint), _ms(row.sentence), _ms(row.whole), f"{row.slowest} {_ms(row.slowest_ms)}")
        for name, row in rows.items()
    ]
    return aligned([head, *lines])


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f}"
