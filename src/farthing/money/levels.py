"""What one worker knows of the limits: levels that drain by themselves, and the requests it has under way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from farthing.domain.limits import WINDOW_US, Verdict, Wish, corrected, judge
from farthing.ports import Clock

_MICRO = 1_000_000


class Levels:
    """By the names of bounds. Belongs to one thread."""

    def __init__(self, clock: Clock, held: dict[str, int] | None = None) -> None:
        """`held` is kept by others, too."""
        self.held: dict[str, int] = {} if held is None else held
        """Requests under way, where they are limited."""
        self._clock = clock
        self._empty_at: dict[str, int] = {}
        """When each rate has drained, in µs on the monotonic clock."""

    @property
    def is_blank(self) -> bool:
        """Whether no rate was ever noted, or all are forgotten."""
        return not self._empty_at

    def judge(self, wanted: Wish, *, share: int = 1, window_us: int = WINDOW_US) -> Verdict:
        """Judges a wish by what is known here, and notes nothing."""
        levels = {name: self.held.get(name, 0) if is_held else self.of(name) for name, is_held in _names(wanted)}
        return judge(wanted, levels, share=share, window_us=window_us)

    def take(self, wanted: Wish, *, share: int = 1, window_us: int = WINDOW_US) -> Verdict:
        """Judges a wish by what is known here, and notes what was granted."""
        verdict = self.judge(wanted, share=share, window_us=window_us)
        if verdict.refused is None:
            self.note(wanted, verdict)
        return verdict

    def note(self, wanted: Wish, verdict: Verdict) -> None:
        """A wish was judged elsewhere, or here: its rates are where the verdict says, and its places are taken."""
        for (name, is_held), level in zip(_names(wanted), verdict.levels, strict=True):
            if not is_held:
                self._set(name, level)
            elif verdict.refused is None:
                self.held[name] = self.held.get(name, 0) + 1

    def of(self, name: str) -> int:
        """A rate's level now, in µs."""
        return max(0, self._empty_at.get(name, 0) - self._now())

    def known(self, names: Iterable[str]) -> Mapping[str, int]:
        """The levels of these rates, without those that have drained."""
        return {name: level for name in names if (level := self.of(name))}

    def correct(self, name: str, more: int) -> None:
        """A request needed more than was taken for it, or less."""
        self._set(name, corrected(self.of(name), more))

    def release(self, name: str) -> None:
        """A request that held a place has ended."""
        left = self.held[name] - 1
        if left:
            self.held[name] = left
        else:
            del self.held[name]

    def drain(self) -> Mapping[str, int]:
        """All rates that have not drained, forgotten here from now on."""
        known = self.known(self._empty_at)
        self._empty_at.clear()
        return known

    def forget_drained(self) -> None:
        """Makes room: a rate that nobody has used for a minute is like one that nobody ever used."""
        now = self._now()
        self._empty_at = {name: moment for name, moment in self._empty_at.items() if moment > now}

    def _set(self, name: str, level: int) -> None:
        self._empty_at[name] = self._now() + level

    def _now(self) -> int:
        return round(self._clock.monotonic() * _MICRO)


def _names(wanted: Wish) -> Iterable[tuple[str, bool]]:
    """Of each bound, and whether it counts requests under way."""
    return [(bound.name, bound.kind == "concurrency") for bound in wanted.bounds]
