"""Column types that mean the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(moment_us: int) -> datetime:
    """The moment in UTC, exact; `datetime.fromtimestamp` would go through a float."""
    return _EPOCH + timedelta(microseconds=moment_us)


class Moment(sa.types.TypeDecorator[int]):
    """Microseconds since 1970 UTC in Python and in SQLite, `timestamptz` in PostgreSQL."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[int]:
        """The type the database knows."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))  # type: ignore[arg-type]
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int | datetime | None:
        """What the driver is given."""
        return value if value is None or dialect.name != "postgresql" else to_datetime(value)

    def process_result_value(self, value: int | datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """What the driver gave, in microseconds."""
        return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value


class Document(sa.types.TypeDecorator[Any]):
    """Any JSON value, `jsonb` in PostgreSQL; None is SQL's NULL."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The type the database knows."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(sa.JSON(none_as_null=True))
        # Where SQLite is used nothing of PostgreSQL need be loaded.
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


Identifier = sa.Text().with_variant(sa.UUID(as_uuid=False), "postgresql")
"""A UUID in its 36 characters; 16 bytes in PostgreSQL."""

Json = Document(none_as_null=True)
"""Any JSON value; None is SQL's NULL."""
