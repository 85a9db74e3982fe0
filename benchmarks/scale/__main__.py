"""`make scale`: counts what requests ask of real servers, simulates a worker under a real hour, and plans with both."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from benchmarks.machine import store
from benchmarks.scale import counted, page, report
from benchmarks.scale.counting import count
from benchmarks.scale.ingesting import ingest
from benchmarks.scale.inputs import Costs, Inputs, load
from benchmarks.scale.plan import Asked, Kind, Plan, plan, workers
from benchmarks.scale.queueing import Load, Worker, most_utilisation
from benchmarks.scale.servers import servers
from benchmarks.scale.streams import hold
from benchmarks.scale.trace import STREAMED, Request, mean, peak_to_mean
from benchmarks.scale.trace import load as load_trace
from benchmarks.scale.vendor import Vendor
from benchmarks.scale.walls import Wall, walls
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


class Reckoned(Struct, frozen=True):
    """All that comes of a count and a trace."""

    worlds: Mapping[str, Sequence[Load]]
    today: Asked
    plans: Sequence[Plan]
    kinds: Mapping[str, Kind]
    walls: Sequence[Wall]


def reckoned(trace: Sequence[Request], inputs: Inputs, found: counted.Counted) -> Reckoned:
    """The simulation, and the plan that it leads to."""
    costs = counted.costs(found.counts, inputs.worker)
    worlds = simulate(trace, costs, inputs)
    today = reckon(trace, inputs, found, worlds[MINUTE])
    plans = [plan(rate, today, inputs) for rate in RATES]
    return Reckoned(worlds, today, plans, compared(trace, costs, inputs, today), walls(today, inputs))


def written(trace: Sequence[Request], inputs: Inputs, found: counted.Counted, all_of: Reckoned) -> str:
    """Everything as text."""
    wish = inputs.wishes.added_p99_ms
    busy = ", ".join(f"{name} {most_utilisation(loads, wish):.0%}" for name, loads in all_of.worlds.items())
    peaks = ", ".join(f"{window} s {peak_to_mean(trace, window):.1f}" for window in (1, 10, 60))
    parts = [
        f"COUNTED on real servers, {found.measured}",
        report.counted(found),
        f"SIMULATED: one worker, an hour of {len(trace):,} requests superposed. Busiest window over the mean: {peaks}.",
        report.simulated(all_of.worlds),
        f"Busy at most for {wish:g} ms of waiting at the 99th percentile: {busy}.",
        f"PLANNED for bursts {MINUTE}, every answer kept",
        report.meant(all_of.today.mean, all_of.today.request),
        report.planned(all_of.plans),
        "WORKERS with other costs and other traffic",
        report.compared(all_of.kinds, RATES),
        "WALLS, in requests per second",
        report.at_walls(all_of.walls),
    ]
    return "\n\n".join(parts)


def tables(inputs: Inputs, all_of: Reckoned) -> dict[str, str]:
    """Those of docs/scale.md, by name."""
    return {
        "rates": page.rates(all_of.plans, inputs),
        "events": page.events(all_of.kinds, all_of.plans),
        "waiting": page.waiting(all_of.worlds, inputs),
        "walls": page.at_walls(all_of.walls),
    }


def compared(trace: Sequence[Request], costs: Costs, inputs: Inputs, today: Asked) -> Mapping[str, Kind]:
    """How many workers it takes if something is different."""
    joined = replace(inputs.traffic, tokens_per_event=4.0)
    whole = [request._replace(is_streamed=False) for request in trace]
    means = {
        "as counted, answers kept": today.mean,
        "vendors that join four tokens to an event": mean(trace, costs, joined),
        "nothing streamed": mean(whole, costs, inputs.traffic),
        "as counted, at the goals of 50 µs a request and 15 µs an event": mean(trace, inputs.goals, inputs.traffic),
        "nothing streamed, at the goals": mean(whole, inputs.goals, inputs.traffic),
    }
    kinds = {}
    for name, each in means.items():
        numbers = [workers(rate, replace(today, mean=each), inputs) for rate in RATES]
        kinds[name] = Kind(each.cpu_us, 1e6 / each.cpu_us * today.utilisation, numbers)
    return kinds


def main() -> int:
    """The exit code; prints the tables, stores them and puts them into docs/scale.md, or says why there are none."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stored", action="store_true", help="plan with what was counted last")
    chosen = options.parse_args()
    if not STREAMED.exists():
        print(f"The trace ../{STREAMED.relative_to(STREAMED.parents[3])} is not at hand: nothing was simulated.")
        return 1 if os.environ.get("CI") else 0
    if not chosen.stored:
        count_all()
    trace, inputs, found = load_trace(), load(), counted.load()
    all_of = reckoned(trace, inputs, found)
    text = written(trace, inputs, found, all_of)
    print(text)
    store("scale", text)
    page.publish(tables(inputs, all_of))
    return 0


if __name__ == "__main__":
    sys.exit(main())
