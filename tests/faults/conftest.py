"""What the rows of the fault matrix are played on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest

from farthing.domain.budget import Budget
from tests.faults.rig.cluster import Vendors, gateway, holders, limit, settings
from tests.faults.rig.load import Holder
from tests.faults.rig.site import Rig, Site
from tests.servers.gateway import Gateway


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """The vendor's process, in a good mood."""
    server = Vendors()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def rig(
    request: pytest.FixtureRequest, vendors: Vendors, tell: Callable[[str, str], None], seed: int
) -> AsyncIterator[Rig]:
    """Everything, and no gateway yet."""
    started: list[Gateway] = []

    async def start(
        books: str | None = None,
        /,
        *,
        instances: int = 1,
        keys: int = 8,
        budget: Callable[[Holder], Budget] | None = None,
        text: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Site:
        described = settings(**{"ports": {"a": vendors.port}, **(text or {})})
        made = [gateway(described, **{"database": books, **options}) for _ in range(instances)]
        started.extend(made)
        url = books or f"sqlite:///{made[0].folder / 'farthing.db'}"
        known = await holders(url, keys=keys) if keys else []
        if budget is not None:
            await limit(url, budget(known[0]))
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in made))
        return Site(made, url, known)

    missed: list[str] = []
    option = request.config.getoption
    yield Rig(vendors, start, tell, seed, option("--faults"), option("--longer"), missed)
    for each in started:
        await asyncio.to_thread(each.stop)
        shutil.rmtree(each.folder, ignore_errors=True)
    tell(f"missed by {request.node.name}", "; ".join(missed))
    if missed:
        pytest.fail("; ".join(missed), pytrace=False)
