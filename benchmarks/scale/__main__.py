"""`make scale`: counts what requests ask of real servers, simulates a worker under a real hour, and plans with both."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from benchmarks.machine import store
from benchmarks.scale import counted, report
from benchmarks.scale.counting import count
from benchmarks.scale.ingesting import ingest
from benchmarks.scale.inputs import Costs, Inputs, load
from benchmarks.scale.plan import Asked, plan, workers
from benchmarks.scale.queueing import Load, Worker, most_utilisation
from benchmarks.scale.servers import servers
from benchmarks.scale.streams import hold
from benchmarks.scale.trace import STREAMED, Request, mean, peak_to_mean
from benchmarks.scale.trace import load as load_trace
from benchmarks.scale.vendor import Vendor
from benchmarks.scale.walls import walls
from tests.servers.application import Served

RATES = (1e3, 1e5, 1e7)
UTILISATIONS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
MINUTE = "in the same minute"
SPREADS = {"in the same second": 0.5, MINUTE: 30.0, "by chance": 1800.0}
"""By how many seconds, at most, a caller's bursts may be moved from another's."""


def count_all() -> None:
    """Counts on real servers, and stores what was found."""
    vendor = Vendor()
    with Served(vendor.application) as served:
        held = hold(vendor, served.url)
        with servers() as running:
            counts = count(running, served.url)
            counted.save(counts, held, ingest(running))


def simulate(trace: Sequence[Request], costs: Costs, inputs: Inputs) -> Mapping[str, Sequence[Load]]:
    """A worker at every utilisation, for every way in which bursts coincide."""
    found = {}
    for name, spread_s in SPREADS.items():
        worker = Worker(trace, costs, inputs.traffic, spread_s=spread_s)
        found[name] = [worker.at(utilisation) for utilisation in UTILISATIONS]
    return found


def reckon(trace: Sequence[Request], inputs: Inputs, found: counted.Counted, loads: Sequence[Load]) -> Asked:
    """All that a plan needs, with the bursts of these loads."""
    request = mean(trace, counted.costs(found.counts, inputs.worker), inputs.traffic)
    utilisation = most_utilisation(loads, inputs.wishes.added_p99_ms)
    assert utilisation > 0, "no worker is idle enough for the wish"
    busiest = loads[-1]
    return Asked(
        mean=request,
        request=counted.per_request(found.counts, streamed=request.streamed, hits=inputs.traffic.hit_share),
        worker=counted.per_worker(found.counts),
        row=found.ingested,
        stream_kib=found.held.kib_each,
        utilisation=utilisation,
        open_per_busy=busiest.most_open / (busiest.per_second * request.duration_s),
    )


def written(trace: Sequence[Request], inputs: Inputs, found: counted.Counted) -> str:
    """Everything as text."""
    costs = counted.costs(found.counts, inputs.worker)
    worlds = simulate(trace, costs, inputs)
    limits = ((name, most_utilisation(loads, inputs.wishes.added_p99_ms)) for name, loads in worlds.items())
    busy = ", ".join(f"{name} {limit:.0%}" for name, limit in limits)
    peaks = ", ".join(f"{window} s {peak_to_mean(trace, window):.1f}" for window in (1, 10, 60))
    today = reckon(trace, inputs, found, worlds[MINUTE])
    parts = [
        f"COUNTED on real servers, {found.measured}",
        report.counted(found),
        f"SIMULATED: one worker, an hour of {len(trace):,} requests superposed. Busiest window over the mean: {peaks}.",
        report.simulated(worlds),
        f"Busy at most for {inputs.wishes.added_p99_ms:g} ms of waiting at the 99th percentile: {busy}.",
        f"PLANNED for bursts {MINUTE}, every answer kept",
        report.meant(today.mean, today.request),
        report.planned([plan(rate, today, inputs) for rate in RATES]),
        "WORKERS with other costs and other traffic",
        compared(trace, costs, inputs, today),
        "WALLS, in requests per second",
        report.at_walls(walls(today, inputs)),
    ]
    return "\n\n".join(parts)


def compared(trace: Sequence[Request], costs: Costs, inputs: Inputs, today: Asked) -> str:
    """How many workers it takes if something is different."""
    joined = replace(inputs.traffic, tokens_per_event=4.0)
    whole = [request._replace(is_streamed=False) for request in trace]
    means = {
        "as planned": today.mean,
        "at the goals": mean(trace, inputs.goals, inputs.traffic),
        "four tokens an event": mean(trace, costs, joined),
        "nothing streamed": mean(whole, costs, inputs.traffic),
        "nothing streamed, at the goals": mean(whole, inputs.goals, inputs.traffic),
    }
    kinds = {}
    for name, each in means.items():
        numbers = [workers(rate, replace(today, mean=each), inputs) for rate in RATES]
        kinds[name] = each.cpu_us, 1e6 / each.cpu_us * today.utilisation, numbers
    return report.compared(kinds, RATES)


def main() -> int:
    """The exit code; prints the tables and stores them, or says why there are none."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stored", action="store_true", help="plan with what was counted last")
    chosen = options.parse_args()
    if not STREAMED.exists():
        print(f"The trace ../{STREAMED.relative_to(STREAMED.parents[3])} is not at hand: nothing was simulated.")
        return 1 if os.environ.get("CI") else 0
    if not chosen.stored:
        count_all()
    text = written(load_trace(), load(), counted.load())
    print(text)
    store("scale", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
