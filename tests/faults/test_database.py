"""F06 to F10: a database that is down, frozen, flapping or locked costs nobody a request, nor the ledger a row."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from secrets import token_bytes

import aiohttp
import pytest

from farthing.domain.secrets import RANDOM_BYTES, mint
from tests.faults.rig.books import check
from tests.faults.rig.cluster import workers
from tests.faults.rig.load import Ask, Heard, Holder, Load, send, standard, until
from tests.faults.rig.proxy import FaultProxy, Faults
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.trouble import PATIENCE_S, RATE, through
from tests.faults.rig.words import Wish
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres

MASTER = "master-key-0123456789abcdef"
TOLD_S = 1.5
"""In which a person at a dashboard hears that the database is away."""
KNOWN_S = 2.0
"""In which every worker has noticed: a second, and as long again to ask often enough."""
SURE = 16
"""Answers in a row that every worker has a part in."""
WRITTEN_S = 1.0
"""After which a host has on its disk that a key is revoked."""
BACK_S = 2.0
"""In which administrators work again when the database does."""
RESTART_S = 3.0
WAITED_MS = 250.0
"""The longest that one request may be held up by a database that does not answer."""
RESTARTS = 20
SLOW_S, RESET = 0.2, 0.01
"""Of the line to the bouncer: what it adds to each way, and how likely each piece ends in RST."""


async def ask_unknown(site: Site) -> int:
    """The status of a key that may have been made a moment ago; whoever is told to wait is told for how long."""
    secret = mint(token_bytes(RANDOM_BYTES))
    headers = {"authorization": f"Bearer {secret}", "x-farthing-user": secret[-8:]}
    body = {"model": "model-a", "messages": [{"role": "user", "content": "hello"}]}
    url = f"{site.gateway.url}/v1/chat/completions"
    async with aiohttp.request("POST", url, json=body, headers=headers) as answer:
        assert answer.status in {401, 503}, await answer.text()
        assert answer.status == 401 or float(answer.headers["retry-after"]) <= 5
        return answer.status


async def noticed(site: Site) -> float:
    """Seconds until every worker knows that it cannot know: unknown keys are neither called wrong nor let in."""
    in_a_row = 0

    async def is_noticed() -> bool:
        nonlocal in_a_row
        in_a_row = in_a_row + 1 if await ask_unknown(site) == 503 else 0
        return in_a_row == SURE

    return await until(is_noticed, within_s=PATIENCE_S)


async def keep_asking(site: Site, seconds: float) -> None:
    """A worker that has noticed does not forget as long as the database is away."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        assert await ask_unknown(site) == 503
        await asyncio.sleep(seconds / 20)


async def look(site: Site, path: str = "/v1/usage?group_by=model") -> tuple[int, float]:
    """The status that a person at a dashboard gets, and after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    headers = {"authorization": f"Bearer {site.holders[0].secret}"}
    async with aiohttp.request("GET", site.gateway.url + path, headers=headers) as answer:
        await answer.read()
        return answer.status, loop.time() - began


async def administer(site: Site, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, float]:
    """The status that an administrator gets for a change, and after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    headers = {"authorization": f"Bearer {MASTER}"}
    async with aiohttp.request(method, site.gateway.url + path, json=body, headers=headers) as answer:
        await answer.read()
        return answer.status, loop.time() - began


