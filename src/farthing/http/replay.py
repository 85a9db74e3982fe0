"""What another policy would have cost on the own ledger, and at what quality."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from farthing.dialects.strict import shown
from farthing.domain.budget import DAY_US
from farthing.domain.errors import InvalidRequest
from farthing.http.policy import tenant_of
from farthing.http.presentation import as_object
from farthing.http.reports import StretchQuery, caught_up, shown_stretch, stretch_of
from farthing.ports import Stretch
from farthing.ports.replay import Question, StrategyName

DEFAULT_LIMIT, MOST = 10_000, 100_000
LONGEST_DAYS = 92
"""A little longer than questions are kept. Prices are looked up for each of these days."""
_PRICE = re.compile(r"(?P<model>[^=]+)=(?P<paid_in>\d{1,9}(?:\.\d{1,9})?),(?P<paid_out>\d{1,9}(?:\.\d{1,9})?)")
_Names = Annotated[str | None, Field(max_length=4_096)]


class ReplayQuery(StretchQuery):
    """The policy, and the time it is asked about."""

    strategy: StrategyName = "hybrid"
    pool: _Names = None
    """Names of models, with commas between."""
    floor: Annotated[float | None, Field(ge=0, le=1)] = None
    price: Annotated[list[str], Field(default_factory=list, max_length=100)]
    """`MODEL=IN,OUT` in US dollars per million tokens."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = DEFAULT_LIMIT


async def replay(request: Request, query: Annotated[ReplayQuery, Query()]) -> dict[str, Any]:
    """Decides the requests of the last 30 days, or of the time that is asked for, anew; nothing is called.

    Raises `InvalidRequest`, `Conflict` and `Unavailable`.
    """
    services = await caught_up(request)
    catalogue, stretch = services.snapshots.current.catalogue, bounded(stretch_of(request, query))
    pool = [name.strip() for name in query.pool.split(",")] if query.pool else []
    prices = dict(_prices(query.price))
    known = {name: model.name for name in (*pool, *prices) if (model := catalogue.find(name)) is not None}
    _check(name for name in (*pool, *prices) if name not in known)
    found = await services.replay(
        Question(
            tenant=tenant_of(request),
            strategy=query.strategy,
            stretch=stretch,
            limit=query.limit,
            pool=tuple(known[name] for name in pool),
            floor=query.floor,
            prices={known[name]: usd for name, usd in prices.items()},
        )
    )
    return {
        **as_object(found),
        "pool": [known[name] for name in pool] or None,
        "limit": query.limit,
        **shown_stretch(stretch),
        "demo": catalogue.demo,
    }


def bounded(stretch: Stretch) -> Stretch:
    """The stretch, where it is short enough to be replayed. Raises `InvalidRequest`."""
    if (stretch.to_us or 0) - (stretch.from_us or 0) > LONGEST_DAYS * DAY_US:
        raise InvalidRequest(
            f"A replay is about {LONGEST_DAYS} days at most: move `from` and `to` closer together.",
            code="invalid_parameter",
            param="from",
        )
    return stretch


def _check(unknown: Iterable[str]) -> None:
    for name in unknown:
        raise InvalidRequest(f"There is no model {shown(name)} here: `/v1/models` lists them.", code="model_not_found")


def _prices(texts: Iterable[str]) -> Iterator[tuple[str, tuple[float, float]]]:
    for text in texts:
        found = _PRICE.fullmatch(text)
        if found is None:
            raise InvalidRequest(
                "`price` must be MODEL=IN,OUT in US dollars per million tokens, such as small=0.05,0.1.",
                code="invalid_parameter",
                param="price",
            )
        yield found["model"], (float(found["paid_in"]), float(found["paid_out"]))
