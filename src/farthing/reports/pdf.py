"""The report as a PDF: one page for whoever pays, and the tables behind it. Typst (extra `pdf`) sets it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from farthing.ports.reports import Month
from farthing.reports.figures import tree

TEMPLATE = Path(__file__).with_name("report.typ")


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """All of it at once. What people named is handed over as data, and so is never markup."""
    # It brings 80 MiB, which only those need who want a PDF.
    import typst

    report = await month.report()
    figures = msgspec.json.encode(msgspec.to_builtins(tree(report))).decode()
    yield typst.compile(
        TEMPLATE.read_bytes(), sys_inputs={"report": figures}, timestamp=report.generated_us // 1_000_000
    )
