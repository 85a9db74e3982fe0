"""Questions that models have answered, and what people thought of the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from farthing.domain.budget import DAY_US
from farthing.domain.pricing import NANO
from farthing.domain.routing.weighing import Tried
from farthing.ports import Clock, Source
from farthing.ports.learning import Finding, Lesson, Opinions, Rated, Rating
from farthing.store.deleting import delete_all
from farthing.store.engine import Engines
from farthing.store.learning.schema import comparisons, lessons, response_feedback
from farthing.store.rows import storable

MOST_UNRATED = 100_000
"""Of older lessons than so many those stay that were rated."""
MOST_RATED = 100_000
"""Lessons that are learned from, the newest."""
MOST_FOLLOWED = 1_500
"""Ratings that are followed: of the weight of earlier ones a hundredth is left."""
MOST_TRIED = 1_500
"""Opinions of checked answers that are read, the newest."""
LONGEST_US = 90 * DAY_US
"""For how long a question is kept."""
_BEST_FIRST: tuple[Source, ...] = ("explicit", "judge", "implicit")
_LESSON, _SAID = lessons.c, response_feedback.c
_BY_REQUEST = _SAID.request_id == _LESSON.request_id
_BY_ANSWER = sa.and_(
    _SAID.answer_key == _LESSON.cache_key, _SAID.model == _LESSON.model, _SAID.created_at >= _LESSON.created_at
)
_TOLD = _SAID.quality, _SAID.is_correct, _SAID.is_helpful, _SAID.source, _SAID.created_at.label("rated_at")
_PAIR = comparisons.c
_BOTH_ITS = _PAIR.request_id == _LESSON.request_id, _PAIR.other_request_id == _LESSON.request_id
"""A comparison of two answers that the request itself has paid for."""
_GAVE_WAY = sa.select(_PAIR.other_quality).where(*_BOTH_ITS).scalar_subquery().label("gave_way")
"""What a judge made of a first answer that gave way to the one that was served (0..1)."""
_FIRST_MODEL = sa.select(_PAIR.other_model).where(*_BOTH_ITS).scalar_subquery().label("first_model")
"""And whose that was."""
_FIRST = _GAVE_WAY, _FIRST_MODEL


class Lessons:
    """Implements `farthing.ports.learning.LessonStore`, `RatingStore` and `CheckStore`."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._engines = engines
        self._clock = clock

    async def keep(self, noted: Sequence[Lesson]) -> None:
        """Writes them in one transaction. Raises `Unavailable`."""
        rows = [
            {
                "request_id": lesson.request_id,
                "created_at": lesson.created_at_us,
                "tenant": lesson.tenant,
                "model": lesson.model,
                "cost": lesson.cost,
                "cache_key": lesson.cache_key,
                "prompt": storable(lesson.prompt),
                "asker": storable(lesson.asker) if lesson.asker else None,
                "context": lesson.context,
                "answered_at": lesson.answered_us,
                "checked": None if lesson.checked is None else msgspec.to_builtins(lesson.checked),
            }
            for lesson in noted
        ]
        if rows:
            async with self._engines.writing() as connection:
                await connection.execute(self._engines.backend.inserting(lessons).on_conflict_do_nothing(), rows)

    async def asked(self, askers: Iterable[str], from_us: int) -> Sequence[Lesson]:
        """Questions of these sessions and users that were answered from this moment on. Raises `Unavailable`."""
        statement = sa.select(lessons).where(
            _LESSON.asker.in_({storable(asker) for asker in askers}), _LESSON.answered_at >= from_us
        )
        async with self._engines.reading() as connection:
            return [_lesson(row) for row in await connection.execute(statement)]

    async def counts(self) -> Mapping[str, int]:
        """Answers by model that were rated, not only asked for again. Raises `Unavailable`."""
        is_rated = _SAID.source != "implicit"
        rated = sa.union(
            *(sa.select(_LESSON.request_id, _LESSON.model).where(said, is_rated) for said in (_BY_REQUEST, _BY_ANSWER)),
            sa.select(_LESSON.request_id, _PAIR.other_model).where(*_BOTH_ITS),
        )
        found = rated.subquery()
        statement = sa.select(found.c.model, sa.func.count()).group_by(found.c.model).order_by(found.c.model)
        async with self._engines.reading("analysis") as connection:
            return {row[0]: row[1] for row in await connection.execute(statement)}

    async def rated(self) -> Sequence[Rated]:
        """The newest answers that were rated, the oldest first. Raises `Unavailable`."""
        # Sorted by what is the same whichever rating is read first.
        newest = [_LESSON.created_at.desc(), _LESSON.request_id.asc(), _SAID.created_at.asc()]
        found: dict[str, list[Any]] = {}
        async with self._engines.reading("analysis") as connection:
            for said in (_BY_REQUEST, _BY_ANSWER):
                statement = sa.select(lessons, *_FIRST, *_TOLD).where(said).order_by(*newest).limit(MOST_RATED)
                for row in await connection.execute(statement):
                    found.setdefault(row.request_id, []).append(row)
        answers = sorted(found.values(), key=lambda rows: (rows[0].created_at, rows[0].request_id))
        return [each for rows in answers[-MOST_RATED:] for each in _rated(rows)]

    async def ratings(self, *, after: int, since_us: int) -> Sequence[Rating]:
        """The newest after this one, but for what nobody said in words, the oldest first. Raises `Unavailable`."""
        told = _SAID.quality, _SAID.is_correct, _SAID.is_helpful
        newest = (
            sa.select(_SAID.feedback_id, *told, _LESSON.prompt, _LESSON.model, _LESSON.checked, *_FIRST)
            .select_from(response_feedback.outerjoin(lessons, _BY_REQUEST))
            .where(_SAID.feedback_id > after, _SAID.created_at > since_us, _SAID.source != "implicit")
            .order_by(_SAID.feedback_id.desc())
            .limit(MOST_FOLLOWED)
        )
        async with self._engines.reading("refresh") as connection:
            rows = (await connection.execute(newest)).all()
        return [each for row in rows[::-1] for each in _followed(row)]

    async def tried(self) -> Sequence[Tried]:
        """The newest checked answers of which it is known how good they were. Raises `Unavailable`."""
        statement = (
            sa.select(_LESSON.request_id, _LESSON.checked, _GAVE_WAY, *_TOLD)
            .where(_LESSON.checked.is_not(None), _BY_REQUEST, _SAID.source != "implicit")
            .order_by(_LESSON.created_at.desc(), _LESSON.request_id.asc(), _SAID.created_at.asc())
            .limit(MOST_TRIED)
        )
        async with self._engines.reading("refresh") as connection:
            rows = (await connection.execute(statement)).all()
        answers = [list(its) for _, its in groupby(rows, key=attrgetter("request_id"))]
        return [found for its in answers if (found := _tried(its)) is not None]

    async def opinions(self, from_us: int, to_us: int) -> Opinions:
        """What people thought in this time, the first moment included and the second not. Raises `Unavailable`."""
        quality = _SAID.quality
        sums = sa.select(sa.func.count(), sa.func.avg(quality), sa.func.avg(quality * quality))
        statement = sums.where(_SAID.created_at >= from_us, _SAID.created_at < to_us, _SAID.source == "explicit")
        async with self._engines.reading() as connection:
            count, mean, square = (await connection.execute(statement)).one()
        mean = float(mean or 0)
        return Opinions(count, mean, max(0.0, float(square or 0) - mean * mean))

    async def sweep(self, *, keep_prompts: bool) -> int:
        """Deletes what is too old or too much, or all of it, and returns how much that was. Raises `Unavailable`."""
        if not keep_prompts:
            return await delete_all(self._engines, _LESSON.request_id, sa.true())
        old = await delete_all(
            self._engines, _LESSON.request_id, _LESSON.created_at < self._clock.now_us() - LONGEST_US
        )
        last = sa.select(_LESSON.created_at).order_by(_LESSON.created_at.desc()).offset(MOST_UNRATED).limit(1)
        async with self._engines.reading() as connection:
            bound = (await connection.execute(last)).scalar()
        if bound is None:
            return old
        unrated = [sa.not_(sa.exists().where(said).correlate(lessons)) for said in (_BY_REQUEST, _BY_ANSWER)]
        return old + await delete_all(self._engines, _LESSON.request_id, _LESSON.created_at <= bound, *unrated)


