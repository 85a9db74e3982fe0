"""The simulated worker does the work that arrives, in order, and tells who waited."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from benchmarks.scale.inputs import Costs, Traffic
from benchmarks.scale.queueing import BIN_US, Load, Worker, most_utilisation, percentile_ms
from benchmarks.scale.trace import Request

SECONDS = 60


def worker(trace: Sequence[Request], costs: Costs, traffic: Traffic, *, spread_s: float = 30.0) -> Worker:
    """A worker under a minute of traffic."""
    return Worker(trace, costs, traffic, spread_s=spread_s, seconds=SECONDS)


def test_the_rate_is_what_the_utilisation_allows(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """At 350 µs a request, 70% of a core are 2,000 requests a second."""
    assert worker(trace, costs, traffic).at(0.7).per_second == 2000.0


def test_all_work_is_done(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """What the slots hold is the requests' own work, but for streams that the end of the minute cuts."""
    simulated = worker(trace, costs, traffic)
    simulated.at(0.5)
    done_us = sum(work_us for _, _, work_us, _ in simulated._work())
    assert done_us == pytest.approx(0.5 * SECONDS * 1e6, rel=0.03)
    assert sum(arrivals for arrivals, *_ in simulated._work()) == round(0.5 * SECONDS * 1e6 / 350)


def test_a_quiet_worker_keeps_nobody_waiting(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """Strangers to one another rarely meet in the same millisecond."""
    load = worker(trace, costs, traffic).at(0.05)
    assert load.p99_ms <= 0.5
    assert load.event_p99_ms <= 0.5


def test_an_overloaded_worker_falls_behind(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """At 120% of a core, the last of a minute wait for about a fifth of it, and everybody for the ledger's sake."""
    load = worker(trace, costs, traffic).at(1.2)
    assert load.p99_ms > 5000
    assert load.busiest_second > 1


def test_bursts_that_coincide_make_people_wait(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """All copies in step arrive twice a second, where strangers are spread over the minute."""
    together = worker(trace, costs, traffic, spread_s=0.001).at(0.5)
    strangers = worker(trace, costs, traffic).at(0.5)
    assert together.p99_ms > 20 * strangers.p99_ms


def test_a_hit_is_done_where_it_arrives(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> None:
    """Hits alone leave nobody in flight after their millisecond, and take 20 µs each."""
    simulated = worker(trace, costs, replace(traffic, hit_share=1.0))
    assert simulated.at(0.2).most_open == 0
    done_us = sum(work_us for _, _, work_us, _ in simulated._work())
    assert done_us == pytest.approx(0.2 * SECONDS * 1e6, rel=0.01)


def test_requests_in_flight_follow_from_rate_and_duration(
    trace: Sequence[Request], costs: Costs, traffic: Traffic
) -> None:
    """2,000 a second for 1.5 s each are 3,000 in the mean (Little), and not much more where they come by chance."""
    assert 3000 < worker(trace, costs, traffic).at(0.7).most_open < 3500


def test_percentiles_are_the_upper_edges_of_their_bins() -> None:
    """Nine of ten in the first bin, one in the third."""
    bins = [9, 0, 1]
    assert (percentile_ms(bins, 0.5), percentile_ms(bins, 0.99)) == (BIN_US / 1000, 3 * BIN_US / 1000)
    assert percentile_ms([0, 0], 0.99) == 0.0


@pytest.mark.parametrize(("waits", "expected"), [((1, 4, 6, 3), 0.6), ((6, 1), 0.0), ((1, 1), 0.6)])
def test_the_most_utilisation_comes_before_the_first_that_waits_too_long(
    waits: Sequence[float], expected: float
) -> None:
    """A quieter figure behind a worse one is chance."""
    loads = [
        Load(
            utilisation=0.5 + 0.1 * place,
            per_second=1,
            p50_ms=0,
            p99_ms=p99_ms,
            event_p99_ms=0,
            most_open=1,
            busiest_second=1,
        )
        for place, p99_ms in enumerate(waits)
    ]
    assert most_utilisation(loads, 5.0) == expected
