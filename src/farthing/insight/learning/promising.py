"""Tests what is promised of routes, again and again, by pairs of answers; the baseline answers where it is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from farthing.domain.alerts import Notice
from farthing.domain.budget import DAY_US
from farthing.domain.errors import Unavailable
from farthing.domain.routing.compared import Seen, by_people, decides, losses_of
from farthing.domain.routing.promise import Verdict, boldest, verdict_on
from farthing.domain.routing.promised import MARGINS, lets_through
from farthing.domain.routing.rules import Promise, Rule
from farthing.ports import Clock
from farthing.ports.learning import Comparisons, Pair, PromiseStore, PromiseTest

MOST_PAIRS = 3_000
"""The newest that are tested."""
LONGEST_US = 30 * DAY_US
"""Older ones tell of other questions and other models."""
FEWEST_NEW = 10
MORE = 0.1
"""The share of the pairs of the last test that must be there anew for the next; after a day any do, or none."""


class Opinion(Struct, frozen=True):
    """What people's ratings make of what a judge found, by the newest pairs."""

    rated: int
    """Served answers of the pairs that people have rated."""
    verdict: Verdict
    """On the margin in force, or on the boldest where none is."""
    decides: bool
    """Whether the promise is held to it, not to the judge's grades alone."""


class Pledge(Struct, frozen=True):
    """A rule's promise, and what the last test has found of it as it is now."""

    rule: Rule
    promise: Promise
    test: PromiseTest | None
    baseline: str | None
    """None where there is none that could answer: then nothing is promised."""
    opinion: Opinion | None = None
    """None where people have rated too few answers to tell how far the judge is off."""


