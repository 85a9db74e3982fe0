"""Holds callers to their limits: alone from memory, with other workers through what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from farthing.domain.keys import Caller
from farthing.domain.limits import ALONE_US, Bound, Round, Standing, Verdict, Wish, bounds_of, cost, standings, wish
from farthing.domain.routing.plan import Needs
from farthing.money.levels import Levels
from farthing.money.refusals import over_limit, too_long
from farthing.ports import Clock, Spawn
from farthing.ports.limits import SharedLimits

logger = logging.getLogger(__name__)

LOOKS = 10
"""Parts of a request's wait for what is shared: a loop that is late has as many turns to hear as one that is not."""
TRUST_S = 0.25
"""How long a round may take before this worker decides alone until it hears of the others again."""
BEATS_TO_ATTEND = 5
"""Calls of `beat` after which this worker is counted and what it holds is renewed. Others forget it after a minute."""
BEATS_TO_TIDY = 60

_Asking = tuple[Wish, asyncio.Future[Verdict | None]]


class Limiter:
    """Belongs to one loop. Implements `ports.Limiter`.

    What this worker has to ask and to tell goes out in rounds, one at a time: requests of the same moment share one,
    and what is told cannot overtake what was told before. While nobody answers, nobody knows what the others have
    granted: each worker goes on at its share of every rate, and grants of it a quarter of a minute's worth at once.
    """

    def __init__(
        self, *, clock: Clock, spawn: Spawn, worker: str, workers: int = 1, shared: SharedLimits | None = None
    ) -> None:
        """`worker` names this one, of `workers` at least. Without `shared` it is the only one."""
        self._clock = clock
        self._spawn = spawn
        self._worker = worker
        self._least = workers
        self._share = workers if shared is not None else 1
        self._shared = shared
        self._levels = Levels(clock)
        """Of everybody, as far as this worker has heard, and of itself."""
        self._alone = Levels(clock, self._levels.held)
        """Of what this worker has granted without the others, as parts of its share."""
        self._owed = Levels(clock)
        """What it has granted so and the others have not heard of, in the same parts."""
        self._asking: list[_Asking] = []
        self._corrections: dict[str, int] = {}
        self._changed: set[str] = set()
        """Names whose places held were given back, and the others do not know."""
        self._is_away = False
        self._is_speaking = False
        self._is_due = False
        self._began = 0.0
        """When the round under way began."""
        self._beats = 0

    async def take(self, caller: Caller, needs: Needs) -> Allowance:
        """Takes what a request likely needs of each of the caller's limits. Raises `RateLimited`, and takes nothing."""
        bounds = bounds_of(caller.tenant, caller.quotas)
        for bound in bounds:
            if bound.kind == "tokens" and needs.tokens_in > bound.limit:
                raise too_long(bound, needs.tokens_in)
        wanted = wish(bounds, needs.tokens_in + needs.tokens_out)
        verdict = None if self._shared is None or self._is_away else await self._ask(wanted, self._shared.patience_s)
        is_alone = verdict is None
        if verdict is None:
            verdict = self._decide(wanted)
        rates = standings(wanted, verdict, self._clock.now_us())
        if verdict.refused is not None:
            raise over_limit(wanted, verdict, rates)
        return Allowance(self, wanted, rates, is_alone=is_alone)

    async def beat(self) -> None:
        """To be called about once a second: tells what is left to tell, and finds out whether somebody answers."""
        self._beats += 1
        if self._beats % BEATS_TO_TIDY == 0:
            self._levels.forget_drained()
            self._alone.forget_drained()
        if self._shared is None:
            return
        is_new = self._beats < BEATS_TO_ATTEND
        if is_new or self._is_away or self._has_news or self._beats % BEATS_TO_ATTEND == 0:
            self._is_due = True
            self._speak()

    def settle(self, allowance: Allowance, tokens: int) -> None:
        """As `Allowance.settle`, once."""
        for bound, price in zip(allowance.wanted.bounds, allowance.wanted.costs, strict=True):
            if bound.kind == "concurrency":
                self._release(bound)
            elif bound.kind == "tokens":
                self._correct(bound, cost(tokens, bound.limit) - price, is_alone=allowance.is_alone)
        if self._changed and not self._is_away:
            self._speak()

    def _decide(self, wanted: Wish) -> Verdict:
        if self._shared is None:
            return self._levels.take(wanted)
        verdict = self._levels.judge(wanted)
        if verdict.refused is None:
            own = self._alone.take(wanted, share=self._share, window_us=ALONE_US)
            verdict = Verdict(verdict.levels, own.refused, own.wait_us)
        if verdict.refused is None:
            for bound, price in zip(wanted.bounds, wanted.costs, strict=True):
                if bound.kind != "concurrency":
                    self._levels.correct(bound.name, price)
                    self._owed.correct(bound.name, price * self._share)
        return verdict

    def _correct(self, bound: Bound, more: int, *, is_alone: bool) -> None:
        self._levels.correct(bound.name, more)
        if self._shared is None:
            return
        if is_alone:
            self._alone.correct(bound.name, more * self._share)
        if self._is_away:
            # What was granted together and is given back now drains within a minute by itself.
            self._owed.correct(bound.name, (more if is_alone else max(0, more)) * self._share)
        else:
            self._corrections[bound.name] = self._corrections.get(bound.name, 0) + more

    def _release(self, bound: Bound) -> None:
        self._levels.release(bound.name)
        if self._shared is not None:
            self._changed.add(bound.name)

    async def _ask(self, wanted: Wish, patience_s: float) -> Verdict | None:
        """The verdict of all workers; None where it does not come in time."""
        answer: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._asking.append((wanted, answer))
        self._speak()
        try:
            for _ in range(LOOKS):
                await asyncio.wait((answer,), timeout=patience_s / LOOKS)
                if answer.done():
                    return answer.result()
        except asyncio.CancelledError:
            if not answer.cancel() and (verdict := answer.result()) is not None and verdict.refused is None:
                self._give_back(wanted)
            raise
        answer.cancel()
        if self._clock.monotonic() - self._began > TRUST_S:
            self._went_away()
        return None

    @property
    def _has_news(self) -> bool:
        """Whether there is something that the others do not know."""
        return bool(self._corrections or self._changed) or not self._owed.is_blank

    def _speak(self) -> None:
        if not self._is_speaking:
            self._is_speaking = True
            self._spawn(self._rounds(), "agree on limits")

    async def _rounds(self) -> None:
        """Speaks until there is nothing more to say, or nobody listens."""
        assert self._shared is not None  # noqa: S101 - alone, nobody speaks
        try:
            while self._asking or self._is_due or (self._has_news and not self._is_away):
                if self._is_due:
                    self._is_due = False
                    await self._attend(self._shared)
                else:
                    await self._round(self._shared)
        finally:
            self._is_speaking = False

    async def _attend(self, shared: SharedLimits) -> None:
        self._began = self._clock.monotonic()
        told, self._changed = self._changed, set()
        number = await shared.attend(self._worker, dict.fromkeys(told, 0) | self._levels.held)
        if number is None:
            self._changed |= told
            self._went_away()
            return
        self._share = max(number, self._least)
        if self._is_away and self._clock.monotonic() - self._began < TRUST_S:
            self._is_away = False
            logger.info("limits are counted by all workers together again")

    async def _round(self, shared: SharedLimits) -> None:
        self._began = self._clock.monotonic()
        asking = [(wanted, answer) for wanted, answer in self._asking if not answer.done()]
        self._asking.clear()
        owed = self._owed.drain()
        asked = self._round_of([wanted for wanted, _ in asking], owed)
        verdicts = None if self._is_away else await shared.round(self._worker, asked)
        if verdicts is not None:
            self._heard(asking, verdicts)
            return
        self._changed.update(asked.held)
        for name, level in owed.items():
            self._owed.correct(name, level)
        self._went_away()
        for _, answer in asking:
            if not answer.done():
                answer.set_result(None)

    def _round_of(self, wishes: Sequence[Wish], owed: Mapping[str, int]) -> Round:
        bounds = [bound for wanted in wishes for bound in wanted.bounds]
        names = self._changed.union(bound.name for bound in bounds if bound.kind == "concurrency")
        corrections, self._corrections, self._changed = self._corrections, {}, set()
        for name, level in owed.items():
            corrections[name] = corrections.get(name, 0) + level // self._share
        return Round(
            wishes=wishes,
            corrections=corrections,
            held={name: self._levels.held.get(name, 0) for name in names},
            known=self._levels.known(bound.name for bound in bounds),
        )

    def _heard(self, asking: Sequence[_Asking], verdicts: Sequence[Verdict]) -> None:
        for (wanted, answer), verdict in zip(asking, verdicts, strict=True):
            self._levels.note(wanted, verdict)
            if not answer.done():
                answer.set_result(verdict)
            elif verdict.refused is None:
                self._give_back(wanted)

    def _give_back(self, wanted: Wish) -> None:
        """Nobody waits for this verdict any more."""
        for bound, price in zip(wanted.bounds, wanted.costs, strict=True):
            if bound.kind == "concurrency":
                self._release(bound)
            else:
                self._correct(bound, -price, is_alone=False)

    def _went_away(self) -> None:
        if not self._is_away:
            self._is_away = True
            # What was not told by now drains within a minute by itself.
            self._corrections.clear()
            logger.warning("limits cannot be counted with the other workers; each keeps to a share of them")


class Allowance:
    """What one request has taken. Implements `ports.Allowance`."""

    __slots__ = ("_limiter", "is_alone", "standings", "wanted")

    def __init__(self, limiter: Limiter, wanted: Wish, rates: tuple[Standing, ...], *, is_alone: bool) -> None:
        """Made by `Limiter.take`."""
        self._limiter: Limiter | None = limiter
        self.wanted = wanted
        self.standings = rates
        self.is_alone = is_alone
        """Whether this worker granted it without the others."""

    def settle(self, tokens: int) -> None:
        """Gives the place back, and corrects the tokens to what was used. Calling it again changes nothing."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.settle(self, tokens)
