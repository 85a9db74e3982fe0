"""The month in all."""

from __future__ import annotations

import json

from farthing.reports import json as whole_month
from farthing.reports.summary import write
from tests.unit.reports.months import MadeUp, report, whole


async def test_what_the_whole_report_says_of_the_month_in_all() -> None:
    """Without what grows with models, keys, teams, tags and experiments."""
    month = MadeUp(report=report())
    found, more = json.loads(await whole(write(month))), json.loads(await whole(whole_month.write(month)))
    assert list(found) == [
        "month",
        "tenant",
        "generated_at",
        "is_complete",
        "is_demo",
        "prices",
        "total",
        "cost_basis",
        "savings",
    ]
    assert found == {name: more[name] for name in found}
