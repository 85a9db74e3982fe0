"""A load that runs through quiet and trouble, and what callers felt of each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from tests.faults.rig.load import Heard, percentile


class Phase(Struct, frozen=True):
    """A stretch of the monotonic clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began

    def of(self, heard: Sequence[Heard]) -> list[Heard]:
        """The requests that began in it."""
        return [each for each in heard if self.began <= each.began < self.ended]

    def added_ms(self, heard: Sequence[Heard], share: float) -> float:
        """What the gateway added, at most, to the first byte of this share of the streams that were bought."""
        delays = [
            (each.until_first - each.ask.wish.first_ms / 1000) * 1000
            for each in self.of(heard)
            if each.ask.stream and not each.ask.cache and each.is_complete
        ]
        return percentile(delays, share)

    def summary(self, heard: Sequence[Heard]) -> str:
        """Median and 99th percentile of what was added, for a table."""
        return f"+{self.added_ms(heard, 0.5):.1f}/{self.added_ms(heard, 0.99):.1f} ms"


class Stopwatch:
    """Notes phases under names."""

    def __init__(self) -> None:
        self.phases: dict[str, Phase] = {}

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """The block is the phase."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = Phase(began, time.monotonic())

    def __getitem__(self, name: str) -> Phase:
        """A phase that is over."""
        return self.phases[name]
