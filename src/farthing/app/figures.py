"""What a worker shows of itself: figures for Prometheus, and live ones for those who watch."""

from __future__ import annotations

from collections.abc import Mapping

from farthing.app.learning import Learning
from farthing.app.storage import Storage
from farthing.gateway.snapshot import Snapshots
from farthing.http.hub import Caps, Hub
from farthing.http.sockets import text_frame
from farthing.insight.routing_metrics import RoutingMetrics
from farthing.money.ledger import Ledger
from farthing.ports import Clock
from farthing.providers.transport import HttpTransport
from farthing.settings.sections import ServerSettings
from farthing.store import Store
from farthing.telemetry.prometheus import PrometheusSink


def watch(sink: PrometheusSink, storage: Storage, ledger: Ledger, transport: HttpTransport, learning: Learning) -> None:
    """Has the sink look at connections, holds, kept answers that were not ours, and remarks that were lost."""

    def pools() -> dict[str, Mapping[str, int]]:
        upstream = {
            f"{origin.host}:{origin.port}": {"leased": pool.leased, "kept": pool.kept, "waiting": pool.waiting}
            for origin, pool in transport.pools.items()
        }
        return {**storage.store.pools(), **upstream}

    sink.watch_pools(pools)
    sink.watch_holds(lambda: ledger.open_holds)
    sink.watch_corrupt(storage.corrupt)
    sink.watch_dropped(lambda: learning.remarks.dropped)


def build_hub(server: ServerSettings, snapshots: Snapshots, metrics: RoutingMetrics, store: Store, clock: Clock) -> Hub:
    """Those who watch the live figures."""
    return Hub(
        metrics=metrics.latest,
        pulse=store.queries.requests_today,
        is_demo=lambda: snapshots.current.catalogue.demo,
        keys=lambda: snapshots.current,
        frame=text_frame,
        caps=Caps(server.max_live_sockets, server.max_live_sockets_per_address, server.max_live_sockets_per_caller),
        clock=clock,
    )
