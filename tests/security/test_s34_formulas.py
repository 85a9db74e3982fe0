"""S34: whoever chooses a name cannot make a spreadsheet calculate with it."""

from __future__ import annotations

import csv
import io

import pytest
from msgspec.structs import replace

from farthing.cli.invoice import _print_csv
from farthing.domain.budget import DAY_US
from farthing.domain.invoice import Invoice, Line, Share
from farthing.domain.plans import Terms
from farthing.reports import FORMATS
from tests.unit.reports.months import CHARGE, MadeUp, whole

FORMULAS = (
    *("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＠x"),  # noqa: RUF001
    *('=HYPERLINK("http://evil.example","x")', '"=1', "a,=1", "a\n=1"),
)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_invoice_holds_no_formula(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither as the tenant nor as a model; each name stays one cell of one row."""
    used = Line(model=name, requests=1, tokens_in=1, tokens_out=1, cost=1)
    share = Share(terms=Terms(since_us=0, plan=name), start_us=0, end_us=DAY_US, price=0)
    _print_csv(Invoice(tenant=name, month="2026-11", shares=(share,), lines=(used,)))
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    line = "".join(mark if mark.isprintable() else " " for mark in name)
    assert sum(cell.removeprefix("'") == line for cell in cells) == 5
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＠")) for cell in cells)  # noqa: RUF001


@pytest.mark.parametrize("table", ["csv", "focus"])
@pytest.mark.parametrize("name", FORMULAS)
async def test_a_report_holds_no_formula(name: str, table: str) -> None:
    """Whatever a name stands for, tags too; each stays one cell of one row."""
    named = replace(CHARGE, tenant=name, provider=name, model=name, key_id=name, team=name, tags=((name, name),))
    text = (await whole(FORMATS[table].write(MadeUp([named])))).decode()
    header, row = csv.reader(io.StringIO(text))
    assert len(header) == len(row)
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＠")) for cell in row)  # noqa: RUF001
