"""F30: a host whose disk is full or whose clock jumps, receivers of alerts that hang, models that have no price."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiosmtpd.smtp import Envelope

from farthing.background.clock import SystemClock
from farthing.domain.budget import Budget, Window
from farthing.store import open_store
from tests.faults.rig.books import check
from tests.faults.rig.load import Ask, Heard, Load, percentile, send, standard, together, until
from tests.faults.rig.proxy import FaultProxy
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish
from tests.integration.notify.letterbox import Letterbox
from tests.servers.application import Served
from tests.servers.process import private_folder, program

HEALED_S = 1.0
DELIVERED_S = 60.0
ADDED_MS = 5.0
WAVE = 100
MOST_WAVES = 300
NO_ROOM = 1_000_000
"""Bytes that a file may have on the full disk: fewer than a segment of the journal."""
HOUR_S, DAY_S = 3_600, 86_400
LEAP_DAY_S = 1_835_438_400
"""2028-02-29."""
THRESHOLDS = (50, 80, 90, 100)
SUMMER_TIME = ("2027-03-28", "2027-10-31")
"""On which it begins and ends in Berlin, at 01:00 UTC."""
SETTLED_S = 2.0
"""After which every worker knows of another hour."""
MOST_A_DAY = 5 * Wish(nonce="").cost
NAMELESS = '[[models]]\nname = "nameless"\nprovider = "a"\nupstream = "nobody-knows-its-price"\ntier = "simple"\n'


def brief(name: str, number: int, *, model: str = "model-a", site: Site | None = None) -> list[Ask]:
    """Short questions, of the site's first key if it has any."""
    holder = site.holders[0] if site and site.holders else None
    return [
        Ask(
            user=f"{name}-{place}",
            wish=Wish(nonce=f"{name}-{place}", chunks=1, first_ms=1, every_ms=0),
            holder=holder,
            stream=False,
            model=model,
        )
        for place in range(number)
    ]


def allow_files(site: Site, size: str) -> None:
    """Files of the gateway may have so many bytes from now on."""
    subprocess.run([program("prlimit"), f"--pid={site.gateway.pid}", f"--fsize={size}:"], check=True)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_full_disk_refuses_what_it_could_not_bill(rig: Rig, postgres_database: str) -> None:
    """What was let in is settled and written; the rest hears 503 and never reaches the vendor; room heals it."""
    site = await rig.start(postgres_database, keys=0)
    heard = await together(brief("before", WAVE), site.ports)
    allow_files(site, str(NO_ROOM))
    for wave in range(MOST_WAVES):
        heard += await together(brief(f"full{wave}", WAVE), site.ports)
        if sum(each.status == 503 for each in heard) >= WAVE:
            break
    refused = [each for each in heard if each.status == 503]
    assert refused
    assert {json.loads(each.body)["error"]["code"] for each in refused} == {"accounting_unavailable"}
    assert all(int(each.headers["retry-after"]) <= 5 for each in refused)
    during = await together(brief("still", WAVE), site.ports)
    allow_files(site, "unlimited")
    healed_s = await healed(site, heard)
    heard += [*during, *await together(brief("after", WAVE), site.ports)]
    assert {each.status for each in heard} == {200, 503}
    assert {each.status for each in heard[-WAVE:]} == {200}
    await site.books.settled(sum(each.is_complete for each in heard))
    verdict = await check(site.books, heard, rig.vendors.entries(), allowed=frozenset({503}))
    nonces = {entry.nonce for entry in rig.vendors.entries().values()}
    assert not nonces & {each.ask.wish.nonce for each in heard if each.status == 503}
    rig.tell(
        "F30 disk",
        f"{verdict.complete} answered and billed, {len(heard) - verdict.complete} refused and never bought; "
        f"answers again {healed_s:.2f} s after there is room",
    )
    rig.gate("seconds until it answers again", healed_s, HEALED_S)


