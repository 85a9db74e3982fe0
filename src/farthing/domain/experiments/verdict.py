"""What an experiment has come to: a code for programs and a sentence for people."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Code = Literal[
    "collecting",
    "inconclusive",
    "invalid",
    "stopped_harm",
    "no_difference",
    "negligible",
    "trade_off",
    "outlier_driven",
    "winner",
]
"""`inconclusive`: the planned size is reached, and the data cannot answer. `invalid`: nothing may be concluded, since
users did not reach the arms as they should have. `trade_off`: cheaper, and worse in something that is guarded.
`outlier_driven`: a few very dear requests make the difference."""
Rule = Literal["planned", "early", "harm"]


class Verdict(Struct, frozen=True, kw_only=True):
    """One verdict; it never changes once it `is_final`."""

    code: Code
    significant: bool = False
    winner: str | None = None
    """The arm's name."""
    about: str | None = None
    """The arm that the reason speaks of, beside control; None where it speaks of none, or of all."""
    reason: str
    """One sentence that needs no knowledge of statistics."""
    rule: Rule = "planned"
    """What allowed the decision."""
    alpha_used: float = 0.05
    """The level that the primary metric's p-value was held against."""
    is_final: bool = False
    """Whether the data are frozen here: what comes later is kept, marked late, and changes nothing."""
    caveats: tuple[str, ...] = ()

    @property
    def is_harmful(self) -> bool:
        """Whether an arm did harm, so that everybody gets control from now on."""
        return self.rule == "harm"


def ends_as_planned(rule: Rule, n: int, planned_n: int) -> bool:
    """Whether data that are final ended where the plan allows it, so that figures for one look may be read.

    Those that ended by hand or by harm ended at a moment that somebody chose after looking.
    """
    return rule == "early" or (rule == "planned" and n >= planned_n)
