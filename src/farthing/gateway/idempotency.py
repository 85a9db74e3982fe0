"""A request that bears an idempotency key is answered once; whoever repeats it gets the same bytes and pays nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from farthing.domain.budget import DAY_US
from farthing.domain.errors import Conflict, Unavailable, UpstreamInterrupted
from farthing.gateway.delivery import StreamReply
from farthing.gateway.order import Order
from farthing.gateway.recording import to_nobody
from farthing.gateway.reply import Reply
from farthing.gateway.waiting import Waiters
from farthing.ports import Spawn
from farthing.ports.idempotency import AnswerOnce, IdempotentAnswers

LIVES_US = DAY_US
LEASE_US = 30_000_000
"""After which a key is free again whose worker died before it had the answer."""
LONGEST_ANSWER = 8 * 1024 * 1024
MOST_UNWRITTEN = 16 * 1024 * 1024
"""Bytes of answers that wait for the database to come back."""
_COMPLETE = ("ok", "cached")

_read = msgspec.msgpack.Decoder(AnswerOnce).decode
_write = msgspec.msgpack.Encoder().encode

Buy = Callable[[Order], Awaitable[Reply | StreamReply]]


class Turn:
    """One key's request under way: what has been said, for everybody who waits for it."""

    def __init__(self, leader: Order, fingerprint: bytes) -> None:
        self.leader = leader
        self.fingerprint = fingerprint
        self.kept: AnswerOnce | None = None
        """The answer as it was given before."""
        self.whole: Reply | None = None
        self.chunks: list[bytes] = []
        self.has_begun = False
        self.is_over = False
        self.is_complete = False
        self.error: BaseException | None = None
        self.has_leader_left = False
        self.waiters = Waiters()
        """For more to be known."""

    def say(self, *chunks: bytes) -> None:
        """The stream goes on."""
        self.has_begun = True
        self.chunks += chunks
        self.waiters.wake()

    def end(self, *, is_complete: bool = True) -> None:
        """Nothing more will be said."""
        self.has_begun = self.is_over = True
        self.is_complete = is_complete
        self.waiters.wake()

    def fail(self, error: BaseException) -> None:
        """There is no answer."""
        self.error = error
        self.end(is_complete=False)

    def leave(self) -> bool:
        """The leader's client has left. What is being bought is kept for whoever repeats the request."""
        self.has_leader_left = True
        self.waiters.wake()
        return True

    async def reply(self, order: Order) -> Reply | StreamReply:
        """The answer for whoever leads or follows. Raises what the purchase raised."""
        while not self.has_begun:
            await self.waiters.wait()
        if self.error is not None:
            raise self.error
        draft, kept = order.draft, self.kept
        if kept is not None:
            return _replay(order, kept)
        leads = order is self.leader
        if self.whole is None:
            return Listener(order, self, follows=not leads)
        if leads:
            return self.whole
        draft.replayed(self.leader.draft.answered_by)
        return Reply(draft, self.whole.body)


class Listener(StreamReply):
    """One client's reading of a turn's stream, which goes on without it."""

    def __init__(self, order: Order, turn: Turn, *, follows: bool) -> None:
        super().__init__(order)
        self._turn = turn
        self._follows = follows
        self._index = 0
        if follows:
            self.draft.is_replayed = self.draft.is_handed_over = True

    async def chunk(self) -> bytes:
        """The next bytes, empty at the end."""
        turn = self._turn
        while self._index == len(turn.chunks):
            if turn.is_over:
                self._settle()
                return b""
            if turn.has_leader_left and not self._follows:
                return b""
            await turn.waiters.wait()
        self._index += 1
        return turn.chunks[self._index - 1]

    async def aclose(self) -> None:
        """The client is gone or served."""
        if not self._follows:
            self.draft.leave_to_others = to_nobody
        elif self.draft.exchange is None:
            self.draft.broke(GeneratorExit())

    def _settle(self) -> None:
        if not self._follows:
            return
        if self._turn.is_complete:
            self.draft.replayed(self._turn.leader.draft.answered_by)
        else:
            self.draft.broke(UpstreamInterrupted("The answer that this request shared broke off."))


class Again(StreamReply):
    """The bytes of a stream that was answered before."""

    def __init__(self, order: Order, body: bytes) -> None:
        super().__init__(order)
        self._body = body

    async def chunk(self) -> bytes:
        """All of them, then none."""
        body, self._body = self._body, b""
        return body

    async def aclose(self) -> None:
        """Nothing to drop."""


