"""What was found of promises, on every database."""

from __future__ import annotations

from msgspec.structs import replace

from farthing.domain.routing.rules import Promise
from farthing.ports.learning import PromiseTest
from farthing.store import Store
from tests.conformance.store.samples import MINUTE_US, NOON_US

TEST = PromiseTest(
    rule="support",
    tested_at_us=NOON_US,
    since_us=NOON_US - MINUTE_US,
    promise=Promise(points=0.02, confidence=0.95),
    baseline="large",
    pairs=300,
    margin=0.05,
    challengers=frozenset({"small", "middle"}),
    share=0.625,
    loss=0.0078125,
    most=0.015625,
)
NEXT = replace(TEST, tested_at_us=NOON_US + MINUTE_US, pairs=330, margin=None, share=0.0, loss=None, most=None)


async def test_the_last_test_of_each_rule_is_kept(store: Store) -> None:
    """As it was noted, and everybody can tell that there is another."""
    assert (await store.promises.tests(), await store.promises.number()) == ({}, 0)
    other = replace(NEXT, rule="sales")
    assert await store.promises.note(TEST, before=None)
    assert await store.promises.note(other, before=None)
    assert await store.promises.tests() == {"support": TEST, "sales": other}
    assert await store.promises.note(NEXT, before=TEST)
    assert await store.promises.tests() == {"support": NEXT, "sales": other}
    assert await store.promises.number() == 3


async def test_of_two_who_test_at_once_one_is_believed(store: Store) -> None:
    """The second has looked at what was there before."""
    assert await store.promises.note(TEST, before=None)
    assert not await store.promises.note(NEXT, before=None)
    assert await store.promises.note(NEXT, before=TEST)
    assert not await store.promises.note(TEST, before=TEST)
    assert await store.promises.tests() == {"support": NEXT}
    assert await store.promises.number() == 2
