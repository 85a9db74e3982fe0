"""The report as a tree of names and figures, amounts as exact decimals in US dollars."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from farthing.domain.report import Decided, Line, Report, date_of, moment_of
from farthing.reports.cells import decimal

_NAMES = {"name", "label"}


def tree(report: Report) -> dict[str, Any]:
    """What the JSON file says, and the PDF shows."""
    return {
        **summary(report),
        **{f"by_{dimension}": [*map(_line, lines)] for dimension, lines in report.groups.items()},
        "experiments": [*map(_decided, report.experiments)],
    }


def summary(report: Report) -> dict[str, Any]:
    """The month in all."""
    total = report.total
    return {
        "month": report.month,
        "tenant": report.tenant,
        "generated_at": moment_of(report.generated_us),
        "is_complete": report.is_complete,
        "is_demo": report.is_demo,
        "prices": report.prices and asdict(report.prices),
        "total": _sums(total),
        "cost_basis": {
            "counted": decimal(report.counted_cost),
            "estimated": decimal(report.estimated_cost),
            "estimated_requests": report.estimated_requests,
            "unpriced_requests": total.unpriced_requests,
        },
        "savings": {
            "actual_cost": decimal(total.cost),
            "baseline_cost": decimal(total.baseline_cost),
            "saved": decimal(total.savings),
            "percent": round(report.saved_percent, 2),
            "by_source": {source: decimal(nano) for source, nano in report.by_source.items()},
        },
    }


def _line(line: Line) -> dict[str, Any]:
    return {"name": line.name, **({} if line.label is None else {"label": line.label}), **_sums(line)}


def _sums(line: Line) -> dict[str, Any]:
    money = {name: decimal(getattr(line, name)) for name in ("cost", "baseline_cost", "savings")}
    return {name: value for name, value in (asdict(line) | money).items() if name not in _NAMES}


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "experiment_id": decided.experiment_id,
        "name": decided.name,
        "decided_on": date_of(decided.decided_us),
        "code": decided.code,
        "winner": decided.winner,
        "reason": decided.reason,
    }
