"""A worker that starts while the database is away knows what its host knew, and says where it knows nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from farthing.app import snapshots
from farthing.app.keyring import STALE_S
from farthing.app.snapshots import FIRST_PATIENCE_S
from farthing.domain.budget import Budget
from farthing.domain.errors import Unauthenticated, Unavailable
from farthing.settings import Settings
from tests.unit.app.conftest import SettingsOf
from tests.unit.app.test_snapshots import NOW_US, Rig

HARD = Budget(id="b", tenant="acme", scope="key", subject="sk-a", window="total", limit=5_000_000_000)


class Restart:
    """Workers of one host, one after the other, whose database can be taken away."""

    def __init__(self, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.path = folder / "keys"
        self._monkeypatch = monkeypatch

    async def start(self, *, without: bool = False) -> Rig:
        """The next worker; `without` the database."""
        rig = Rig(self.settings, key_file=self.path)
        await rig.storage.prepare()
        if without:
            self.take_away(rig)
        await rig.refresher.first_refresh()
        await rig.refresher.first_refresh_spending()
        return rig

    def take_away(self, rig: Rig) -> None:
        """From now on this worker's database does not answer."""

        async def away(*_: object) -> None:
            raise Unavailable("away")

        self._monkeypatch.setattr(rig.storage.store.keys, "changes", away)
        self._monkeypatch.setattr(rig.storage.store.budgets, "load", away)
        self._monkeypatch.setattr(snapshots, "FIRST_PAUSE_S", 0.0)

    async def end(self, rig: Rig) -> None:
        """In good order, after what it knows was written."""
        await rig.refresher.keep_keys()
        await rig.storage.aclose()


@pytest.fixture
def restart(settings_of: SettingsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Restart:
    """Off loopback, so that no gateway is open."""
    return Restart(settings_of('[server]\nhost = "0.0.0.0"\n'), tmp_path, monkeypatch)


async def test_a_start_without_the_database_knows_whom_this_host_has_let_in(restart: Restart) -> None:
    """A revoked key stays out, one that is not known is told to wait, budgets are in force."""
    one = await restart.start()
    for name in ("sk-a", "sk-b"):
        await one.make_key(name)
    await one.storage.store.keys.revoke("sk-b", revoked_at_us=NOW_US)
    await one.storage.store.budgets.create(HARD, created_at_us=NOW_US)
    await one.refresher.refresh()
    await one.refresher.refresh_spending()
    await restart.end(one)
    two = await restart.start(without=True)
    assert two.refresher.may_serve()
    assert two.admit("sk-a").tenant == "acme"
    assert (two.refresher.spending[0], two.ledger.has_budgets) == ([HARD], True)
    with pytest.raises(Unauthenticated):
        two.admit("sk-b")
    with pytest.raises(Unavailable):
        two.admit("sk-c")
    await two.storage.aclose()


async def test_what_was_only_recalled_is_not_written_again(restart: Restart) -> None:
    """Else it would never grow old."""
    one = await restart.start()
    await one.make_key("sk-a")
    await one.refresher.refresh()
    await restart.end(one)
    before = restart.path.read_bytes()
    two = await restart.start(without=True)
    two.clock.advance(STALE_S)
    await two.refresher.refresh()
    assert two.admit("sk-a").tenant == "acme"
    await two.refresher.keep_keys()
    assert restart.path.read_bytes() == before
    two.clock.advance(1)
    await two.refresher.refresh()
    with pytest.raises(Unavailable):
        two.admit("sk-a")
    await two.storage.aclose()


async def test_a_worker_that_never_knew_a_key_is_not_ready(restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the database tells; whoever comes meanwhile is told to wait."""
    rig = await restart.start(without=True)
    assert not rig.refresher.may_serve()
    monkeypatch.undo()
    await rig.refresher.refresh()
    assert rig.refresher.may_serve()
    restart.take_away(rig)
    await rig.refresher.refresh()
    assert rig.refresher.may_serve()
    await rig.storage.aclose()


@pytest.mark.parametrize(
    ("host", "key", "may_serve"),
    [("127.0.0.1", "sk-master", True), ("127.0.0.1", "", False), ("0.0.0.0", "sk-master", False)],  # noqa: S104
)
async def test_a_master_key_is_enough_where_no_balancer_asks(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch, host: str, key: str, *, may_serve: bool
) -> None:
    """Others may have been let in by other workers."""
    rig = Rig(settings_of(f'[server]\nhost = "{host}"\n', FARTHING_MASTER_KEY=key))

    async def away(_: int | None) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(rig.storage.store.keys, "changes", away)
    await rig.refresher.refresh()
    assert rig.refresher.may_serve() is may_serve
    await rig.storage.aclose()


async def test_a_database_that_keeps_silent_is_not_waited_for_long(
    restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try may take its time; once a second is over the start goes on without."""
    rig = Rig(restart.settings)
    tries = list[int]()

    async def silent(_: int | None) -> None:
        tries.append(1)
        rig.clock.advance(FIRST_PATIENCE_S)
        raise Unavailable("silent")

    monkeypatch.setattr(rig.storage.store.keys, "changes", silent)
    await rig.refresher.first_refresh()
    assert len(tries) == 2
    await rig.storage.aclose()


@pytest.mark.parametrize("key", ["", "sk-master"])
async def test_no_gateway_is_open_on_the_word_of_a_file(
    settings_of: SettingsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """On loopback without any key; where there is a master key the file tells that it is the only one."""
    restart = Restart(settings_of(FARTHING_MASTER_KEY=key), tmp_path, monkeypatch)
    await restart.end(await restart.start())
    rig = await restart.start(without=True)
    with pytest.raises(Unavailable):
        rig.admit(None)
    assert rig.refresher.may_serve() is (key != "")
    await rig.storage.aclose()
