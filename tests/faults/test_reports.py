"""F30: the month's report is due while whoever gets it hangs: nobody feels it, and it comes once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from aiohttp import web

from tests.faults.rig.books import check
from tests.faults.rig.load import Heard, percentile, together, until
from tests.faults.rig.site import Rig
from tests.faults.test_host import brief
from tests.servers.application import Served

REPORT = '[[reports]]\nname = "month"\nwebhook = true\nformats = ["csv"]\nhour = 0\n'
ADDED_MS = 5.0
DELIVERED_S = 150.0
"""A failed report is tried again a minute later; its worker looks every ten seconds."""
WAVES, WAVE = 40, 5


class Receiver:
    """Of reports: hangs, and then takes them."""

    def __init__(self) -> None:
        self.is_well = False
        self.tried = 0
        self.taken = Counter[str]()
        self.application = web.Application()
        self.application.router.add_post("/hook", self._hear)

    async def _hear(self, request: web.Request) -> web.Response:
        self.tried += 1
        if not self.is_well:
            await asyncio.sleep(120)
        assert json.loads(await request.read())["type"] == "report.monthly"
        self.taken[request.headers["webhook-id"]] += 1
        return web.Response()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_report_that_nobody_takes_delays_nobody(rig: Rig, postgres_database: str) -> None:
    """Due at the start, on two workers: requests feel nothing of it, and it is told once when its receiver is well."""
    receiver = Receiver()
    with Served(receiver.application) as served:
        environment = {
            "FARTHING_ALERTS__WEBHOOK_URL": f"{served.url}/hook",
            "FARTHING_WEBHOOK_SECRET": "a secret of the test",
        }
        site = await rig.start(postgres_database, workers=2, text={"more": REPORT}, environment=environment)

        async def waves(name: str) -> list[Heard]:
            sent = list[Heard]()
            for place in range(WAVES):
                sent += await together(brief(f"{name}{place}", WAVE, site=site), site.ports)
            return sent

        warm = await waves("warm")
        await until(lambda: receiver.tried > 0, within_s=60)
        hanging = await waves("hanging")
        receiver.is_well = True
        delivered_s = await until(lambda: bool(receiver.taken), within_s=DELIVERED_S)
        calm = await waves("calm")
        await asyncio.to_thread(site.gateway.stop)
    assert {each.status for each in [*hanging, *calm]} == {200}
    assert list(receiver.taken.values()) == [1]
    await check(site.books, [*warm, *hanging, *calm], rig.vendors.entries())
    alone, beside = (1000 * percentile([each.seconds for each in heard], 0.99) for heard in (calm, hanging))
    rig.tell(
        "F30 report",
        f"due while its receiver hangs: {len(hanging)} requests, 0 failed, p99 {beside:.1f} ms ({alone:.1f} ms after "
        f"it); told once, {delivered_s:.0f} s after the receiver is well, on try {receiver.tried}",
    )
    rig.gate("seconds until the report is told", delivered_s, DELIVERED_S)
    rig.gate("ms added to the 99th percentile", beside - alone, ADDED_MS)
