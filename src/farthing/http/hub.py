"""Tells everybody who watches the live figures: computed and written once for all who may see the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Protocol
from weakref import WeakValueDictionary

import msgspec

from farthing.domain.errors import FarthingError, RateLimited, Unavailable
from farthing.domain.keys import Caller
from farthing.http.moments import rfc3339
from farthing.http.presentation import as_object
from farthing.ports import Clock

BEAT_S = 0.5
"""Between two looks at what has changed, at who may still watch and at what is due."""
INTERVAL_S = 5.0
"""Between two messages where nothing changes."""
CHANGE_S = 1.0
"""Between two messages at least."""
FRESH_S = 1.0
"""A message that is not older is what somebody who comes is told."""
MOST_ASKED = 32
"""Watchers who are asked anew in one beat whether their session goes on: a session has to be looked up."""
FROM_AHEAD_MS = 60_000
"""How far another host's clock may be ahead of ours, for its sequence numbers to be believed."""
AGAIN_S = 5.0
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013

View = str | None
"""Whose figures: a tenant's, or with None everybody's."""


class Line(Protocol):
    """The way to one watcher."""

    def push(self, frame: bytes) -> None:
        """Sends a whole frame without waiting. One who does not read is let go."""

    def end(self, code: int) -> None:
        """Closes the socket, which tells its own task."""


class Caps(msgspec.Struct, frozen=True):
    """How many sockets may be open on one worker: of all, of one address, and of one key or person."""

    most: int
    per_address: int
    per_caller: int


class Leave(msgspec.Struct, frozen=True):
    """Whose figures somebody may see now, and when that ends by itself (µs since 1970)."""

    view: View
    ends_us: int | None = None


class Watcher:
    """Somebody who watches."""

    def __init__(self, *, line: Line, view: View, admit: Callable[[], Awaitable[Leave]], is_looked_up: bool) -> None:
        """`admit` tells what they may see now or raises `FarthingError`; `is_looked_up` if that asks a store.

        A key's answer stands in memory.
        """
        self.line = line
        self.view = view
        self.admit = admit
        self.is_looked_up = is_looked_up
        self.seen = 0
        """The highest sequence number that they have."""
        self.keys: object = None
        """The keys as they were when this one's was looked at last."""
        self.ends_us: int | None = None

    def must_be_asked(self, keys: object, now_us: int) -> bool:
        """Whether their key may have become another since they were asked."""
        return keys is not self.keys or (self.ends_us is not None and self.ends_us <= now_us)


class Told(msgspec.Struct, frozen=True):
    """One message about one view."""

    sequence: int
    at: float
    requests: int
    """Of the day, as far as they had been counted before."""
    frame: bytes


