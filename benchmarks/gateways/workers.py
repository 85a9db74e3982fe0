"""How throughput grows: gateway, mock and load together on one core with one worker, on two cores with two."""

from __future__ import annotations

import statistics

import msgspec

from benchmarks.gateways.measuring import WARMUP_SECONDS
from benchmarks.gateways.ours import FarthingServer
from benchmarks.gateways.rig import LOAD_CORE, SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import ROWS
from benchmarks.native import Upstream

CONNECTIONS = 64


class Crew:
    """A gateway of some workers and its own mock and load on as many cores."""

    def __init__(self, rig: Rig, cores: tuple[int, ...]) -> None:
        self._cores = cores
        self.mock = Upstream(runner=pinned(*cores))
        self.gateway = FarthingServer(rig, url=self.mock.url, workers=len(cores), cores=cores)

    def start(self) -> None:
        """Both, the mock first."""
        self.mock.start()
        self.gateway.start()

    def per_second(self, seconds: float) -> float:
        """Answers a second. Raises `AssertionError` where one is an error."""
        self.gateway.thaw()
        kind = msgspec.structs.replace(ROWS["forwarded"], connections=CONNECTIONS)
        load, runner = self.gateway.asked().load(kind, seconds=seconds), pinned(*self._cores)
        msgspec.structs.replace(load, seconds=WARMUP_SECONDS).put(runner=runner)
        done = load.put(runner=runner)
        assert not done.errors, done.first_error
        self.gateway.freeze()
        return done.per_second

    def remove(self) -> None:
        """Both stopped, their files deleted."""
        self.gateway.remove()
        self.mock.remove()


def scale(rig: Rig, *, rounds: int, seconds: float) -> tuple[float, float]:
    """Requests a second of one worker and of two, each with the whole rig on its cores; medians."""
    crews = [Crew(rig, (SERVED_CORE,)), Crew(rig, (SERVED_CORE, LOAD_CORE))]
    try:
        for crew in crews:
            crew.start()
            crew.gateway.freeze()
        taken = [[crew.per_second(seconds) for crew in crews] for _ in range(rounds)]
    finally:
        for crew in crews:
            crew.remove()
    one, two = (float(statistics.median(each)) for each in zip(*taken, strict=True))
    return one, two
