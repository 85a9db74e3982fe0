"""What a row leaves behind: nothing set aside, no connection, no secret, no process, a good end and short logs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.faults.rig.cluster import callers_of, workers
from tests.faults.rig.load import Holder, until
from tests.faults.rig.site import Site
from tests.security.canaries import leaks
from tests.servers.gateway import Gateway

RELEASED_S = 60.0
"""In which what was held for a request is free again, whatever became of it."""
GONE_S = 5.0
"""In which the connections of clients that have left are closed, and the processes of a gateway that has ended."""
LOGGED_BYTES = 1024
"""For each request."""
TOLD_BYTES = 64 * 1024
"""What a gateway may log besides, of its starts and of what goes wrong around it."""
SECRET = ("SECRET", "KEY")
"""In the names of variables whose values nobody may read in a log."""


async def remains(site: Site) -> list[str]:
    """What is wrong with what a row has left, beside its money: O3 of holds, O5, and O7 to O9. Ends its gateways."""
    serving = [each for each in site.gateways if each.running]
    if serving:
        wrong = [*await still_held(site), *await still_open(serving)]
        rows = await site.books.count()
    else:
        wrong, rows = [], 0
    return wrong + await ended(site.gateways, site.holders, rows=rows if serving else None)


async def still_held(site: Site) -> list[str]:
    """Money that is set aside although nobody asks for anything any more."""

    async def is_free() -> bool:
        return await site.books.held() == 0

    try:
        await until(is_free, within_s=RELEASED_S)
    except AssertionError:
        return [f"O3: {await site.books.held()} nano-dollars still held after {RELEASED_S:.0f} s"]
    return []


async def still_open(serving: Iterable[Gateway]) -> list[str]:
    """Connections whose clients have gone."""

    def held() -> int:
        return sum(len(callers_of(pid, at=each.port)) for each in serving if each.running for pid in workers(each))

    try:
        await until(lambda: not held(), within_s=GONE_S)
    except AssertionError:
        return [f"O7: {held()} connections of clients that have gone"]
    return []


async def ended(gateways: Sequence[Gateway], holders: Sequence[Holder] = (), *, rows: int | None = None) -> list[str]:
    """Ends them all: status 0 wherever one was told to, nothing of them is left, and the logs are short and discreet.

    `rows` is how many requests the logs are about, where that is known.
    """
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in gateways))
    wrong = [f"O9: ended with {status}" for each in gateways for status in each.statuses if status != 0]
    try:
        await until(lambda: not any(living(each.folder) for each in gateways), within_s=GONE_S)
    except AssertionError:
        wrong += [f"O9: processes {living(each.folder)} are left" for each in gateways]
    logs = [("the log", each.log.read_bytes()) for each in gateways]
    secrets = {f"the key of {holder.key_id}": holder.secret for holder in holders}
    for each in gateways:
        secrets |= {name: value for name, value in (each.environment or {}).items() if name.endswith(SECRET)}
    wrong += [f"O5: {leak}" for leak in leaks(secrets, logs)]
    size = sum(len(said) for _, said in logs)
    if rows is not None and size > TOLD_BYTES * len(gateways) + LOGGED_BYTES * rows:
        wrong.append(f"O8: {size} bytes of logs about {rows} requests")
    return wrong


def living(folder: Path) -> list[int]:
    """Processes that work in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found
