"""What is thought of earlier answers reaches the database by itself."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from farthing.app.learning import Learning
from farthing.app.storage import Storage
from farthing.background.clock import ManualClock
from farthing.domain.alerts import Notice
from farthing.domain.errors import Unavailable
from farthing.domain.keys import Caller
from farthing.gateway.remarks import TRIES
from farthing.ports.learning import Lesson
from tests.conformance.store.samples import NOON_US, exchange
from tests.unit.app.conftest import SettingsOf

SECOND_US = 1_000_000
ANN = Caller(tenant="acme", key_id="key-1")
ASKED = Lesson(
    request_id="",
    created_at_us=NOON_US,
    tenant="acme",
    model="small",
    prompt="How do I sort a list of names?",
    cost=1,
    asker="user ann",
    context="c",
    answered_us=NOON_US + SECOND_US,
)
NOBODY: dict[str, Any] = {"is_lost": lambda: False, "in_force": lambda: ((), None)}


async def ignore(_: Notice) -> None:
    """Nobody listens."""


class Books:
    """A worker's learning over a database of its own."""

    def __init__(self, settings_of: SettingsOf) -> None:
        clock = ManualClock(NOON_US)
        self.storage = Storage(settings_of(), clock)
        self.learning = Learning(
            settings=settings_of(),
            storage=self.storage,
            clock=clock,
            new_id=lambda: "id",
            spawn=lambda *_: pytest.fail("nothing is begun"),
            announce=ignore,
            **NOBODY,
        )

    async def ask(self, at_s: int, **changes: Any) -> str:
        """A request whose question is noted and written."""
        at_us = NOON_US + at_s * SECOND_US
        row = exchange(created_at_us=at_us)
        await self.storage.store.ingest.write([row])
        fields = {"request_id": row.request_id, "created_at_us": at_us, "answered_us": at_us + SECOND_US}
        self.learning.lessons.give_back([replace(ASKED, **fields, **changes)])
        await self.learning.keep()
        return row.request_id

    async def sources(self) -> dict[str, tuple[float, int]]:
        """Mean and number of opinions by whose they are."""
        found = (await self.storage.store.queries.quality_stats("acme"))["by_source"]
        return {each["name"]: (each["quality"], each["votes"]) for each in found}


@pytest.fixture
async def books(settings_of: SettingsOf) -> Any:
    """Opened and closed again."""
    books = Books(settings_of)
    await books.storage.prepare()
    yield books
    await books.storage.aclose()


async def test_a_rating_by_header_is_written(books: Books) -> None:
    """Once for each key, the last one; what is of another tenant, or of nobody's, is looked for and then dropped."""
    request_id = await books.ask(0)
    remarks = books.learning.remarks
    for word in ("1", "correct"):
        remarks.note(ANN, {request_id: word})
    remarks.note(replace(ANN, tenant="bolt"), {request_id: "1"})
    remarks.note(ANN, {"unknown": "5"})
    for _ in range(TRIES):
        await books.learning.rate()
    assert await books.sources() == {"explicit": (1.0, 1)}
    assert (remarks.dropped, remarks.take()) == (2, [])


async def test_ratings_wait_while_the_database_is_away(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that is: it is no try."""
    request_id = await books.ask(0)
    books.learning.remarks.note(ANN, {request_id: "3", "unknown": "1"})

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(books.storage.store.feedback, "rate", away)
        for _ in range(TRIES + 1):
            await books.learning.rate()
    await books.learning.rate()
    assert await books.sources() == {"explicit": (0.5, 1)}


async def test_a_question_asked_again_speaks_against_the_answer(books: Books) -> None:
    """Once, apart from what people say, and the answer that was asked for again says nothing yet."""
    first = await books.ask(0)
    await books.ask(10)
    await books.learning.rate()
    assert await books.sources() == {"implicit": (0.25, 1)}
    ((rated),) = await books.storage.store.lessons.rated()
    assert (rated.source, rated.quality) == ("implicit", 0.25)
    await books.storage.store.feedback.rate(first, 5, tenant="acme", principal="key-1")
    assert await books.sources() == {"explicit": (1.0, 1), "implicit": (0.25, 1)}


async def test_who_does_not_want_it_has_none(books: Books, settings_of: SettingsOf) -> None:
    """Nor is anything told where it is not known who asks, or while the database is away."""
    books.learning.configure(settings_of("[learning]\nimplicit_feedback = false\n"))
    await books.ask(0)
    await books.ask(10)
    books.learning.configure(settings_of())
    await books.ask(20, asker=None)

    async def away(*_: object) -> None:
        raise Unavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(books.storage.store.lessons, "asked", away)
        await books.ask(30)
    assert books.learning.remarks.take() == []
