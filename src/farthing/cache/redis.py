"""Redis: answers and small values that all workers share. It may vanish at any moment, and nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from farthing.domain.authentic import payload_of, signed
from farthing.domain.secrecy import Secret
from farthing.ports import Clock
from farthing.ports.answers import CacheEntry

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

T = TypeVar("T")

logger = logging.getLogger(__name__)

TIMEOUT_S = 0.05
"""For a new connection, and for an answer."""
PATIENCE = 1.2
"""How many such timeouts a command may take in all."""
BACKSTOP = 4
"""How many times as long the library waits, which knows nothing of a loop that is late."""
LATE = 0.5
"""By how much of its time a loop has to come late for a command to be given the time once more."""
MOST_CONNECTIONS = 16
WARMING_S = 0.15
"""By how much a Redis that does not answer delays a start."""
REST_S = 1.0
"""After a failure Redis is left alone for this long; then one request finds out whether it is back."""
JITTER = 0.1
"""Share by which a time to live is shortened by chance, so that entries of one moment do not expire in one."""
TOGETHER = 50
"""Answers put in one round trip."""
TOMBSTONE_S = 31_536_000
TURN_MS = 5_000
"""After which an answer is anybody's to buy whose buyer died."""
PAUSES_S = (0.01, 0.02, 0.03, 0.04)
"""Between looks for an answer that another worker buys; the last one goes on."""
LONGEST_WAIT_S = 120.0
"""After which an answer is bought here as well, however long the other worker goes on."""
PACKED_BYTES = range(1024, 1024 * 1024)
"""Lengths at which a stream is packed. It is kept as it came and repeats itself in every event: packed it takes a
twentieth of the memory. Longer ones would hold up other requests."""
_PACKED = b"\x78"
"""With which zlib begins, and msgpack never begins a map."""
_TOMBSTONE = b"-"
_TURN = b"~"
"""With which the mark of a worker begins that buys the answer; no entry begins with it."""
_TAKEN = 1

_read_entry = msgspec.msgpack.Decoder(CacheEntry).decode
_write_entry = msgspec.msgpack.Encoder().encode


class Notice:
    """One log line for each change of state, whichever of a process's links to one Redis meets it."""

    def __init__(self) -> None:
        self._away: set[RedisLink] = set()

    def away(self, link: RedisLink, reason: str) -> None:
        """This link has got no answer."""
        if not self._away:
            logger.warning("Redis is away, each process keeps its own state: %s", reason)
        self._away.add(link)

    def back(self, link: RedisLink) -> None:
        """This link, which had none, has got an answer."""
        self._away.remove(link)
        if not self._away:
            logger.info("Redis is back")


