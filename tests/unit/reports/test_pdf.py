"""The report as a PDF."""

from __future__ import annotations

import html
import re
import zlib

import pytest
from msgspec.structs import replace

from farthing.reports.pdf import TEMPLATE, write
from tests.unit.reports.months import EXPERIMENT, TOTAL, MadeUp, report, whole

MARKUP = (
    '#panic("evaluated")',
    '#read("/etc/passwd")',
    "$x^2$ *bold* _emphasis_ `raw` <label> @label = heading",
    "\\ ] ) } [ ( { \" ' // /* */ #",
    "名前 имя 🙂",
)


async def test_a_file_is_written() -> None:
    """It begins and ends as a PDF does, and says what it is about."""
    file = await whole(write(MadeUp(report=report())))
    assert file.startswith(b"%PDF-")
    assert file.rstrip().endswith(b"%%EOF")
    assert b"AI spending, November 2026" in _unpacked(file)


@pytest.mark.parametrize("name", MARKUP)
async def test_what_people_named_is_never_markup(name: str) -> None:
    """The file is set as if nothing were meant by it, and its title shows the name as it was written."""
    line = replace(TOTAL, name=name)
    groups = {**report().groups, "model": (line,), "key": (replace(line, label=name),), "tag": (line,)}
    hostile = report(tenant=name, groups=groups, experiments=(replace(EXPERIMENT, name=name, reason=name),))
    file = await whole(write(MadeUp(report=hostile)))
    assert f"AI spending, November 2026, {name}" in html.unescape(_unpacked(file).decode("utf-8", "ignore"))


async def test_a_name_cannot_turn_what_stands_beside_it() -> None:
    """Marks that change the direction of text, or break a line, are spaces."""
    file = await whole(write(MadeUp(report=report(tenant="acme\u202e\nevil"))))
    assert "AI spending, November 2026, acme  evil" in _unpacked(file).decode("utf-8", "ignore")


def test_nothing_is_evaluated() -> None:
    """The template is all the markup there is: it makes none of what it is given."""
    assert "eval" not in TEMPLATE.read_text(encoding="utf-8")


async def test_every_kind_of_month_can_be_set() -> None:
    """One without a request, one that is not over, of a demo, of losses, and one with many names."""
    nothing = replace(TOTAL, requests=0, cost=0, baseline_cost=0, savings=0)
    lost = replace(TOTAL, savings=-5_000_000_000, unpriced_requests=0)
    many = tuple(replace(TOTAL, name=f"model-{number}") for number in range(60))
    for month in (
        report(total=nothing, groups=dict.fromkeys(report().groups, ()), experiments=()),
        report(is_complete=False, is_demo=True, tenant=None, prices=None),
        report(total=lost, by_source={"routing": -5_000_000_000}),
        report(groups={**report().groups, "model": many}, experiments=(EXPERIMENT,) * 5),
    ):
        assert (await whole(write(MadeUp(report=month)))).startswith(b"%PDF-")


def _unpacked(file: bytes) -> bytes:
    """The file with the streams in it unpacked, where they are packed as most are."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", file, re.DOTALL)
    found = [file]
    for stream in streams:
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"".join(found)
