"""The month in all as one JSON object, as long for a large month as for a small one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from farthing.ports.reports import Month
from farthing.reports.figures import summary

_encode = msgspec.json.Encoder(decimal_format="number").encode


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """All of it at once."""
    yield _encode(summary(await month.report())) + b"\n"
