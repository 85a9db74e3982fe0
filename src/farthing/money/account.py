"""What is known of one window of one budget: spent, held, and leased."""

from __future__ import annotations

from farthing.domain.budget import Span

NEVER = 2**63
"""A moment in µs that no clock reaches."""
FORGET = 0.98
"""What is left of the largest hold after each look at the spending."""
SMOOTHING = 0.1
"""Weight of the newest look in the rate."""


class Account:
    """What was spent within one window, in nano-dollars, known exactly for this process and by reports for others."""

    __slots__ = (
        "_seen",
        "committed",
        "ends_us",
        "held",
        "idle",
        "largest",
        "lease",
        "others",
        "rate",
        "settled",
        "span",
        "target",
        "used_up_at",
    )

    def __init__(self, window: Span) -> None:
        self.span = window
        self.ends_us = NEVER if window.end_us is None else window.end_us
        self.held = 0
        self.settled = 0
        """Spent through this process."""
        self.committed = 0
        """The part of `settled` that the database has."""
        self.others = 0
        """Spent by everybody else, as far as the database has told."""
        self.lease = 0
        """What the database sets aside for this process: for what is held, or is settled and not committed."""
        self.largest = 0
        """The largest hold of late."""
        self.rate = 0.0
        """Nano-dollars settled each second, smoothed."""
        self.idle = 0
        """Of the lease, what was free when it was last looked at."""
        self.target = 0
        """What it is wise to have leased ahead."""
        self.used_up_at: int | None = None
        """The limit that had become too small for a request which it would have held at the window's beginning."""
        self._seen = 0

    @property
    def spent(self) -> int:
        """Everything that is known to be spent."""
        return self.settled + self.others

    @property
    def pending(self) -> int:
        """Settled here and not in the database yet."""
        return self.settled - self.committed

    @property
    def room(self) -> int:
        """What is left of the lease; below zero where answers cost more than was held for them."""
        return self.lease - self.held - self.pending

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return not self.held and not self.pending

    def refused(self, asked: int, spent: int, limit: int) -> None:
        """A request did not fit under the limit. What only waits for others to end, or never fits, uses up nothing."""
        if asked <= limit < spent + asked:
            self.used_up_at = limit

    def hold(self, amount: int) -> None:
        """Reserves so much."""
        self.held += amount
        if amount > self.largest:  # noqa: PLR1730 - `max` takes ten times as long
            self.largest = amount

    def commit(self, cost: int) -> None:
        """A row of this process has reached the database, which has taken its cost off the lease."""
        # Rows from before this account was opened are committed too, and were never settled in it.
        self.committed = min(self.settled, self.committed + cost)
        self.lease = max(0, self.lease - cost)

    def reported(self, spent: int, *, is_certain: bool = True) -> None:
        """The database's figure, read while no batch of this process was on its way there. Never frees money.

        Uncertain where a batch may be in the database without our knowing: then all that was settled here may be.
        """
        self.others = max(self.others, spent - (self.committed if is_certain else self.settled))

    def look(self, seconds: float) -> int:
        """Takes the rate since the last look, so many seconds ago; what was free then and still is."""
        self.rate += SMOOTHING * ((self.settled - self._seen) / seconds - self.rate)
        self._seen = self.settled
        self.largest = round(self.largest * FORGET)
        before, self.idle = self.idle, max(0, self.room)
        return min(before, self.idle)
