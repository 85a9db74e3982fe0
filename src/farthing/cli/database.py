"""The database, for commands that work on it without a running gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from farthing.background.clock import SystemClock
from farthing.cli.terminal import CommandError
from farthing.domain.errors import FarthingError
from farthing.settings import DatabaseSettings, without_password
from farthing.store import Store, is_current, migrate, open_store

T = TypeVar("T")

CLOCK = SystemClock()


def make_new(database: DatabaseSettings) -> None:
    """Makes the embedded database where there is none yet; what goes wrong is for whoever opens it to tell.

    A child process does it and takes the 11 MiB of Alembic along, which a gateway would else keep until it ends. It is
    forked, as loading everything anew would take half a second: there must be no other thread yet.
    """
    path = database.url.get_secret_value().partition("?")[0].removeprefix("sqlite:///")
    if path.startswith("postgresql:") or Path(path).exists():
        return
    child = get_context("fork").Process(target=_make, args=(database,))
    child.start()
    child.join()


def _make(database: DatabaseSettings) -> None:
    with suppress(CommandError):
        bring_up_to_date(database)


def bring_up_to_date(database: DatabaseSettings) -> bool:
    """Applies what the schema lacks; whether anything was to do. Raises `CommandError`."""
    return _run(database, migrate(database.url.get_secret_value()))


def is_up_to_date(database: DatabaseSettings) -> bool:
    """Whether the schema is the one of this release. Raises `CommandError`."""
    return _run(database, is_current(database.url.get_secret_value()))


def with_store(database: DatabaseSettings, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` makes of the database, whose schema is brought up to date first. Raises `CommandError`."""
    url = database.url.get_secret_value()

    async def job() -> T:
        await migrate(url)
        store = open_store(url, clock=CLOCK)
        try:
            return await work(store)
        finally:
            await store.aclose()

    return _run(database, job())


def _run(database: DatabaseSettings, job: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(job)
    except (FarthingError, OSError) as error:
        shown = without_password(database.url.get_secret_value())
        raise CommandError(f"{shown}: {str(error).rstrip('.')} (farthing doctor looks closer)") from error
