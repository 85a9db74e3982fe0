"""What was learned with embeddings decides where they are switched on, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.app import embedding, training
from farthing.app.learning import Learning
from farthing.app.snapshots import Refresher
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.background.supervisor import Supervisor
from farthing.domain.routing import STRATEGIES
from farthing.embeddings import minilm
from farthing.embeddings.fake import FakeModel
from farthing.money.ledger import Ledger
from farthing.ports.learning import Learned
from farthing.providers.fake import FakeTransport
from farthing.settings import Settings, SettingsError
from tests.conformance.store.samples import NOON_US
from tests.unit.app.conftest import SettingsOf
from tests.unit.app.lessons import teach
from tests.unit.app.test_learning import ignore
from tests.unit.domain.routing.samples import THREE, ask
from tests.unit.embeddings.models import DIMENSIONS, tiny

ON = '[learning]\nembeddings = "minilm"\n'
PROMPT = "Add 3 and 4."


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """What stands for MiniLM, as if it were installed."""
    fake = FakeModel()
    monkeypatch.setattr(embedding, "load_model", lambda: fake)
    monkeypatch.setattr("farthing.settings.sections.lacking", list)
    return fake


@pytest.fixture
async def storage(settings_of: SettingsOf, model: FakeModel) -> AsyncIterator[Storage]:
    """A database in which something is in force that was learned with embeddings."""
    storage = Storage(settings_of(), ManualClock(NOON_US))
    await storage.prepare()
    await teach(storage.store, from_us=NOON_US)
    trained = await training.train(storage.store, lambda *_: None, model)
    turn = await storage.store.runs.begin("run", at_us=NOON_US, summary={})
    assert turn is not None
    assert await storage.store.runs.finish("run", turn, "kept", trained.summary, trained.payload)
    yield storage
    await storage.aclose()


async def refreshed(storage: Storage, settings: Settings) -> Refresher:
    """A worker that has looked at what was learned."""
    clock = ManualClock(NOON_US)
    refresher = Refresher(
        settings=settings, storage=storage, ledger=Ledger(clock), transport=FakeTransport(), clock=clock
    )
    await refresher.refresh()
    await load(refresher)
    return refresher


async def load(refresher: Refresher) -> None:
    """As the worker does beside."""
    assert await refresher._learned.load()
    refresher._is_due = True
    await refresher.refresh()


async def test_requests_are_decided_with_their_embeddings(
    storage: Storage, settings_of: SettingsOf, model: FakeModel
) -> None:
    """Those that were embedded; the model has been made before the first of them comes."""
    refresher = await refreshed(storage, settings_of(ON))
    snapshot = refresher.snapshots.current
    assert snapshot.embedder is not None
    assert snapshot.unused is None
    assert model.asked[-1] == "What is a farthing?"
    learning = snapshot.strategies["learning"]
    without = learning.plan(ask(PROMPT), THREE).metadata["expected"]
    await snapshot.embedder.embed(PROMPT)
    assert model.asked[-1] == PROMPT
    assert learning.plan(ask(PROMPT), THREE).metadata["expected"] != without


async def test_without_embeddings_it_is_not_used(storage: Storage, settings_of: SettingsOf) -> None:
    """Complexity decides, nobody waits, and it is told why; what is learned anew then reads none."""
    refresher = await refreshed(storage, settings_of())
    snapshot = refresher.snapshots.current
    assert (snapshot.strategies, snapshot.embedder) == (STRATEGIES, None)
    assert snapshot.unused == "it reads embeddings, which `[learning] embeddings` does not switch on here"
    assert refresher.has_lost_what_was_learned


async def test_embeddings_are_switched_on_and_off_while_running(storage: Storage, settings_of: SettingsOf) -> None:
    """What is in force is then looked at anew; other changes leave the model where it is."""
    refresher = await refreshed(storage, settings_of())
    await refresher.configure(settings_of(ON))
    await refresher.refresh()
    await load(refresher)
    embedder = refresher.snapshots.current.embedder
    assert embedder is not None
    await refresher.configure(settings_of(ON + "retrain_every_hours = 1\n"))
    assert refresher.snapshots.current.embedder is embedder
    await refresher.configure(settings_of())
    await refresher.refresh()
    await load(refresher)
    assert refresher.snapshots.current.embedder is None
    assert refresher.has_lost_what_was_learned


async def test_what_changes_while_something_is_loaded_is_looked_at_once_more(
    storage: Storage, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was loaded meanwhile was loaded for the settings before."""
    refresher = await refreshed(storage, settings_of())
    followed = refresher._learned
    active = storage.store.runs.active

    async def changed() -> Learned | None:
        followed.configure(None)
        return await active()

    await refresher.configure(settings_of(ON))
    await refresher.refresh()
    monkeypatch.setattr(storage.store.runs, "active", changed)
    await load(refresher)
    assert refresher.snapshots.current.embedder is not None
    monkeypatch.setattr(storage.store.runs, "active", active)
    await refresher.refresh()
    await load(refresher)
    assert refresher.has_lost_what_was_learned


async def test_ratings_correct_what_was_expected_with_the_embedding(storage: Storage, settings_of: SettingsOf) -> None:
    """As requests are decided by it."""
    refresher = await refreshed(storage, settings_of(ON))
    foreteller = refresher._ratings._predictor
    assert foreteller is not None
    assert foreteller.outlook("Add 5 and 6.").is_whole


async def test_the_process_that_trains_is_told(storage: Storage, settings_of: SettingsOf) -> None:
    """Also after the settings have changed."""
    async with Supervisor(grace_s=1) as supervisor:
        learning = Learning(
            settings=settings_of(),
            storage=storage,
            clock=ManualClock(NOON_US),
            new_id=lambda: "run-2",
            spawn=supervisor.spawn,
            announce=ignore,
            is_lost=lambda: False,
            in_force=lambda: ((), None),
        )
        assert not learning._trainer.embeds
        learning.configure(settings_of(ON))
        assert learning._trainer.embeds


def test_what_is_not_installed_stops_the_start(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what lacks, and how to get it."""
    monkeypatch.setattr("farthing.settings.sections.lacking", lambda: ["onnxruntime"])
    with pytest.raises(SettingsError, match="expected onnxruntime to be installed: run uv sync --extra embeddings"):
        settings_of(ON)


def test_the_model_is_the_one_of_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from the folder of its package, for which a small one stands here."""
    package = tmp_path / "other_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    tiny(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(minilm, "PACKAGE", "other_weights")
    assert embedding.load_model()(["red"]).shape == (1, DIMENSIONS)
