"""What every format of the monthly report holds to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farthing.domain.report import DIMENSIONS
from farthing.reports import FORMATS
from tests.unit.reports.months import CHARGE, TOTAL, MadeUp, report, whole

HOSTILE = "=1+1 #panic() \u202e\u0007 <b> \"'\\ ] ) } \N{SNOWMAN} " + "x" * 200
NOTHING = report(
    total=replace(TOTAL, requests=0, cost=0, baseline_cost=0, savings=0, unpriced_requests=0),
    groups=dict.fromkeys(DIMENSIONS, ()),
    experiments=(),
)


@pytest.mark.parametrize("name", FORMATS)
async def test_a_month_without_requests_is_a_file(name: str) -> None:
    """That says so."""
    assert await whole(FORMATS[name].write(MadeUp(report=NOTHING)))


@pytest.mark.parametrize("name", FORMATS)
async def test_names_are_data(name: str) -> None:
    """Whatever people called their tenants, models, teams and tags."""
    charge = replace(CHARGE, tenant=HOSTILE, model=HOSTILE, team=HOSTILE, tags=((HOSTILE, HOSTILE),))
    lines = (replace(TOTAL, name=HOSTILE), replace(TOTAL, name=None))
    groups = {**dict.fromkeys(DIMENSIONS, lines), "day": report().groups["day"]}
    month = MadeUp([charge], report=report(tenant=HOSTILE, groups=groups))
    assert await whole(FORMATS[name].write(month))


@pytest.mark.parametrize("name", FORMATS)
async def test_the_same_month_is_the_same_file(name: str) -> None:
    """To the byte, so that whoever gets it twice can tell."""
    month = MadeUp([CHARGE], report=report())
    assert await whole(FORMATS[name].write(month)) == await whole(FORMATS[name].write(month))


def test_no_two_formats_are_called_alike() -> None:
    """A folder may hold a month in every format."""
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)
