"""One worker's queue, millisecond by millisecond, under arrivals that keep the trace's bursts at any rate.

A worker of a large gateway sees a thin random share of very many copies of the trace, each shifted by chance. That is
a draw of requests from the trace, each moved by a shift of its own. `spread_s` says how far copies are apart: 0.5 lets
all callers burst in the same second, half an hour makes them strangers to one another.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from random import Random

from msgspec import Struct

from benchmarks.scale.inputs import Costs, Traffic
from benchmarks.scale.trace import Request, duration_s, events, mean

SLOT_US = 1000.0
SLOTS_PER_S = 1000
BIN_US = 50.0
LONGEST_BINS = 200_000
LONGEST_MS = LONGEST_BINS * BIN_US / 1000
"""A longer wait counts as this one."""


class Load(Struct, frozen=True):
    """One worker at one utilisation. Delays are what requests wait for the worker, in milliseconds."""

    utilisation: float
    per_second: float
    p50_ms: float
    p99_ms: float
    event_p99_ms: float
    """The same for streamed events: by how much a token may come late."""
    most_open: int
    """Requests in flight at the worst moment."""
    busiest_second: float
    """The largest work of one second, in seconds of one core."""


class _Hour(Struct):
    """What happens in each slot."""

    arrivals: array[int]
    hits: array[int]
    """Those among the arrivals."""
    ends: array[int]
    """Answers that are complete."""
    speaking: array[int]
    """Streams that begin to speak, less those that fall silent."""

    @classmethod
    def of(cls, slots: int) -> _Hour:
        return cls(*(array("i", bytes(4 * slots)) for _ in range(4)))


class Worker:
    """Simulates one worker; the loads it is put under only grow, so that each contains the one before."""

    def __init__(
        self,
        trace: Sequence[Request],
        costs: Costs,
        traffic: Traffic,
        *,
        spread_s: float,
        seconds: int = 3600,
        seed: int = 1,
    ) -> None:
        """`seconds` of the trace are run, from its beginning; what is shifted beyond comes in at the other end."""
        self._trace = [request for request in trace if request.at_s < seconds]
        self._costs = costs
        self._traffic = traffic
        self._spread_s = spread_s
        self._seconds = seconds
        self._dice = Random(seed)
        self._gap = max(1, round(traffic.tokens_per_event / traffic.tokens_per_s * SLOTS_PER_S))
        self._request_us = mean(self._trace, costs, traffic).cpu_us
        self._hour = _Hour.of(seconds * SLOTS_PER_S)
        self._drawn = 0

    def at(self, utilisation: float) -> Load:
        """The worker at this mean utilisation, from 0 to 1, which must not be below the one asked before."""
        wanted = round(utilisation * self._seconds * 1e6 / self._request_us)
        for _ in range(wanted - self._drawn):
            self._draw()
        self._drawn = max(wanted, self._drawn)
        return self._run(utilisation)

    def _draw(self) -> None:
        slots, traffic, hour = self._seconds * SLOTS_PER_S, self._traffic, self._hour
        request = self._trace[int(self._dice.random() * len(self._trace))]
        shift_s = (2 * self._dice.random() - 1) * self._spread_s
        slot = int((request.at_s + shift_s) % self._seconds * SLOTS_PER_S)
        hour.arrivals[slot] += 1
        if self._dice.random() < traffic.hit_share:
            hour.ends[slot] += 1
            hour.hits[slot] += 1
            return
        number = events(request, traffic)
        first = slot + round(traffic.first_token_s * SLOTS_PER_S)
        last = first + number * self._gap if number else slot + round(duration_s(request, traffic) * SLOTS_PER_S)
        if number and first < slots:
            hour.speaking[first] += 1
            if last < slots:
                hour.speaking[last] -= 1
        if last < slots:
            hour.ends[last] += 1

    def _work(self) -> Iterator[tuple[int, int, float, int]]:
        """For each slot: requests that arrive, events, the work of both and of the ledger in µs, requests in flight.

        A hit is worked off where it arrives; of a forwarded request half the work comes at its end.
        """
        costs, hour, gap = self._costs, self._hour, self._gap
        # The ledger is written in batches, each in one go: the worst that it can do to those who wait.
        half_us = (costs.forward_us - costs.row_us) / 2
        hit_extra_us = costs.hit_us - costs.forward_us
        pace = [0] * gap
        unwritten = in_flight = 0
        for slot, arrivals in enumerate(hour.arrivals):
            place = slot % gap
            speaking = pace[place] = pace[place] + hour.speaking[slot]
            ends = hour.ends[slot]
            unwritten += ends
            in_flight += arrivals - ends
            work_us = speaking * costs.event_us + (arrivals + ends) * half_us + hour.hits[slot] * hit_extra_us
            if slot % costs.batch_ms == 0:
                work_us += unwritten * costs.row_us
                unwritten = 0
            yield arrivals, speaking, work_us, in_flight

    def _run(self, utilisation: float) -> Load:
        waits, late = [0] * LONGEST_BINS, [0] * LONGEST_BINS
        backlog_us = second_us = busiest_us = 0.0
        most_open = 0
        for slot, (arrivals, speaking, work_us, in_flight) in enumerate(self._work()):
            if slot % SLOTS_PER_S == 0:
                busiest_us, second_us = max(busiest_us, second_us), 0.0
            second_us += work_us
            # Whoever comes in this millisecond waits for what was left over and for half of what comes with it.
            bin_ = min(int((backlog_us + work_us / 2) / BIN_US), LONGEST_BINS - 1)
            waits[bin_] += arrivals
            late[bin_] += speaking
            backlog_us = max(0.0, backlog_us + work_us - SLOT_US)
            most_open = max(most_open, in_flight)
        return Load(
            utilisation=utilisation,
            per_second=self._drawn / self._seconds,
            p50_ms=percentile_ms(waits, 0.50),
            p99_ms=percentile_ms(waits, 0.99),
            event_p99_ms=percentile_ms(late, 0.99),
            most_open=most_open,
            busiest_second=max(busiest_us, second_us) / 1e6,
        )


def percentile_ms(bins: Sequence[int], share: float) -> float:
    """The upper edge of the bin in which that share of all has been counted; 0 where nothing was."""
    wanted, seen = share * sum(bins), 0
    for place, number in enumerate(bins):
        seen += number
        if number and seen >= wanted:
            return (place + 1) * BIN_US / 1000
    return 0.0


def most_utilisation(loads: Sequence[Load], p99_ms: float) -> float:
    """The largest utilisation at which requests, up to there, wait no longer than that; 0 where there is none."""
    best = 0.0
    for load in loads:
        if load.p99_ms > p99_ms:
            break
        best = load.utilisation
    return best
