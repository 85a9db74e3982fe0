"""Identical requests at the same moment share one upstream call, within a process and a tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from farthing.dialects.base import Piece
from farthing.domain.errors import FarthingError, UpstreamError
from farthing.gateway.order import Order
from farthing.gateway.recording import Draft
from farthing.gateway.source import StreamSource, Whole
from farthing.ports import Spawn

Buy = Callable[[], Coroutine[Any, Any, Whole | StreamSource]]
Name = tuple[str, bool]
LINGER_S = 1.0


class Flight:
    """One upstream call and everybody who waits for it; the last to leave cancels it."""

    def __init__(self, buy: Buy, leader: Draft, spawn: Spawn, land: Callable[[Flight], None]) -> None:
        leader.is_handed_over = True
        self.leader = leader
        self.is_kept = False
        self._land = land
        self._spawn = spawn
        self._answer: asyncio.Task[Whole | StreamSource] = spawn(buy(), "flight")
        self._answer.add_done_callback(self._bought)
        self._passengers = 0
        self._source: StreamSource | None = None
        self._batches: list[Sequence[Piece]] = []
        self._error: UpstreamError | None = None
        self._is_over = False
        self._nobody_reads = asyncio.Event()
        self._nobody_reads.set()

    async def join(self, follower: Draft) -> Whole | View | None:
        """As `board`; None where the leader was refused for reasons of its own, which are nobody else's."""
        try:
            return await self.board(follower)
        except UpstreamError:
            raise
        except FarthingError:
            return None

    async def board(self, draft: Draft) -> Whole | View:
        """The shared answer for one request. Raises what the purchase raised."""
        self._passengers += 1
        try:
            answer = await asyncio.shield(self._answer)
        except BaseException:
            self.leave(draft)
            raise
        if isinstance(answer, StreamSource):
            return View(self, answer, draft)
        self._passengers -= 1
        if draft is not self.leader:
            draft.shared(self.leader)
        return answer

    def leave(self, draft: Draft) -> None:
        """One passenger gives up."""
        self._passengers -= 1
        if draft is self.leader:
            draft.client_left = True
        if self._passengers:
            return
        self._answer.cancel()
        self._let_go()

    def _let_go(self) -> None:
        """Nobody reads the stream, if there is one."""
        if self._source is not None:
            self._source.abandon()
            if not self.is_kept:
                self._land(self)

    def _bought(self, answer: asyncio.Task[Whole | StreamSource]) -> None:
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        if error is not None:
            self._land(self)
            self.leader.broke(error)
        elif isinstance(bought := answer.result(), StreamSource):
            self._source = bought
            if not self._passengers:
                self._let_go()

    async def batch(self, source: StreamSource, index: int) -> Sequence[Piece]:
        """Pieces number `index` of the stream, empty at the end.

        Whoever comes first reads them for all, and may leave while it waits. They stay for whoever joins later: what
        a flight holds is what its fastest passenger has taken.
        """
        while index == len(self._batches):
            if self._error is not None:
                raise self._error
            if self._is_over:
                return ()
            if self._nobody_reads.is_set():
                await self._read(source)
            else:
                await self._nobody_reads.wait()
        return self._batches[index]

    async def _read(self, source: StreamSource) -> None:
        self._nobody_reads.clear()
        try:
            if pieces := await source.pieces():
                self._batches.append(pieces)
            else:
                self._is_over = True
        except UpstreamError as error:
            self._error = error
            self._land(self)
        finally:
            self._nobody_reads.set()

    def has_told_all(self, source: StreamSource, index: int) -> bool:
        """Whether the end mark stands in the batch before number `index`."""
        return source.is_complete and index == len(self._batches)


class View:
    """One passenger's reading of a shared stream; a follower's own record is settled here."""

    def __init__(self, flight: Flight, source: StreamSource, draft: Draft) -> None:
        self.dialect = source.dialect
        self._flight = flight
        self._source = source
        self._draft = draft
        self._follows = draft is not flight.leader
        if self._follows:
            draft.follow(flight.leader)
        self._index = 0
        self._has_left = False

    async def pieces(self) -> Sequence[Piece]:
        """The next pieces, empty at the end. Raises `UpstreamError` where the stream breaks."""
        if self._has_left:
            return ()
        try:
            batch = await self._flight.batch(self._source, self._index)
        except UpstreamError as error:
            self._leave()
            self._draft.broke(error)
            raise
        self._index += 1
        if not batch:
            self._leave()
        elif self._follows and self._flight.has_told_all(self._source, self._index):
            self._draft.shared(self._flight.leader)
        return batch

    def abandon(self) -> None:
        """The passenger leaves; nothing if it has heard the end."""
        if not self._has_left:
            self._leave()
            if self._follows:
                self._draft.broke(GeneratorExit())

    def _leave(self) -> None:
        self._has_left = True
        self._flight.leave(self._draft)


class Flights:
    """The calls under way that others may join, by identity."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._flights: dict[Name, Flight] = {}

    def find(self, order: Order) -> Flight | None:
        """The flight of an identical request, if one is in the air."""
        return self._flights.get(_name(order))

    def is_buying(self, order: Order) -> bool:
        """Whether an identical request is under way whose answer is not in the cache yet."""
        flight = self.find(order)
        return flight is not None and not flight.is_kept

    def start(self, order: Order, buy: Buy) -> Flight:
        """A flight that identical requests may join."""
        name = _name(order)
        flight = Flight(buy, order.draft, self._spawn, lambda landed: self._remove(name, landed))
        self._flights[name] = flight
        return flight

    def kept(self, order: Order) -> None:
        """The answer is complete and on its way into the cache.

        The flight stays for a moment: a look-up that began before the answer was kept would else miss both.
        """
        if flight := self._led_by(order):
            flight.is_kept = True
            asyncio.get_running_loop().call_later(LINGER_S, self._remove, _name(order), flight)

    def landed(self, order: Order) -> None:
        """The answer is complete and not worth keeping: the next request asks anew."""
        if flight := self._led_by(order):
            self._remove(_name(order), flight)

    def forget(self, key: str) -> None:
        """The answer was voted down: nobody joins its flight any more."""
        for streams in (False, True):
            self._flights.pop((key, streams), None)

    def _led_by(self, order: Order) -> Flight | None:
        flight = self.find(order)
        return flight if flight is not None and flight.leader is order.draft else None

    def _remove(self, name: Name, flight: Flight) -> None:
        """Unless another flight has taken its place meanwhile."""
        if self._flights.get(name) is flight:
            del self._flights[name]


def _name(order: Order) -> Name:
    return order.draft.cache_key or "", order.chat.stream
