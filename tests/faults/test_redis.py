"""F11 to F13: a Redis that is frozen, killed, confused or emptied costs nobody a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from farthing.store import migrate
from tests.faults.rig.cluster import gateway, settings
from tests.faults.rig.load import until
from tests.faults.rig.phases import Phase
from tests.faults.rig.proxy import FaultProxy
from tests.faults.rig.site import Rig
from tests.faults.rig.trouble import Trouble, through
from tests.faultserver.server import FaultServer, Peer
from tests.servers.process import free_port
from tests.servers.redis import Redis

BACK_S = 2.0
CPU_TIMES = 1.10
LOGGED_BYTES = 200
PROBES = 1.0
"""A second and worker."""
START_S = 0.2
STARTS = 3
FIRST_SECOND_MS = 60.0
THEN_MS = 3.0
THEN_TYPICAL_MS = 0.5
"""What a Redis that is away may add: to the 99th percentile in the first second, then, and to the median then."""


def rises(seen: Trouble) -> tuple[float, float, float]:
    """Milliseconds by which the 99th percentile rose in the first second and then, and the median then."""
    calm, whole, heard = seen.watch["calm"], seen.watch["trouble"], seen.load.heard
    first, then = Phase(whole.began, whole.began + 1.0), Phase(whole.began + 1.0, whole.ended)
    return (
        first.added_ms(heard, 0.99) - calm.added_ms(heard, 0.99),
        then.added_ms(heard, 0.99) - calm.added_ms(heard, 0.99),
        then.added_ms(heard, 0.5) - calm.added_ms(heard, 0.5),
    )


def gate(rig: Rig, seen: Trouble) -> str:
    """Holds a trouble to what F11 allows; what was seen, for the table."""
    first, then, typically = rises(seen)
    rig.gate("ms added to the 99th percentile in the first second", first, FIRST_SECOND_MS)
    rig.gate("ms added to the 99th percentile afterwards", then, THEN_MS)
    rig.gate("ms added to the median afterwards", typically, THEN_TYPICAL_MS)
    return f"p99 {first:+.1f} ms in the first second, {then:+.1f} ms then, median {typically:+.1f} ms then"


@pytest.mark.alone
@pytest.mark.timeout(180)
async def test_a_frozen_redis_costs_nobody_a_request(
    rig: Rig,
    redis_server: Redis,
    redis_database: str,
    postgres_database: str,
) -> None:
    """F11: it is noticed once, left alone, found again, and told in two lines a worker."""
    site = await rig.start(postgres_database, redis=redis_database, workers=2)
    logged, back, met = list[str](), list[float](), list[int]()

    async def freeze() -> None:
        met.append(connections(redis_server))
        await asyncio.to_thread(redis_server.freeze)
        logged.append(site.gateway.log.read_text())

    async def during() -> None:
        await asyncio.sleep(30 if rig.is_full else 2)
        logged.append(site.gateway.log.read_text())

    async def thaw() -> None:
        await asyncio.to_thread(redis_server.thaw)
        # The kernel has taken them in meanwhile.
        met.append(connections(redis_server))
        back.append(await until(lambda: "Redis is back" in site.gateway.log.read_text()[len(logged[1]) :], within_s=60))

    seen = await through(rig, site, begin=freeze, during=during, end=thaw, added_ms=None)
    lines = logged[1][len(logged[0]) :]
    away, changes = lines.count("Redis is away"), lines.count("] Redis is")
    assert changes == away > 0
    trouble = seen.watch["trouble"]
    times, bytes_ = seen.cpu_ms[1] / seen.cpu_ms[0], len(lines) / len(trouble.of(seen.load.heard))
    probes = (met[1] - met[0]) / trouble.seconds / 2
    rig.gate("lines while it is frozen, of two workers", away, 2)
    rig.gate("seconds until it is used again", back[0], BACK_S)
    rig.gate("times the CPU of a request", times, CPU_TIMES)
    rig.gate("bytes logged for a request", bytes_, LOGGED_BYTES)
    rig.gate("probes a second and worker", probes, PROBES)
    rig.tell(
        "F11",
        f"{seen.summary()}; {gate(rig, seen)}; {away} lines while it was frozen, {bytes_:.0f} bytes of log and "
        f"{times:.2f} times the CPU for a request, {probes:.2f} probes a second and worker; back {back[0]:.1f} s after",
    )


def connections(server: Redis) -> int:
    """How many it has ever taken in."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as link:
        link.sendall(b"INFO stats\r\n")
        said = b""
        while b"total_connections_received:" not in said:
            said += link.recv(65_536)
    return int(said.partition(b"total_connections_received:")[2].split()[0])


