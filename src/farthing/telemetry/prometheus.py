"""Counts what Prometheus reads of this worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from farthing.domain.exchange import Exchange
from farthing.telemetry.tally import Distribution, Tally

if TYPE_CHECKING:
    from farthing.telemetry.exposition import Figures

Pools = Mapping[str, Mapping[str, int]]
"""By the pool's name its figures, such as `open` and `in_use`."""


class PrometheusSink:
    """Counts every exchange. Labels are models and providers of the catalogue, never what a caller wrote."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._tallies: dict[tuple[str | None, str | None], Tally] = {}
        self._overhead = Distribution()
        self._pools: list[Callable[[], Pools]] = []
        self._holds: list[Callable[[], int]] = []
        self._loads: list[Callable[[], tuple[Mapping[str, int], float]]] = []
        self._corrupt: list[Callable[[], Mapping[str, int]]] = []
        self._dropped: list[Callable[[], int]] = []

    def watch_pools(self, figures: Callable[[], Pools]) -> None:
        """Shows the figures of connection pools, read at each scrape, by pool and figure."""
        self._pools.append(figures)

    def watch_holds(self, count: Callable[[], int]) -> None:
        """Shows how many requests have money reserved that is not settled, whenever the figures are read."""
        self._holds.append(count)

    def watch_corrupt(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Shows how many kept answers were not ours or not whole, by level, whenever the figures are read."""
        self._corrupt.append(counts)

    def watch_dropped(self, count: Callable[[], int]) -> None:
        """Shows how many ratings were of no known answer or had no room to wait, whenever the figures are read."""
        self._dropped.append(count)

    def watch_load(self, load: Callable[[], tuple[Mapping[str, int], float]]) -> None:
        """Shows how many requests were shed, by reason, and the loop's lateness in seconds, read at each scrape."""
        self._loads.append(load)

    def record(self, exchange: Exchange) -> None:
        """Counts one exchange."""
        where = exchange.provider, exchange.model
        tally = self._tallies.get(where)
        if tally is None:
            tally = self._tallies[where] = Tally()
        tally.count(exchange)
        if exchange.provider is not None and not exchange.stream:
            self._overhead.observe(max(0, exchange.duration_us - exchange.upstream_us))

    def figures(self) -> Figures:
        """What there is to tell, whatever is counted later included."""
        from farthing.telemetry.exposition import Figures

        return Figures(
            version=self._version,
            tallies=self._tallies,
            overhead=self._overhead,
            pools=self._pools,
            holds=self._holds,
            loads=self._loads,
            corrupt=self._corrupt,
            dropped=self._dropped,
        )

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        from farthing.telemetry.exposition import written

        return written(self.figures())
