"""Prompts wait for their embeddings without holding up anything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from farthing.embeddings import lacking, waiting
from farthing.embeddings.fake import FakeModel
from farthing.embeddings.waiting import WaitingEmbedder


class Held:
    """A model that waits until it is let go."""

    def __init__(self) -> None:
        self.model = FakeModel()
        self.let_go = threading.Event()

    def __call__(self, texts: Sequence[str]) -> NDArray[Any]:
        """As the fake one."""
        assert self.let_go.wait(10)
        return self.model(texts)


async def test_a_prompt_is_embedded_once_and_recalled() -> None:
    """The model is made when the first prompt comes."""
    made: list[FakeModel] = []

    def load() -> FakeModel:
        made.append(FakeModel())
        return made[-1]

    embedder = WaitingEmbedder(load)
    assert (made, embedder.recall("red")) == ([], None)
    await embedder.embed("red")
    await embedder.embed("red")
    (model,) = made
    assert model.asked == ["red"]
    found = embedder.recall("red")
    assert found is not None
    assert found.tolist() == FakeModel()(["red"])[0].tolist()
    assert embedder.told("red").tolist() == found.tolist()
    assert embedder.told("blue").tolist() == FakeModel()(["blue"])[0].tolist()
    assert model.asked == ["red", "blue"]


async def test_with_too_many_waiting_a_prompt_is_left() -> None:
    """At once; others are embedded in their order, and there is room again."""
    held = Held()
    embedder = WaitingEmbedder(lambda: held, most_waiting=2)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(embedder.embed(text)) for text in ("one", "two")]
        await asyncio.sleep(0)
        await embedder.embed("three")
        assert [task.done() for task in tasks] == [False, False]
        held.let_go.set()
    assert held.model.asked == ["one", "two"]
    assert embedder.recall("three") is None
    await embedder.embed("three")
    assert held.model.asked == ["one", "two", "three"]


async def test_who_stops_waiting_leaves_room() -> None:
    """A client that has gone takes no place; what had not begun is not embedded."""
    held = Held()
    embedder = WaitingEmbedder(lambda: held, most_waiting=2)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(embedder.embed(text)) for text in ("one", "two")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        third = group.create_task(embedder.embed("three"))
        await asyncio.sleep(0)
        held.let_go.set()
        await third
    assert held.model.asked == ["one", "three"]


async def test_the_last_prompts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest gives way."""
    monkeypatch.setattr(waiting, "REMEMBERED", 2)
    embedder = WaitingEmbedder(FakeModel)
    for text in ("one", "two", "three"):
        await embedder.embed(text)
    assert [embedder.recall(text) is None for text in ("one", "two", "three")] == [True, False, False]


async def test_of_a_long_prompt_only_what_is_read_is_kept() -> None:
    """One that goes on otherwise is the same to the model."""
    model = FakeModel()
    embedder = WaitingEmbedder(lambda: model)
    await embedder.embed("red " * 10_000)
    assert embedder.recall("red " * 10_000 + "blue") is not None
    assert list(embedder._remembered) == model.asked == ["red " * 1_024]


def test_texts_that_share_words_are_alike_to_the_fake() -> None:
    """As far as a model without weights can tell."""
    red, reds, blue = FakeModel()(["the red book", "the red door", "a blue sky"])
    assert red @ reds > 0.6 > red @ blue
    assert red @ red == pytest.approx(1)


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that are imported."""
    monkeypatch.setattr("farthing.embeddings.NEEDED", ("json", "no_such_package"))
    assert lacking() == ["no_such_package"]