def together(said: Sequence[Any]) -> tuple[float, Source]:
    """What all who rated one answer make of it (0..1), and who they are.

    People are asked before a judge, and both before what was told without being said.
    """
    source: Source = min((row.source for row in said), key=_BEST_FIRST.index)
    return _mean(_mean(_told(row)) for row in said if row.source == source), source


def _rated(rows: Sequence[Any]) -> Iterator[Rated]:
    """The answer that was rated; and the first one, where that gave way to it."""
    row, (quality, source) = rows[0], together(rows)
    rated_us = max(each.rated_at for each in rows if each.source == source)
    yield Rated(row.prompt, row.model, quality, _usd(row.cost), rated_us, source)
    # Who asks again tells of bad answers only, and so would this.
    first = None if source == "implicit" else _first(row)
    if first is not None:
        whose = source if first.is_guess else "judge"
        yield Rated(row.prompt, first.model, first.quality, _usd(first.cost), rated_us, whose, first.is_guess)


def _followed(row: Any) -> Iterator[Rating]:  # noqa: ANN401 (a row)
    yield Rating(row.feedback_id, row.prompt or "", row.model or "", _mean(_told(row)))
    first = _first(row)
    if first is not None:
        yield Rating(row.feedback_id, row.prompt, first.model, first.quality)


