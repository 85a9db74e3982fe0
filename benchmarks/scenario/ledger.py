"""Whether each answered question stands in the gateway's ledger, once."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

PAGE = 1000


class Finding(msgspec.Struct, frozen=True):
    """Answered questions, rows of the ledger, ids that were answered and have no row, ids with more than one."""

    answered: int
    rows: int
    missing: Sequence[str]
    doubled: Sequence[str]

    @property
    def is_good(self) -> bool:
        """Every answer has its one row, and there was at least one."""
        return self.answered > 0 and not self.missing and not self.doubled

    def told(self) -> str:
        """One line for people."""
        if self.is_good:
            return f"{self.answered} questions were answered, and each has its row in the ledger ({self.rows} rows)."
        return (
            f"{self.answered} answered, {self.rows} rows: {len(self.missing)} without a row {self.missing[:3]}, "
            f"{len(self.doubled)} with more than one {self.doubled[:3]}."
        )


def compare(answered: Iterable[str], rows: Iterable[str]) -> Finding:
    """What the ledger lacks, or has twice."""
    asked, booked = Counter(answered), Counter(rows)
    return Finding(
        answered=asked.total(),
        rows=booked.total(),
        missing=sorted(asked.keys() - booked.keys()),
        doubled=sorted(name for name, times in (booked | asked).items() if times > 1),
    )


def rows(url: str) -> Iterator[str]:
    """The id of every row that the gateway at `url` has, newest first."""
    cursor = ""
    while True:
        page = _read(f"{url}/v1/requests?limit={PAGE}{cursor and f'&cursor={cursor}'}")
        for row in page["data"]:
            yield row["request_id"]
        if not page["next_cursor"]:
            return
        cursor = page["next_cursor"]


def _read(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 (loopback)
        page: dict[str, Any] = json.load(response)
        return page
