"""F04: instances and workers are replaced one after the other under load, and nobody is refused or cut off."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
from msgspec import Struct

from farthing.store import migrate, migrations
from tests.faults.rig.balancer import Balancer
from tests.faults.rig.books import Books, check
from tests.faults.rig.cluster import gateway, settings, workers
from tests.faults.rig.load import Ask, Heard, Load, until
from tests.faults.rig.site import Rig
from tests.faults.rig.words import Wish
from tests.servers.gateway import Gateway

RATE = 50.0
ROLLOUTS = 10
ROOT = Path(__file__).parents[2]
LOCK_WAIT_S = 0.2
KEPT_OPEN = 10
"""Clients that keep their connection and ask again and again."""
MORE = "lame_duck_s = 2\n"
LOCKS = (
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks"
    " WHERE NOT granted AND locktype <> 'advisory'"
)


def make(number: int, dice: Random) -> Ask:
    """Short answers, most of them streamed."""
    return Ask(user=f"u{number}", wish=Wish(nonce=f"n{number}", first_ms=30), stream=dice.random() < 0.7)


class Steady:
    """Clients that keep their connections as long as they may."""

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int | str] = Counter()
        self.heard: list[Heard] = []
        self._url = f"http://127.0.0.1:{port}/v1/chat/completions"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """They ask while the block lasts."""
        over = asyncio.Event()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for number in range(KEPT_OPEN):
                group.create_task(self._ask(session, number, over))
            try:
                yield
            finally:
                over.set()

    async def _ask(self, session: aiohttp.ClientSession, number: int, over: asyncio.Event) -> None:
        for turn in count():
            if over.is_set():
                return
            name = f"k{number}-{turn}"
            wish = Wish(nonce=name, chunks=2, first_ms=20)
            content = msgspec.json.encode(wish).decode()
            body = {"model": "model-a", "messages": [{"role": "user", "content": content}]}
            headers = {"x-farthing-cache": "off", "x-farthing-user": name}
            try:
                async with session.post(self._url, json=body, headers=headers) as answer:
                    said = await answer.read()
                    self.statuses[answer.status] += 1
                    heard = Heard(Ask(user=name, wish=wish, stream=False), status=answer.status, body=said)
                    heard.headers, heard.is_ended = {key.lower(): value for key, value in answer.headers.items()}, True
                    self.heard.append(heard)
            except aiohttp.ClientError as error:
                self.statuses[type(error).__name__] += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.15):
                    await over.wait()


def complaints(load: Load) -> list[str]:
    """What those heard who did not get a whole answer."""
    return [f"{each.status} {each.problem} {each.body[:100]!r}" for each in load.heard if not each.is_complete]


@pytest.mark.long
async def test_workers_are_replaced_under_load(rig: Rig) -> None:
    """At SIGHUP, all of them: who keeps a connection is told that its answer is the last, who calls is answered."""
    site = await rig.start(workers=2, keys=0, text={"more": MORE})
    load, steady = Load(site.ports, make, rate=RATE, seed=rig.seed), Steady(site.gateway.port)
    before = set(workers(site.gateway))
    async with load.running(), steady.running():
        await asyncio.sleep(0.3)
        os.kill(site.gateway.pid, signal.SIGHUP)
        waited = await until(lambda: before.isdisjoint(workers(site.gateway)), within_s=30)
    assert complaints(load) == []
    assert set(steady.statuses) == {200}
    await site.books.settled(len(load.heard) + steady.statuses[200])
    await check(site.books, [*load.heard, *steady.heard], rig.vendors.entries())
    rig.tell(
        "F04 workers",
        f"both of 2 workers replaced in {waited:.1f} s at {RATE:g} requests/s beside {KEPT_OPEN} kept connections: "
        f"{len(load.heard) + steady.statuses[200]} answers, 0 other than 200, 0 cut off",
    )


def git(*arguments: str) -> str:
    """What git says of this repository."""
    done = subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of the code as it was before the newest migration, which does not know the newest schema."""
    [newest] = (ROOT / "src/farthing/store/migrations/versions").glob(f"v{migrations.HEAD}_*.py")
    commit = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest))
    folder = tmp_path_factory.mktemp("earlier")
    archive = subprocess.run(["git", "-C", ROOT, "archive", f"{commit}~", "src"], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return {"PYTHONPATH": str(folder / "src")}


CODE = """
from farthing.settings.sections import ServerSettings
from farthing.store.migrations import HEAD
print(HEAD, "lame_duck_s" in ServerSettings.model_fields)
"""


async def known_to(environment: Mapping[str, str]) -> tuple[str, bool]:
    """The newest schema that this code knows, and whether it waits for balancers when it ends."""
    python = ROOT / ".venv/bin/python"
    asked = await asyncio.create_subprocess_exec(
        python, "-c", CODE, env={**os.environ, **environment}, stdout=subprocess.PIPE
    )
    head, waits = (await asked.communicate())[0].decode().split()
    return head, waits == "True"


class Release(Struct, frozen=True):
    """What instances run."""

    environment: Mapping[str, str] = {}
    has_lame_duck: bool = True


class Rollout:
    """Instances behind a balancer, replaced one by one."""

    def __init__(self, rig: Rig, database: str, balancer: Balancer) -> None:
        self._vendor = rig.vendors.port
        self._database = database
        self._balancer = balancer
        self.instances: list[tuple[Gateway, Release]] = []

    async def add(self, release: Release) -> None:
        """One more instance, which gets its share once it is ready."""
        text = settings({"a": self._vendor}, more=MORE if release.has_lame_duck else "")
        new = gateway(text, database=self._database, environment=release.environment)
        self.instances.append((new, release))
        await asyncio.to_thread(new.start)
        self._balancer.add(new.port)
        await until(lambda: self._balancer.is_in(new.port), within_s=10)

    async def replace_all(self, release: Release) -> None:
        """Each by a new one, first in, first out."""
        for old, its in list(self.instances):
            await self.add(release)
            if not its.has_lame_duck:
                self._balancer.remove(old.port)
                await asyncio.sleep(0.5)
            os.kill(old.pid, signal.SIGTERM)
            await until(lambda old=old: not old.running, within_s=20)  # type: ignore[misc]
            assert old._process is not None
            assert old._process.returncode == 0
            if its.has_lame_duck:
                self._balancer.remove(old.port)
            self.instances.remove((old, its))
            await asyncio.to_thread(old.remove)

    async def remove(self) -> None:
        """Ends all that are left."""
        for instance, _ in self.instances:
            await asyncio.to_thread(instance.remove)


@asynccontextmanager
async def watched_locks(database: str, waits: list[float]) -> AsyncIterator[None]:
    """Notes how long anybody waits for a lock while the block lasts."""
    connection: Any = await asyncpg.connect(database)

    async def watch() -> None:
        while True:
            waits.append(await connection.fetchval(LOCKS))
            await asyncio.sleep(0.01)

    watching = asyncio.ensure_future(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await connection.close()


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_release_is_rolled_out_and_back_under_load(
    rig: Rig, postgres_database: str, earlier: Mapping[str, str]
) -> None:
    """Old instances serve on the new schema beside new ones, and again after the way back."""
    answers, longest, known = 0, 0.0, set[str]()
    old_revision, has_lame_duck = await known_to(earlier)
    old = Release(earlier, has_lame_duck)
    assert old_revision != migrations.HEAD
    times = ROLLOUTS * rig.longer
    for _ in range(times):
        await migrate(postgres_database, "base")
        await migrate(postgres_database, old_revision)
        balancer, waits = Balancer(), list[float]()
        rollout = Rollout(rig, postgres_database, balancer)
        async with balancer.running():
            for _ in range(2):
                await rollout.add(old)
            load = Load([balancer.port], make, rate=RATE, seed=rig.seed)
            async with watched_locks(postgres_database, waits), load.running():
                await rollout.replace_all(Release())
                await rollout.replace_all(old)
            await rollout.remove()
        assert complaints(load) == []
        entries = rig.vendors.entries()
        await check(Books(postgres_database), load.heard, {name: entries[name] for name in entries.keys() - known})
        known |= entries.keys()
        rig.gate("seconds that anybody waits for a lock", max(waits), LOCK_WAIT_S)
        answers += len(load.heard)
        longest = max(longest, *waits)
    rig.tell(
        "F04 releases",
        f"{times} times 2 instances N, N+1, N (schema {old_revision} to {migrations.HEAD}) at {RATE:g} requests/s: "
        f"{answers} answers, 0 other than 200, 0 cut off; longest wait for a lock {longest * 1000:.0f} ms",
    )


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_instances_are_replaced_under_load(rig: Rig, postgres_database: str) -> None:
    """Those who keep their connections are told to come anew, and every request has its row."""
    balancer = Balancer()
    rollout = Rollout(rig, postgres_database, balancer)
    async with balancer.running():
        for _ in range(2):
            await rollout.add(Release())
        load, steady = Load([balancer.port], make, rate=RATE, seed=rig.seed), Steady(balancer.port)
        async with load.running(), steady.running():
            for _ in range(5):
                await rollout.replace_all(Release())
        await rollout.remove()
    assert complaints(load) == []
    assert set(steady.statuses) == {200}
    answers = len(load.heard) + steady.statuses[200]
    assert await Books(postgres_database).count() == answers
    await check(Books(postgres_database), [*load.heard, *steady.heard], rig.vendors.entries())
    rig.tell(
        "F04 instances",
        f"2 instances replaced 5 times at {RATE:g} requests/s beside {KEPT_OPEN} kept connections: {answers} answers, "
        "0 other than 200, 0 cut off, as many rows",
    )
