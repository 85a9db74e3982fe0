"""A hold that grows for a fallback is judged by all that the request may cost."""

from __future__ import annotations

import asyncio

import pytest

from farthing.domain.errors import InsufficientQuota
from tests.unit.money.lessor import MemoryLessor
from tests.unit.money.samples import MODEL, needs
from tests.unit.money.test_leases import BUDGET, START, Worker


async def test_a_larger_hold_that_others_left_no_room_for_uses_a_budget_up() -> None:
    """What counts is the whole that the request may cost, not what is missing to it."""
    lessor = MemoryLessor()
    one, other = Worker("w1", lessor, BUDGET), Worker("w2", lessor, BUDGET)
    await one.spend(400)
    hold = await other.hold(100)
    grant = hold.raise_to(MODEL, needs(650))
    assert grant is not None
    with pytest.raises(InsufficientQuota, match=r"may cost \$0\.00000065"):
        await grant
    assert other.ledger.used_up(START) == {"b1"}
    await asyncio.gather(*one.tasks, *other.tasks)