class Hub:
    """Everybody who watches at this worker. The sequence numbers of all workers and hosts rise together."""

    def __init__(
        self,
        *,
        metrics: Callable[[View, float], Awaitable[Mapping[str, Any]]],
        pulse: Callable[[int], Awaitable[Mapping[str, int]]],
        is_demo: Callable[[], bool],
        keys: Callable[[], object],
        frame: Callable[[bytes], bytes],
        caps: Caps,
        clock: Clock,
    ) -> None:
        """`metrics` gives a view's figures of at most so many seconds, `pulse` each tenant's requests of today.

        `keys` is another object whenever any key has changed. `frame` makes a text what is sent on a `Line`.
        """
        self._metrics = metrics
        self._pulse = pulse
        self._is_demo = is_demo
        self._keys = keys
        self._frame = frame
        self._caps = caps
        self._clock = clock
        self._views: dict[View, dict[Watcher, None]] = {}
        self._told: dict[View, Told] = {}
        self._locks = WeakValueDictionary[View, asyncio.Lock]()
        self._beats: Mapping[str, int] = {}
        self._turn: Iterator[Watcher] = iter(())
        self._addresses = Counter[str]()
        self._callers = Counter[tuple[str, str | None, str | None]]()

    @property
    def watching(self) -> int:
        """How many watch."""
        return sum(map(len, self._views.values()))

    @contextmanager
    def seat(self, address: str, caller: Caller) -> Iterator[None]:
        """A place among the sockets while the block runs. Raises `RateLimited` where one more would be too many."""
        who = (caller.tenant, caller.key_id, caller.user)
        caps = self._caps
        for taken, most, whose in (
            (self._callers.total(), caps.most, "this gateway's"),
            (self._addresses[address], caps.per_address, "your address's"),
            (self._callers[who], caps.per_caller, "your"),
        ):
            if taken >= most:
                raise RateLimited(f"All of {whose} {most} live sockets are open. Close one first.", retry_after=AGAIN_S)
        self._addresses[address] += 1
        self._callers[who] += 1
        try:
            yield
        finally:
            _less(self._addresses, address)
            _less(self._callers, who)

    @contextmanager
    def joined(self, watcher: Watcher) -> Iterator[None]:
        """Tells them what is new while the block runs."""
        self._views.setdefault(watcher.view, {})[watcher] = None
        try:
            yield
        finally:
            others = self._views[watcher.view]
            del others[watcher]
            if not others:
                del self._views[watcher.view]
                self._told.pop(watcher.view, None)

    async def welcome(self, watcher: Watcher, sequence: int | None) -> None:
        """Tells them the latest at once, unless `sequence` is its number or a later one: they came back in time."""
        if sequence is not None and sequence <= self._now_ms() + FROM_AHEAD_MS:
            watcher.seen = sequence
        told = self._told.get(watcher.view)
        if told is None or self._clock.monotonic() - told.at > FRESH_S:
            told = await self._tell(watcher.view)
        _say(watcher, told)

    def tell(self, tenant: str, event: Mapping[str, Any]) -> None:
        """Sends something that happened to all who may see this tenant's figures; whoever comes later is not told."""
        views = [self._views.get(view, ()) for view in (tenant, None)]
        if any(views):
            frame = self._frame(msgspec.json.encode(event))
            for watcher in [watcher for watchers in views for watcher in watchers]:
                watcher.line.push(frame)

    async def beat(self) -> None:
        """One look: lets those go who may not stay, and tells each view what it is due."""
        if not self._views:
            return
        await self._ask_anew()
        await self._feel_pulse()
        now = self._clock.monotonic()
        for view in tuple(self._views):
            told = self._told.get(view)
            since = now - told.at if told is not None else INTERVAL_S
            is_other = told is not None and told.requests != self._requests(view)
            if since >= INTERVAL_S - BEAT_S / 2 or (since >= CHANGE_S and is_other):
                await self._tell(view)

    async def _feel_pulse(self) -> None:
        """Counts on as before while the database is away."""
        with suppress(Unavailable):
            self._beats = await self._pulse(self._clock.now_us())

    def _requests(self, view: View) -> int:
        return sum(self._beats.values()) if view is None else self._beats.get(view, 0)

    async def _tell(self, view: View) -> Told:
        """Tells all who watch; those who ask for it at the same time get the same message."""
        asked_at, before = self._clock.monotonic(), self._told.get(view)
        async with self._locks.setdefault(view, asyncio.Lock()):
            told = self._told.get(view)
            if told is not None and told is not before and told.at >= asked_at:
                return told
            requests, figures = self._requests(view), await self._figures(view)
            sequence = max(self._now_ms(), told.sequence + 1 if told is not None else 0)
            stamp = {"timestamp": rfc3339(self._clock.now_us()), "sequence": sequence}
            frame = self._frame(msgspec.json.encode({**figures, **stamp}))
            told = Told(sequence, self._clock.monotonic(), requests, frame)
            watchers = tuple(self._views.get(view, ()))
            if watchers:
                self._told[view] = told
            for watcher in watchers:
                _say(watcher, told)
            return told

    async def _figures(self, view: View) -> dict[str, Any]:
        """The figures, or while the database is away and none are known an error in their place."""
        try:
            return {**as_object(await self._metrics(view, FRESH_S)), "demo": self._is_demo()}
        except Unavailable as error:
            return {"type": "error", "error": {"message": error.message}}

    async def _ask_anew(self) -> None:
        """Closes the sockets of those who may not watch any more: keys that changed or end, and sessions in turn."""
        watchers = [watcher for watchers in self._views.values() for watcher in watchers]
        keys, now_us = self._keys(), self._clock.now_us()
        for watcher in watchers:
            if not watcher.is_looked_up and watcher.must_be_asked(keys, now_us):
                watcher.keys = keys
                await _check(watcher)
        some = list(islice(self._turn, MOST_ASKED))
        if len(some) < MOST_ASKED:
            self._turn = iter([watcher for watcher in watchers if watcher.is_looked_up])
        for watcher in some:
            await _check(watcher)

    def _now_ms(self) -> int:
        return self._clock.now_us() // 1000


async def _check(watcher: Watcher) -> None:
    try:
        leave = await watcher.admit()
    except FarthingError as error:
        watcher.line.end(TRY_AGAIN_LATER if isinstance(error, Unavailable) else POLICY_VIOLATION)
        return
    watcher.ends_us = leave.ends_us
    if leave.view != watcher.view:
        watcher.line.end(TRY_AGAIN_LATER)


def _say(watcher: Watcher, told: Told) -> None:
    if told.sequence > watcher.seen:
        watcher.seen = told.sequence
        watcher.line.push(told.frame)


def _less(counter: Counter[Any], name: object) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
