"""F28: a key that was revoked is refused by every worker of every instance within a second, and for good."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from tests.faults.rig.load import Ask, Heard, Holder, percentile, send
from tests.faults.rig.site import Rig, Site
from tests.faults.rig.words import Wish

EFFECTIVE_S = 1.0
BUSY_S = 1.0
"""What a busy machine may add."""


async def revoke(site: Site, holder: Holder) -> float:
    """Revokes the key as people do; the moment in which the command ended."""
    program = Path(sys.executable).with_name("farthing")
    environment = {**os.environ, "DATABASE_URL": site.database, "HOME": str(site.gateway.folder)}
    done = await asyncio.create_subprocess_exec(
        program, "keys", "revoke", holder.key_id, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await done.wait() == 0
    return time.monotonic()


async def pester(site: Site, holder: Holder, number: int, over: asyncio.Event) -> list[Heard]:
    """Asks with the key again and again, every instance in turn."""
    heard = []
    for place in range(100_000):
        if over.is_set():
            break
        wish = Wish(nonce=f"{number}-{place}", chunks=1, first_ms=1, every_ms=1)
        port = site.ports[place % len(site.ports)]
        heard.append(await send(Ask(user=f"k{number}-{place}", wish=wish, holder=holder, stream=False), port))
    return heard


@pytest.mark.timeout(300)
async def test_a_revoked_key_is_refused_everywhere_within_a_second(rig: Rig, postgres_database: str) -> None:
    """Under load, on two instances of two workers, without Redis; nothing is accepted after that."""
    number = 20 if rig.is_full else 2
    site = await rig.start(postgres_database, instances=2, workers=2, keys=number)
    delays = []
    for place, holder in enumerate(site.holders):
        over = asyncio.Event()
        asking = asyncio.gather(*(pester(site, holder, 10 * place + each, over) for each in range(4)))
        await asyncio.sleep(0.3)
        revoked = await revoke(site, holder)
        await asyncio.sleep(EFFECTIVE_S + BUSY_S)
        over.set()
        heard = [each for some in await asking for each in some]
        assert any(each.status == 200 for each in heard)
        assert {each.status for each in heard} == {200, 401}
        delays.append(max(each.began for each in heard if each.status == 200) - revoked)
    assert max(delays) <= EFFECTIVE_S + BUSY_S / 2
    rig.tell(
        "F28",
        f"{number} keys revoked by command under load, 2 x 2 workers, no Redis: last accepted "
        f"{max(0.0, percentile(delays, 0.5)):.2f} s after (median), {max(0.0, *delays):.2f} s (most)",
    )
