"""Rows without a cost are looked at when a price may have become known, and only then."""

from __future__ import annotations

import pytest

from farthing.app import repricing
from farthing.app.repricing import LateRows
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.settings import Settings
from farthing.store import Store
from farthing.store.repricing import Priced, Repriced
from tests.unit.app.conftest import SettingsOf


async def test_rows_are_looked_at_once_for_each_configuration(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start and after a change; while the database is away it is tried again; what was found is told."""
    caplog.set_level("INFO", "farthing.app.repricing")
    seen: list[Settings] = []
    is_away = True

    async def priced(_store: Store, settings: Settings) -> Repriced:
        seen.append(settings)
        if is_away:
            raise Unavailable("away")
        return Repriced({("p", "m"): Priced(rows=2, cost=1_500_000_000)})

    monkeypatch.setattr(repricing, "reprice", priced)
    first, second = settings_of(), settings_of()
    storage = Storage(first, ManualClock())
    rows = LateRows(storage.store, first)
    await rows.price()
    is_away = False
    for _ in range(3):
        await rows.price()
    rows.configure(second)
    for _ in range(3):
        await rows.price()
    assert [id(settings) for settings in seen] == [id(first), id(first), id(second)]
    assert caplog.messages == ["2 requests whose price was not known have cost $1.50"] * 2
    await storage.aclose()
