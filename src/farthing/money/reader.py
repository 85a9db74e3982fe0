"""Reads a journal's segments in order, for the process that writes them as for whoever inherits them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from farthing.domain.exchange import Exchange
from farthing.domain.gauge import tokens
from farthing.money import record
from farthing.money.meters import Reading
from farthing.money.segment import Segment, records

logger = logging.getLogger(__name__)

MOST_FRESH = 4_000
"""Records that are remembered while they wait to be drained; any more are read back from their file."""


class Part:
    """A segment as its reader sees it: how far it was read, and what is still owed for it."""

    def __init__(self, path: Path, segment: Segment | None = None) -> None:
        self.path = path
        self.segment = segment
        self.offset = 0
        self.is_sealed = segment is None
        """Whether nothing will be added."""
        self.is_read = False
        """Whether it is sealed and read to its end."""
        self.is_damaged = False
        self.unsettled = 0
        """Intents in it whose settlement has not been committed."""
        self._content: bytes | None = None

    def records(self) -> Iterator[tuple[int, bytes | None]]:
        """What was not read yet. Raises `OSError` where the file cannot be read."""
        if self.segment is not None and self.segment.is_open:
            return self.segment.records(self.offset)
        if self._content is None:
            self._content = self.path.read_bytes()
        return records(self._content, self.offset, len(self._content))

    def finish(self) -> None:
        """Notes that it was read to its end."""
        self.is_read = True
        self._content = None


class Batch(Struct, frozen=True):
    """Exchanges to be committed together, and for each the part that holds its intent."""

    exchanges: tuple[Exchange, ...]
    homes: tuple[Part | None, ...]


_Fresh = tuple[Part, int, str, Exchange | None]
"""A record that was not read yet: its part, the offset behind it, whose it is, and how that ended if it has."""


class Reader:
    """Offers what was settled, batch by batch, and deletes a segment once nothing in it is owed any more.

    One batch is out at a time: until it is committed, the same one is offered again. What its own process tells it of
    need not be read back.
    """

    def __init__(self, parts: Iterable[Part] = (), *, quarantine: Path) -> None:
        """Damaged segments end in the folder `quarantine`, which is made when needed."""
        self._parts = list(parts)
        self._quarantine = quarantine
        self._unsettled: dict[str, tuple[Part, record.Opened | None]] = {}
        """Intents and where they stand; None for those of this process, which ends them itself."""
        self._fresh: deque[_Fresh] = deque()
        self._is_fresh = not self._parts
        """Whether all that was not read yet is remembered."""
        self._offered: Batch | None = None

    @property
    def is_done(self) -> bool:
        """Whether every part was read, committed and deleted."""
        return not self._parts

    def add(self, part: Part) -> None:
        """Another part to read, after all others."""
        self._parts.append(part)

    def noted(self, part: Part, end: int, request_id: str, exchange: Exchange | None = None) -> None:
        """This process has just added a record to a part, up to `end`: an intent, or how the request ended."""
        if len(self._fresh) == MOST_FRESH:
            self._is_fresh = False
        if self._is_fresh:
            self._fresh.append((part, end, request_id, exchange))

    def settled(self, limit: int) -> Batch | None:
        """Up to `limit` further settlements, or None. Raises `OSError` where a file cannot be read."""
        if self._offered is None:
            exchanges: list[Exchange] = []
            homes: list[Part | None] = []
            self._recall(exchanges, homes, limit)
            if len(exchanges) < limit and not self._is_fresh:
                self._is_fresh = self._read_all(exchanges, homes, limit)
            self._offer(exchanges, homes)
        return self._offered

    def interrupted(self, limit: int, meters: Reading) -> Batch | None:
        """Up to `limit` intents without a settlement, as the exchanges they become; for when all was read."""
        if self._offered is None:
            exchanges: list[Exchange] = []
            homes: list[Part | None] = []
            cut_off = [(part, opened) for part, opened in self._unsettled.values() if opened is not None]
            for part, opened in cut_off[:limit]:
                del self._unsettled[opened.request_id]
                try:
                    exchanges.append(opened.exchange(tokens(meters.weight(opened.request_id))))
                    homes.append(part)
                except msgspec.MsgspecError:
                    part.is_damaged = True
                    part.unsettled -= 1
            self._offer(exchanges, homes)
        return self._offered

    def commit(self, batch: Batch) -> None:
        """Takes note that the batch is safe elsewhere."""
        for home in batch.homes:
            if home is not None:
                home.unsettled -= 1
        self._offered = None
        self._tidy()

    def _offer(self, exchanges: list[Exchange], homes: list[Part | None]) -> None:
        if exchanges:
            self._offered = Batch(tuple(exchanges), tuple(homes))
        else:
            self._tidy()

    def _recall(self, exchanges: list[Exchange], homes: list[Part | None], limit: int) -> None:
        """Up to `limit` settlements that are remembered, and the intents before them."""
        fresh, unsettled = self._fresh, self._unsettled
        while fresh and len(exchanges) < limit:
            part, end, request_id, exchange = fresh.popleft()
            part.offset = end
            if exchange is None:
                self._put_aside(part, request_id)
            else:
                exchanges.append(exchange)
                opened = unsettled.pop(request_id, None)
                homes.append(opened and opened[0])
        if self._is_fresh:
            self._finish(fresh[0][0] if fresh else None)

    def _finish(self, current: Part | None) -> None:
        """All parts before this one were read, as far as they go."""
        for part in self._parts:
            if part is current:
                return
            if part.is_sealed and not part.is_read:
                part.finish()

    def _read_all(self, exchanges: list[Exchange], homes: list[Part | None], limit: int) -> bool:
        """Whether nothing more is to be read. Raises `OSError`."""
        for part in self._parts:
            if not part.is_read:
                self._read(part, exchanges, homes, limit)
                if len(exchanges) >= limit:
                    return False
        return True

    def _read(self, part: Part, exchanges: list[Exchange], homes: list[Part | None], limit: int) -> None:
        unsettled = self._unsettled
        try:
            for offset, payload in part.records():
                part.offset = offset
                entry = _entry(payload)
                if isinstance(entry, record.Settled):
                    exchanges.append(entry.exchange)
                    opened = unsettled.pop(entry.exchange.request_id, None)
                    homes.append(opened and opened[0])
                    if len(exchanges) >= limit:
                        return
                elif entry is None:
                    part.is_damaged = True
                else:
                    self._put_aside(part, entry.request_id, entry)
        except FileNotFoundError:
            part.is_damaged = True
        if part.is_sealed:
            part.finish()

    def _put_aside(self, part: Part, request_id: str, opened: record.Opened | None = None) -> None:
        """An intent waits for its settlement; of two for one request the later stands."""
        earlier = self._unsettled.pop(request_id, None)
        if earlier is not None:
            earlier[0].unsettled -= 1
        self._unsettled[request_id] = part, opened
        part.unsettled += 1

    def _tidy(self) -> None:
        """Removes every part that is read and owed nothing; what is damaged is kept aside for a person to look at."""
        for part in [part for part in self._parts if part.is_read and not part.unsettled]:
            if part.is_damaged:
                set_aside(part.path, self._quarantine)
            else:
                part.path.unlink(missing_ok=True)
            self._parts.remove(part)


def _entry(payload: bytes | None) -> record.Opened | record.Settled | None:
    """What a record says, None where it is damaged."""
    try:
        return None if payload is None else record.read(payload)
    except msgspec.MsgspecError:
        return None


def set_aside(path: Path, quarantine: Path) -> None:
    """Moves a file of some worker's folder into `quarantine`, named after both."""
    quarantine.mkdir(mode=0o700, exist_ok=True)
    target = quarantine / f"{path.parent.name}-{path.name}"
    try:
        path.rename(target)
    except FileNotFoundError:
        logger.error("journal segment %s has vanished; whatever it still held is lost", path)  # noqa: TRY400 - no bug of ours to trace
    else:
        logger.error("journal file %s is damaged: its intact records were recovered, the file is now %s", path, target)