class Once:
    """Answers requests that bear a key, each key once within a day."""

    def __init__(self, *, kept: IdempotentAnswers, spawn: Spawn, owner: str) -> None:
        """`owner` names this worker among all."""
        self._kept = kept
        self._spawn = spawn
        self._owner = owner
        self._turns: dict[bytes, Turn] = {}
        self._unwritten: dict[bytes, tuple[bytes, bytes]] = {}
        """Fingerprint and answer by name, while the database is away."""

    async def answer(self, order: Order, buy: Buy) -> Reply | StreamReply:
        """What `buy` answers, or has answered before under this key. The purchase goes on if the client leaves.

        Raises `Conflict` where the key names another request, or one that another worker is answering; else as `buy`.
        """
        with order.draft as draft:
            name, fingerprint = _name(order), _fingerprint(order)
            turn = self._turns.get(name)
            if turn is None:
                turn = self._turns[name] = Turn(order, fingerprint)
                draft.leave_to_others = turn.leave
                work = self._spawn(self._take_turn(name, turn, buy), "answer once")
                # Whoever waits for the turn is told what went wrong.
                work.add_done_callback(_noted)
            elif turn.fingerprint != fingerprint:
                raise _differs()
            reply = await turn.reply(order)
            if not isinstance(reply, Listener):
                # Else draft and turn would hold each other until somebody looks for garbage.
                draft.leave_to_others = to_nobody
            return reply

    async def beat(self) -> None:
        """To be called every few seconds: keeps the keys under way, and writes what could not be written before."""
        try:
            if self._turns:
                await self._kept.renew(owner=self._owner, lease_us=LEASE_US)
            for name, (fingerprint, answer) in list(self._unwritten.items()):
                await self._kept.keep(name, fingerprint, answer, owner=self._owner, lives_us=LIVES_US)
                self._unwritten.pop(name, None)
        except Unavailable:
            return

    async def _take_turn(self, name: bytes, turn: Turn, buy: Buy) -> None:
        try:
            turn.kept = await self._claim(name, turn.fingerprint)
            if turn.kept is None:
                await self._answer_once(name, turn, buy)
            else:
                turn.end()
        except BaseException as error:
            turn.fail(error)
            raise
        finally:
            del self._turns[name]

    async def _answer_once(self, name: bytes, turn: Turn, buy: Buy) -> None:
        """Buys, and keeps what was bought; a key without an answer is free again, also where this worker stops."""
        try:
            await self._bought(name, turn, await buy(turn.leader))
        except BaseException:
            await self._release(name)
            raise

    async def _bought(self, name: bytes, turn: Turn, reply: Reply | StreamReply) -> None:
        """Hears an answer to its end, and keeps it before anybody else hears the end."""
        if isinstance(reply, Reply):
            turn.whole = reply
            await self._keep(name, turn, reply.body, streams=False)
            turn.end()
            return
        draft, last = turn.leader.draft, []
        try:
            turn.say()
            while chunk := await reply.chunk():
                if draft.exchange is None:
                    turn.say(chunk)
                else:
                    last.append(chunk)
        finally:
            await reply.aclose()
        is_complete = draft.exchange is not None and draft.exchange.status in _COMPLETE
        if is_complete:
            await self._keep(name, turn, b"".join([*turn.chunks, *last]), streams=True)
        else:
            await self._release(name)
        turn.say(*last)
        turn.end(is_complete=is_complete)

    async def _claim(self, name: bytes, fingerprint: bytes) -> AnswerOnce | None:
        """The answer given before; None where it is this worker's turn, also while nobody can be asked."""
        if unwritten := self._unwritten.get(name):
            return _same(fingerprint, *unwritten)
        try:
            known = await self._kept.claim(name, fingerprint, owner=self._owner, lease_us=LEASE_US)
        except Unavailable:
            return None
        return None if known is None else _same(fingerprint, known.fingerprint, known.answer)

    async def _keep(self, name: bytes, turn: Turn, body: bytes, *, streams: bool) -> None:
        model, provider, strategy, upstream_id = turn.leader.draft.answered_by
        once = AnswerOnce(
            stream=streams,
            body=body if len(body) <= LONGEST_ANSWER else None,
            model=model,
            provider=provider,
            strategy=strategy,
            upstream_id=upstream_id,
        )
        answer = _write(once)
        try:
            await self._kept.keep(name, turn.fingerprint, answer, owner=self._owner, lives_us=LIVES_US)
        except Unavailable:
            self._unwritten[name] = turn.fingerprint, answer
            while sum(len(waiting) for _, waiting in self._unwritten.values()) > MOST_UNWRITTEN:
                del self._unwritten[next(iter(self._unwritten))]

    async def _release(self, name: bytes) -> None:
        """The key may be used again at once; where that cannot be told, when the lease is over."""
        try:
            await self._kept.release(name, owner=self._owner)
        except Unavailable:
            return


def _replay(order: Order, kept: AnswerOnce) -> Reply | StreamReply:
    if kept.body is None:
        raise Conflict(
            f"This idempotency key was answered, but with more than {LONGEST_ANSWER} bytes, which are not kept. "
            "Use another key to ask again.",
            code="idempotency_conflict",
            param="idempotency-key",
        )
    order.draft.replayed((kept.model, kept.provider, kept.strategy, kept.upstream_id))
    return Again(order, kept.body) if kept.stream else Reply(order.draft, kept.body)


def _same(fingerprint: bytes, known: bytes, answer: bytes | None) -> AnswerOnce:
    """The answer kept for this very request. Raises `Conflict` for another, or while there is none."""
    if known != fingerprint:
        raise _differs()
    if answer is None:
        raise Conflict(
            "The request with this idempotency key is being answered. Try again in a moment to get its answer.",
            code="idempotency_conflict",
            param="idempotency-key",
            retry_after=1,
        )
    return _read(answer)


def _differs() -> Conflict:
    return Conflict(
        "This idempotency key was used for a different request. Use one key for each request and its repetitions.",
        code="idempotency_conflict",
        param="idempotency-key",
    )


def _name(order: Order) -> bytes:
    """Of the tenant, the key and what the caller calls the request."""
    caller = order.draft.caller
    parts = (caller.tenant, caller.key_id or "", order.call.directives.idempotency_key or "")
    return _digest(*(part.encode() for part in parts))


def _fingerprint(order: Order) -> bytes:
    return _digest(order.call.route.encode(), order.call.body)


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update(b"%d:%b" % (len(part), part))
    return digest.digest()


def _noted(work: asyncio.Task[None]) -> None:
    if not work.cancelled():
        work.exception()
