"""The parts of `farthing top` in words: a sentence, figures and tables, whatever they are drawn with."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable, Sequence

import msgspec

from farthing.cli.terminal import usd
from farthing.cli.top.figures import Asked, Budget, Figures, Forecast, Model, Team, Trial

ALWAYS, USUAL, WIDE = 0, 72, 100
"""From how many characters on a column is shown."""
BAR = 10
"""Characters of a whole bar."""
BAR_BLOCKS = ("█", "▏")
"""What a bar begins with; the second is too little for the first."""
WHOLE_MS = 10
"""From which on a duration is told without its tenth."""
STATES = {"healthy": "● healthy", "trying": "◐ trying", "away": "○ away", "unknown": "? unknown"}
_BLOCKS = "▁▂▃▄▅▆▇█"
_EMPTY = "-"


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    title: str
    is_number: bool = False
    from_width: int = ALWAYS
    """Of the terminal, in characters."""


class Section(msgspec.Struct, frozen=True):
    """A table with its name, and what is said where it has no rows."""

    name: str
    columns: Sequence[Column]
    rows: list[list[str]]
    empty: str


def sentence(figures: Figures) -> str:
    """What the month has brought."""
    month = figures.month
    name = month_name[int(figures.generated_at[5:7])]
    if not month.paid and not month.saved:
        return f"{name} so far: nothing was spent yet."
    if not month.saved or month.saved < 0 or month.percent is None:
        return f"{name} so far: {usd(month.paid)} spent, and nothing saved yet."
    return f"{name} so far: {usd(month.saved)} saved, {month.percent:.0f}% less than you would have paid."


def numbers(figures: Figures) -> list[tuple[str, str]]:
    """The four that tell how it goes, each after its name."""
    today = figures.today
    return [
        ("Spent today", usd(today.spent)),
        ("Saved today", usd(today.saved)),
        ("From cache", f"{today.hit_rate:.1%}"),
        ("Errors", f"{today.error_rate:.2%}"),
    ]


def pace(figures: Figures) -> str:
    """How much is asked now, and what Farthing adds to it."""
    added = "" if figures.added_ms is None else f", p95 +{figures.added_ms:.1f} ms"
    return f"{figures.requests_per_s:.1f} req/s{added}"


def month(figures: Figures) -> list[tuple[str, str]]:
    """How far the budget that is nearest to its end is used up, and what the month will have cost, where known."""
    used, ahead = _budget(figures.budget), _forecast(figures.forecast)
    return [(name, value) for name, value in (("Budget", used), ("Forecast", ahead)) if value]


def _forecast(found: Forecast | None) -> str:
    if found is None:
        return ""
    between = "" if found.interval is None else f" (95%: {usd(found.interval[0])} to {usd(found.interval[1])})"
    return f"{usd(found.expected)} at the end of the month{between}"


def _budget(found: Budget | None) -> str:
    if found is None:
        return ""
    share = found.spent / found.limit
    filled = round(min(share, 1.0) * 2 * BAR)
    bar = "█" * filled + "░" * (2 * BAR - filled)
    return f"{usd(found.spent)} of {usd(found.limit)} {bar} {share:.0%} ({found.name}, {found.window})"


def spark(values: Sequence[float]) -> str:
    """Values as blocks of their height; the highest fills the line."""
    most = max(values, default=0.0)
    if most <= 0:
        return _BLOCKS[0] * len(values)
    return "".join(_BLOCKS[round(max(value, 0.0) / most * (len(_BLOCKS) - 1))] for value in values)


def models(figures: Figures) -> Section:
    """What each model did in the last hour."""
    columns = [
        Column("model"),
        Column("req/h", is_number=True, from_width=USUAL),
        Column("$/h", is_number=True),
        Column("of spend", from_width=USUAL),
        Column("saved/h", is_number=True, from_width=WIDE),
        Column("$/M in, out", is_number=True, from_width=WIDE),
        Column("latency", is_number=True, from_width=WIDE),
        Column("errors", is_number=True, from_width=USUAL),
        Column("state"),
    ]
    return Section("models", columns, [_model_row(model) for model in figures.models], "no model is configured")


def teams(figures: Figures) -> Section:
    """What each team has spent and saved in the month."""
    columns = [
        Column("team"),
        Column("requests", is_number=True, from_width=USUAL),
        Column("$ this month", is_number=True),
        Column("of spend", from_width=USUAL),
        Column("saved", is_number=True),
    ]
    return Section("teams", columns, [_team_row(team) for team in figures.teams], "no request was made for a team yet")


def experiments(figures: Figures) -> Section:
    """How experiments stand."""
    columns = [
        Column("experiment"),
        Column("arms", from_width=USUAL),
        Column("results", is_number=True),
        Column("status", from_width=USUAL),
        Column("verdict"),
    ]
    rows = [_trial_row(trial) for trial in figures.experiments]
    return Section("experiments", columns, rows, "no experiment yet: farthing experiments plan")


def requests(figures: Figures) -> Section:
    """The last requests, the newest first."""
    columns = [
        Column("time"),
        Column("asked for", from_width=USUAL),
        Column("answered by"),
        Column("strategy", from_width=WIDE),
        Column("cost", is_number=True),
        Column("saved", is_number=True, from_width=USUAL),
        Column("took", is_number=True, from_width=WIDE),
        Column("status"),
    ]
    empty = 'no request yet: send one to /v1/chat/completions with "model": "auto"'
    return Section("requests", columns, [_request_row(row) for row in figures.requests], empty)


SECTIONS: dict[str, Callable[[Figures], Section]] = {
    "models": models,
    "teams": teams,
    "experiments": experiments,
    "requests": requests,
}
"""All tables; the first letter of each is its key."""


def _model_row(model: Model) -> list[str]:
    return [
        model.name,
        f"{model.requests:,}",
        usd(model.cost),
        _bar(model.share),
        usd(model.saved),
        _prices(model),
        _duration(model.latency_ms),
        f"{model.error_rate:.1%}" if model.requests else _EMPTY,
        STATES[model.health],
    ]


def _team_row(team: Team) -> list[str]:
    return [team.name, f"{team.requests:,}", usd(team.cost), _bar(team.share), usd(team.saved)]


def _trial_row(trial: Trial) -> list[str]:
    count = f"{trial.results:,} of {trial.sample_size:,}"
    return [trial.name, " / ".join(trial.arms), count, trial.status, trial.verdict or "too early to say"]


def _request_row(row: Asked) -> list[str]:
    return [
        row.created_at[11:19],
        row.requested_model,
        row.model or _EMPTY,
        row.strategy or _EMPTY,
        usd(row.cost),
        usd(row.saved),
        _duration(row.latency_ms),
        row.status,
    ]


def _bar(share: float) -> str:
    filled = round(share * BAR)
    return (BAR_BLOCKS[0] * filled or BAR_BLOCKS[1] if share else "").ljust(BAR) + f" {share:.0%}".rjust(5)


def _prices(model: Model) -> str:
    if model.input_usd_per_mtok is None or model.output_usd_per_mtok is None:
        return "unknown"
    return f"{model.input_usd_per_mtok:g}, {model.output_usd_per_mtok:g}"


def _duration(ms: float | None) -> str:
    if ms is None:
        return _EMPTY
    return f"{ms:,.0f} ms" if ms >= WHOLE_MS else f"{ms:.1f} ms"
