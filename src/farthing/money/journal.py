"""The append-only record of what is being spent; what it has noted outlives this process."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from farthing.domain.errors import Unavailable
from farthing.domain.exchange import Exchange, Intent
from farthing.money import folder, record
from farthing.money.flusher import Flusher
from farthing.money.meters import Meters
from farthing.money.reader import Batch, Part, Reader
from farthing.money.segment import HEADER_BYTES, SUFFIX, Segment
from farthing.ports import Meter

SEGMENT_BYTES = 4 * 1024 * 1024
SYNC_EVERY_S = 0.01
SETTLEMENT_GROWTH = 4096
"""Bytes by which a settlement may be longer than its intent and still find the room kept for it."""


class Journal:
    """One worker's journal, in a folder of its own below `root`. Belongs to one thread.

    Room for the settlement is taken with the intent, so a disk that fills up refuses new requests and settles those
    under way. Implements `ports.Journal`.
    """

    def __init__(
        self, *, root: Path, name: str, segment_bytes: int = SEGMENT_BYTES, sync_every_s: float = SYNC_EVERY_S
    ) -> None:
        """`name` must be new below `root`. Raises `OSError` where the first two segments cannot be made."""
        self._folder = folder.found(root, name)
        self._segment_bytes = segment_bytes
        self._reader = Reader(quarantine=self._folder.quarantine)
        self._flusher = Flusher(self._folder.path, sync_every_s)
        self._number = 0
        self._meters = Meters(self._folder.path / folder.METERS)
        self._reserves: dict[str, int] = {}
        self._reserved = 0
        self._longest = 0
        self._spares: deque[Segment] = deque()
        try:
            self._current, self._part = self._next(0)
            self._spares.append(self._allocate())
        except OSError:
            for segment in self._flusher.stop():
                segment.close()
            self._folder.release()
            raise
        self._room = 0
        self._survey()

    @property
    def name(self) -> str:
        """As it was given."""
        return self._folder.path.name

    @property
    def open_requests(self) -> int:
        """Requests with an intent and no settlement yet."""
        return len(self._reserves)

    def open(self, intent: Intent) -> None:
        """Notes that an upstream is about to be asked; called again for the same request, the last one stands.

        Raises `Unavailable` with code `accounting_unavailable` where intent and settlement find no room on the disk.
        """
        if self._flusher.failure is not None:
            raise _full() from self._flusher.failure
        exchange = intent.exchange
        payload = record.opened(intent)
        size = HEADER_BYTES + len(payload)
        reserve = size + SETTLEMENT_GROWTH
        more = reserve - self._reserves.get(exchange.request_id, 0)
        if reserve > self._longest or self._room - self._reserved < size + more:
            self._make_room(size + more, reserve)
        self._append(payload, size)
        self._reader.noted(self._part, self._current.end, exchange.request_id)
        self._reserves[exchange.request_id] = reserve
        self._reserved += more

    def settle(self, exchange: Exchange) -> None:
        """Notes how a request ended. Always succeeds for a request that was opened.

        Raises `Unavailable` with code `accounting_unavailable` for any other where the disk is full.
        """
        exchange = record.written(exchange)
        payload = record.settled(exchange)
        size = HEADER_BYTES + len(payload)
        reserve = self._reserves.get(exchange.request_id, 0)
        more = size - reserve
        if more > 0 and (size > self._longest or self._room - self._reserved < more):
            exchange = self._squeezed(exchange, size, more)
            payload = record.settled(exchange)
            size = HEADER_BYTES + len(payload)
        if reserve:
            del self._reserves[exchange.request_id]
            self._reserved -= reserve
        self._append(payload, size)
        self._reader.noted(self._part, self._current.end, exchange.request_id, exchange)
        if self._meters.taken:
            self._meters.release(exchange.request_id)

    def meter(self, request_id: str) -> Meter:
        """Where the open request's output is counted; by whoever inherits the journal, if by nobody else."""
        return self._meters.take(request_id)

    def drain(self, limit: int) -> Batch | None:
        """Up to `limit` exchanges that were settled and not yet committed; None where there are none.

        The same batch comes again until it is committed. Raises `OSError` where a segment cannot be read.
        """
        return self._reader.settled(limit)

    def commit(self, batch: Batch) -> None:
        """Takes note that the batch is in the database; segments that are owed nothing are deleted."""
        self._reader.commit(batch)
        self._close_released()

    def close(self) -> None:
        """Ends the journal. What is not committed stays on disk for whoever adopts it."""
        watched = self._flusher.stop()
        self._part.is_sealed = True
        is_owed = self._is_owed()
        for segment in (*watched, *self._spares):
            segment.close()
        for spare in self._spares:
            spare.path.unlink()
        if is_owed:
            self._folder.release()
        else:
            self._folder.remove()

    def _is_owed(self) -> bool:
        try:
            return self._reader.settled(1) is not None or not self._reader.is_done
        except OSError:
            return True

    def _append(self, payload: bytes, size: int) -> None:
        segment = self._current
        if size > segment.size - segment.end:
            segment = self._roll(size)
        segment.append(payload)
        self._room -= size
        if self._flusher.is_asleep:
            self._flusher.wake()

    def _make_room(self, needed: int, longest: int) -> None:
        """Sees to it that `needed` bytes fit beside everything reserved. Raises `Unavailable`."""
        if longest > self._longest:
            self._longest = longest
            self._survey()
        while self._room - self._reserved < needed:
            try:
                self._spares.append(self._allocate())
            except OSError as error:
                raise _full() from error
            self._survey()

    def _survey(self) -> None:
        """Counts the room afresh: at the end of each segment up to the longest record may stay unused."""
        segments = (self._current, *self._spares)
        self._room = sum(max(0, segment.room - self._longest) for segment in segments)

    def _allocate(self) -> Segment:
        size = max(self._segment_bytes, 4 * self._longest)
        segment = Segment(self._folder.path / f"{self._number:010d}{SUFFIX}", size)
        self._number += 1
        return segment

    def _roll(self, size: int) -> Segment:
        """Goes on in the next segment that holds `size` bytes, and prepares another one behind it."""
        self._part.is_sealed = True
        self._current, self._part = self._next(size)
        self._close_released()
        if not self._spares:
            # On a full disk nothing is owed yet: the next request that is opened meets it again and is refused.
            with suppress(OSError):
                self._spares.append(self._allocate())
        self._survey()
        return self._current

    def _next(self, size: int) -> tuple[Segment, Part]:
        while self._spares and self._spares[0].room < size:
            small = self._spares.popleft()
            small.close()
            small.path.unlink()
        segment = self._spares.popleft() if self._spares else self._allocate()
        part = Part(segment.path, segment)
        self._reader.add(part)
        self._flusher.watch(segment)
        return segment, part

    def _close_released(self) -> None:
        for segment in self._flusher.release():
            segment.close()

    def _squeezed(self, exchange: Exchange, size: int, missing: int) -> Exchange:
        """A settlement longer than its reserve; on a full disk one that was opened loses its explanations."""
        try:
            self._make_room(missing, size)
        except Unavailable:
            if exchange.request_id not in self._reserves:
                raise
            charged = tuple([attempt for attempt in exchange.attempts if attempt.charge is not UNSET])
            return replace(exchange, decision=None, reason=None, attempts=charged)
        return exchange


def _full() -> Unavailable:
    return Unavailable(
        "What requests cost cannot be recorded at the moment, so none are forwarded. Try again shortly; whoever runs "
        "this gateway finds the reason in its log, most likely a full disk.",
        code="accounting_unavailable",
        retry_after=1,
    )