REPLIES = {
    "OOM": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "LOADING": b"-LOADING Redis is loading the dataset in memory\r\n",
    "READONLY": b"-READONLY You can't write against a read only replica.\r\n",
    "NOAUTH": b"-NOAUTH Authentication required.\r\n",
    "garbage": b"\x00\xff\x13 what is this?\r\n" * 3,
}


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("reply", REPLIES)
async def test_a_confused_redis_costs_nobody_a_request(rig: Rig, postgres_database: str, reply: str) -> None:
    """F12: whatever it answers, from the start on, it is as good as none."""

    async def script(peer: Peer) -> None:
        while data := await peer._reader.read(65536):
            del data
            await peer.send(REPLIES[reply])

    async with FaultServer(script) as confused:
        site = await rig.start(postgres_database, redis=f"redis://127.0.0.1:{confused.port}/0", workers=2)
        calm = lambda: asyncio.sleep(0.1)  # noqa: E731 - nothing happens
        seen = await through(rig, site, begin=calm, during=lambda: asyncio.sleep(5), end=calm, added_ms=THEN_MS)
        await asyncio.to_thread(site.gateway.stop)
    rig.tell(f"F12 {reply}", seen.summary())


async def quickest_start(rig: Rig, database: str, redis: str | None) -> float:
    """Seconds until a gateway is ready; the best of a few, which tells least of what else the machine does."""
    serving = gateway(settings({"a": rig.vendors.port}), database=database, redis=redis)
    loop, taken = asyncio.get_running_loop(), list[float]()
    for _ in range(STARTS):
        began = loop.time()
        await asyncio.to_thread(serving.start)
        taken.append(loop.time() - began)
        await asyncio.to_thread(serving.stop)
    await asyncio.to_thread(serving.remove)
    return min(taken)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_redis_in_trouble_delays_no_start(
    rig: Rig, postgres_database: str, redis_database: str, redis_server: Redis
) -> None:
    """F12: whatever it answers, is not there or never says anything, a gateway is ready as soon as ever."""
    await migrate(postgres_database)
    well = await quickest_start(rig, postgres_database, redis_database)
    taken = dict[str, float]()
    for name, reply in REPLIES.items():

        async def script(peer: Peer, reply: bytes = reply) -> None:
            while await peer._reader.read(65_536):
                await peer.send(reply)

        async with FaultServer(script) as confused:
            taken[name] = await quickest_start(rig, postgres_database, f"redis://127.0.0.1:{confused.port}/0")
    taken["not there"] = await quickest_start(rig, postgres_database, f"redis://127.0.0.1:{free_port()}/0")
    redis_server.freeze()
    taken["frozen"] = await quickest_start(rig, postgres_database, redis_database)
    added = {name: seconds - well for name, seconds in taken.items()}
    rig.tell(
        "F12 start",
        f"ready {well:.2f} s after the start where Redis is well; where it is not, later by "
        + ", ".join(f"{1000 * seconds:+.0f} ms ({name})" for name, seconds in added.items()),
    )
    rig.gate("seconds that a start is delayed", max(added.values()), START_S)


async def _killed(redis: Redis, proxy: FaultProxy) -> None:
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(10)
    await asyncio.to_thread(redis.start)
    await asyncio.sleep(2)


async def _refused(redis: Redis, proxy: FaultProxy) -> None:
    proxy.refuse()
    proxy.reset_all()
    await asyncio.sleep(10)
    await proxy.accept()


async def _flapping(redis: Redis, proxy: FaultProxy) -> None:
    for _ in range(15):
        proxy.hold()
        await asyncio.sleep(1)
        proxy.flow()
        await asyncio.sleep(1)


async def _flushed(redis: Redis, proxy: FaultProxy) -> None:
    for _ in range(5):
        await asyncio.sleep(1)
        redis.command("FLUSHALL")


Play = Callable[[Redis, FaultProxy], Awaitable[None]]
UNSTEADY = {"F12 flapping", "F13 flushed"}
"""Those that begin again every second."""
PLAYS: dict[str, Play] = {
    "F12 killed": _killed,
    "F12 refused": _refused,
    "F12 flapping": _flapping,
    "F13 flushed": _flushed,
}


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("play", PLAYS)
async def test_a_redis_that_comes_and_goes_costs_nobody_a_request(
    rig: Rig,
    redis_server: Redis,
    redis_database: str,
    postgres_database: str,
    play: str,
) -> None:
    """F12 and F13: killed, refused, flapping once a second, or emptied every second."""
    async with FaultProxy(redis_server.port, seed=rig.seed) as proxy:
        site = await rig.start(postgres_database, redis=f"redis://127.0.0.1:{proxy.port}/0", workers=2)
        nothing = lambda: asyncio.sleep(0)  # noqa: E731 - the play is all that happens
        seen = await through(
            rig,
            site,
            begin=nothing,
            during=lambda: PLAYS[play](redis_server, proxy),
            end=nothing,
            added_ms=FIRST_SECOND_MS,
        )
        await asyncio.to_thread(site.gateway.stop)
    rig.tell(play, seen.summary() if play in UNSTEADY else f"{seen.summary()}; {gate(rig, seen)}")
