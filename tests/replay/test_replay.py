"""Real prompts through the running gateway: answers as recorded, money exact, a second time for nothing."""

from collections.abc import Sequence

import pytest

from benchmarks.replay.outcome import table
from benchmarks.replay.recordings import Recording
from benchmarks.replay.replaying import replay, settings
from benchmarks.replay.upstream import ReplayUpstream
from tests.servers.application import Served
from tests.servers.gateway import StartGateway

SAMPLE = 120


def test_every_prompt_on_sqlite(real: Sequence[Recording], start_gateway: StartGateway) -> None:
    """All recordings: every answer, every row and every total is as recomputed, and the table says so."""
    upstream = ReplayUpstream(real)
    with Served(upstream.application) as served:
        gateway = start_gateway(settings(served.url))
        outcome = replay(gateway.url, upstream, real)
    assert outcome.rows == 2 * len(real)
    assert f"{2 * len(real)} answers" in table(outcome)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sample_through_pgbouncer_and_redis(
    workers: int,
    real: Sequence[Recording],
    start_gateway: StartGateway,
    pgbouncer_database: str,
    redis_database: str,
) -> None:
    """The same holds over PgBouncer in transaction mode and Redis, where workers share answers and ledger."""
    sample = real[:: max(1, len(real) // SAMPLE)][:SAMPLE]
    upstream = ReplayUpstream(sample)
    with Served(upstream.application) as served:
        gateway = start_gateway(
            settings(served.url), database=pgbouncer_database, redis=redis_database, workers=workers
        )
        assert replay(gateway.url, upstream, sample).rows == 2 * SAMPLE
