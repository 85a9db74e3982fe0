"""F28: a key revoked, a model taken away, a budget cut: every worker of every instance follows within a second."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.faults.rig.books import check
from tests.faults.rig.load import Ask, Heard, Holder, percentile, send, until
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish

EFFECTIVE_S = 1.0
AT_ONCE = 12
PAUSE_S = 0.05
LAST = 4
MASTER = "master-key-0123456789abcdef"
REFUSED = {"revoked": 401, "model taken away": 404, "budget cut": 402}
KINDS = tuple(REFUSED)
Admin = aiohttp.ClientSession


async def _call(admin: Admin, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    async with admin.request(method, path, json=body) as answer:
        assert answer.status < 300, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def limited(admin: Admin, holder: Holder) -> str:
    """A wide budget of the key's own; its id."""
    words = {"scope": "key", "subject": holder.key_id, "tenant": holder.tenant, "window": "day", "limit": 1_000.0}
    return str((await _call(admin, "POST", "/admin/budgets", words))["budget_id"])


async def change(admin: Admin, holder: Holder, kind: str, budget: str) -> float:
    """Makes the change as administrators do; the moment in which they were told that it is made."""
    if kind == "revoked":
        await _call(admin, "DELETE", f"/admin/keys/{holder.key_id}")
    elif kind == "budget cut":
        await _call(admin, "PATCH", f"/admin/budgets/{budget}", {"limit": 0.0001})
    else:
        await _call(admin, "PATCH", f"/admin/keys/{holder.key_id}", {"models": ["another"]})
    return time.monotonic()


class Pester:
    """Asks with the key again and again, every instance in turn, a worker by chance."""

    def __init__(self, site: Site, holder: Holder) -> None:
        self.heard: list[Heard] = []
        self._site = site
        self._holder = holder

    async def ask(self) -> int:
        """Once more; the status."""
        name = f"{self._holder.key_id}-{len(self.heard)}"
        wish = Wish(nonce=name, chunks=1, first_ms=1, every_ms=1)
        ask = Ask(user=name, wish=wish, holder=self._holder, stream=False)
        self.heard.append(await send(ask, self._site.ports[len(self.heard) % len(self._site.ports)]))
        return self.heard[-1].status

    async def until_told(self, status: int, since: asyncio.Future[float]) -> None:
        """Returns when the change is made and the last answers all have this status."""

        async def is_told() -> bool:
            await self.ask()
            await asyncio.sleep(PAUSE_S)
            return since.done() and {each.status for each in self.heard[-LAST * len(self._site.ports) :]} == {status}

        await until(is_told, within_s=60)


async def follow(site: Site, admin: Admin, holder: Holder, kind: str) -> tuple[float, list[Heard]]:
    """Seconds from the change to the last request that was accepted, and all that was heard."""
    pester = Pester(site, holder)
    budget = await limited(admin, holder) if kind == "budget cut" else ""
    changed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    asking = asyncio.ensure_future(pester.until_told(REFUSED[kind], changed))
    await until(lambda: any(each.status == 200 for each in pester.heard), within_s=60)
    changed.set_result(await change(admin, holder, kind, budget))
    await asking
    assert {each.status for each in pester.heard} == {200, REFUSED[kind]}
    await asyncio.sleep(2 * EFFECTIVE_S)
    assert {await pester.ask() for _ in range(2 * LAST)} == {REFUSED[kind]}
    return max(each.began for each in pester.heard if each.status == 200) - changed.result(), pester.heard


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["without Redis", pytest.param("with Redis", marks=pytest.mark.long)])
async def test_what_is_taken_away_is_gone_everywhere_within_a_second(
    request: pytest.FixtureRequest, rig: Rig, postgres_database: str, way: str
) -> None:
    """Told to one instance, under load on both; nothing is accepted after that, and it does not come back."""
    redis = request.getfixturevalue("redis_database") if way == "with Redis" else None
    number = 204 if rig.is_full else len(KINDS)
    environment = {"FARTHING_MASTER_KEY": MASTER}
    site = await rig.start(postgres_database, instances=2, workers=2, keys=number, redis=redis, environment=environment)
    followed = list[tuple[float, list[Heard]]]()
    headers = {"authorization": f"Bearer {MASTER}"}
    async with aiohttp.ClientSession(site.gateway.url, headers=headers) as admin:
        for start in range(0, number, AT_ONCE):
            some = enumerate(site.holders[start : start + AT_ONCE])
            followed += await asyncio.gather(
                *(follow(site, admin, holder, KINDS[place % len(KINDS)]) for place, holder in some)
            )
    delays = [seconds for seconds, _ in followed]
    heard = [each for _, of_one in followed for each in of_one]
    await site.books.settled(sum(each.is_complete for each in heard))
    await check(site.books, heard, rig.vendors.entries())
    rig.tell(
        f"F28 {way}",
        f"{number} keys revoked, cut short or forbidden their model, under load on 2 x 2 workers: last accepted "
        f"{max(0.0, percentile(delays, 0.5)):.2f} s after (median), {max(0.0, percentile(delays, 0.99)):.2f} s (p99)",
    )
    rig.gate("seconds until the last is accepted", percentile(delays, 0.99), EFFECTIVE_S)
