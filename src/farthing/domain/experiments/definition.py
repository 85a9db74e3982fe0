"""What an experiment compares, in whom, and by which rules: fixed before the first result."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from farthing.domain.experiments.verdict import Verdict
from farthing.domain.scope import Scope

Policy = Literal["default", "strict"]
"""Whether a guardrail that is neither passed nor failed is only told (`default`), or stands against a winner."""
Status = Literal["running", "completed", "cancelled"]


class Arm(Struct, frozen=True):
    """One of the ways that are compared. The first arm of an experiment is its control."""

    name: str
    strategy: str
    """`complexity`, `learning`, `hybrid`, or a model's name."""
    share: float
    """Of the users in the experiment, over 0 and up to 1; the shares of all arms add up to 1."""


class Margins(Struct, frozen=True, kw_only=True):
    """How much worse than control an arm may be and still count as no worse (non-inferiority)."""

    quality: float = 0.2
    """In points of the ratings' own scale, which is 1 to 5."""
    errors: float = 0.01
    """In the share of requests that failed: 0.01 is one percentage point."""
    latency: float = 0.25
    """Of control's, for the mean as for the 95th percentile."""


class Phase(Struct, frozen=True):
    """A stretch of an experiment with shares of its own. Users are spread anew in each."""

    shares: tuple[float, ...]
    """In the order of the arms."""
    started_us: int
    """Microseconds since 1970 in UTC."""


class Namespace(Struct, frozen=True):
    """Experiments of one namespace whose ranges do not overlap never share a user."""

    name: str
    start: float = 0.0
    """From 0 up to but without 1."""
    end: float = 1.0
    """Over `start`, up to 1; itself outside."""


class Doubt(Struct, frozen=True):
    """Why nothing can be concluded from a running experiment as it stands."""

    n: int
    """Results that it rests on."""
    verdict: Verdict


class Experiment(Struct, frozen=True, kw_only=True):
    """An experiment as it was defined, and how far it has come."""

    id: str
    tenant: str
    name: str
    description: str = ""
    hypothesis: str = ""
    arms: tuple[Arm, ...]
    sample_size: int
    """Planned number of results of all arms together."""
    early_stop: bool = False
    """Whether it may end from half the plan on, when the difference is large."""
    planned_effect: float = 0.1
    """The relative difference in cost that it was planned to find; power is told for it."""
    min_effect: float = 0.0
    """A relative difference in cost below it is too small to act on."""
    policy: Policy = "default"
    alpha: float = 0.05
    """Chance of a winner where there is no difference."""
    margins: Margins = Margins()
    traffic: float = 1.0
    """The share of users who take part. Raising it moves nobody from one arm to another."""
    namespace: Namespace | None = None
    salt: str
    """What users are hashed with; its id, unless another was asked for."""
    phases: tuple[Phase, ...]
    """In order of time, never empty; the last is the present one."""
    scope: Scope | None = None
    """Requests that take part without naming it; None: they name it themselves."""
    promote: bool = False
    """Whether a winner becomes the default by itself."""
    status: Status = "running"
    created_us: int
    """Microseconds since 1970 in UTC."""
    completed_us: int | None = None
    decided_n: int | None = None
    """How many results the verdict rests on, once it is final."""
    verdict: Verdict | None = None
    """None until it is final."""
    doubt: Doubt | None = None
    """What its users should know before; None while there is nothing, and once it has ended."""
    rolled_back_us: int | None = None
    """When the winner that was promoted gave way to control again."""
    rolled_back_for: str = ""
    """Why, in words that end a sentence."""

    @property
    def phase(self) -> int:
        """The number of the present phase, from 0."""
        return len(self.phases) - 1

    @property
    def control(self) -> Arm:
        """What the others are compared with."""
        return self.arms[0]

    @property
    def promoted(self) -> Arm | None:
        """The arm that everybody gets for good but those held back; None where no arm was promoted or it gave way."""
        verdict = self.verdict
        if not self.promote or self.status != "completed" or self.rolled_back_us is not None:
            return None
        if verdict is None or verdict.code != "winner" or verdict.winner in (None, self.control.name):
            return None
        return self.arm(verdict.winner)

    @property
    def level(self) -> float:
        """What each arm's difference may be held against whatever the others show: alpha over the arms (Bonferroni)."""
        return self.alpha / max(1, len(self.arms) - 1)

    @property
    def horizon(self) -> int:
        """The number of results, in their order of arrival, that may be analysed; all later ones are late."""
        return self.sample_size if self.decided_n is None else self.decided_n

    def planned_for(self, arm: str) -> int:
        """Results planned for this arm and control together."""
        share = sum(one.share for one in self.arms if one.name in {arm, self.control.name})
        return max(1, round(self.sample_size * share))

    def arm(self, name: str) -> Arm | None:
        """The arm of this name."""
        return next((arm for arm in self.arms if arm.name == name), None)
