"""Exchanges and journals to test with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from farthing.domain.catalogue import Model
from farthing.domain.chat import Usage
from farthing.domain.exchange import Exchange, Intent
from farthing.domain.pricing import PriceSheet, Rates
from farthing.domain.routing.plan import Needs
from farthing.money import folder
from farthing.money.journal import Journal
from farthing.money.recovery import Estate

DECISION = '{"candidates":[{"model":"demo/small","reason":"cheapest"}],"metadata":{"length":0.1}}'


_ONE_NANO = 1_000_000
MODEL = Model(
    name="demo/small",
    provider="demo",
    upstream="small",
    dialect="openai",
    tier="simple",
    price=PriceSheet(
        version="test",
        steps=(
            (0, Rates(**dict.fromkeys((name for name in Rates.__struct_fields__ if name != "per_request"), _ONE_NANO))),
        ),
    ),
)
"""A nano-dollar for each token."""
UNPRICED = replace(MODEL, name="demo/unpriced", price=None)


def needs(amount: int) -> Needs:
    """Of a request that costs so many nano-dollars at `MODEL`, at most and as a rule."""
    return Needs(tokens_in=0, tokens_out=amount, max_tokens=amount)


def exchange(number: int, *, cost: int = 1000, tenant: str = "local") -> Exchange:
    """Request `number`, answered."""
    return Exchange(
        request_id=f"{number:08d}-0000-7000-8000-000000000000",
        created_at_us=1_764_547_200_000_000 + number,
        status="ok",
        route="/v1/chat/completions",
        dialect="openai",
        tenant=tenant,
        provider="demo",
        model="demo/small",
        decision=DECISION,
        usage=Usage(prompt=number, completion=5),
        cost=cost,
    )


def cut_off(settled: Exchange) -> Exchange:
    """The same request as it reads without its settlement."""
    return replace(settled, status="interrupted", usage=Usage(prompt=1, estimated=True), cost=1)


def intent(settled: Exchange) -> Intent:
    """What is noted before the request is made."""
    return Intent(exchange=cut_off(settled))


def spend(journal: Journal, *numbers: int) -> list[Exchange]:
    """Opens and settles requests with these numbers."""
    exchanges = [exchange(number) for number in numbers]
    for settled in exchanges:
        journal.open(intent(settled))
        journal.settle(settled)
    return exchanges


def die(journal: Journal) -> None:
    """What the kernel does when the process is killed: memory and lock are given back, the files stay."""
    for segment in (*journal._flusher.stop(), *journal._spares):
        segment.close()
    journal._folder.release()


def drained(source: Journal | Estate, limit: int = 3) -> Iterator[Exchange]:
    """Everything the source has, each batch committed."""
    while batch := source.drain(limit):
        yield from batch.exchanges
        source.commit(batch)


def inherited(root: Path, limit: int = 3) -> list[Exchange]:
    """Everything that dead workers have left, after which nothing is left."""
    exchanges: list[Exchange] = []
    for orphan in folder.orphans(root):
        estate = Estate(orphan)
        exchanges += drained(estate, limit)
        assert estate.is_done
        estate.close()
    return exchanges


def names(root: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in root.iterdir())
