"""Answers that bear an idempotency key, and the marks of those under way."""

from __future__ import annotations

import sqlalchemy as sa

from farthing.ports import Clock
from farthing.ports.idempotency import KnownAnswer
from farthing.store.deleting import delete_all
from farthing.store.engine import Engines
from farthing.store.schema import idempotent_answers

_COLUMNS = idempotent_answers.c


class SqlIdempotentAnswers:
    """Implements `farthing.ports.IdempotentAnswers`."""

    def __init__(self, engines: Engines, clock: Clock) -> None:
        self._engines = engines
        self._clock = clock

    async def claim(self, name: bytes, fingerprint: bytes, *, owner: str, lease_us: int) -> KnownAnswer | None:
        """What is kept; None where nothing was, or it has expired, and now the name is `owner`'s."""
        now = self._clock.now_us()
        row = _row(name, KnownAnswer(fingerprint, None), owner, (now, now + lease_us))
        claim = self._put(_COLUMNS.expires_at <= now)
        known = sa.select(_COLUMNS.fingerprint, _COLUMNS.answer).where(_COLUMNS.digest == name)
        while True:
            async with self._engines.writing("requests") as connection:
                if (await connection.execute(claim, row)).rowcount:
                    return None
                if (found := (await connection.execute(known)).one_or_none()) is not None:
                    return KnownAnswer(found.fingerprint, found.answer)

    async def keep(self, name: bytes, fingerprint: bytes, answer: bytes, *, owner: str, lives_us: int) -> None:
        """Keeps the answer, unless the name has become somebody else's."""
        now = self._clock.now_us()
        row = _row(name, KnownAnswer(fingerprint, answer), owner, (now, now + lives_us))
        async with self._engines.writing("requests") as connection:
            await connection.execute(self._put(sa.or_(_COLUMNS.owner == owner, _COLUMNS.expires_at <= now)), row)

    async def release(self, name: bytes, *, owner: str) -> None:
        """There will be no answer: the name may be claimed again."""
        gone = sa.delete(idempotent_answers).where(_COLUMNS.digest == name, *_under_way(owner))
        async with self._engines.writing("requests") as connection:
            await connection.execute(gone)

    async def renew(self, *, owner: str, lease_us: int) -> None:
        """All names without an answer are `owner`'s from now on for as long."""
        renewed = sa.update(idempotent_answers).where(*_under_way(owner))
        async with self._engines.writing("requests") as connection:
            await connection.execute(renewed.values(expires_at=self._clock.now_us() + lease_us))

    async def sweep(self) -> int:
        """Deletes expired answers, and says how many. Raises `Unavailable`."""
        return await delete_all(self._engines, _COLUMNS.digest, _COLUMNS.expires_at <= self._clock.now_us())

    def _put(self, may: sa.ColumnElement[bool]) -> sa.sql.expression.UpdateBase:
        """Adds a row, or puts it in the place of one that `may` be replaced."""
        new = self._engines.backend.inserting(idempotent_answers)
        fresh = {column.name: new.excluded[column.name] for column in _COLUMNS if column.name != "digest"}
        put: sa.sql.expression.UpdateBase = new.on_conflict_do_update(index_elements=["digest"], set_=fresh, where=may)
        return put


def _under_way(owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _COLUMNS.owner == owner, _COLUMNS.answer.is_(None)


def _row(name: bytes, known: KnownAnswer, owner: str, life_us: tuple[int, int]) -> dict[str, object]:
    created_at, expires_at = life_us
    return {
        "digest": name,
        "fingerprint": known.fingerprint,
        "owner": owner,
        "answer": known.answer,
        "created_at": created_at,
        "expires_at": expires_at,
    }
