"""Identical requests at the same moment share one upstream call, within a process and a tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from farthing.dialects.base import Piece
from farthing.domain.errors import UpstreamError
from farthing.gateway.order import Order
from farthing.gateway.recording import Draft, to_nobody
from farthing.gateway.source import StreamSource, Take
from farthing.gateway.waiting import Waiters
from farthing.gateway.whole import Whole

Name = tuple[str | None, bool]
"""Identity in the cache, and whether a stream is wanted."""


class Flight:
    """One upstream call and everybody who waits for it; the last to leave cancels it.

    The leader buys in its own task. Should its client leave while others wait, that task goes on for them.
    """

    _buyer: asyncio.Task[Any] | None = None
    _passengers = 0
    _refusal: BaseException | None = None
    _source: StreamSource | None = None
    _error: UpstreamError | None = None
    is_over = False
    """Whether nothing more will be told."""
    is_read = False
    """Whether somebody is reading for all."""
    _waiters: Waiters | None = None
    """For the purchase to end; most flights have none."""

    def __init__(self, name: Name, leader: Draft, flights: Flights) -> None:
        self.name = name
        self.leader = leader
        self._flights = flights
        self._bought: Whole | StreamSource | None = None
        self._stays: Callable[[], bool] = to_nobody
        """What the leader was told to do when its client leaves."""

    async def lead(self, buying: Awaitable[Whole | StreamSource]) -> Whole | View:
        """The answer for the leader, who buys it. Raises what the purchase raised."""
        self._passengers += 1
        self._buyer = asyncio.current_task()
        self._stays, self.leader.leave_to_others = self.leader.leave_to_others, self._leave_to_others
        try:
            self._bought = await buying
        except BaseException as error:
            self._refusal = error
            self._flights.remove(self)
            raise
        finally:
            self._buyer = None
            # Else draft and flight would hold each other until somebody looks for garbage.
            self.leader.leave_to_others, self._stays = self._stays, to_nobody
            if self._waiters is not None:
                self._waiters.wake()
        return self._board(self._bought, self.leader)

    async def join(self, follower: Draft) -> Whole | View | None:
        """The shared answer. None where the leader was refused for reasons of its own, which are nobody else's.

        Raises `UpstreamError` where the purchase did.
        """
        self._passengers += 1
        if self._bought is None and self._refusal is None:
            if self._waiters is None:
                self._waiters = Waiters()
            try:
                await self._waiters.wait()
            except BaseException:
                self.leave(follower)
                raise
        if self._bought is not None:
            return self._board(self._bought, follower)
        self._passengers -= 1
        if isinstance(self._refusal, UpstreamError):
            raise self._refusal
        return None

    def _board(self, answer: Whole | StreamSource, draft: Draft) -> Whole | View:
        if isinstance(answer, StreamSource):
            self._source = answer
            return View(self, answer, draft)
        self._passengers -= 1
        if draft is not self.leader:
            draft.shared(self.leader)
        return answer

    def _leave_to_others(self) -> bool:
        """Notes that the leader's client has left: whether somebody else waits for what it is buying."""
        if self._stays():
            return True
        self.leader.client_left = True
        return self._buyer is not None and self._passengers > 1

    def leave(self, draft: Draft) -> None:
        """One passenger gives up."""
        self._passengers -= 1
        if draft is self.leader:
            draft.client_left = True
        if self._buyer is not None:
            if self.leader.client_left and self._passengers == 1:
                self._buyer.cancel()
        elif self._source is not None and not self._passengers:
            self._source.abandon()
            self._flights.remove(self)

    async def read(self, source: StreamSource, take: Take) -> None:
        """Reads on for all, and gives `take` what is told meanwhile. Raises `UpstreamError` where the stream breaks.

        Whoever reads may leave while it waits, and another read on. What was told stays for whoever joins later: what
        a flight holds is what its fastest passenger has taken.
        """
        if self._error is not None:
            raise self._error
        self.is_read = True
        try:
            self.is_over = not await source.pass_to(take)
        except UpstreamError as error:
            self._error = error
            self._flights.remove(self)
            raise
        finally:
            self.is_read = False
            source.audience.wake()


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

    async def pass_to(self, take: Take) -> bool:
        """As `Pieces` says. Raises `UpstreamError` where the stream breaks."""
        if self._has_left:
            return False
        flight, source = self._flight, self._source
        if self._index == len(source.told):
            await (source.audience.wait() if flight.is_read else self._read(take))
        self._catch_up(take)
        if flight.is_over and self._index == len(source.told):
            self._leave()
        return not self._has_left

    async def _read(self, take: Take) -> None:
        flight, source = self._flight, self._source

        def hear(pieces: Sequence[Piece]) -> bool:
            if source.is_complete:
                self._draft.shared(flight.leader)
            return take(pieces)

        try:
            await flight.read(source, hear if self._follows else take)
        except UpstreamError as error:
            self._leave()
            self._draft.broke(error)
            raise
        finally:
            self._index = len(source.told)

    def _catch_up(self, take: Take) -> None:
        """Takes what others have been told, until `take` returns false."""
        source = self._source
        for piece in source.told[self._index :]:
            self._index += 1
            if self._follows and source.is_complete and self._index == len(source.told):
                self._draft.shared(self._flight.leader)
            if not take((piece,)):
                return

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

    def __init__(self) -> None:
        self._flights: dict[Name, Flight] = {}

    def find(self, order: Order) -> Flight | None:
        """The flight of an identical request, if one is in the air."""
        return self._flights.get((order.draft.cache_key, order.chat.stream))

    def start(self, order: Order) -> Flight:
        """A flight that identical requests may join."""
        name = order.draft.cache_key, order.chat.stream
        flight = self._flights[name] = Flight(name, order.draft, self)
        return flight

    def landed(self, order: Order) -> None:
        """The answer is complete, and kept if it is worth it: nobody need join any more."""
        flight = self.find(order)
        if flight is not None and flight.leader is order.draft:
            del self._flights[flight.name]

    def forget(self, key: str) -> None:
        """The answer was voted down: nobody joins its flight any more."""
        for streams in (False, True):
            self._flights.pop((key, streams), None)

    def remove(self, flight: Flight) -> None:
        """Nobody joins this flight any more; another that has taken its place stays."""
        if self._flights.get(flight.name) is flight:
            del self._flights[flight.name]
