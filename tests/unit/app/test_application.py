"""The wired application: what a reload changes, and what a database that is away does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from farthing.app import storage
from farthing.app.application import from_environment
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.errors import Unavailable
from farthing.insight.alerting import Alerting
from farthing.store.cache_level import SqlCacheLevel
from tests.servers.asgi import Client, lifespan, own_logging, running
from tests.unit.app.conftest import SettingsOf

LOCAL = '[providers.local]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
MODEL = '[[models]]\nname = "{}"\nprovider = "local"\n'


async def models(client: Client) -> list[str]:
    """The concrete models that can be asked."""
    return list((await client.get("/providers")).json["models"])


async def test_a_good_file_is_taken_over_and_a_bad_one_changes_nothing(
    settings_of: SettingsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a restart; a mistake is logged with its place."""
    settings = settings_of(LOCAL + MODEL.format("before"))
    for name in [name for name in os.environ if name.startswith("FARTHING_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "farthing.toml"
    async with running(settings) as application:
        client = Client(application)
        assert await models(client) == ["before"]
        file.write_text(LOCAL + MODEL.format("after"))
        await application.reload()
        assert await models(client) == ["after"]
        for text in ("[server]\nport = 'x'\n", "not TOML", LOCAL + '[[models]]\nname = "x"\nprovider = "never"\n'):
            file.write_text(text)
            await application.reload()
            assert await models(client) == ["after"]
        file.unlink()
        await application.reload()
        assert await models(client) == ["after"]


async def test_sign_on_and_alerts_come_and_go_with_the_file(
    settings_of: SettingsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a restart; what needs one is named."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("FARTHING_WEBHOOK_SECRET", "0123456789abcdef")
    monkeypatch.setenv("FARTHING_OIDC_CLIENT_SECRET", "known to both")
    told: list[list[str]] = []
    monkeypatch.setattr(Alerting, "configure", lambda _, channels: told.append([each.name for each in channels]))
    file, sign_on = tmp_path / "farthing.toml", '[oidc]\nissuer = "http://127.0.0.1:9"\nclient_id = "g"\n'
    sign_on += 'default_role = "member"\n'
    whole = f'{LOCAL}{sign_on}public_url = "http://127.0.0.1:8000"\ntenant = "acme"\n[log]\nlevel = "debug"\n'
    async with running(settings_of(LOCAL)) as application:
        client = Client(application)
        assert (await client.post("/logout", {})).status == 404
        file.write_text(whole + '[alerts]\nwebhook_url = "http://127.0.0.1:9/"\n')
        await application.reload()
        assert (await client.post("/logout", {})).status == 403
        assert (await client.get("/providers")).status == 401
        file.write_text(LOCAL)
        await application.reload()
        assert (await client.post("/logout", {})).status == 404
    assert told == [[], ["webhook"], []]
    assert [line[-7:] for line in capsys.readouterr().err.splitlines() if "restart" in line] == [": [log]"]


async def test_a_worker_finds_everything_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its parent has left it there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("FARTHING_DEMO", "1")
    with own_logging():
        application = from_environment()
        async with lifespan(application):
            assert "demo/small" in await models(Client(application))


async def test_a_database_that_is_away_is_asked_again(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time that it is needed, until it has the schema; then never more."""
    asked: list[str] = []
    away = True

    async def is_current(url: str) -> bool:
        asked.append(url)
        if away:
            raise Unavailable("The database does not answer.")
        return True

    monkeypatch.setattr(storage, "is_current", is_current)
    kept = Storage(settings_of(), ManualClock())
    await kept.prepare()
    assert "does not answer" in caplog.text
    away = False
    await kept.prepare()
    await kept.prepare()
    assert len(asked) == 2
    await kept.aclose()


async def test_sweeping_waits_for_the_database(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error that it is away."""

    async def sweep(_: SqlCacheLevel) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(SqlCacheLevel, "sweep", sweep)
    kept = Storage(settings_of(), ManualClock())
    await kept.sweep()
    await kept.aclose()
