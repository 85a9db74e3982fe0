"""An experiment over the ledger's own rows: each of the newest tenth of them is a result."""

from __future__ import annotations

import sqlalchemy as sa

from farthing.domain.experiments.analysis import analyse
from farthing.domain.experiments.definition import Arm, Experiment, Phase
from farthing.domain.experiments.results import Results
from farthing.store import Store
from farthing.store.engine import Engines
from farthing.store.schema import experiment_results, experiments, requests

NAME, TENANT = "queries", "tenant-1"
ARMS = (Arm("control", "complexity", 0.5), Arm("test", "hybrid", 0.5))
SHARE, MOST = 10, 1_000_000
"""Of the rows one in so many is a result, and so many at most are."""
OF_A_USER = 5


async def begin(store: Store, engines: Engines, *, rows: int, now_us: int) -> None:
    """An experiment with a result for a tenth of so many rows, by users who came five times each."""
    size = min(rows // SHARE, MOST)
    phases = (Phase((0.5, 0.5), now_us),)
    await store.experiments.create(
        Experiment(
            id=NAME, tenant=TENANT, name=NAME, arms=ARMS, sample_size=size, salt=NAME, phases=phases, created_us=now_us
        )
    )
    async with engines.writing("migration") as connection:
        await connection.execute(_results(size))
        await connection.execute(sa.update(experiments).values(n=size))


async def analysed(store: Store) -> Results:
    """What its results say, read and worked out as when its page is opened."""
    kept, data = await store.experiments.data(None, NAME, moves=True)
    return analyse(kept.experiment, data)


def _results(size: int) -> sa.Insert:
    row = requests.c
    newest = sa.select(requests).order_by(row.created_at.desc(), row.request_id.desc()).limit(size).subquery().c
    place = sa.func.row_number().over(order_by=(newest.created_at, newest.request_id))
    user = place % max(1, size // OF_A_USER)
    columns = {
        "experiment_id": sa.literal(NAME),
        "request_id": sa.cast(newest.request_id, sa.Text),
        "seq": place,
        "user_id": sa.literal("user-") + sa.cast(user, sa.Text),
        "arm": sa.case((user % 2 == 0, ARMS[0].name), else_=ARMS[1].name),
        "phase": sa.literal(0),
        "cost": sa.func.coalesce(newest.cost, 0),
        "latency_us": newest.duration_us,
        "is_error": newest.status == "error",
        "covariate": newest.prompt_tokens,
        "created_at": newest.created_at,
    }
    return sa.insert(experiment_results).from_select([*columns], sa.select(*columns.values()))
