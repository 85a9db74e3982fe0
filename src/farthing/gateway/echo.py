"""A question that was answered from memory and comes again in the same words: only its moment is new."""

from __future__ import annotations

from msgspec import Struct

from farthing.domain.exchange import Exchange
from farthing.gateway.admission import expires_at_us
from farthing.gateway.call import Call
from farthing.gateway.delivery import StreamReply
from farthing.gateway.recording import Recorder
from farthing.gateway.reply import Reply
from farthing.gateway.snapshot import Snapshot
from farthing.ports.answers import CacheEntry

MOST = 512
LONGEST_QUESTION = 4 * 1024
LONGEST_ANSWER = 16 * 1024
"""Bytes of a body that is worth remembering: longer ones seldom come again, and take more room than they save."""


class Echo(Struct, kw_only=True, eq=False):
    """A hit that was worked out in full, and all that it followed from."""

    first: Reply
    call: Call
    entry: CacheEntry
    exchange: Exchange
    until_us: int | None
    """When the caller's key expires, in µs since 1970."""
    told: bytes = b""
    """What its answers say beside their body, a request's name and times apart: written by whoever says the second."""

    @property
    def key(self) -> str:
        """Of the answer in the cache."""
        return self.exchange.cache_key or ""

    def repeats(self, call: Call) -> bool:
        """Whether this call, whose body and route are the same, would be worked out to the same."""
        known = self.call
        return (
            call.directives is known.directives
            and call.credential == known.credential
            and call.app == known.app
            and call.forward == known.forward
            and (self.until_us is None or call.received_us < self.until_us)
        )


class Encore(Reply, eq=False):
    """The answer to a call that repeats a hit; the draft is that hit's."""

    call: Call
    echo: Echo


def repeat(echo: Echo, call: Call, recorder: Recorder) -> Encore:
    """The same answer once more, settled as a request of its own."""
    recorder.repeat(call, echo.exchange)
    return Encore(echo.first.draft, echo.first.body, call, echo)


class Echoes:
    """The last few hits under one snapshot: under another they might be worked out to something else."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], Echo] = {}
        self._snapshot: Snapshot | None = None

    def find(self, call: Call, snapshot: Snapshot) -> Echo | None:
        """The hit that this call repeats. Its answer may have gone from the cache since."""
        if snapshot is not self._snapshot:
            return None
        echo = self._known.get((call.route, call.body))
        return echo if echo is not None and echo.repeats(call) else None

    def keep(self, reply: Reply | StreamReply, entry: CacheEntry, snapshot: Snapshot) -> None:
        """Remembers a hit, unless it is a stream, long, or says more than the kept answer; the oldest makes room."""
        draft = reply.draft
        call, exchange = draft.call, draft.exchange
        is_same = call.dialect.name == entry.dialect and not entry.stream
        if exchange is None or not is_same or not isinstance(reply, Reply):
            return
        if call.directives.feedback or (snapshot.trials.unasked and not draft.user):
            # The next request in these words says something of its own, or may fall into another arm.
            return
        if len(call.body) > LONGEST_QUESTION or len(reply.body) > LONGEST_ANSWER:
            return
        if snapshot is not self._snapshot:
            self._known.clear()
            self._snapshot = snapshot
        name = call.route, call.body
        if name not in self._known and len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        until_us = expires_at_us(snapshot, call.credential)
        self._known[name] = Echo(first=reply, call=call, entry=entry, exchange=exchange, until_us=until_us)
