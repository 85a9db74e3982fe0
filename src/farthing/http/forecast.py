"""What this month will have cost at its end, in all and by budget, and how far such forecasts were off before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from farthing.domain.budget import DAY_US
from farthing.domain.permissions import may
from farthing.domain.pricing import NANO
from farthing.http.admin.budgets import in_reach
from farthing.http.policy import NEEDED, Policy, caller_of, tenant_of
from farthing.http.presentation import shown_budget, shown_prices
from farthing.http.reports import caught_up
from farthing.insight.forecast import HISTORY_DAYS, Told, told
from farthing.ports import Stretch


async def forecast(request: Request) -> dict[str, Any]:
    """For the caller's tenant, or with an admin key for everybody; budgets of a month for those who may see budgets."""
    services = await caught_up(request)
    privilege, _ = NEEDED[Policy.AUDIT]
    budgets = await in_reach(request) if may(caller_of(request).role, privilege) else []
    monthly = [budget for budget in budgets if budget.window == "month"]
    now_us = services.clock.now_us()
    today_us = now_us - now_us % DAY_US
    stretch = Stretch(today_us - HISTORY_DAYS * DAY_US, today_us + DAY_US)
    whole = await services.queries.daily(tenant_of(request), stretch)
    each = await services.queries.daily_of(monthly, stretch)
    # scipy takes its time to load, for which requests should not wait.
    found = await asyncio.to_thread(_all_told, [whole, *(each[budget.id] for budget in monthly)], now_us)
    shown = [{**shown_budget(budget), **one} for budget, one in zip(monthly, found[1:], strict=True)]
    catalogue = services.snapshots.current.catalogue
    return {**found[0], "budgets": shown, "demo": catalogue.demo, "prices": shown_prices(catalogue.prices)}


def _all_told(costs: Sequence[Mapping[int, int]], now_us: int) -> list[dict[str, Any]]:
    return [_shown(told(one, now_us)) for one in costs]


def _shown(found: Told) -> dict[str, Any]:
    return {
        "month": found.month,
        "spent": found.spent / NANO,
        "forecast": None if found.forecast is None else found.forecast.expected / NANO,
        "interval": found.forecast and found.forecast.interval and [end / NANO for end in found.forecast.interval],
        "method": "estimated",
        "days_of_history": found.days,
        "past": [
            {
                "month": past.month,
                "forecast": past.forecast.expected / NANO,
                "interval": past.forecast.interval and [end / NANO for end in past.forecast.interval],
                "actual": past.actual / NANO,
                "error_percent": past.error_percent,
            }
            for past in found.past
        ],
        "note": None if found.forecast else "Too little to say: a forecast begins with 7 whole days of spending.",
    }