class RedisLink:
    """One Redis and what is known of its health."""

    def __init__(
        self, url: str, *, clock: Clock, prefix: str = "", timeout_s: float = TIMEOUT_S, notice: Notice | None = None
    ) -> None:
        """Connects when first used. `prefix` stands before every key; links that share a `notice` tell once.

        Raises `ValueError` for a URL that is none.
        """
        # Imported here because most gateways have no Redis, and start faster without its library.
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        limits = {
            "socket_timeout": BACKSTOP * timeout_s,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 0),
        }
        pool = BlockingConnectionPool.from_url(url, max_connections=MOST_CONNECTIONS, timeout=BACKSTOP * timeout_s)
        # After the URL was read: the library lets its options win, and they must not slow requests down.
        pool.connection_kwargs.update(limits)
        self.client: Redis = Redis(connection_pool=pool)
        self.prefix = prefix
        # RuntimeError is how uvloop refuses to write on a connection that the other side has reset a moment ago.
        self._failures = (RedisError, OSError, ValueError, RuntimeError)
        self._deadline_s = PATIENCE * timeout_s
        self._clock = clock
        self._notice = notice or Notice()
        self._rests_until = 0.0
        self._is_away = False

    @property
    def state(self) -> str:
        """`ok`, or `away` after a failure until something succeeds."""
        return "away" if self._is_away else "ok"

    async def ask(self, command: Awaitable[T]) -> T | None:
        """The answer to a command, None where Redis is away. Never raises but for a cancellation."""
        now = self._clock.monotonic()
        if self._is_away and now < self._rests_until:
            _drop(command)
            return None
        self._rests_until = now + REST_S
        try:
            answer = await self._in_time(command)
        except self._failures as error:
            self._failed(error)
            return None
        if self._is_away:
            self._is_away = False
            self._notice.back(self)
        return answer

    async def _in_time(self, command: Awaitable[T]) -> T:
        """The answer, if it comes in time. A loop that was late has not yet looked whether it has come: it looks."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._deadline_s

        def forgive() -> None:
            if loop.time() >= due:
                limit.reschedule(loop.time() + self._deadline_s)

        async with asyncio.timeout_at(due) as limit:
            # It comes before the limit does, also where both are due by now.
            looking = loop.call_at(due - LATE * self._deadline_s, forgive)
            try:
                return await command
            finally:
                looking.cancel()

    async def warm_up(self, *, within_s: float = WARMING_S) -> None:
        """Opens all connections, so that the first requests, which come at once, do not wait for each other's.

        Those that are not open in time are opened when they are needed.
        """
        pool: Any = self.client.connection_pool
        connections: list[Any] = []
        try:
            async with asyncio.timeout(within_s):
                while len(connections) < MOST_CONNECTIONS:
                    connections.append(await pool.get_connection())
        except self._failures as error:
            if not connections:
                self._failed(error)
        for connection in connections:
            await pool.release(connection)

    async def ping(self) -> bool:
        """Whether Redis answers now."""
        return bool(await self.ask(self.client.ping()))

    async def aclose(self) -> None:
        """Closes every connection."""
        try:
            await self.client.aclose()
            await self.client.connection_pool.disconnect()
        except self._failures as error:
            logger.debug("closing Redis: %s", error)

    def _failed(self, error: BaseException) -> None:
        self._rests_until = self._clock.monotonic() + REST_S
        if not self._is_away:
            self._is_away = True
            self._notice.away(self, str(error) or "timeout")


class RedisLevel:
    """Answers in Redis, signed so that a value somebody else put there is a miss. Implements `ports.CacheLevel`."""

    name = "redis"

    def __init__(
        self, link: RedisLink, *, secret: Secret[bytes], clock: Clock, worker: str = "", dice: Random | None = None
    ) -> None:
        """`secret` signs the entries; all workers must have the same, and each its own name.

        Raises `ValueError` where the secret is empty.
        """
        if not secret.reveal():
            raise ValueError("the secret that signs answers in Redis must not be empty")
        self._link = link
        self._secret = secret
        self._clock = clock
        self._dice = dice or Random()  # noqa: S311 (spreads expiry, guards nothing)
        self._mark = _TURN + worker.encode()
        self._turns: set[str] = set()
        """Keys whose answers this worker buys."""
        self.corrupt = 0
        """Values that were found and were not ours, or not whole."""

    def lacks(self, key: str) -> bool:  # noqa: ARG002
        """Nobody knows before it was asked: other workers keep answers in it."""
        return False

    async def get(self, key: str) -> CacheEntry | None:
        """The entry, unless it is expired, was voted down, or is not one of ours."""
        return await self._entry(key, await self._link.ask(self._link.client.get(self._name(key))))

    async def take(self, key: str) -> CacheEntry | None:
        """As `get`, but while another worker buys this answer, waits for it; None: it is for this worker to buy it.

        Whoever takes a turn keeps it by `renew`, until the answer is put or the turn given up.
        """
        until, pauses = self._clock.monotonic() + LONGEST_WAIT_S, iter(PAUSES_S)
        raw = await self._take(key)
        while self._is_anothers(key, raw):
            if self._clock.monotonic() >= until:
                return None
            await asyncio.sleep(next(pauses, PAUSES_S[-1]))
            raw = await self._take(key)
        return await self._entry(key, raw)

    async def _take(self, key: str) -> object:
        """The value under the key; where there was none, it is this worker's mark now."""
        mark = signed(self._secret, key, self._mark)
        raw = await self._link.ask(self._link.client.eval(_TAKE, 1, self._name(key), mark, str(TURN_MS)))
        if raw == _TAKEN:
            self._turns.add(key)
        return raw

    def _is_anothers(self, key: str, raw: object) -> bool:
        payload = payload_of(self._secret, key, raw) if isinstance(raw, bytes) else None
        return payload is not None and payload.startswith(_TURN) and payload != self._mark

    def has_turn(self, key: str) -> bool:
        """Whether this worker buys the answer, and has neither got it nor given up."""
        return key in self._turns

    def bought(self, key: str) -> None:
        """The answer is here, and is put in a moment; should that fail, the turn ends by itself."""
        self._turns.discard(key)

    async def give_up(self, key: str) -> None:
        """There will be no answer: another may buy it."""
        self._turns.discard(key)
        await self._link.ask(self._link.client.eval(_REMOVE, 1, self._name(key), signed(self._secret, key, self._mark)))

    async def renew(self) -> None:
        """To be called more than twice in `TURN_MS`: this worker's turns go on."""
        turns = list(self._turns)
        for begin in range(0, len(turns), TOGETHER):
            pipe = self._link.client.pipeline(transaction=False)
            for key in turns[begin : begin + TOGETHER]:
                pipe.eval(_RENEW, 1, self._name(key), signed(self._secret, key, self._mark), str(TURN_MS))
            await self._link.ask(pipe.execute())

    async def _entry(self, key: str, raw: object) -> CacheEntry | None:
        """The entry in a value; a value that is not ours is removed."""
        if not isinstance(raw, bytes) or raw == _TOMBSTONE:
            return None
        payload = payload_of(self._secret, key, raw)
        if payload is not None and payload.startswith(_TURN):
            return None
        entry = self._read(payload)
        if entry is None:
            await self._remove(key, raw)
            return None
        return entry if entry.expires_at_us > self._clock.now_us() else None

    @staticmethod
    def _read(payload: bytes | None) -> CacheEntry | None:
        """The entry in what was signed, None where there is none."""
        if payload is None:
            return None
        try:
            return _read_entry(zlib.decompress(payload) if payload.startswith(_PACKED) else payload)
        except (msgspec.MsgspecError, zlib.error):
            return None

    async def _remove(self, key: str, raw: bytes) -> None:
        """Takes out a value that is not ours, unless it was replaced meanwhile."""
        if not self.corrupt:
            logger.warning("Redis holds an answer that is not ours or not whole; each such answer is removed")
        self.corrupt += 1
        await self._link.ask(self._link.client.eval(_REMOVE, 1, self._name(key), raw))

    async def put(self, key: str, entry: CacheEntry) -> None:
        """Keeps the entry until it expires or a little less, unless its key was voted down."""
        await self.put_all([(key, entry)])

    async def put_all(self, answers: Sequence[tuple[str, CacheEntry]]) -> None:
        """As `put` of each, in few round trips."""
        for begin in range(0, len(answers), TOGETHER):
            pipe = self._link.client.pipeline(transaction=False)
            for key, entry in answers[begin : begin + TOGETHER]:
                self._put(pipe, key, entry)
            if len(pipe):
                await self._link.ask(pipe.execute())

    def _put(self, pipe: Pipeline, key: str, entry: CacheEntry) -> None:
        left_ms = (entry.expires_at_us - self._clock.now_us()) // 1000
        lives_ms = round(left_ms * (1 - JITTER * self._dice.random()))
        if lives_ms <= 0:
            return
        payload = _write_entry(entry)
        if entry.stream and len(payload) in PACKED_BYTES:
            # The quickest level: signing and sending fewer bytes pays for it.
            payload = zlib.compress(payload, 1)
        value = signed(self._secret, key, payload)
        pipe.eval(_PUT, 1, self._name(key), value, str(lives_ms), _TOMBSTONE)

    async def delete(self, key: str) -> None:
        """Leaves a tombstone: nothing is kept under this key any more."""
        await self._link.ask(self._link.client.set(self._name(key), _TOMBSTONE, ex=TOMBSTONE_S))

    def _name(self, key: str) -> str:
        return f"{self._link.prefix}answer:{key}"


_PUT = """
if redis.call('GET', KEYS[1]) == ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Puts an entry, in one step with the look for a tombstone."""

_TAKE = """
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""The value, or a mark in its place that one buys it."""

_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"

_REMOVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisValues:
    """Small values in Redis. Implements `ports.SharedValues`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def get(self, name: str) -> bytes | None:
        """The value, None where there is none or Redis is away."""
        value = await self._link.ask(self._link.client.get(self._link.prefix + name))
        return value if isinstance(value, bytes) else None

    async def put(self, name: str, value: bytes, ttl_s: int) -> None:
        """Keeps the value for `ttl_s` seconds, where Redis is there."""
        await self._link.ask(self._link.client.set(self._link.prefix + name, value, ex=ttl_s))


def _drop(command: Awaitable[object]) -> None:
    """A coroutine that is not awaited has to be closed."""
    close = getattr(command, "close", None)
    if close is not None:
        close()
