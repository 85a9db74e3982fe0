"""A request passes its caller's budgets before a model is asked: refused, delayed, or planned more cheaply."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from farthing.domain.budget import Budget, Step
from farthing.domain.errors import InsufficientQuota, InvalidRequest
from farthing.domain.keys import Caller
from farthing.money.leases import Purse
from farthing.providers.fake import answer
from tests.unit.gateway.rig import Rig, chat, completion
from tests.unit.gateway.test_dispatch import asked
from tests.unit.money.lessor import MemoryLessor

FILE = {"type": "file", "file": {"file_id": "f"}}
LONG = "Prove step by step why the algorithm is correct: def f(x): return sum(i ** 2 for i in range(x))"


def limited(rig: Rig, *, spent: int = 0, **facts: Any) -> Budget:
    """A hard budget for the rig's tenant, of which so much is spent."""
    everything: dict[str, Any] = {"scope": "tenant", "subject": "acme", "limit": 1_000_000_000, "tenant": "acme"}
    budget = Budget(id="b", window="total", **(everything | facts))
    rig.ledger.load([budget], {"b": spent}, today={}, at_us=rig.clock.now_us())
    return budget


async def test_near_its_end_auto_is_planned_one_tier_lower() -> None:
    """And the answer says so; a model asked for by name is not replaced."""
    rig = Rig([answer(completion()) for _ in range(3)])
    await rig.ask(chat(LONG, model="auto"))
    limited(rig, spent=950_000_000, degrade=(Step(90, "cheaper"),))
    reply = await rig.pipeline.run(rig.call(chat(LONG, model="auto")))
    before, after = asked(rig)
    assert (before, after) == ("large", "middle")
    assert reply.draft.is_thrifty
    reply = await rig.pipeline.run(rig.call(chat(LONG, model="large")))
    assert (asked(rig)[2], reply.draft.is_thrifty) == ("large", False)


async def test_at_its_end_only_kept_answers_are_given() -> None:
    """A kept one passes, a new question is refused before anybody is asked."""
    rig = Rig([answer(completion())])
    first = await rig.ask(chat(), cache=True)
    limited(rig, spent=980_000_000, degrade=(Step(90, "cheaper"), Step(97, "cache_only")))
    assert await rig.ask(chat(), cache=True) == first
    with pytest.raises(InsufficientQuota, match="only answers that are kept already"):
        await rig.ask(chat("Something new?"), cache=True)
    assert (asked(rig), rig.ledger.open_holds) == (["small"], 0)


async def test_a_model_whose_budget_is_spent_leaves_its_place_to_the_next() -> None:
    """Another model may have money left."""
    rig = Rig([answer(completion(model="middle"))])
    limited(rig, scope="model", subject="small", limit=1, spent=1)
    await rig.ask(chat(model="auto"))
    assert asked(rig) == ["middle"]


async def test_where_no_model_can_be_paid_the_first_refusal_is_told() -> None:
    """Nobody is asked, nothing stays held, and the breakers think nothing of it."""
    rig = Rig([])
    limited(rig, limit=1, spent=1)
    with pytest.raises(InsufficientQuota, match="this one may cost"):
        await rig.ask(chat(model="auto"))
    assert (asked(rig), rig.ledger.open_holds) == ([], 0)
    assert rig.breakers.of("fake", "small").admits()


def leasing(rig: Rig) -> MemoryLessor:
    """The rig's budget is shared with other workers."""
    lessor = MemoryLessor()
    rig.ledger.purse = Purse(lessor=lessor, worker="w1", clock=rig.clock, spawn=rig.supervisor.spawn)
    lessor.limits["b"] = limited(rig).limit
    return lessor


async def test_a_request_waits_for_its_lease() -> None:
    """Then it is asked, and settled from the lease."""
    rig = Rig([answer(completion())])
    lessor = leasing(rig)
    await rig.ask(chat(max_tokens=100))
    [account] = rig.ledger.accounts.values()
    assert (lessor.grants, asked(rig), account.held, account.settled) == (1, ["small"], 0, 15_000)


async def test_a_client_that_leaves_while_money_is_leased_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No hold, no open record, and a breaker that may be asked again."""
    rig = Rig([answer(completion())])
    lessor = leasing(rig)
    gate, grant = asyncio.Event(), lessor.grant

    async def slow(*arguments: Any) -> None:
        await gate.wait()
        await grant(*arguments)

    monkeypatch.setattr(lessor, "grant", slow)
    request = asyncio.ensure_future(rig.ask(chat(max_tokens=100)))
    await asyncio.sleep(0.01)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    gate.set()
    await rig.supervisor.stop()
    [account] = rig.ledger.accounts.values()
    assert (account.held, rig.ledger.open_holds, len(rig.recorder.drafts)) == (0, 0, 0)
    assert [exchange.status for exchange in rig.journal.settled] == ["cancelled"]


async def test_what_the_caller_allows_is_held_against_the_most_it_can_cost() -> None:
    """A long limit on the answer is taken at its word, before anybody is asked."""
    rig = Rig([answer(completion())])
    with pytest.raises(InvalidRequest, match="could cost \\$") as refusal:
        await rig.ask(chat(max_tokens=100_000), max_cost=50_000_000)
    assert (refusal.value.status, refusal.value.code, asked(rig)) == (400, "cost_limit_exceeded", [])
    with pytest.raises(InvalidRequest, match="could cost"):
        await rig.ask(chat(max_tokens=1_000, n=60), max_cost=50_000_000)
    with pytest.raises(InvalidRequest, match="could cost"):
        await rig.ask(chat(max_tokens=1_000, messages=[{"role": "user", "content": [FILE]}]), max_cost=50_000_000)
    await rig.ask(chat(max_tokens=1_000), max_cost=50_000_000)


async def test_questions_of_unknown_length_do_not_pass_a_budget_together() -> None:
    """Of a file only its vendor knows how much there is to read: while one is read, another of its kind waits."""
    rig = Rig([answer(completion()), answer(completion())])
    limited(rig, limit=1_500_000_000)
    body = chat(max_tokens=10, messages=[{"role": "user", "content": [FILE]}])
    first, second = await asyncio.gather(rig.ask(body), rig.ask(body), return_exceptions=True)
    assert isinstance(second, InsufficientQuota)
    assert isinstance(first, bytes)
    await rig.ask(body)
    assert [exchange.status for exchange in rig.journal.settled] == ["rejected", "ok", "ok"]


async def test_a_tenant_without_a_budget_is_not_held_up_by_others() -> None:
    """Its requests hold nothing."""
    rig = Rig([answer(completion())])
    limited(rig, tenant="other", subject="other", limit=0)
    assert rig.ledger.open(Caller(tenant="acme")).fixed == []
    await rig.ask(chat())
