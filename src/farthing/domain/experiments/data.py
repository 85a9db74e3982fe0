"""What an analysis is fed: sums by user, in columns, so that 100,000 users are one piece of memory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

LATENCIES = 20_000
"""Single latencies of an arm that are handed over at most: they place the 95th percentile to 0.3% of the ranks."""
MOVES = 200_000
"""Lines of the chart's data at most; beyond, the chart has its last point only."""
CHECKPOINTS = 50
"""Points of the chart."""

Whole: TypeAlias = "array[int]"
"""Of type `q`: signed, 8 bytes."""
Real: TypeAlias = "array[float]"
"""Of type `d`."""


class Cohort(Struct, frozen=True, kw_only=True):
    """The users of one arm in one phase. All columns but the last two have one entry a user, in any one order.

    A user belongs to the arm of his first result in the phase; results of his in another arm are in no cohort.
    """

    arm: str
    phase: int = 0
    requests: Whole
    """Results of each user, at least 1."""
    cost: Whole
    """Nano-dollars of them together."""
    latency: Whole
    """Microseconds of them together."""
    errors: Whole
    """How many of them failed."""
    rated: Whole
    """How many of them have a rating."""
    quality: Real
    """Sum of these ratings."""
    covariate: Whole
    """Tokens of their prompts, counted alike in every arm: known before the arm had any influence. Zeros where they are
    not known."""
    latency_user: Whole
    """For single latencies, at most `LATENCIES`, evenly over the time: whose, as the place of the user above."""
    latency_us: Whole
    """For the same, how long, in microseconds."""


class Moves(Struct, frozen=True, kw_only=True):
    """The primary metric as it came in, for the chart: sums by stretch of arrival, user and arm, of the last phase."""

    checkpoint: Whole
    """Which stretch, from 0, in rising order; `ends` says up to which number of results."""
    user: Whole
    """Any number that tells users apart."""
    arm: Whole
    """The arm's place in the experiment."""
    requests: Whole
    cost: Whole
    """Nano-dollars."""
    ends: tuple[int, ...]
    """For each stretch the number of results, of all arms, up to its end."""


class Served(Struct, frozen=True, kw_only=True):
    """Users of an arm in a phase who have no result, since the cache had all their answers: assigned all the same."""

    arm: str
    phase: int
    users: int


class Data(Struct, frozen=True, kw_only=True):
    """The results of an experiment up to its horizon, in order of arrival at the store."""

    n: int
    """Analysed results of all arms, crossovers included: what the plan counts."""
    cohorts: tuple[Cohort, ...]
    """At most one for each arm and phase; an arm without results may be missing."""
    crossovers: int = 0
    """Users with results in more than one arm of a phase."""
    late: int = 0
    """Results beyond the horizon."""
    duplicates: int = 0
    """Results that came again under a known request id."""
    invalid_values: int = 0
    """Results that were refused for a value that is none."""
    dropped: Mapping[str, int] = {}
    """For each arm, results that were lost on their way."""
    served: tuple[Served, ...] = ()
    """At most one for each arm and phase."""
    moves: Moves | None = None
    """None where no chart is wanted, or there would be more than `MOVES` lines."""


GROUPS = 32
"""Into which users fall by a hash once a winner was promoted: their sums stay as small however many there are, and have
in them how alike the requests of a user are."""
MILLION = 1_000_000
Following = Literal["cost", "latency", "quality"]


def _zeros() -> list[int]:
    return [0] * GROUPS


class Followed(Struct, kw_only=True):
    """What one arm has answered since the winner was promoted. Every column has an entry for each group of users."""

    requests: list[int] = field(default_factory=_zeros)
    errors: list[int] = field(default_factory=_zeros)
    priced: list[int] = field(default_factory=_zeros)
    """Requests whose cost is known."""
    cost: list[int] = field(default_factory=_zeros)
    """Nano-dollars of those."""
    latency: list[int] = field(default_factory=_zeros)
    """Microseconds of all requests."""
    rated: list[int] = field(default_factory=_zeros)
    quality: list[int] = field(default_factory=_zeros)
    """Of those that are rated from 1 to 5, in millionths of a point."""

    def add(self, at: int, *, cost: int | None, latency_us: int, is_error: bool) -> None:
        """One request of a user of the group `at`."""
        self.requests[at] += 1
        self.errors[at] += is_error
        self.latency[at] += latency_us
        if cost is not None:
            self.priced[at] += 1
            self.cost[at] += cost

    def rate(self, at: int, quality: float, *, before: float | None) -> None:
        """What is thought of a request of the group `at`, from 1 to 5, in the place of what was thought before."""
        self.rated[at] += before is None
        self.quality[at] += round(quality * MILLION) - (0 if before is None else round(before * MILLION))

    def counts(self, column: Following) -> list[int]:
        """The requests that a column is the sum over."""
        return {"cost": self.priced, "latency": self.requests, "quality": self.rated}[column]
