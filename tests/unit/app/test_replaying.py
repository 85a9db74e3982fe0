"""What another policy would have done, told by a process of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from farthing.app import replaying
from farthing.app.replaying import Replayer, policy_of, told
from farthing.app.training import train
from farthing.background.clock import SystemClock
from farthing.domain.errors import Conflict, Unavailable
from farthing.domain.secrecy import Secret
from farthing.embeddings.fake import FakeModel
from farthing.ports import Stretch
from farthing.ports.embedding import Embed
from farthing.ports.replay import Question
from farthing.settings import Settings
from farthing.store import Store, open_store
from tests.servers.sqlite import migrated
from tests.unit.app.conftest import SettingsOf
from tests.unit.app.lessons import MODELS, teach

SECRET = Secret(b"secret")
BEGIN_US = 1_764_590_400_000_000
SETTINGS = f"""{MODELS}
[routing]
baseline = "large"
"""


def question(**changes: Any) -> Question:
    """About the first hour of a tenant."""
    stretch = Stretch(BEGIN_US, BEGIN_US + 3_600_000_000)
    fields: dict[str, Any] = {"tenant": "acme", "strategy": "learning", "stretch": stretch, "limit": 1_000}
    return Question(**fields | changes)


@pytest.fixture
def settings(settings_of: SettingsOf, tmp_path: Any) -> Settings:
    """Of two models, with an empty database."""
    url = f"sqlite:///{tmp_path / 'farthing.db'}"
    migrated(url)
    return settings_of(SETTINGS, DATABASE_URL=url)


async def filled(settings: Settings, embed: Embed | None = None) -> Store:
    """The store with forty rated answers, and what is learned from them in force."""
    store = open_store(settings.database.url.get_secret_value(), clock=SystemClock(), secret=SECRET)
    await teach(store, from_us=BEGIN_US)
    trained = await train(store, lambda *_: None, embed)
    turn = await store.runs.begin("r1", at_us=SystemClock().now_us(), summary={})
    assert turn is not None
    assert await store.runs.finish("r1", turn, "kept", trained.summary, trained.payload)
    return store


async def test_the_process_tells_what_is_told_here(settings: Settings) -> None:
    """From the same database, by what is in force."""
    store = await filled(settings)
    here = await told(store, question(), policy_of(question(), settings))
    await store.aclose()
    assert (here["requests"], here["strategy"], here["floor"]) == (40, "learning", 0.02)
    assert {row["model"]: row["actual_requests"] for row in here["models"]} == {"small": 20, "large": 20}
    assert await Replayer(settings, SECRET)(question()) == here


async def test_what_is_not_ours_decides_nothing(settings: Settings) -> None:
    """Where another secret signed what was learned, the strategy decides as complexity does."""
    store = await filled(settings)
    await store.aclose()
    replayer = Replayer(settings, Secret(b"another"))
    replayer.configure(settings)
    assert "Nothing is learned yet: learning decides as complexity does." in (await replayer(question()))["warnings"]


async def test_what_was_learned_with_embeddings_is_asked_with_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question is embedded; where that cannot be done nothing is learned."""
    model = FakeModel()
    store = await filled(settings, model)
    monkeypatch.setattr(replaying, "load_model", lambda: model)
    monkeypatch.setattr(replaying, "lacking", list)
    model.asked.clear()
    found = await told(store, question(), policy_of(question(), settings))
    assert set(model.asked) == {
        f"Add {n} and {n * 7}." if n % 2 else f"Write a poem about shore {n}." for n in range(20)
    }
    unlearned = "Nothing is learned yet: learning decides as complexity does."
    assert unlearned not in found["warnings"]
    monkeypatch.setattr(replaying, "lacking", lambda: ["onnxruntime"])
    assert unlearned in (await told(store, question(), policy_of(question(), settings)))["warnings"]
    await store.aclose()


async def test_one_at_a_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks meanwhile is told to wait, and one that takes too long is broken off."""
    monkeypatch.setattr(replaying, "LONGEST", timedelta(seconds=0.01))
    replayer = Replayer(settings, SECRET)
    first = asyncio.create_task(replayer(question()))
    await asyncio.sleep(0)
    with pytest.raises(Conflict) as refusal:
        await replayer(question())
    assert refusal.value.code == "replay_under_way"
    with pytest.raises(Unavailable, match="took too long"):
        await first


async def test_a_database_that_is_away_is_said(settings: Settings, tmp_path: Any) -> None:
    """The process says nothing, and the caller may ask again."""
    (tmp_path / "farthing.db").unlink()
    (tmp_path / "farthing.db").mkdir()
    with pytest.raises(Unavailable, match="broken off"):
        await Replayer(settings, SECRET)(question())


def test_the_policy_is_what_the_question_supposes(settings: Settings) -> None:
    """Its pool is what is routed, its prices go before others, its floor before the configured one."""
    found = policy_of(question(pool=("large",), prices={"large": (1.0, 2.0)}, floor=0.1), settings)
    ((moment, catalogue),) = found.days
    assert (moment, found.floor, found.repriced) == (BEGIN_US, 0.1, frozenset({"large"}))
    assert [name for name, model in catalogue.models.items() if model.routed] == ["large"]
    price = catalogue.models["large"].price
    assert price is not None
    assert price.estimate(1_000_000, 1_000_000) == 3 * 10**9


def test_each_change_of_a_price_is_known(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that is asked about."""
    hour = 3_600_000_000
    monkeypatch.setattr(replaying, "next_price_change", lambda _, at_us: at_us + hour // 2)
    assert [moment for moment, _ in policy_of(question(), settings).days] == [BEGIN_US, BEGIN_US + hour // 2]