def _tried(rows: Sequence[Any]) -> Tried | None:
    """The first answer of a cascade, if it is known how good that was."""
    row = rows[0]
    found = msgspec.convert(row.checked, Finding)
    quality = together(rows)[0] if found.is_served else row.gave_way
    if quality is None:
        return None
    return Tried(model=found.model, check=found.check, expected=found.expected, score=found.score, quality=quality)


class _First(NamedTuple):
    """The first answer of a cascade, where another's was served."""

    model: str
    quality: float
    """0..1."""
    cost: int | None
    """Nano-dollars."""
    is_guess: bool
    """Whether no judge has seen it."""


def _first(row: Any) -> _First | None:  # noqa: ANN401 (a row)
    """It is as good as a judge found it, however it was checked, else as its check left it."""
    found = None if row.checked is None else msgspec.convert(row.checked, Finding)
    if row.gave_way is not None:
        return _First(row.first_model, row.gave_way, found.cost if found else None, is_guess=False)
    if found is None or found.is_served:
        return None
    return _First(found.model, found.belief, found.cost, is_guess=True)


def _usd(cost: int | None) -> float | None:
    return None if cost is None else cost / NANO


def _lesson(row: Any) -> Lesson:  # noqa: ANN401 (a row)
    return Lesson(
        request_id=row.request_id,
        created_at_us=row.created_at,
        tenant=row.tenant,
        model=row.model,
        prompt=row.prompt,
        cost=row.cost,
        cache_key=row.cache_key,
        asker=row.asker,
        context=row.context,
        answered_us=row.answered_at,
        checked=None if row.checked is None else msgspec.convert(row.checked, Finding),
    )


def _told(row: Any) -> Iterable[float]:  # noqa: ANN401 (a row)
    """Grade, correctness and helpfulness, as far as they are given; their mean is one opinion."""
    yield row.quality
    yield from (float(told) for told in (row.is_correct, row.is_helpful) if told is not None)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
