"""Takes down on the side what is thought of earlier answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from farthing.domain.keys import Caller
from farthing.domain.permissions import ASKING
from farthing.ports.learning import Remark

GRADES: Mapping[str, tuple[int, bool | None]] = {
    **{str(grade): (grade, None) for grade in range(1, 6)},
    "up": (5, None),
    "down": (1, None),
    "correct": (5, True),
    "incorrect": (1, False),
}
"""What a caller may say of an answer: the grade from 1 to 5 that it stands for, and whether the answer is right."""
NAMELESS = "x-farthing-feedback"
"""Whose ratings those of a caller without a key are: a header that is sent again counts once."""
MOST_WAITING = 1_000
"""Ratings that wait to be written; more are dropped."""
EACH_ROUND = 50
"""So many are written at a time."""
TRIES = 10
"""Rounds in which the answer of a rating is looked for: its row may come later, from another worker's journal."""


class Remarks:
    """Wait for a job that writes them; no request waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Remark, int]] = deque()
        self.dropped = 0
        """Ratings of answers that are not there, and those for which there was no room."""

    def note(self, caller: Caller, feedback: Mapping[str, str]) -> None:
        """Takes down what this caller says, unless its key may change nothing: it has not asked anything yet."""
        if caller.role not in ASKING:
            return
        for request_id, word in feedback.items():
            grade, is_correct = GRADES[word]
            self.add(
                Remark(
                    request_id=request_id,
                    tenant=caller.tenant,
                    principal=caller.key_id or NAMELESS,
                    grade=grade,
                    is_correct=is_correct,
                )
            )

    def add(self, remark: Remark, tried: int = 0) -> None:
        """Lets it wait, unless too many do, or its answer was looked for too often."""
        if tried < TRIES and len(self._waiting) < MOST_WAITING:
            self._waiting.append((remark, tried))
        else:
            self.dropped += 1

    def take(self) -> Sequence[tuple[Remark, int]]:
        """The next ones to write, with how often each was tried."""
        return [self._waiting.popleft() for _ in range(min(EACH_ROUND, len(self._waiting)))]
