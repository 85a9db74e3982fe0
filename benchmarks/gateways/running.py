"""The run itself: everybody is started, then each row is measured in turns, round after round."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.accounting import account, proportional_mib
from benchmarks.gateways.comparison import Contender, Run
from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.installing import NotInstallable, reason
from benchmarks.gateways.limits import Direct
from benchmarks.gateways.measuring import LOAD, Sample, measure
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import ROWS, Call, Row
from benchmarks.native import Upstream
from tests.servers.process import ServerFailed

REST_SECONDS = 2.0


def compete(
    rig: Rig, makers: Sequence[Callable[[Rig], Contestant]], rows: Sequence[Row], *, rounds: int, seconds: float
) -> Run:
    """Everything but the workers' scale. Contestants that cannot be had are left out, and why is told."""
    standing: list[tuple[Contestant, Contender]] = []
    missing: dict[str, str] = {}
    try:
        for maker in makers:
            contestant: Contestant | None = None
            try:
                contestant = maker(rig)
                standing.append((contestant, _entered(contestant)))
            except (NotInstallable, ServerFailed) as error:
                _tell(f"left out: {error}")
                missing[_title(maker)] = str(error) if isinstance(error, NotInstallable) else reason(str(error))
                if contestant is not None:
                    contestant.remove()
        samples = _rounds(rig.mock, [each for each, _ in standing], rows, rounds=rounds, seconds=seconds)
    finally:
        for contestant, _ in standing:
            if not isinstance(contestant, Direct):
                contestant.remove()
    contenders = {contestant.title: contender for contestant, contender in standing}
    return Run(contenders=contenders, missing=missing, samples=samples)


def ceiling(seconds: float) -> str:
    """What the mock and the load generator cost and reach, each on a core of its own."""
    kind = ROWS["forwarded"]
    with Upstream(runner=pinned(SERVED_CORE)) as mock:
        before = account(mock.pid).cpu_seconds
        done = Call(url=mock.url).load(kind, seconds=seconds).put(runner=LOAD)
        spent = account(mock.pid).cpu_seconds - before
    each = 1e6 / max(1, done.requests)
    return (
        f"On a core each, load and mock reach {done.per_second:,.0f} requests/s, "
        f"at {done.cpu_seconds * each:.1f} and {spent * each:.1f} µs of CPU a request."
    )


def _entered(contestant: Contestant) -> Contender:
    ready_s = contestant.start()
    time.sleep(REST_SECONDS)
    rest_mib = proportional_mib(contestant.pid)
    contestant.rest()
    _tell(f"{contestant.title} {contestant.version}: first answer after {ready_s:.1f} s")
    return Contender(version=contestant.version, ready_s=ready_s, rest_mib=rest_mib, absent=contestant.absent)


def _rounds(
    vendor: Upstream, contestants: Sequence[Contestant], rows: Sequence[Row], *, rounds: int, seconds: float
) -> dict[Row, dict[str, list[Sample]]]:
    samples: dict[Row, dict[str, list[Sample]]] = {
        row: {each.title: [] for each in contestants if each.takes(row)} for row in rows
    }
    for turn in range(rounds):
        for row in rows:
            for contestant in contestants:
                if contestant.takes(row):
                    sample = measure(contestant, row, vendor=vendor, seconds=seconds)
                    samples[row][contestant.title].append(sample)
                    _tell(f"{turn + 1}/{rounds} {row}, {contestant.title}: {sample.per_second:,.0f}/s")
    return samples


def _title(maker: Callable[[Rig], Contestant]) -> str:
    return str(getattr(maker, "title", "a peer"))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
