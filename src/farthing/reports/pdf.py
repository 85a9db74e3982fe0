"""The report as a PDF: one page for whoever pays, and the tables behind it. Typst (extra `pdf`) sets it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from farthing.ports.reports import Month
from farthing.reports.cells import one_line
from farthing.reports.figures import tree

TEMPLATE = Path(__file__).with_name("report.typ")


async def write(month: Month) -> AsyncGenerator[bytes, None]:
    """All of it at once. What people named is handed over as data, and so is never markup."""
    # It brings 80 MiB, which only those need who want a PDF.
    import typst

    report = await month.report()
    figures = msgspec.json.encode(_readable(msgspec.to_builtins(tree(report)))).decode()
    yield typst.compile(
        TEMPLATE.read_bytes(), sys_inputs={"report": figures}, timestamp=report.generated_us // 1_000_000
    )


def _readable(value: Any) -> Any:  # noqa: ANN401 (a tree of JSON in, a tree of JSON out)
    """The same tree with every text in one line."""
    match value:
        case str():
            return one_line(value)
        case dict():
            return {name: _readable(inner) for name, inner in value.items()}
        case list():
            return [_readable(inner) for inner in value]
        case _:
            return value
