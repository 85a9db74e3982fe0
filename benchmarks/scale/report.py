"""The plan and what it rests on, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.scale.counted import Counted, PerRequest
from benchmarks.scale.counting import WORKERS, Work
from benchmarks.scale.plan import Kind, Need, Plan
from benchmarks.scale.queueing import Load
from benchmarks.scale.trace import Mean
from benchmarks.scale.walls import Wall
from benchmarks.tables import aligned

HEAD = ("Redis cmds", "µs", "kB in, out", "kB kept", "PG transactions", "µs", "kB log", "kB kept")
THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def short(number: float) -> str:
    """Two or three digits and a letter: 1.2 k, 34 M."""
    for size, letter in THOUSANDS:
        if number >= size:
            value = number / size
            return f"{value:.1f} {letter}" if value < 10 else f"{value:,.0f} {letter}"
    return f"{number:.0f}" if number == int(number) or number >= 10 else f"{number:.1f}"


def counted(found: Counted) -> str:
    """What was asked of the servers for a request of each kind."""
    counts, row = found.counts, found.ingested
    kinds = {"whole": counts.forwarded, "streamed": counts.streamed, "asked again": counts.again}
    kinds["one prompt repeated"] = counts.repeated
    lines = [(name, *_counted(work)) for name, work in kinds.items()]
    head = ("for one request", "worker µs", *HEAD)
    idle = counts.idle
    notes = (
        f"A worker at rest: {idle.postgres['transactions'] / idle.seconds / WORKERS:.1f} transactions a second.",
        f"A row in a batch of {row.batch}: {row.row_cpu_us:.0f} µs of PostgreSQL, {row.row_wal_bytes:,.0f} bytes",
        f"of log and {row.row_disk_bytes:,.0f} in table and indices; the sums of the batch take {row.sums_ms:.1f} ms.",
        f"An open stream: {found.held.kib_each:.0f} KiB of the gateway's memory ({found.held.many} streams).",
        "Every answer is kept. Commands include those that a script runs inside Redis.",
    )
    return "\n".join([*aligned([head, *lines]), "", *notes])


def _counted(work: Work) -> Sequence[str]:
    each = work.requests
    figures = (
        (work.gateway_cpu_us / each, 0),
        (sum(work.redis.values()) / each, 2),
        (work.redis_cpu_us / each, 0),
        (work.redis_bytes / each / 1e3, 2),
        (work.redis_memory / each / 1e3, 1),
        (work.postgres["transactions"] / each, 2),
        (work.postgres_cpu_us / each, 0),
        (work.wal_bytes / each / 1e3, 1),
        (work.answers_disk / each / 1e3, 1),
    )
    # A little less than nothing is what the servers did meanwhile for themselves.
    return [f"{max(0.0, number):,.{digits}f}" for number, digits in figures]


def simulated(worlds: Mapping[str, Sequence[Load]]) -> str:
    """Delay against utilisation, for each way in which bursts coincide."""
    head = (
        "bursts coincide",
        "busy",
        "requests/s",
        "wait p50 ms",
        "p99",
        "token late p99",
        "in flight at most",
        "worst second",
    )
    lines = [
        (
            name if place == 0 else "",
            f"{load.utilisation:.0%}",
            f"{load.per_second:,.0f}",
            f"{load.p50_ms:.2f}",
            f"{load.p99_ms:,.2f}",
            f"{load.event_p99_ms:,.2f}",
            f"{load.most_open:,}",
            f"{load.busiest_second:.0%}",
        )
        for name, loads in worlds.items()
        for place, load in enumerate(loads)
    ]
    return "\n".join(aligned([head, *lines]))


def planned(plans: Sequence[Plan]) -> str:
    """One column for each rate."""
    rows: dict[str, Sequence[str]] = {
        "requests per second": [short(each.rate) for each in plans],
        "workers, of a core": [short(each.workers) for each in plans],
        "gateways, of 32 cores": [_need(each.hosts) for each in plans],
        "requests in flight at most": [short(each.open_streams) for each in plans],
        "Redis commands/s": [short(each.redis_ops) for each in plans],
        "Redis, of 128 GiB": [_need(each.redis) for each in plans],
        "PostgreSQL transactions/s": [short(each.transactions) for each in plans],
        "ledger rows/s": [short(each.rows) for each in plans],
        "log, bytes/s": [short(each.wal_bytes) for each in plans],
        "PostgreSQL, of 64 cores": [_need(each.postgres) for each in plans],
        "the same for the ledger alone": [_need(each.postgres_ledger) for each in plans],
        "rows a month, TB": [f"{each.rows_month_tb:,.1f}" for each in plans],
        "the same as compressed columns, TB": [f"{each.object_month_tb:,.1f}" for each in plans],
    }
    for name in plans[0].dollars:
        rows[f"$ a month, {name}"] = [short(each.dollars[name]) for each in plans]
    rows["$ a month, all"] = [short(sum(each.dollars.values())) for each in plans]
    rows["vendors' bill, $ a month"] = [short(each.vendor_dollars) for each in plans]
    rows["gateway's share of that"] = [f"{sum(each.dollars.values()) / each.vendor_dollars:.2%}" for each in plans]
    rows["vendor accounts"] = [short(each.vendor_accounts) for each in plans]
    return "\n".join(aligned([(name, *cells) for name, cells in rows.items()]))


def _need(need: Need) -> str:
    return f"{short(need.paid)} ({need.by})"


def compared(kinds: Mapping[str, Kind], rates: Sequence[float]) -> str:
    """Of each kind of traffic or cost: µs for a request, requests per second of a worker, workers for each rate."""
    head = ("", "µs a request", "requests/s of a worker", *(f"workers for {short(rate)}/s" for rate in rates))
    lines = [
        (name, f"{kind.cpu_us:,.0f}", f"{kind.per_second:,.0f}", *(short(number) for number in kind.workers))
        for name, kind in kinds.items()
    ]
    return "\n".join(aligned([head, *lines]))


def at_walls(found: Sequence[Wall]) -> str:
    """The walls in the order in which they are met, each with its way out."""
    return "\n".join(f"{short(wall.rate):>7}  {wall.what}: {wall.why}\n{'':>9}→ {wall.remedy}" for wall in found)


def meant(mean: Mean, request: PerRequest) -> str:
    """The mean request, in a line or two."""
    return (
        f"Mean request: {mean.tokens_in:,.0f} tokens in, {mean.tokens_out:,.0f} out, {mean.streamed:.0%} streamed, "
        f"{mean.events:,.0f} events, {mean.duration_s:.1f} s,\n"
        f"{mean.cpu_us:,.0f} µs of a worker, {request.redis_cpu_us:,.0f} µs of Redis, "
        f"{request.postgres_cpu_us:,.0f} µs of PostgreSQL."
    )
