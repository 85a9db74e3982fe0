"""Seams of experiments: where they and their results are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct, field

from farthing.domain.experiments.data import Data, Followed
from farthing.domain.experiments.definition import Doubt, Experiment
from farthing.domain.experiments.verdict import Verdict

Recorded = Literal["counted", "late", "duplicate"]
"""What became of a result: it is analysed, or came after the last that is, or was there already."""


class Result(Struct, frozen=True, kw_only=True):
    """One request of one user in one arm. Money in nano-dollars, moments in µs since 1970 UTC, durations in µs."""

    request_id: str
    """Whatever it is called where it came from; unique within the experiment."""
    user: str
    """The unit of assignment; where no user is known, the request's own id."""
    arm: str
    cost: int
    latency_us: int
    quality: float | None = None
    """From 1 to 5; None where nobody has rated it."""
    is_error: bool = False
    covariate: int | None = None
    """Tokens of the prompt, counted here and so alike in every arm; None where they are not known."""
    phase: int = 0
    provider: str | None = None
    model: str | None = None
    created_at_us: int


class Tally(Struct, frozen=True, kw_only=True):
    """How an experiment's results were counted."""

    n: int = 0
    """All that are kept, late ones too."""
    late: int = 0
    """Those after the last that is analysed."""
    duplicates: int = 0
    """Those that were there already, and so are not kept."""
    invalid: int = 0
    """Those refused for a value that is none."""
    ratings: int = 0
    """How often somebody has rated a result that is analysed."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By arm, requests that were assigned and have no result: refused by us, or without a known price."""
    hits: Mapping[str, int] = field(default_factory=dict)
    """By arm, requests that the cache answered before the verdict: they cost nothing, whatever the arm, and so are no
    results."""

    @property
    def version(self) -> str:
        """Differs whenever anything that is told of the experiment's results may differ."""
        dropped, hits = sum(self.dropped.values()), sum(self.hits.values())
        return f"{self.n}-{self.duplicates}-{self.invalid}-{self.ratings}-{dropped}-{hits}"

    @property
    def serial(self) -> int:
        """Rises with every other version."""
        without = sum(self.dropped.values()) + sum(self.hits.values())
        return self.n + self.duplicates + self.invalid + self.ratings + without


Aftermath: TypeAlias = Mapping[str, Followed]
"""By arm, what it has answered since the winner was promoted."""


class Kept(Struct, frozen=True, kw_only=True):
    """An experiment as the store has it."""

    experiment: Experiment
    """With its status, verdict and `decided_n` as they are now."""
    tally: Tally = Tally()
    revision: int = 0
    """Rises whenever anything but its results has changed."""
    aftermath: Aftermath | None = None
    """None where no winner was promoted; what was counted stays after it gave way."""


class Due(Struct, frozen=True, kw_only=True):
    """A running experiment whose results somebody should look at."""

    experiment_id: str
    sample_size: int
    tally: Tally

    @property
    def is_full(self) -> bool:
        """Whether all planned results are there, so that it is to be decided."""
        return self.tally.n >= self.sample_size


class Spread(Struct, frozen=True, kw_only=True):
    """How the cost of requests varies in our own ledger: what a sample size is computed from."""

    users: int
    """Units: users, or requests where no user is known."""
    requests: int
    days: float
    """Between the first and the last of these requests."""
    mean: float
    """Nano-dollars of a request, Σs/Σn with s a user's cost and n his requests."""
    variance: float
    """Of users' shares in that ratio, Σ(s - mean·n)²/(users - 1), in nano-dollars squared; 0 for fewer than two."""

    @property
    def requests_a_day(self) -> float:
        """Of less than a day it is not known how busy a day is."""
        return self.requests / max(1.0, self.days)


class Experiments(Protocol):
    """Experiments and their results. Everything raises `Unavailable` while the database is away.

    `tenant` None is every tenant; what belongs to another is `NotFound`.
    """

    async def create(self, experiment: Experiment) -> None:
        """Keeps a new experiment. Raises `Conflict` where too many of the tenant's are running."""

    async def get(self, tenant: str | None, experiment_id: str) -> Kept:
        """One of them. Raises `NotFound`."""

    async def list(self, tenant: str | None, *, limit: int = 100, after: str | None = None) -> Sequence[Kept]:
        """The newest first; those before the one of the id `after`."""

    async def change(self, experiment: Experiment, *, before: Experiment) -> Experiment:
        """Gives a running experiment what this one says, such as its traffic.

        Raises `NotFound`, and `Conflict` where it has ended, or is not any more what it was `before`.
        """

    async def stop(self, tenant: str | None, experiment_id: str, *, at_us: int) -> Kept:
        """Cancels a running experiment, and rolls back one whose winner is promoted. Raises `NotFound`.

        Any other that has ended stays as it is.
        """

    async def record(self, tenant: str | None, experiment_id: str, result: Result) -> Recorded:
        """Keeps a result from outside. Raises `NotFound`; the arm must be one of the experiment's."""

    async def refuse(self, tenant: str | None, experiment_id: str) -> None:
        """Counts a result from outside whose value is none. Raises `NotFound`."""

    async def data(self, tenant: str | None, experiment_id: str, *, moves: bool = False) -> tuple[Kept, Data]:
        """What is to be analysed, and the experiment as it was then: results up to its horizon.

        It reads all of them: once for each version at most. `moves` asks for those of the chart as well.
        Raises `NotFound`.
        """

    async def pending(self) -> Sequence[Due]:
        """Running experiments with results that no worker has looked at, or looks at now."""

    async def claim(self, due: Due, *, seconds: float) -> bool:
        """Whether this caller alone is to look at it, for so long at most."""

    async def looked(self, due: Due, *, is_done: bool, rest_s: float) -> None:
        """Ends a turn at looking: nobody looks for so many seconds, nor until there is more, if it `is_done`."""

    async def doubt(self, kept: Kept, doubt: Doubt | None) -> int | None:
        """Says what speaks against a running experiment, on the data that `kept` came with, or that nothing does.

        The new revision, which all workers hear of; None where it has ended or was changed meanwhile.
        """

    async def decide(self, kept: Kept, verdict: Verdict, *, at_us: int) -> bool:
        """Completes a running experiment with this verdict on the data that `kept` came with; True for one caller only.

        Later results are late from now on. False where it has ended, was changed, or a rating has changed the data:
        then look again. A winner that is to be promoted is from now on; its requests are counted, and not kept.
        """

    async def watched(self) -> Sequence[Kept]:
        """Experiments whose winner is promoted."""

    async def roll_back(self, experiment_id: str, *, at_us: int, reason: str) -> bool:
        """Gives everybody control again where a winner is promoted; True for one caller only."""

    async def spread(
        self,
        tenant: str | None,
        *,
        since_us: int,
        model: str | None = None,
        strategy: str | None = None,
        route: str | None = None,
    ) -> Spread:
        """How costs vary by user in the ledger since that moment, for a model, strategy or route, or for all."""
