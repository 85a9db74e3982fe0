"""What the rows of the fault matrix are played on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest

from farthing.domain.budget import Budget
from tests.faults.rig.aftermath import remains
from tests.faults.rig.cluster import Vendors, gateway, holders, limit, settings
from tests.faults.rig.load import Holder
from tests.faults.rig.plugin import PASSED
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


SERVERS = ("postgres_database", "pgbouncer_database", "pgbouncer", "redis_database", "redis_server")


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> None:
    """Those that the row names, there before its gateways and until these have ended."""
    for name in SERVERS:
        if name in request.fixturenames:
            request.getfixturevalue(name)


@pytest.fixture
async def rig(
    request: pytest.FixtureRequest, servers: None, vendors: Vendors, tell: Callable[[str, str], None], seed: int
) -> AsyncIterator[Rig]:
    """Everything, and no gateway yet; what a row that has passed leaves behind is looked at, too."""
    option = request.config.getoption
    started: list[Gateway] = []
    sites: list[Site] = []

    async def start(
        books: str | None = None,
        /,
        *,
        instances: int = 1,
        keys: int | None = None,
        budget: Callable[[Holder], Budget] | None = None,
        text: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Site:
        described = settings(**{"ports": {"a": vendors.port}, **(text or {})})
        made = [gateway(described, **{"database": books, **options}) for _ in range(instances)]
        started.extend(made)
        url = books or f"sqlite:///{made[0].folder / 'farthing.db'}"
        many = {"keys": 200, "tenants": 50} if option("--faults") else {}
        known = await holders(url, **(many if keys is None else {"keys": keys})) if keys != 0 else []
        if budget is not None:
            await limit(url, budget(known[0]))
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in made))
        sites.append(Site(made, url, known))
        return sites[-1]

    missed: list[str] = []
    yield Rig(vendors, start, tell, seed, option("--faults"), option("--longer"), missed)
    if request.node.stash.get(PASSED, False):
        missed += [complaint for site in sites for complaint in await remains(site)]
    for each in started:
        await asyncio.to_thread(each.stop)
        shutil.rmtree(each.folder, ignore_errors=True)
    tell(f"missed by {request.node.name}", "; ".join(missed))
    if missed:
        pytest.fail("; ".join(missed), pytrace=False)
