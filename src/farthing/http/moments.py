"""Moments and money as JSON shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from farthing.domain.errors import InvalidRequest

FIRST_YEAR, LAST_YEAR = 1970, 9999
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def rfc3339(moment_us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC."""
    return (EPOCH + moment_us * MICROSECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str, name: str) -> int:
    """A date or an RFC 3339 moment with its time zone as microseconds since 1970.

    Raises `InvalidRequest` naming the parameter `name`.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None and len(text) == len("2026-11-21"):
        moment = moment.replace(tzinfo=UTC)
    if moment is None or moment.tzinfo is None or not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise InvalidRequest(
            f"`{name}` must be a date such as 2026-11-21, or a moment such as 2026-11-21T09:30:00Z.",
            code="invalid_parameter",
            param=name,
        )
    return (moment - EPOCH) // MICROSECOND


def whole_units(amount: float, per_unit: int) -> int:
    """An amount such as US dollars as a whole number of a smaller unit, of which `per_unit` are one.

    Its decimal digits are taken as they were written (the shortest that mean this number), and half a unit is rounded
    to the even neighbour: 0.0001 USD are 100,000 nano-dollars, 0.0000000005 USD are none.
    """
    return int((Decimal(repr(amount)) * per_unit).to_integral_value(ROUND_HALF_EVEN))
