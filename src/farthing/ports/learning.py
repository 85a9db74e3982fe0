"""Seams of learning: what is learned from, and what was learned, the same for all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from farthing.domain.routing.checking import Check
from farthing.domain.routing.rules import Promise
from farthing.domain.routing.weighing import Tried
from farthing.ports import Source

Outcome = Literal["running", "kept", "not_better", "dry_run", "failed", "interrupted"]
"""How a training ended: its predictor decides from now on, or it was no better, or it was only tried."""


class Finding(Struct, frozen=True, gc=False, kw_only=True):
    """What a cascade has found of its first answer."""

    model: str
    """Whose it was."""
    check: Check
    score: float
    """0..1, as all that follows."""
    expected: float
    """What was expected of the answer before it was given."""
    belief: float
    """And after its check."""
    is_served: bool
    """Whether the caller got it."""
    cost: int | None
    """Nano-dollars for this answer alone; None where unpriced."""


class Lesson(Struct, frozen=True, gc=False, kw_only=True):
    """A question that a model has answered: should the answer be rated, the rating teaches something."""

    request_id: str
    created_at_us: int
    tenant: str
    model: str
    prompt: str
    """What was asked last; of a long text both ends."""
    cost: int | None
    """Nano-dollars, None where unpriced."""
    cache_key: str | None = None
    """Under which the answer may be kept."""
    asker: str | None = None
    """Key, and session or user, whose next question may tell that the answer was no good; None where that cannot be
    told."""
    context: str | None = None
    """Digest of all that was said before the question."""
    answered_us: int | None = None
    """When the answer was there in full, in µs since 1970 UTC."""
    checked: Finding | None = None
    """None where no first answer was checked."""


class Remark(Struct, frozen=True, gc=False, kw_only=True):
    """An opinion of an answer that was given earlier, as it waits to be written."""

    request_id: str
    tenant: str
    principal: str
    """Whose it is: of one's ratings of an answer the last one counts."""
    grade: float
    """1 to 5."""
    is_correct: bool | None = None
    source: Source = "explicit"


class Rated(Struct, frozen=True, gc=False):
    """What one answer was worth and cost."""

    prompt: str
    model: str
    quality: float
    """0..1, the mean of what people said, else of what judges did, else what was told from its question."""
    cost_usd: float | None
    rated_us: int
    """When it was rated last, in µs since 1970 UTC."""
    source: Source = "explicit"
    """Whose opinions these are."""
    is_guess: bool = False
    """Whether nobody has seen this answer: those who rated the request were served another's. It is worth what it was
    believed to be after its check."""


class Pair(Struct, frozen=True, kw_only=True):
    """Two models' answers to a question that was drawn by chance, as a judge saw them."""

    request_id: str
    """Of the answer that was served."""
    other_request_id: str
    """The same where the request itself has paid for both: a cascade's first answer gave way to the served one."""
    created_at_us: int
    """When the question came."""
    tenant: str
    rule: str = ""
    """The route rule that covered the request, empty where none did."""
    pattern: str
    served_model: str
    other_model: str
    """The baseline; where that was served, a cheaper candidate; in a cascade, the one that gave way."""
    baseline_model: str
    served_quality: float
    """0..1, as `other_quality`."""
    other_quality: float
    short: float | None = None
    """By how much (0..1) the cheaper answer was expected to be worse; None where no promise asked for it."""
    source: Literal["judge"] = "judge"
    cost: int | None
    """Nano-dollars that it took to know: for the other answer and for the judge."""
    told: float | None = None
    """What people have said of the served answer since (0..1); None where nobody has."""


class Rating(Struct, frozen=True, gc=False):
    """What somebody said of an answer."""

    id: int
    """Rises with each opinion; where one tells of two answers, both have it."""
    prompt: str
    """Empty where the question was not kept."""
    model: str
    quality: float
    """0..1."""


class Graded(Struct, frozen=True, gc=False):
    """An answer that was served, as a judge and as people saw it."""

    model: str
    judged: float
    """0..1."""
    told: float | None
    """0..1, the mean of people's ratings; None where nobody has rated it."""


class Opinions(Struct, frozen=True):
    """Ratings of a stretch of time, all together."""

    count: int
    mean: float
    """0..1."""
    variance: float
    """Of one rating."""


