"""How a caller's rates stand, under the header names that clients of each vendor look for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from farthing.domain.limits import Standing

MINUTE_US, SECOND_US = 60_000_000, 1_000_000


def limit_headers(standings: Iterable[Standing], dialect: str) -> list[tuple[bytes, bytes]]:
    """OpenAI's names for everybody, and Anthropic's beside them for callers of its dialect."""
    headers: list[tuple[bytes, bytes]] = []
    for standing in standings:
        kind, limit, left = standing.kind.encode(), b"%d" % standing.limit, b"%d" % standing.remaining
        headers += [
            (b"x-ratelimit-limit-" + kind, limit),
            (b"x-ratelimit-remaining-" + kind, left),
            (b"x-ratelimit-reset-" + kind, _duration(standing.full_in_us)),
        ]
        if dialect in {"anthropic", "count_tokens"}:
            name = b"anthropic-ratelimit-" + kind
            headers += [
                (name + b"-limit", limit),
                (name + b"-remaining", left),
                (name + b"-reset", _moment(standing.full_at_us)),
            ]
    return headers


def _duration(micros: int) -> bytes:
    """As `1m2.5s` or `850ms`, rounded up."""
    millis = -(-micros // 1000)
    if millis < SECOND_US // 1000:
        return b"%dms" % millis
    minutes, rest = divmod(millis, MINUTE_US // 1000)
    seconds = b"%gs" % (rest / 1000)
    return b"%dm%b" % (minutes, seconds) if minutes else seconds


def _moment(micros: int) -> bytes:
    """RFC 3339 in whole seconds, rounded up."""
    return f"{datetime.fromtimestamp(-(-micros // SECOND_US), UTC):%Y-%m-%dT%H:%M:%SZ}".encode()
