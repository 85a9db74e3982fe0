"""What becomes of a row that is there already: the same on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.store.schema import COUNTERS, response_cache, value_metrics

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite


def adding(new: postgresql.Insert | sqlite.Insert) -> sa.sql.expression.UpdateBase:
    """Into `value_metrics`: counters are added to those that are there."""
    return new.on_conflict_do_update(
        index_elements=list(value_metrics.primary_key),
        set_={name: value_metrics.c[name] + new.excluded[name] for name in COUNTERS},
    )


def keeping(new: postgresql.Insert | sqlite.Insert) -> sa.sql.expression.UpdateBase:
    """Into `response_cache`: an answer takes the place of an older one, unless people have voted that away."""
    fresh = {column.name: new.excluded[column.name] for column in response_cache.columns if column.name != "key"}
    stands = response_cache.c.invalidated.is_(False)
    return new.on_conflict_do_update(index_elements=["key"], set_=fresh, where=stands)
