"""The databases that can hold the ledger."""

from __future__ import annotations

from collections.abc import Callable

from farthing.store.backends.base import Backend


def _sqlite(url: str) -> Backend:
    from farthing.store.backends.sqlite import Sqlite

    return Sqlite(url)


def _postgres(url: str) -> Backend:
    from farthing.store.backends.postgres import Postgres

    return Postgres(url)


BACKENDS: dict[str, Callable[[str], Backend]] = {"sqlite": _sqlite, "postgresql": _postgres, "postgres": _postgres}
"""By the scheme of the database's URL; each imports its driver when it is first used."""


def backend_for(url: str) -> Backend:
    """The backend that `url` asks for. Raises ValueError for a scheme that is not in `BACKENDS`."""
    scheme = url.partition("://")[0]
    if scheme not in BACKENDS:
        raise ValueError("a database URL begins with sqlite:/// or postgresql://")
    return BACKENDS[scheme](url)
