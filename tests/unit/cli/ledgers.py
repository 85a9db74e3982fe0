"""Databases with requests in them, for commands that read or mend the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from farthing.background.clock import SystemClock
from farthing.domain.exchange import Exchange
from farthing.store import Store, migrate, open_store


def filled(folder: Path, exchanges: Sequence[Exchange]) -> str:
    """The URL of a new database with these requests."""
    url = f"sqlite:///{folder}/ledger.db"

    async def job() -> None:
        await migrate(url)
        store = open_store(url, clock=SystemClock())
        await store.ingest.write(exchanges)
        await store.aclose()

    asyncio.run(job())
    return url


def total(url: str) -> dict[str, Any]:
    """Everything spent so far, in nano-dollars, as the sums say it."""

    async def job() -> dict[str, Any]:
        store: Store = open_store(url, clock=SystemClock())
        try:
            return (await store.queries.stats(None))["overall"]  # type: ignore[no-any-return]
        finally:
            await store.aclose()

    return asyncio.run(job())
