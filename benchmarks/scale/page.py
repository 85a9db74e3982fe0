"""The plan as the tables of docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.plan import Kind, Need, Plan
from benchmarks.scale.queueing import LONGEST_MS, Load, most_utilisation
from benchmarks.scale.walls import Wall

PAGE = ROOT / "docs" / "scale.md"
NAMES = ((1e9, "billion"), (1e6, "million"))
MONEY = {
    "gateways, PostgreSQL and its volumes, a year of columns": (
        "gateways",
        "PostgreSQL",
        "volumes",
        "a year in object storage",
    ),
    "a day of answers in Redis": ("Redis",),
    "bytes to vendors and between zones": ("bytes to vendors", "bytes between zones"),
}
"""Dollars that stand in one row of the page."""


def publish(tables: Mapping[str, str], page: Path = PAGE) -> None:
    """Puts each table where the page shows it. Raises `AssertionError` where it has no place for one."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- make scale: {name} -->", "<!-- /make scale -->"
        before, found, after = text.partition(begin)
        _, ended, rest = after.partition(end)
        assert found, f"{begin} does not stand in {page.name}"
        assert ended, f"{end} does not follow it in {page.name}"
        text = f"{before}{begin}\n{table}\n{end}{rest}"
    page.write_text(text, encoding="utf-8")


def rates(plans: Sequence[Plan], inputs: Inputs) -> str:
    """What a rate takes, a column for each."""
    machine, database, redis = inputs.machine, inputs.database, inputs.redis
    rows: dict[str, Sequence[str]] = {
        f"workers, one core each, one of {inputs.wishes.zones} zones lost": [said(each.workers) for each in plans],
        f"gateways of {machine.vcpus} cores": [_machines(each.hosts, machine.vcpus) for each in plans],
        "requests in flight at the worst moment": [said(each.open_streams) for each in plans],
        "Redis commands per second": [said(each.redis_ops) for each in plans],
        "Redis primaries of 128 GiB, for a day of answers": [_machines(each.redis, redis.vcpus) for each in plans],
        "PostgreSQL transactions per second": [said(each.transactions) for each in plans],
        "ledger rows per second, log": [f"{said(each.rows)}, {said(each.wal_bytes / 1e6)} MB/s" for each in plans],
        f"PostgreSQL primaries of {database.vcpus} cores": [_machines(each.postgres, database.vcpus) for each in plans],
        "the same, answers left out": [_machines(each.postgres_ledger, database.vcpus) for each in plans],
        "rows a month; as columns in object storage": [
            f"{said(each.rows_month_tb)} TB; {said(each.object_month_tb)} TB" for each in plans
        ],
    }
    for name, parts in MONEY.items():
        rows[f"dollars a month: {name}"] = [said(sum(each.dollars[part] for part in parts)) for each in plans]
    rows["**dollars a month, all**"] = [f"**{said(sum(each.dollars.values()))}**" for each in plans]
    rows["the vendors' bill, small models"] = [said(each.vendor_dollars) for each in plans]
    rows["vendor accounts of the highest published tier"] = [said(each.vendor_accounts) for each in plans]
    head = ("requests per second", *(said(each.rate) for each in plans))
    return markdown([head, *((name, *cells) for name, cells in rows.items())])


def events(kinds: Mapping[str, Kind], plans: Sequence[Plan]) -> str:
    """How many workers each kind of traffic or cost takes."""
    rates = " / ".join(said(each.rate) for each in plans)
    head = ("", "µs of a worker for a request", "requests per second of a worker", f"workers for {rates}")
    lines = [
        (name, said(kind.cpu_us), said(kind.per_second), " / ".join(said(number) for number in kind.workers))
        for name, kind in kinds.items()
    ]
    return markdown([head, *lines])


def waiting(worlds: Mapping[str, Sequence[Load]], inputs: Inputs) -> str:
    """The 99th percentile of what a request waits, by how far bursts coincide and how busy the worker is."""
    wish = inputs.wishes.added_p99_ms
    head = ["bursts coincide", *(f"{load.utilisation:.0%} busy" for load in next(iter(worlds.values())))]
    lines = [
        (name, *(_wait(load.p99_ms) for load in loads), f"{most_utilisation(loads, wish):.0%}")
        for name, loads in worlds.items()
    ]
    return markdown([(*head, f"at most, for {wish:g} ms"), *lines])


def at_walls(found: Sequence[Wall]) -> str:
    """The walls from the first on, each with its way out."""
    lines = [(said(wall.rate), f"{wall.what}: {wall.why}", wall.remedy) for wall in found]
    return markdown([("requests per second", "what gives way", "what to do"), *lines])


def said(number: float) -> str:
    """Two figures that count, three from a hundred on: 0.4, 3, 5,300, 4.7 million."""
    for size, name in NAMES:
        if number >= size:
            return f"{_rounded(number / size)} {name}"
    return _rounded(number)


def _rounded(number: float) -> str:
    if number < 10 and number != int(number):
        return f"{number:.1f}"
    return f"{float(f'{number:.{3 if number < 1000 else 2}g}'):,.0f}"


def _machines(need: Need, cores: int) -> str:
    return said(need.paid) if need.paid >= 1 else f"{need.paid * cores:.0f} cores in all"


def _wait(milliseconds: float) -> str:
    if milliseconds >= LONGEST_MS:
        return f"over {LONGEST_MS / 1000:g} s"
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its head."""
    head, *rest = lines
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rest])
