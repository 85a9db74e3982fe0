"""Says an answer to the caller: in the caller's dialect, whole or streamed, bought or replayed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from farthing.dialects import UPSTREAM
from farthing.dialects.base import Piece, ReplyFacts, StreamWriter, UpstreamDialect
from farthing.dialects.sse import Framer
from farthing.domain.assembly import Assembly, deltas
from farthing.domain.chat import Completion
from farthing.domain.errors import FarthingError, Stopping
from farthing.gateway.native import native_fields
from farthing.gateway.order import Order
from farthing.gateway.recording import Draft
from farthing.gateway.reply import Reply
from farthing.gateway.source import Pieces
from farthing.gateway.whole import Whole
from farthing.ports.answers import CacheEntry

Take = Callable[[bytes], bool | None]
"""Is given bytes, and tells whether it wants more at once."""


class StreamReply(ABC):
    """A stream of bytes for the caller. Must be read to its end or closed."""

    def __init__(self, order: Order) -> None:
        self.draft = order.draft
        self._order = order
        self._own_writer: StreamWriter | None = None

    @property
    def _writer(self) -> StreamWriter:
        """Says what is not relayed as it came: of most streams nothing."""
        if self._own_writer is None:
            order = self._order
            self._own_writer = order.call.dialect.stream_writer(order.chat, facts(order.draft))
        return self._own_writer

    @abstractmethod
    async def chunk(self) -> bytes:
        """The next bytes, empty at the end."""

    async def pass_to(self, take: Take) -> bool:
        """Gives `take` the bytes as they come, until it returns false, or for a while: whether to go on."""
        if chunk := await self.chunk():
            take(chunk)
        return bool(chunk)

    def cut_short(self) -> bytes:
        """The last bytes of a stream that the gateway has no time to finish: an error event and no end mark."""
        return self._writer.error(Stopping())

    @abstractmethod
    async def aclose(self) -> None:
        """The caller is gone or served."""


class Telling(StreamReply):
    """A stream of a model, said in the caller's dialect."""

    def __init__(self, order: Order, stream: Pieces) -> None:
        super().__init__(order)
        self._stream = stream
        self._relays = order.call.dialect.name == stream.dialect.name
        self._reports = order.chat.include_usage
        self._is_over = False
        self._take: Take = bool
        """Who hears what is said."""

    async def chunk(self) -> bytes:
        """The next bytes, empty at the end. A stream that breaks ends with an error event and no end mark."""
        chunks: list[bytes] = []
        while not chunks and await self.pass_to(chunks.append):
            pass
        return b"".join(chunks)

    async def pass_to(self, take: Take) -> bool:
        """As always. A stream that breaks ends with an error event and no end mark."""
        self._take = take
        if not self._is_over:
            try:
                self._is_over = not await self._stream.pass_to(self._tell)
            except FarthingError as error:
                self._is_over = True
                take(self._writer.error(error))
        return not self._is_over

    def cut_short(self) -> bytes:
        """As always, and the upstream is dropped."""
        self._is_over = True
        self._stream.abandon()
        return super().cut_short()

    async def aclose(self) -> None:
        """The caller is gone or served; an upstream still talking is dropped."""
        self._stream.abandon()

    def _tell(self, pieces: Sequence[Piece]) -> bool:
        """Says these; whether the caller wants more at once."""
        take, first = self._take, pieces[0]
        if self._relays and len(pieces) == 1 and not first.is_report:
            data = first.raw or self._say(first)
        else:
            data = b"".join(map(self._say, pieces))
        return not data or bool(take(data))

    def _say(self, piece: Piece) -> bytes:
        if self._relays and piece.raw:
            return piece.raw if self._reports or not piece.is_report else b""
        return b"".join(map(self._writer.write, piece.deltas))


class Replay:
    """The pieces of an answer that is already here; its record is settled before it starts."""

    def __init__(self, dialect: UpstreamDialect, pieces: Sequence[Piece]) -> None:
        self.dialect = dialect
        self._pieces = pieces

    async def pass_to(self, take: Callable[[Sequence[Piece]], bool]) -> bool:
        """All of them at once."""
        take(self._pieces)
        return False

    def abandon(self) -> None:
        """Nothing to drop."""


def facts(draft: Draft) -> ReplyFacts:
    """What a reply may tell beyond the completion."""
    exchange = draft.exchange
    native = native_fields(draft, exchange) if exchange and draft.call.dialect.name == "native" else None
    return ReplyFacts(request_id=draft.call.request_id, created_s=draft.call.received_us // 1_000_000, native=native)


def deliver(order: Order, answer: Whole | Pieces) -> Reply | StreamReply:
    """A bought answer: the upstream's own bytes for a caller of the same dialect, else translated.

    One that was bought whole is a stream, too, for a caller who wants one.
    """
    draft = order.draft
    if not isinstance(answer, Whole):
        draft.is_handed_over = True
        return Telling(order, answer)
    if order.chat.stream:
        return Telling(order, Replay(answer.dialect, _as_pieces(answer.completion)))
    if draft.call.dialect.name == answer.dialect.name:
        return Reply(draft, answer.relayed)
    return Reply(draft, draft.call.dialect.write_completion(answer.completion, facts(draft)))


def replay(order: Order, entry: CacheEntry, level: str) -> Reply | StreamReply:
    """A kept answer, settled at once: as a stream if the caller wants one, however it was bought."""
    dialect = UPSTREAM[entry.dialect]
    if entry.stream:
        return _replay_stream(order, entry, level)
    completion, relayed = dialect.read_whole(entry.body)
    order.draft.hit(entry, level, completion)
    return deliver(order, Whole(dialect=dialect, body=entry.body, relayed=relayed, completion=completion))


def _replay_stream(order: Order, entry: CacheEntry, level: str) -> Reply | StreamReply:
    dialect = UPSTREAM[entry.dialect]
    pieces = tuple(_pieces(dialect, entry.body))
    completion = _assembled(pieces)
    order.draft.hit(entry, level, completion)
    if order.chat.stream:
        return Telling(order, Replay(dialect, pieces))
    return Reply(order.draft, order.call.dialect.write_completion(completion, facts(order.draft)))


def _assembled(pieces: Sequence[Piece]) -> Completion:
    assembly = Assembly()
    for piece in pieces:
        for delta in piece.deltas:
            assembly.add(delta)
    return assembly.completion()


def _pieces(dialect: UpstreamDialect, body: bytes) -> Iterator[Piece]:
    reader, framer = dialect.stream_reader(), Framer()
    for event in (*framer.feed(body), *framer.close()):
        yield reader.read(event)
    yield Piece(reader.close())


def _as_pieces(completion: Completion) -> tuple[Piece, ...]:
    return tuple(Piece((delta,)) for delta in deltas(completion))