class Run(Struct, frozen=True, kw_only=True):
    """A training: under way, or how it ended."""

    id: str
    created_us: int
    outcome: Outcome
    is_active: bool = False
    """Whether requests are decided by what it has learned."""
    is_kept: bool = False
    """Whether what it has learned is still there, to be gone back to."""
    summary: Mapping[str, Any] = {}
    """Figures, for people."""

    @property
    def rated(self) -> Mapping[str, int]:
        """Rated answers that it has learned from, by model."""
        return {model: figures["labels"] for model, figures in self.summary.get("models", {}).items()}


class Learned(Struct, frozen=True):
    """A kept predictor."""

    run: Run
    payload: bytes


class Trained(Struct, frozen=True):
    """What a training has brought."""

    is_better: bool
    """Than what is in force, on answers that neither has seen."""
    summary: Mapping[str, Any]
    """Figures, for people."""
    payload: bytes


class PromiseTest(Struct, frozen=True, kw_only=True):
    """What the last test of a route rule's promise has found."""

    rule: str
    tested_at_us: int
    since_us: int
    """Since when the baseline answers all requests, or else those alone that the margin leaves to it."""
    promise: Promise
    baseline: str
    """The model that the pairs were compared with."""
    pairs: int
    margin: float | None
    """In force from then on; None leaves all requests to the baseline."""
    challengers: frozenset[str]
    """The models that the pairs compare with the baseline: for no other does the margin hold."""
    share: float
    """Of the pairs (0..1) whose question a cheaper model would have answered."""
    loss: float | None
    """On average of the pairs, in points of quality; None of too few."""
    most: float | None
    """As `farthing.domain.routing.promise.Verdict`."""


class RatingStore(Protocol):
    """Ratings as they come in."""

    async def ratings(self, *, after: int, since_us: int) -> Sequence[Rating]:
        """The newest of those after that one and after that moment (µs since 1970), as many as tell anything.

        The oldest of them comes first. Those that nobody gave in words are not among them. Raises `Unavailable`.
        """


class LessonStore(Protocol):
    """Questions that were answered, joined with what people thought of the answers.

    Everything raises `Unavailable` while the database is away.
    """

    async def counts(self) -> Mapping[str, int]:
        """Answers by model that were rated, not only asked for again."""

    async def opinions(self, from_us: int, to_us: int) -> Opinions:
        """What people thought in this time, the first moment included and the second not."""


class CheckStore(Protocol):
    """First answers of cascades."""

    async def tried(self) -> Sequence[Tried]:
        """The newest of which somebody, or a judge, has said how good they were.

        Raises `Unavailable` while the database is away.
        """


class Comparisons(Protocol):
    """Pairs of answers to the same question. Everything raises `Unavailable` while the database is away."""

    async def keep(self, pair: Pair) -> None:
        """Writes it down; one that is there stays."""

    async def pairs(self, rule: str, baseline: str, *, since_us: int, limit: int) -> Sequence[Pair]:
        """Pairs under a route rule's promise, of this baseline and from `since_us` on, the newest first."""


class Grades(Protocol):
    """What a judge thought, beside what people did."""

    async def graded(self) -> Sequence[Graded]:
        """The newest answers that were served and judged. Raises `Unavailable` while the database is away."""


class PromiseStore(Protocol):
    """Tests of promises, the last of each rule. Everything raises `Unavailable` while the database is away."""

    async def tests(self) -> Mapping[str, PromiseTest]:
        """By rule."""

    async def note(self, test: PromiseTest, *, before: PromiseTest | None) -> bool:
        """Puts a test in the place of the one `before`; False where somebody else has done so."""


class RunStore(Protocol):
    """Trainings, of which one is under way at a time over all workers and hosts.

    Everything raises `Unavailable` while the database is away.
    """

    async def begin(self, run_id: str, *, at_us: int, summary: Mapping[str, Any]) -> int | None:
        """The turn at training, which lasts for some seconds, or None while it is somebody else's."""

    async def renew(self, run_id: str, turn: int, summary: Mapping[str, Any]) -> int | None:
        """The turn for some more seconds, with what there is to tell; None where it was lost."""

    async def finish(
        self, run_id: str, turn: int, outcome: Outcome, summary: Mapping[str, Any], payload: bytes | None = None
    ) -> bool:
        """Ends the turn, and with a payload makes it what requests are decided by. False where the turn was lost."""

    async def runs(self) -> Sequence[Run]:
        """The last ones and all that are kept, the newest first."""

    async def rollback(self) -> Run:
        """The kept one before the active one decides from now on. Raises `Conflict` where there is none."""
