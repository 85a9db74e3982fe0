"""The run as text: a table for each row, sizes, goals, and the short one for the README."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gateways.comparison import DIRECT, GOALS, OURS, Goal, Run
from benchmarks.gateways.rows import ROWS, Row
from benchmarks.tables import aligned

NONE = "-"
FOREIGN = 0.05
"""Of the served core, that may go to other processes unremarked: the machine is never quite idle."""
STRAY = 0.01
"""Of the requests, that may reach the vendor or not against what the row says: those under way at either end."""
PLAIN_HEAD = ("requests/s", "Farthing x", "CPU µs", "Farthing x", "added p50 ms", "p99 ms")
SHORT: dict[Row, str] = {
    "forwarded": "forwarded",
    "hit": "cached hit",
    "streaming": "CPU per streamed event",
    "tls": "TLS upstream",
}
STREAM_HEAD = ("events/s", "CPU µs/event", "Farthing x", "first byte: added p50 ms", "p99 ms")


def full(run: Run, notes: Sequence[str]) -> str:
    """Everything that was measured."""
    parts = [part for row in ROWS if (part := _row(run, row))]
    parts += [_sizes(run), *_workers(run), goals(run), "\n".join(notes)]
    return "\n\n".join(parts)


def goals(run: Run) -> str:
    """What was to be reached beside what was."""
    lines = [(goal.title, _bound(goal), _number(goal.figure(run), goal.unit), _verdict(goal, run)) for goal in GOALS]
    return "\n".join(aligned([("Goals", "goal", "reached", ""), *lines]))


def ratios(run: Run) -> str:
    """How many times the others' figures are ours, as a Markdown table."""
    others = [title for title in run.contenders if title not in {OURS, DIRECT}]
    lines = [
        (f"{title} {run.contenders[title].version}".strip(), *(_times(run.ratio(row, title)) for row in SHORT))
        for title in others
    ]
    head = ("", *SHORT.values())
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), _itself(run), *lines])


def _itself(run: Run) -> tuple[str, ...]:
    def said(row: Row) -> str:
        if row == "streaming":
            return f"{_number(run.median(row, OURS, 'event_cpu_us'))} µs"
        return f"{_number(run.median(row, OURS, 'per_second'))}/s, {_number(run.median(row, OURS, 'cpu_us'))} µs"

    return (f"**{OURS} itself**", *map(said, SHORT))


def _row(run: Run, row: Row) -> str:
    taken = run.samples.get(row, {})
    if not taken:
        return ""
    kind = ROWS[row]
    head = (kind.title, *(STREAM_HEAD if kind.streams else PLAIN_HEAD))
    lines = [(title, *(_streamed(run, title) if kind.streams else _plain(run, row, title))) for title in taken]
    return "\n".join([*aligned([head, *lines]), *(f"  {remark}" for remark in _remarks(run, row))])


def _remarks(run: Run, row: Row) -> list[str]:
    """Who took no part, and what was not as it should be."""
    absent = {title: each.absent[row] for title, each in run.contenders.items() if row in each.absent}
    remarks = [f"{title}: {why}" for title, why in (absent | run.missing).items()]
    for title, samples in run.samples[row].items():
        failed = [one for one in samples if one.errors]
        if failed:
            remarks.append(f"{title}: {failed[0].errors} errors in a round, the first: {failed[0].first_error[:80]}")
        if not run.kept_pace(row, title):
            remarks.append(f"{title}: * cannot keep the pace, so that its queue grows")
        if (foreign := max(one.foreign for one in samples)) > FOREIGN:
            remarks.append(f"{title}: other processes took up to {foreign:.0%} of its core, so it could answer less")
        worst = max((one.reached for one in samples), key=lambda reached: abs(reached - (row != "hit")))
        if abs(worst - (row != "hit")) > STRAY:
            remarks.append(f"{title}: {worst:.2f} requests reached the vendor for each answer")
    return remarks


def _plain(run: Run, row: Row, title: str) -> tuple[str, ...]:
    late = "" if run.kept_pace(row, title) else "*"
    return (
        _number(run.median(row, title, "per_second")),
        _times(run.ratio(row, title)) if title != DIRECT else NONE,
        _number(run.median(row, title, "cpu_us")),
        _times(run.cpu_ratio(row, title)) if title != DIRECT else NONE,
        _number(run.added_ms(row, title, "p50_us")) + late if title != DIRECT else _zero(run, row, "p50_us"),
        _number(run.added_ms(row, title, "p99_us")) + late if title != DIRECT else _zero(run, row, "p99_us"),
    )


def _streamed(run: Run, title: str) -> tuple[str, ...]:
    row: Row = "streaming"
    late = "" if run.kept_pace(row, title) else "*"
    first, last = "first_p50_us", "first_p99_us"
    return (
        _number(run.median(row, title, "events_per_second")),
        _number(run.median(row, title, "event_cpu_us")),
        _times(run.ratio(row, title)) if title != DIRECT else NONE,
        _number(run.added_ms(row, title, first)) + late if title != DIRECT else _zero(run, row, first),
        _number(run.added_ms(row, title, last)) + late if title != DIRECT else _zero(run, row, last),
    )


def _zero(run: Run, row: Row, field: str) -> str:
    value = run.median(row, DIRECT, field)
    return NONE if value is None else f"({value / 1000:.2f})"


def _sizes(run: Run) -> str:
    lines = [
        (title, each.version or NONE, _number(each.ready_s), _number(each.rest_mib), _number(run.loaded_mib(title)))
        for title, each in run.contenders.items()
        if title != DIRECT
    ]
    head = ("Versions and sizes", "version", "first 200 after s", "MiB at rest", "MiB under load")
    return "\n".join(aligned([head, *lines]))


def _workers(run: Run) -> list[str]:
    if run.workers is None:
        return []
    head = ("Workers with a fifth of a core each, the rest with room", "requests/s", "x")
    one, two = map(_number, run.workers)
    lines = [("--workers 1", one, "1"), ("--workers 2", two, _number(run.scale))]
    return ["\n".join(aligned([head, *lines]))]


def _bound(goal: Goal) -> str:
    sign, bound = ("≥", goal.at_least) if goal.at_least is not None else ("≤", goal.at_most)
    return f"{sign} {bound:g} {goal.unit}"


def _verdict(goal: Goal, run: Run) -> str:
    return {None: "not measured", True: "reached", False: "missed"}[goal.met(run)]


def _times(value: float | None) -> str:
    return _number(value, "x")


def _number(value: float | None, unit: str = "") -> str:
    """Three figures that count; none of them is sure beyond that."""
    if value is None:
        return NONE
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{shown} {unit}".rstrip()
