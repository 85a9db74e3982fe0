"""Prompts are embedded before what was learned decides, and only then."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from farthing.domain.experiments.definition import Arm
from farthing.domain.routing import strategies_with
from farthing.domain.scope import Scope
from farthing.providers.fake import answer
from tests.unit.domain.routing.foretelling import Told, often
from tests.unit.gateway.rig import Rig, chat, completion
from tests.unit.gateway.test_trials import experiment, known, user_in


class Embedder:
    """Notes what it is asked for; holds back until it is let go, if it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def embed(self, text: str) -> None:
        """Notes it."""
        self.asked.append(text)
        await self.let_go.wait()

    def recall(self, text: str) -> NDArray[Any] | None:
        """Whatever was asked for."""
        return np.zeros(2, dtype=np.float32) if text in self.asked else None

    def told(self, text: str) -> NDArray[Any]:
        """Nothing in it."""
        return np.zeros(2, dtype=np.float32)


class Recalling(Told):
    """The large model is worth more where the prompt's embedding is known."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__({"small": 0.9, "middle": 0.9, "large": 0.9})
        self._known = Told({"small": 0.5, "middle": 0.5, "large": 0.9})
        self._embedder = embedder

    def outlook(self, text: str) -> Any:
        """By what is recalled."""
        if self._embedder.recall(text) is None:
            return super().outlook(text)._replace(is_whole=False)
        return self._known.outlook(text)


@pytest.fixture
def embedder() -> Embedder:
    """One for the test."""
    return Embedder()


def rigged(embedder: Embedder, **snapshot: Any) -> Rig:
    """A gateway whose learned strategies read embeddings."""
    strategies = strategies_with(Recalling(embedder), rated=often("small", "middle", "large"))
    return Rig(lambda _: answer(completion()), embedder=embedder, strategies=strategies, exploration=0.0, **snapshot)


@pytest.mark.parametrize(
    ("model", "strategy", "asked"),
    [
        ("auto", "hybrid", ["What is Python?"]),
        ("auto", "complexity", []),
        ("farthing/learning", "complexity", ["What is Python?"]),
        ("farthing/complexity", "hybrid", []),
        ("small", "hybrid", []),
    ],
)
async def test_only_what_is_decided_by_what_was_learned_is_embedded(
    embedder: Embedder, model: str, strategy: str, asked: list[str]
) -> None:
    """Nothing is added to other requests."""
    rig = rigged(embedder, strategy=strategy)
    await rig.ask(chat(model=model))
    assert embedder.asked == asked
    assert rig.journal.settled[-1].model == ("large" if asked else "small")


async def test_where_nothing_reads_embeddings_nobody_waits(embedder: Embedder) -> None:
    """A gateway without an embedder in force decides by words and traits."""
    rig = rigged(embedder)
    rig.snapshots.swap(replace(rig.snapshots.current, embedder=None))
    await rig.ask(chat(model="farthing/learning"))
    assert (embedder.asked, rig.journal.settled[-1].model) == ([], "small")


async def test_who_joins_an_identical_request_embeds_nothing(embedder: Embedder) -> None:
    """Two that come while the first is embedded lead only one call upstream."""
    rig = rigged(embedder)
    embedder.let_go.clear()
    asking = [rig.ask(chat(model="farthing/learning"), cache=True) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for each in asking:
            group.create_task(each)
        await asyncio.sleep(0)
        embedder.let_go.set()
    assert len(rig.transport.requests) == 1


async def test_an_arm_of_an_experiment_is_embedded_as_its_strategy_asks(embedder: Embedder) -> None:
    """Plans that were made to see whether every arm could answer are made anew with the embedding."""
    arms = Arm("control", "complexity", 0.5), Arm("test", "learning", 0.5)
    trial = experiment(arms=arms, scope=Scope(where="route", value="/v1/chat/completions"))
    rig = rigged(embedder)
    rig.snapshots.swap(replace(rig.snapshots.current, trials=known(trial)))
    for arm, asked, model in (("control", [], "small"), ("test", ["What is Python?"], "large")):
        await rig.ask(chat(model="auto"), user=user_in(arm, trial))
        assert (embedder.asked, rig.journal.settled[-1].model) == (asked, model)


async def test_an_arm_that_is_a_model_is_not_embedded(embedder: Embedder) -> None:
    """It is not decided at all."""
    rig = rigged(embedder)
    rig.snapshots.swap(replace(rig.snapshots.current, trials=known(experiment())))
    await rig.ask(chat(model="farthing/learning"), user=user_in("control"), experiment_id="exp-1")
    assert (embedder.asked, rig.journal.settled[-1].model) == ([], "small")
