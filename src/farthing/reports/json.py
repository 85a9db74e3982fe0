"""The report as one JSON object: the month in sums."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from farthing.ports.reports import Month
from farthing.reports.figures import tree

_encode = msgspec.json.Encoder(decimal_format="number").encode


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """All of it at once: it is as long as there are models, keys, teams and tags."""
    yield msgspec.json.format(_encode(tree(await month.report())), indent=2) + b"\n"