async def healed(site: Site, heard: list[Heard]) -> float:
    """Seconds until a question is answered."""

    async def is_healed() -> bool:
        heard.append(await send(brief(f"heal{len(heard)}", 1)[0], site.gateway.port))
        return heard[-1].is_complete

    return await until(is_healed, within_s=30)


class ShiftedClock:
    """The wall clock of processes that are started with its `environment`."""

    def __init__(self) -> None:
        self._folder = private_folder("clock")
        self._file, library = self._folder / "shift", self._folder / "shift.so"
        self.set(0)
        source = Path(__file__).with_name("rig") / "shift.c"
        subprocess.run([program("cc"), "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._file)}

    def set(self, seconds: int) -> None:
        """From now on it is so many seconds later than it is."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("l", seconds))

    def remove(self) -> None:
        """Deletes its files."""
        shutil.rmtree(self._folder)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_clock_that_jumps_costs_nobody_a_request(rig: Rig, postgres_database: str) -> None:
    """By an hour either way, over midnight and to a leap day: nobody fails, nothing lasts less than no time."""
    clock = ShiftedClock()
    try:
        site = await rig.start(postgres_database, workers=2, environment=clock.environment)
        load = Load(site.ports, standard(site.holders), rate=50, seed=rig.seed)
        jumps = [HOUR_S, -HOUR_S, DAY_S, 0, LEAP_DAY_S - int(time.time()), 0]
        async with load.running():
            for seconds in jumps:
                await asyncio.sleep(2)
                clock.set(seconds)
            await asyncio.sleep(2)
        assert [each for each in load.heard if not each.is_complete] == []
        await site.books.settled(len(load.heard))
        verdict = await check(site.books, load.heard, rig.vendors.entries())
        rows = await site.books.rows()
        await asyncio.to_thread(site.gateway.stop)
    finally:
        clock.remove()
    lasted = [row.duration_us for row in rows]
    assert min(lasted) >= 0
    assert max(lasted) <= 60_000_000
    days = await site.books.days()
    assert len(days) >= 3, days
    rig.tell(
        "F30 clock",
        f"{len(jumps)} jumps of hours, a day and to a leap day: {len(load.heard)} requests, 0 failed, {verdict.rows} "
        f"rows on {len(days)} days, durations {min(lasted) / 1000:.1f} to {max(lasted) / 1000:.1f} ms",
    )


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("change", SUMMER_TIME)
async def test_a_day_begins_at_midnight_utc_whatever_the_clocks_of_the_place_do(
    rig: Rig, postgres_database: str, change: str
) -> None:
    """A day's budget in Berlin on the night in which its clocks change is reset once, and told of once a day."""
    receiver, clock, hours = Receiver(), ShiftedClock(), list[int]()
    receiver.mood = "takes"
    midnight = int(datetime.fromisoformat(f"{change}T00:00:00+00:00").timestamp())
    with Served(receiver.application) as served:
        environment = {
            **clock.environment,
            "TZ": "Europe/Berlin",
            "FARTHING_ALERTS__WEBHOOK_URL": f"{served.url}/hook",
            "FARTHING_WEBHOOK_SECRET": "a secret of the test",
        }
        try:
            clock.set(midnight - 2 * HOUR_S - int(time.time()))
            site = await rig.start(postgres_database, workers=2, keys=1, environment=environment)
            await budget(site, is_hard=True, limit=MOST_A_DAY, window="day")
            for hour in range(-2, 5):
                clock.set(midnight + hour * HOUR_S - int(time.time()))
                await asyncio.sleep(SETTLED_S)
                hours.append(await let_in(site, f"hour{hour}"))
            await until(lambda: len(receiver.taken) >= 2 * len(THRESHOLDS), within_s=60)
            await asyncio.sleep(3)
            days = await site.books.days()
            await asyncio.to_thread(site.gateway.stop)
        finally:
            clock.remove()
    # In the first hour of each day all is spent, and nothing is left for those that follow.
    assert [bool(number) for number in hours] == [True, False, True, False, False, False, False], hours
    assert len(days) == 2, days
    assert Counter(percent for _, percent in receiver.taken) == dict.fromkeys(THRESHOLDS, 2)
    assert len({webhook_id for webhook_id, _ in receiver.taken}) == 2 * len(THRESHOLDS)
    rig.tell(
        f"F30 clock {change}",
        f"TZ=Europe/Berlin, 22:00 to 04:00 UTC in steps of an hour: a day's budget lets {hours} in and is reset once, "
        f"at 00:00 UTC; {len(receiver.taken)} alerts, each threshold once a day",
    )


async def let_in(site: Site, name: str) -> int:
    """How many requests one after another are answered until there is no money for three in a row."""
    answered = refused = 0
    while refused < 3:
        heard = await send(brief(f"{name}-{answered + refused}", 1, site=site)[0], site.gateway.port)
        assert heard.status in {200, 402}
        if heard.status == 200:
            answered, refused = answered + 1, 0
        else:
            refused += 1
            await asyncio.sleep(SETTLED_S)
    return answered


class Receiver:
    """Of alerts: hangs, then refuses, then takes all."""

    def __init__(self) -> None:
        self.mood = "hangs"
        self.tried = 0
        self.taken: list[tuple[str, int]] = []
        self.application = web.Application()
        self.application.router.add_post("/hook", self._hear)

    async def _hear(self, request: web.Request) -> web.Response:
        notice = json.loads(await request.read())
        self.tried += 1
        if self.mood == "hangs":
            await asyncio.sleep(120)
        if self.mood == "refuses":
            raise web.HTTPInternalServerError
        self.taken.append((request.headers["webhook-id"], notice["data"]["threshold_percent"]))
        return web.Response()


async def budget(site: Site, *, is_hard: bool, limit: int, window: Window = "total") -> None:
    """Of the first key's, once every worker knows it."""
    holder, clock = site.holders[0], SystemClock()
    store = open_store(site.database, clock=clock)
    try:
        made = Budget(
            id="b1",
            tenant=holder.tenant,
            scope="key",
            subject=holder.key_id,
            window=window,
            limit=limit,
            is_hard=is_hard,
        )
        await store.budgets.create(made, created_at_us=clock.now_us())
    finally:
        await store.aclose()
    await asyncio.sleep(1.2)


def late_ms(heard: Sequence[Heard]) -> float:
    """The 99th percentile of what they took, in milliseconds."""
    return 1000 * percentile([each.seconds for each in heard], 0.99)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_alerts_that_nobody_takes_delay_nobody(rig: Rig, postgres_database: str) -> None:
    """The receiver hangs, then refuses; requests feel nothing, and each threshold is told once when it is well."""
    receiver = Receiver()
    with Served(receiver.application) as served:
        alerts = {
            "FARTHING_ALERTS__WEBHOOK_URL": f"{served.url}/hook",
            "FARTHING_WEBHOOK_SECRET": "a secret of the test",
        }
        site = await rig.start(postgres_database, workers=2, environment=alerts)
        calm, waves = list[Heard](), list[Heard]()
        for place in range(40):
            calm += await together(brief(f"calm{place}", 5, site=site), site.ports)
        await budget(site, is_hard=False, limit=1)
        for mood in ("hangs", "refuses"):
            receiver.mood = mood
            before = receiver.tried
            for place in range(20):
                waves += await together(brief(f"{mood}{place}", 5, site=site), site.ports)
            await until(lambda before=before: receiver.tried > before, within_s=90)  # type: ignore[misc]
        receiver.mood = "takes"
        delivered_s = await until(lambda: len(receiver.taken) >= len(THRESHOLDS), within_s=120)
        await asyncio.sleep(3)
    assert {each.status for each in [*calm, *waves]} == {200}
    assert Counter(percent for _, percent in receiver.taken) == dict.fromkeys(THRESHOLDS, 1)
    rig.tell(
        "F30 alerts",
        f"a receiver that hangs and then refuses: {len(waves)} requests, 0 failed, p99 {late_ms(waves):.1f} ms "
        f"(before {late_ms(calm):.1f} ms); {len(receiver.taken)} thresholds told once each, {delivered_s:.1f} s after",
    )
    rig.gate("seconds until the alerts are told", delivered_s, DELIVERED_S)
    rig.gate("ms added to the 99th percentile", late_ms(waves) - late_ms(calm), ADDED_MS)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_mail_that_nobody_takes_delays_nobody(rig: Rig, postgres_database: str) -> None:
    """The mail server is silent, then away; requests feel nothing, and each threshold is mailed once afterwards."""
    letterbox = Letterbox()
    with letterbox.serving() as port:
        async with FaultProxy(port) as proxy:
            proxy.hold()
            alerts = {
                "FARTHING_ALERTS__EMAIL_TO": '["ops@example.com"]',
                "FARTHING_ALERTS__SMTP__HOST": "127.0.0.1",
                "FARTHING_ALERTS__SMTP__PORT": str(proxy.port),
                "FARTHING_ALERTS__SMTP__SECURITY": "none",
            }
            site = await rig.start(postgres_database, workers=2, environment=alerts)
            calm, waves = list[Heard](), list[Heard]()
            for place in range(40):
                calm += await together(brief(f"calm{place}", 5, site=site), site.ports)
            await budget(site, is_hard=False, limit=1)
            for place in range(20):
                waves += await together(brief(f"silent{place}", 5, site=site), site.ports)
            await until(lambda: proxy.connections > 1, within_s=90)
            proxy.refuse()
            proxy.reset_all()
            for place in range(20):
                waves += await together(brief(f"away{place}", 5, site=site), site.ports)
            await asyncio.sleep(2)
            assert letterbox.envelopes == []
            proxy.flow()
            await proxy.accept()
            delivered_s = await until(lambda: len(letterbox.envelopes) >= len(THRESHOLDS), within_s=120)
            await asyncio.sleep(3)
    assert {each.status for each in [*calm, *waves]} == {200}
    assert Counter(_percent(envelope) for envelope in letterbox.envelopes) == dict.fromkeys(THRESHOLDS, 1)
    rig.tell(
        "F30 alerts by mail",
        f"a mail server that is silent and then away: {len(waves)} requests, 0 failed, p99 {late_ms(waves):.1f} ms "
        f"(before {late_ms(calm):.1f} ms); {len(letterbox.envelopes)} thresholds mailed once each, {delivered_s:.1f} s "
        "after",
    )
    rig.gate("seconds until the alerts are mailed", delivered_s, DELIVERED_S)
    rig.gate("ms added to the 99th percentile", late_ms(waves) - late_ms(calm), ADDED_MS)


def _percent(envelope: Envelope) -> int:
    """The threshold that a mail tells of."""
    assert isinstance(envelope.content, bytes)
    found = re.search(rb"Message-ID: <budget\.b1\..*\.(\d+)@farthing>", envelope.content)
    assert found is not None, envelope.content
    return int(found[1])


@pytest.mark.long
async def test_what_has_no_price_is_never_free(rig: Rig, postgres_database: str) -> None:
    """Without a budget it is served and marked as without price; under one it is refused before the vendor is asked."""
    site = await rig.start(postgres_database, workers=2, text={"more": NAMELESS})
    served = await together(brief("served", 20, model="nameless", site=site), site.ports)
    await budget(site, is_hard=True, limit=10**9)
    refused = await together(brief("refused", 20, model="nameless", site=site), site.ports)
    assert {each.status for each in served} == {200}
    assert {(each.status, json.loads(each.body)["error"]["code"]) for each in refused} == {(402, "unpriced_model")}
    await site.books.settled(len(served))
    rows = {row.user: row for row in await site.books.rows()}
    assert {rows[each.ask.user].cost for each in served} == {None}
    assert {entry.nonce for entry in rig.vendors.entries().values()} == {each.ask.wish.nonce for each in served}
    rig.tell(
        "F30 price", "20 of a model without price: served, no cost invented; 20 under a hard budget: 402, not bought"
    )
