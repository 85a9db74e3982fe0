"""The rates at which something gives way, from the first on, and what to do there."""

from __future__ import annotations

from msgspec import Struct

from benchmarks.scale.inputs import Inputs
from benchmarks.scale.plan import GIB, Asked
from farthing.providers.transport import LIMIT_PER_HOST

NO_SQL_ANSWERS = "with Redis there, leave answers out of SQL; keep streams packed there, too"
BY_TENANT = "a PostgreSQL for each group of tenants, as nothing is joined across them; old rows to object storage"


class Wall(Struct, frozen=True):
    """Something that holds no more than `rate` requests per second."""

    rate: float
    what: str
    why: str
    remedy: str


def walls(asked: Asked, inputs: Inputs) -> list[Wall]:
    """All walls, the nearest first."""
    return sorted(
        [
            *_of_vendors(asked, inputs),
            *_of_hosts(asked, inputs),
            *_of_redis(asked, inputs),
            *_of_postgres(asked, inputs),
        ],
        key=lambda wall: wall.rate,
    )


def _of_vendors(asked: Asked, inputs: Inputs) -> list[Wall]:
    vendor, mean = inputs.vendor, asked.mean
    tokens = mean.tokens_in + mean.tokens_out
    by_tokens = vendor.tokens_per_min / tokens
    return [
        Wall(
            min(vendor.requests_per_min, by_tokens) / 60,
            "one account at one vendor",
            f"{vendor.requests_per_min:,.0f} requests and {vendor.tokens_per_min / 1e6:,.0f} M tokens a minute",
            "several accounts and vendors for a model, chosen by what is left of their limits; reserved capacity",
        ),
        Wall(
            LIMIT_PER_HOST / (mean.duration_s * asked.open_per_busy),
            "one worker's connections to one vendor",
            f"{LIMIT_PER_HOST:,} at once for {mean.duration_s:.1f} s, in bursts {asked.open_per_busy:.1f}-fold",
            "a higher limit; HTTP/2 upstream",
        ),
    ]


def _of_hosts(asked: Asked, inputs: Inputs) -> list[Wall]:
    machine, mean = inputs.machine, asked.mean
    worker = 1e6 / mean.cpu_us * asked.utilisation
    moved_bits = 8 * (mean.inside_bytes + mean.outside_bytes)
    return [
        Wall(
            worker,
            "one worker",
            f"{mean.cpu_us:,.0f} µs of processor a request, {asked.utilisation:.0%} busy",
            "`--workers`",
        ),
        Wall(
            worker * machine.vcpus,
            f"one {machine.name}'s processors",
            f"{machine.vcpus} workers",
            "more hosts behind any load balancer: they share nothing but PostgreSQL and Redis",
        ),
        Wall(
            machine.network_gbit_s * 1e9 * machine.network_share / moved_bits,
            f"one {machine.name}'s network",
            f"{moved_bits / 8e3:,.0f} kB each way a request",
            "more hosts; compressed answers to callers who take them",
        ),
    ]


def _of_redis(asked: Asked, inputs: Inputs) -> list[Wall]:
    request, redis = asked.request, inputs.redis
    return [
        Wall(
            redis.memory_gib * GIB / (request.redis_memory * inputs.database.keep_answers_s),
            "one Redis's memory",
            f"{request.redis_memory / 1e3:,.0f} kB an answer, kept {inputs.database.keep_answers_s / 3600:.0f} h",
            "a shorter `cache.ttl_s`; keep an answer from its second request on; a cluster",
        ),
        Wall(
            redis.busy * 1e6 / request.redis_cpu_us,
            "one Redis's thread",
            f"{request.redis_commands:.1f} commands and {request.redis_cpu_us:.0f} µs a request",
            "a cluster: no key needs another one's node",
        ),
    ]


def _of_postgres(asked: Asked, inputs: Inputs) -> list[Wall]:
    request, database, row = asked.request, inputs.database, asked.row
    busy_us = database.vcpus * database.busy * 1e6
    held_ms = row.sums_ms + database.commit_ms
    per_worker = 1e6 / asked.mean.cpu_us * asked.utilisation
    cores = f"{database.vcpus} processors"
    return [
        Wall(
            busy_us / request.postgres_cpu_us,
            "one PostgreSQL, answers in SQL",
            f"{request.transactions:.1f} transactions and {request.postgres_cpu_us:.0f} µs a request, {cores}",
            NO_SQL_ANSWERS,
        ),
        Wall(
            database.wal_mb_s * 1e6 / request.wal_bytes,
            "one PostgreSQL's log, answers in SQL",
            f"{request.wal_bytes / 1e3:.1f} kB a request, {database.wal_mb_s:.0f} MB/s",
            NO_SQL_ANSWERS,
        ),
        Wall(
            1000 / held_ms * row.batch,
            "the sums that all rows of a tenant share",
            f"{row.batch} rows a batch, held {held_ms:.1f} ms until committed",
            "one writer for many workers, or sums of each host's own that a job adds up",
        ),
        Wall(
            database.wal_mb_s * 1e6 / row.row_wal_bytes,
            "one PostgreSQL's log, ledger alone",
            f"{row.row_wal_bytes / 1e3:.1f} kB a row",
            BY_TENANT,
        ),
        Wall(
            busy_us / row.row_cpu_us,
            "one PostgreSQL, ledger alone",
            f"{row.row_cpu_us:.0f} µs a row, {cores}",
            BY_TENANT,
        ),
        Wall(
            busy_us / asked.worker.postgres_cpu_us * per_worker,
            "one PostgreSQL, workers that look for news",
            f"{asked.worker.transactions:.0f} transactions a second from each worker at rest",
            "one look for each host, news by LISTEN or Redis",
        ),
    ]
