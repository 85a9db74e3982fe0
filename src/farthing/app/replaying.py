"""What another policy would have done, told by a process of its own: the questions of a month take it a while."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from farthing.app.aside import give_way, working
from farthing.app.catalogue import build_catalogue, next_price_change
from farthing.app.embedding import load_model
from farthing.domain.catalogue import Catalogue, Model
from farthing.domain.errors import Conflict, Unavailable
from farthing.domain.routing.learning.embedded import Embedded
from farthing.domain.secrecy import Secret
from farthing.embeddings import lacking
from farthing.insight.replay.policy import Known, Policy
from farthing.ports.replay import Question
from farthing.providers.prices import sheet_from_usd
from farthing.settings import Settings

if TYPE_CHECKING:
    from farthing.domain.routing.foresight import Foreteller
    from farthing.store import Store

LONGEST = timedelta(minutes=5)
"""For an answer that does not come."""
_PROGRAM = "from farthing.app.replaying import main; main()"


_encode = msgspec.msgpack.Encoder().encode
_read_order = msgspec.msgpack.Decoder(tuple[str, bytes, Question, Policy]).decode
"""Where the database is, what signs what is kept there, and what is asked."""


class Replayer:
    """Implements `farthing.ports.replay.Replay`: one question at a time."""

    def __init__(self, settings: Settings, secret: Secret[bytes]) -> None:
        """`secret` signs what was learned."""
        self._settings = settings
        self._secret = secret
        self._turn = asyncio.Lock()

    def configure(self, settings: Settings) -> None:
        """Takes over changed settings."""
        self._settings = settings

    async def __call__(self, question: Question) -> dict[str, Any]:
        """The report. Raises `Conflict` while another is made, and `Unavailable`."""
        if self._turn.locked():
            raise Conflict("Another replay is being made: ask again when it is done.", code="replay_under_way")
        async with self._turn:
            # Prices of past days are looked up anew each time, for which requests should not wait.
            policy = await asyncio.to_thread(policy_of, question, self._settings)
            url = self._settings.database.url.get_secret_value()
            order = _encode((url, self._secret.reveal(), question, policy))
            try:
                async with working(_PROGRAM) as process, asyncio.timeout(LONGEST.total_seconds()):
                    said, _ = await process.communicate(order)
            except TimeoutError as error:
                raise Unavailable("The replay took too long: ask for a shorter time, or a lower limit.") from error
        report: dict[str, Any] | None = msgspec.json.decode(said) if said else None
        if report is None:
            raise Unavailable("The replay was broken off: the database is away, or memory is short. Ask again soon.")
        return report


def policy_of(question: Question, settings: Settings) -> Policy:
    """The policy with the prices of each day that the question is about."""
    floor = settings.routing.quality_floor if question.floor is None else question.floor
    return Policy(
        strategy=question.strategy,
        floor=floor,
        days=[(moment, _supposed(catalogue, question)) for moment, catalogue in _days(question, settings)],
        repriced=frozenset(question.prices),
    )


def _days(question: Question, settings: Settings) -> Iterator[tuple[int, Catalogue]]:
    """Catalogues of the stretch by the moment from which they hold."""
    moment: int | None = question.stretch.from_us or 0
    end = question.stretch.to_us or 0
    while moment is not None:
        yield moment, build_catalogue(settings, moment)
        later = next_price_change(settings, moment)
        moment = later if later is not None and later < end else None


def _supposed(catalogue: Catalogue, question: Question) -> Catalogue:
    """The catalogue as the question supposes it: models of the pool are those that are routed, at its prices."""
    pool = question.pool

    def supposed(name: str, model: Model) -> Model:
        usd = question.prices.get(name)
        price = model.price if usd is None else sheet_from_usd(*usd, source="supposed")
        return replace(model, price=price, routed=name in pool if pool else model.routed)

    needed = {*pool, *question.prices, catalogue.baseline}
    models = {name: supposed(name, model) for name, model in catalogue.models.items() if model.routed or name in needed}
    return replace(catalogue, models=models)


def main() -> None:
    """The process: reads its order from standard input, and writes the report to standard output."""
    give_way()
    url, secret, question, policy = _read_order(sys.stdin.buffer.read())
    try:
        found = asyncio.run(_work(url, Secret(secret), question, policy))
    except Unavailable:
        return
    sys.stdout.buffer.write(msgspec.json.encode(found))


async def _work(url: str, secret: Secret[bytes], question: Question, policy: Policy) -> dict[str, Any]:
    from farthing.background.clock import SystemClock
    from farthing.store import open_store

    store = open_store(url, clock=SystemClock(), secret=secret)
    try:
        return await told(store, question, policy)
    finally:
        await store.aclose()


async def told(store: Store, question: Question, policy: Policy) -> dict[str, Any]:
    """The report, made in this process. Raises `Unavailable`."""
    from farthing.insight.replay.replaying import replay

    pages = store.queries.decided(question.tenant, question.stretch, limit=question.limit)
    return await replay(pages, policy, await _known(store), limit=question.limit)


async def _known(store: Store) -> Known | None:
    """What was learned; None where nothing is, or what is cannot be read."""
    from farthing.insight.learning.packing import unpacked

    try:
        active = await store.runs.active()
        predictor = None if active is None else unpacked(active.payload)
    except ValueError:
        return None
    if active is None or predictor is None:
        return None
    foreteller: Foreteller = predictor
    if predictor.reads_embeddings:
        if lacking():
            return None
        model = load_model()
        foreteller = Embedded(predictor, lambda text: model([text])[0])
    return Known(foreteller, active.run.rated, active.run.created_us)