@pytest.mark.timeout(240)
async def test_a_database_that_is_down_costs_nobody_a_request(
    rig: Rig,
    postgres: Postgres,
    postgres_database: str,
) -> None:
    """F06: known keys are served, unknown ones told to wait, people told at once, and no row is lost."""
    site = await rig.start(postgres_database, workers=2, environment={"FARTHING_MASTER_KEY": MASTER})
    told, known, back = list[float](), list[float](), list[float]()
    # Every worker has loaded what it answers people with.
    assert {(await look(site))[0] for _ in range(SURE)} == {200}

    async def make_key() -> int:
        status, seconds = await administer(site, "POST", "/admin/keys", {"name": f"new {len(told)}"})
        told.append(seconds)
        return status

    async def outage() -> None:
        known.append(await noticed(site))
        status, seconds = await look(site)
        told.append(seconds)
        assert (status, await make_key()) == (503, 503)
        await keep_asking(site, 58 if rig.is_full else 1)

    async def end() -> None:
        await asyncio.to_thread(postgres.mend)

        async def is_made() -> bool:
            status = await make_key()
            assert status in {201, 503}
            return status == 201

        back.append(await until(is_made, within_s=PATIENCE_S))

    seen = await through(rig, site, begin=lambda: asyncio.to_thread(postgres.kill), during=outage, end=end)
    status, _ = await look(site)
    assert status == 200
    rig.tell(
        "F06",
        f"{seen.summary()}; a person is told after {max(told[:2]):.2f} s, and makes a key {back[0]:.2f} s after it is "
        "back; an unknown key gets 503",
    )
    rig.gate("seconds until a person is told", max(told[:2]), TOLD_S)
    rig.gate("seconds until a key can be made again", back[0], BACK_S)
    rig.gate("seconds until every unknown key is told to wait", known[0], KNOWN_S)


async def ask(site: Site, holder: Holder, name: str) -> Heard:
    """One short request with a key."""
    wish = Wish(nonce=name, chunks=1, first_ms=1, every_ms=1)
    return await send(Ask(user=name, wish=wish, holder=holder, stream=False), site.gateway.port)


async def restart(site: Site, way: str) -> None:
    """Kills all workers, for whom others come, or everything, and starts it anew."""
    if way == "workers":
        for pid in workers(site.gateway):
            os.kill(pid, signal.SIGKILL)
    else:
        site.gateway.kill()
        await asyncio.to_thread(site.gateway.start)


@pytest.mark.timeout(180)
async def test_workers_that_start_while_the_database_is_down_know_the_keys(
    rig: Rig, postgres: Postgres, postgres_database: str
) -> None:
    """F06, all workers killed meanwhile, then the whole gateway: who was let in still is, but for hard budgets."""
    site = await rig.start(postgres_database, workers=2, keys=8, environment={"FARTHING_MASTER_KEY": MASTER})
    revoked, bounded, *known = site.holders
    budget = {"scope": "key", "subject": bounded.key_id, "tenant": bounded.tenant, "window": "day", "limit": "1000"}
    assert (await administer(site, "POST", "/admin/budgets", budget))[0] == 201
    assert (await administer(site, "DELETE", f"/admin/keys/{revoked.key_id}"))[0] == 200
    await asyncio.sleep(WRITTEN_S if rig.is_full else 5 * WRITTEN_S)
    await asyncio.to_thread(postgres.kill)
    await noticed(site)
    loop, heard, restarts = asyncio.get_running_loop(), list[Heard](), list[float]()
    for way in ("workers", "gateway"):
        began = loop.time()
        await restart(site, way)
        asks = [
            ask(site, holder, f"{way} {turn} {place}") for turn in range(SURE) for place, holder in enumerate(known)
        ]
        answers = await asyncio.gather(*asks)
        restarts.append(loop.time() - began)
        assert [each.status for each in answers] == [200] * len(asks), {each.problem for each in answers}
        heard += answers
        for holder, name, status in ((revoked, "revoked", 401), (bounded, "bounded", 503)):
            refused = [await ask(site, holder, f"{way} {name} {turn}") for turn in range(SURE)]
            assert {each.status for each in refused} == {status}
        await keep_asking(site, 1)
    await asyncio.to_thread(postgres.mend)
    await site.books.settled(len(heard))
    verdict = await check(site.books, heard, rig.vendors.entries())
    rig.tell(
        "F06 restart",
        f"all workers killed while the database is down: {len(known)} known keys answered after {restarts[0]:.1f} s; "
        f"the whole gateway: after {restarts[1]:.1f} s; a revoked key 401, an unknown one and one with a hard "
        f"budget 503; {verdict.rows} rows",
    )
    rig.gate("seconds until known keys are answered by new workers", restarts[0], RESTART_S)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_gateway_starts_while_its_database_is_down(
    rig: Rig, postgres: Postgres, postgres_database: str
) -> None:
    """F06, at the start: the master key is served, other keys are told to wait, and the rows arrive later."""
    await asyncio.to_thread(postgres.kill)
    environment = {"FARTHING_MASTER_KEY": MASTER}
    loop = asyncio.get_running_loop()
    began = loop.time()
    site = await rig.start(postgres_database, keys=0, environment=environment)
    started_s = loop.time() - began
    load = Load(site.ports, standard([Holder(MASTER, "master", "local")]), rate=RATE, seed=1)
    async with load.running():
        await asyncio.sleep(3)
    assert all(each.is_complete for each in load.heard)
    await asyncio.to_thread(postgres.mend)
    drained = await site.books.settled(len(load.heard))
    verdict = await check(site.books, load.heard, rig.vendors.entries())
    rig.tell(
        "F06 start",
        f"ready {started_s:.1f} s after the start; {verdict.rows} rows, all there {drained:.1f} s after it is back",
    )


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_frozen_database_costs_nobody_a_request(rig: Rig, postgres: Postgres, postgres_database: str) -> None:
    """F07: it holds its connections and never answers; none of them leaks."""
    site = await rig.start(postgres_database, workers=2)
    before = in_use(postgres)
    seen = await through(
        rig,
        site,
        begin=lambda: asyncio.to_thread(postgres.freeze),
        during=lambda: asyncio.sleep(30),
        end=lambda: asyncio.to_thread(postgres.thaw),
    )
    after = in_use(postgres)
    assert after <= 2 * 18
    waited = seen.watch["trouble"].added_ms(seen.load.heard, 1.0)
    rig.tell("F07", f"{seen.summary()}, {waited:.0f} ms at most; {before} connections before, {after} afterwards")
    rig.gate("ms that the slowest waited", waited, WAITED_MS)


