"""B01 to B10, a hundred of each: how soon they are refused, and that nobody else waits meanwhile."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.rig.load import percentile
from tests.faults.rig.site import Rig
from tests.faults.test_pressure import MASTER, lateness
from tests.security.bodies import BAD_JSON, Bad
from tests.security.wire import JSON, Wire

TIMES = 100
REFUSED_S = 0.05
LATE_S = 0.05
PATH = "/v1/chat/completions"


def refusals(port: int, bad: Bad) -> list[float]:
    """Seconds from the last byte of the body to the end of each answer, one after the other on one connection."""
    headers = (*JSON, ("authorization", f"Bearer {MASTER}"))
    took = []
    with Wire(port) as wire:
        for _ in range(TIMES):
            began = time.monotonic()
            answer = wire.ask("POST", PATH, bad.body, headers=headers)
            took.append(time.monotonic() - began)
            assert answer.status == 400, (bad.row, answer.body)
            assert answer.json["error"]["code"] == bad.code
    return took


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_hostile_bodies_are_refused_at_once(rig: Rig) -> None:
    """Each kind in 50 ms, with the time that its bytes take, and the loop is no later than that."""
    site = await rig.start(keys=0, environment={"FARTHING_MASTER_KEY": MASTER})
    await asyncio.to_thread(lateness, site)
    slowest, late = dict[str, float](), dict[str, float]()
    for bad in BAD_JSON:
        slowest[bad.row] = percentile(await asyncio.to_thread(refusals, site.gateway.port, bad), 0.99)
        late[bad.row] = await asyncio.to_thread(lateness, site)
    worst, latest = max(slowest, key=slowest.__getitem__), max(late, key=late.__getitem__)
    assert rig.vendors.entries() == {}
    rig.tell(
        "bad input",
        f"{len(BAD_JSON)} kinds, {TIMES} of each: p99 of a refusal {1000 * slowest[worst]:.0f} ms at most ({worst}), "
        f"{1000 * percentile(list(slowest.values()), 0.5):.0f} ms for half of the kinds; "
        f"loop late by {1000 * late[latest]:.0f} ms at most ({latest})",
    )
    rig.gate("seconds until a refusal", slowest[worst], REFUSED_S)
    rig.gate("seconds of lateness", late[latest], LATE_S)