class Promising:
    """The promises of all rules."""

    def __init__(
        self,
        *,
        pairs: Comparisons,
        tests: PromiseStore,
        in_force: Callable[[], tuple[Sequence[Rule], str | None]],
        announce: Callable[[Notice], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`in_force` tells the rules and a baseline that can answer; `announce` tells people of a change."""
        self._pairs = pairs
        self._tests = tests
        self._in_force = in_force
        self._announce = announce
        self._clock = clock

    async def pledges(self) -> list[Pledge]:
        """What is promised, and how it stands. Raises `Unavailable`."""
        rules, baseline = self._in_force()
        known = await self._tests.tests() if any(rule.promise for rule in rules) else {}
        return [
            await self._pledge(rule, rule.promise, standing(known.get(rule.name), rule.promise, baseline), baseline)
            for rule in rules
            if rule.promise is not None
        ]

    async def _pledge(self, rule: Rule, promise: Promise, test: PromiseTest | None, baseline: str | None) -> Pledge:
        opinion = None
        if test is not None:
            pairs = await self._newest(rule, test.baseline, self._clock.now_us())
            opinion = await asyncio.to_thread(opinion_on, pairs, promise, test.margin)
        return Pledge(rule, promise, test, baseline, opinion)

    async def _newest(self, rule: Rule, baseline: str, now_us: int) -> Sequence[Pair]:
        return await self._pairs.pairs(rule.name, baseline, since_us=now_us - LONGEST_US, limit=MOST_PAIRS)

    async def tend(self) -> None:
        """Tests what is due. While the database is away it is left for the next time."""
        rules, baseline = self._in_force()
        promising = [rule for rule in rules if rule.promise is not None]
        if not promising or baseline is None:
            return
        with suppress(Unavailable):
            known = await self._tests.tests()
            for rule in promising:
                await self._tend(rule, baseline, known.get(rule.name))

    async def _tend(self, rule: Rule, baseline: str, before: PromiseTest | None) -> None:
        promise, now_us = rule.promise, self._clock.now_us()
        if promise is None or not await self._is_due(rule, baseline, before, now_us):
            return
        pairs = await self._newest(rule, baseline, now_us)
        test = await asyncio.to_thread(tested, rule.name, promise, baseline, pairs, now_us=now_us, before=before)
        had = None if before is None else before.margin
        if await self._tests.note(test, before=before) and (test.margin is None) != (had is None):
            await self._announce(_notice(test))

    async def _is_due(self, rule: Rule, baseline: str, before: PromiseTest | None, now_us: int) -> bool:
        last = standing(before, rule.promise, baseline)
        if last is None or now_us - last.tested_at_us >= DAY_US:
            return True
        wanted = max(FEWEST_NEW, round(last.pairs * MORE))
        since_us = last.tested_at_us + 1
        return len(await self._pairs.pairs(rule.name, baseline, since_us=since_us, limit=wanted)) == wanted


def standing(test: PromiseTest | None, promise: Promise | None, baseline: str | None) -> PromiseTest | None:
    """The test, where it was of this promise against this baseline."""
    return test if test is not None and test.promise == promise and test.baseline == baseline else None


def tested(
    rule: str, promise: Promise, baseline: str, pairs: Sequence[Pair], *, now_us: int, before: PromiseTest | None
) -> PromiseTest:
    """What the pairs say of the promise, which must all be of this rule and baseline."""
    seen = [_seen(pair) for pair in pairs]
    found = boldest((losses_of(seen, margin, promise) for margin in MARGINS), promise)
    kept = sum(verdict.is_kept for verdict in found)
    margin = MARGINS[kept - 1] if kept else None
    share = sum(lets_through(margin, one.short) for one in seen) / (len(seen) or 1)
    if not share:
        margin = None
    # What would be in force, or what failed.
    verdict = found[kept - 1] if margin is not None else found[-1]
    is_enough = len(pairs) >= promise.fewest_pairs
    is_same = before is not None and (before.margin is None) == (margin is None)
    return PromiseTest(
        rule=rule,
        tested_at_us=now_us,
        since_us=before.since_us if before is not None and is_same else now_us,
        promise=promise,
        baseline=baseline,
        pairs=len(pairs),
        margin=margin,
        challengers=frozenset(name for pair in pairs for name in (pair.served_model, pair.other_model)) - {baseline},
        share=share,
        loss=verdict.loss if is_enough else None,
        most=verdict.most if is_enough else None,
    )


def opinion_on(pairs: Sequence[Pair], promise: Promise, margin: float | None) -> Opinion | None:
    """What people's ratings make of the margin, or of the boldest; None where they are too few."""
    seen = [_seen(pair) for pair in pairs]
    losses = by_people(seen, MARGINS[-1] if margin is None else margin)
    if losses is None or len(losses) < promise.fewest_pairs:
        return None
    rated = sum(one.error is not None for one in seen)
    return Opinion(rated, verdict_on(losses, promise), decides(losses, promise))


def _seen(pair: Pair) -> Seen:
    of_baseline = pair.served_model == pair.baseline_model
    loss = pair.served_quality - pair.other_quality
    return Seen(
        short=MARGINS[-1] if pair.short is None else pair.short,
        loss=loss if of_baseline else -loss,
        of_baseline=of_baseline,
        error=None if pair.told is None else pair.told - pair.served_quality,
    )


def reason_of(pledge: Pledge) -> str:
    """How a promise stands, and what people's ratings say of that."""
    opinion = pledge.opinion
    if opinion is None:
        return _standing_of(pledge)
    role = "which decides" if opinion.decides else "too few to decide"
    return (
        f"{_standing_of(pledge)} As people's ratings of {opinion.rated} of these answers correct the judge, it loses "
        f"{opinion.verdict.loss:.3f}, at most {opinion.verdict.most:.3f}: {role}."
    )


def _standing_of(pledge: Pledge) -> str:
    test, points = pledge.test, f"{pledge.promise.points:g}"
    if pledge.baseline is None:
        return "Nothing is promised: routing.baseline is no model that can be asked here, or has no tier."
    if test is None or test.most is None:
        return (
            f"The baseline answers: {0 if test is None else test.pairs} pairs of answers are compared, and fewer than "
            f"{pledge.promise.fewest_pairs} tell nothing."
        )
    if test.margin is not None:
        return (
            f"Cheaper models answer where they are expected within {test.margin:g} of the baseline; that loses at most "
            f"{test.most:.3f} of the {points} promised, asymptotically."
        )
    return f"The baseline answers: cheaper models may lose {test.most:.3f} on average, over the {points} promised."


def _notice(test: PromiseTest) -> Notice:
    points, names = test.promise.points, f"The promise of route {test.rule}"
    if test.margin is None:
        text = f"{names} is not shown to be kept any more: {test.baseline} answers until it is."
    else:
        text = (
            f"{names} is kept, by {test.pairs} pairs of answers: cheaper models answer where they are expected within "
            f"{test.margin:g} of {test.baseline}."
        )
    return Notice(
        event_id=f"promise:{test.rule}:{test.tested_at_us}",
        kind="promise.unmet" if test.margin is None else "promise.kept",
        text=text,
        occurred_at_us=test.tested_at_us,
        data={
            "rule": test.rule,
            "points": points,
            "confidence": test.promise.confidence,
            "pairs": test.pairs,
            "margin": test.margin,
            "loss": test.loss,
            "bound": test.most,
        },
    )
