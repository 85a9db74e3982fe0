"""S29: what somebody else wrote where answers are kept is a miss, and no code in it runs."""

from __future__ import annotations

import asyncio
import marshal
import pickle
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
import sqlalchemy as sa

from farthing.background.clock import SystemClock
from farthing.cache import RedisLevel, RedisLink
from farthing.domain.authentic import SIGNATURE_BYTES, signed
from farthing.domain.secrecy import Secret
from farthing.ports.answers import CacheEntry
from farthing.store import Store, migrate, open_store
from farthing.store.schema import response_cache
from tests.servers.redis import Redis

SECRET = b"known to all workers"


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"open({str(self.marker)!r}, 'w')",)


def entry(tenant: str = "acme") -> CacheEntry:
    """An answer that is good for an hour."""
    now = SystemClock().now_us()
    return CacheEntry(
        dialect="openai",
        stream=False,
        body=b"{}",
        provider="p",
        model="m",
        cost=1,
        created_at_us=now,
        expires_at_us=now + 3_600_000_000,
        tenant=tenant,
    )


def payloads(marker: Path) -> Iterator[bytes]:
    """Foreign, broken and hostile bytes."""
    good = msgspec.msgpack.encode(entry())
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.dumps(Harm(marker), protocol)
    yield marshal.dumps(compile(f"open({str(marker)!r}, 'w')", "x", "exec"))
    yield f"!!python/object/apply:builtins.open ['{marker}', 'w']".encode()
    yield msgspec.msgpack.encode({"dialect": "openai", "body": b"{}"})
    yield msgspec.msgpack.encode({**msgspec.to_builtins(entry()), "cost": "much"})
    yield msgspec.msgpack.encode([1, 2, 3])
    yield msgspec.json.encode({"dialect": "openai"})
    yield good[:-3]
    yield good + good
    yield b"\x91" * 100_000
    yield b"\xdd\xff\xff\xff\xff"
    yield b""
    yield b"\xc1"


def forged(ours: bytes) -> list[bytes]:
    """One of our own answers under another key, changed, with another signature, and without any."""
    return [
        ours,
        ours[:-1] + bytes([ours[-1] ^ 1]),
        b"\0" * SIGNATURE_BYTES + ours[SIGNATURE_BYTES:],
        ours[SIGNATURE_BYTES:],
    ]


async def kept_keys(store: Store) -> set[str]:
    """Under which keys the database has an answer."""
    async with store._engines.reading() as connection:
        return set((await connection.execute(sa.select(response_cache.c.key))).scalars())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_in_the_database(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A miss each, counted and removed unless it was replaced meanwhile; a good row beside it is found."""
    url = f"sqlite:///{tmp_path / 'farthing.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_database")
    await asyncio.to_thread(lambda: asyncio.run(migrate(url)))
    store, marker = open_store(url, clock=SystemClock()), tmp_path / "owned"
    level, secret = store.cache_level, Secret(url.encode())
    ours = signed(secret, "good", msgspec.msgpack.encode(entry()))
    rows = [*payloads(marker), *forged(ours), signed(secret, "key-1", b"\xc1")]
    await level.put_all([(f"key-{number}", entry()) for number in range(len(rows))])
    await level.put("good", entry())
    for number, row in enumerate(rows):
        async with store._engines.writing() as connection:
            changed = sa.update(response_cache).where(response_cache.c.key == f"key-{number}").values(entry=row)
            assert (await connection.execute(changed)).rowcount == 1
    assert [await level.get(f"key-{number}") for number in range(len(rows))] == [None] * len(rows)
    assert await level.get("good") is not None
    assert level.corrupt == len(rows)
    assert not marker.exists()
    await level.put("key-0", entry())
    await level.flush()
    assert await kept_keys(store) == {"good", "key-0"}
    assert await level.get("key-0") is not None
    await store.aclose()


async def test_in_redis(redis_server: Redis, redis_database: str, tmp_path: Path) -> None:
    """A miss each, counted and removed, also one of our own answers under another key or unsigned."""
    link, marker = RedisLink(redis_database, clock=SystemClock(), prefix="t:", timeout_s=10.0), tmp_path / "owned"
    level, raw = RedisLevel(link, secret=Secret(SECRET), clock=SystemClock()), redis.Redis(port=redis_server.port)
    await level.put("good", entry())
    ours = raw.get("t:answer:good")
    assert isinstance(ours, bytes)
    rows = [*payloads(marker), *forged(ours)]
    for number, row in enumerate(rows):
        raw.set(f"t:answer:key-{number}", row)
    assert [await level.get(f"key-{number}") for number in range(len(rows))] == [None] * len(rows)
    assert await level.get("good") is not None
    assert level.corrupt == len(rows)
    assert raw.keys("t:*") == [b"t:answer:good"]
    assert not marker.exists()
    raw.close()
    await link.aclose()


def test_the_harm_is_real(tmp_path: Path) -> None:
    """Whoever unpickles it makes the file."""
    pickle.loads(pickle.dumps(Harm(tmp_path / "owned"))).close()  # noqa: S301 (our own)
    assert (tmp_path / "owned").exists()