def in_use(postgres: Postgres) -> int:
    """Connections that gateways have open."""
    return int(postgres.execute("SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'test_%'"))


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("trouble", ["killed", "paused"])
async def test_a_bouncer_that_is_killed_or_paused_costs_nobody_a_request(
    rig: Rig,
    pgbouncer: PgBouncer,
    pgbouncer_database: str,
    postgres_database: str,
    trouble: str,
) -> None:
    """F09: people are told in time, the ledger is written afterwards."""
    site = await rig.start(postgres_database, database=pgbouncer_database, workers=2)
    name, told = postgres_database.rsplit("/", 1)[1], list[float]()

    async def begin() -> None:
        await asyncio.to_thread(pgbouncer.kill if trouble == "killed" else lambda: pgbouncer.command(f"PAUSE {name}"))

    async def end() -> None:
        await asyncio.to_thread(pgbouncer.mend if trouble == "killed" else lambda: pgbouncer.command(f"RESUME {name}"))

    async def crowd() -> None:
        await asyncio.sleep(2)
        looks = await asyncio.gather(*(look(site) for _ in range(50)))
        assert {status for status, _ in looks} == {503}
        told.extend(seconds for _, seconds in looks)
        await asyncio.sleep(26)

    seen = await through(rig, site, begin=begin, during=crowd, end=end)
    rig.tell(f"F09 {trouble}", f"{seen.summary()}; 50 dashboards told, the last after {max(told):.1f} s")
    rig.gate("seconds until 50 people are told", max(told), TOLD_S)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_fifty_dashboards_do_not_starve_the_ledger(
    rig: Rig, pgbouncer: PgBouncer, pgbouncer_database: str, postgres_database: str
) -> None:
    """F09: the bouncer has two connections to give, and fifty people look all the time."""
    pgbouncer.command("SET default_pool_size = 2")
    site = await rig.start(postgres_database, database=pgbouncer_database, workers=2)
    # What the first look loads is no part of any trouble.
    await asyncio.gather(*(look(site) for _ in range(SURE)))
    looks, lags = list[tuple[int, float]](), list[int]()

    async def person(over: asyncio.Event) -> None:
        while not over.is_set():
            looks.append(await look(site))
            await asyncio.sleep(1)

    async def crowd() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        people = [asyncio.ensure_future(person(over)) for _ in range(50)]
        end = loop.time() + 20
        while loop.time() < end:
            await asyncio.sleep(1)
            lags.append(len(rig.vendors.entries()) - await site.books.count())
        over.set()
        await asyncio.gather(*people)

    nothing = lambda: asyncio.sleep(0)  # noqa: E731 - looking is all that happens
    try:
        seen = await through(rig, site, begin=nothing, during=crowd, end=nothing)
    finally:
        pgbouncer.command("SET default_pool_size = 10")
    statuses = Counter(status for status, _ in looks)
    assert set(statuses) <= {200, 503}
    slowest = max(seconds for _, seconds in looks)
    rig.tell(
        "F09 small",
        f"2 connections for 2 workers and 50 dashboards, which asked {len(looks)} times, {statuses[503]} told to "
        f"come again, the slowest after {slowest:.1f} s: {seen.summary()}; at most {max(lags)} rows behind",
    )
    rig.gate("seconds until a person is told", slowest, TOLD_S)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_locked_ledger_costs_nobody_a_request(rig: Rig, postgres: Postgres, postgres_database: str) -> None:
    """F10: somebody holds the spend table for 25 s; eight writers wait, and never for one another."""
    site = await rig.start(postgres_database, workers=2, instances=4)
    name = postgres_database.rsplit("/", 1)[1]
    lock = "BEGIN; LOCK TABLE requests IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({}); COMMIT"
    holding: list[asyncio.Future[str]] = []

    async def begin() -> None:
        holding.append(asyncio.ensure_future(asyncio.to_thread(postgres.execute, lock.format(25), name)))

    async def during() -> None:
        await holding[0]
        await site.books.reached(len(rig.vendors.entries()), within_s=PATIENCE_S)
        # All eight write at the same time, into the sums of the same keys.
        await asyncio.sleep(20)

    seen = await through(rig, site, begin=begin, during=during, end=lambda: asyncio.sleep(0), added_ms=None)
    assert "deadlock" not in postgres.log.read_text(errors="replace")
    rig.tell("F10", f"held for 25 s before 8 writers: {seen.summary()}; 0 deadlocks")


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_database_that_restarts_again_and_again_costs_nobody_a_request(
    rig: Rig, pgbouncer: PgBouncer, postgres: Postgres, postgres_database: str
) -> None:
    """F08: through the bouncer, again and again, and over a line that is slow, sliced and reset."""
    async with FaultProxy(pgbouncer.port, seed=rig.seed) as proxy:
        name = postgres_database.rsplit("/", 1)[1]
        through_proxy = f"postgresql://farthing@127.0.0.1:{proxy.port}/{name}"
        site = await rig.start(postgres_database, database=through_proxy, workers=2)

        async def flap() -> None:
            for turn in range(RESTARTS):
                await asyncio.to_thread(postgres.kill)
                await asyncio.to_thread(postgres.mend)
                proxy.faults = Faults(latency_s=SLOW_S, reset=RESET, slice=1 if turn % 2 else 0)
                await asyncio.sleep(2)

        async def calm() -> None:
            proxy.faults = Faults()
            await asyncio.sleep(1)

        seen = await through(rig, site, begin=calm, during=flap, end=calm, added_ms=None)
        log = site.gateway.log.read_text()
        await asyncio.to_thread(site.gateway.stop)
    assert "prepared statement" not in log
    rig.tell("F08", f"{RESTARTS} restarts: {seen.summary()}; 0 prepared statements missed")
