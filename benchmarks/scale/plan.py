"""Hosts, servers, bytes and dollars for a rate of requests, on paper."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from benchmarks.scale.counted import PerRequest, PerWorker
from benchmarks.scale.ingesting import Ingested
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.trace import Mean

GIB, GB = 1 << 30, 1e9
HOURS, SECONDS = 730, 730 * 3600
"""A month."""
PARTS = 8
"""The smallest machine that is planned with is such a part of the size at hand."""
CALLERS_ELSEWHERE = 2 / 3
"""Share of traffic with callers and servers that crosses zones, as hosts do not look where a caller is."""


class Asked(Struct, frozen=True):
    """All that a plan needs to know of a request, a worker and a ledger row."""

    mean: Mean
    request: PerRequest
    worker: PerWorker
    row: Ingested
    stream_kib: float
    utilisation: float
    """Of a worker, at most."""
    open_per_busy: float
    """Requests in flight at the worst moment, over the mean."""


class Need(Struct, frozen=True):
    """So many machines of the size at hand, and what asks for that many."""

    exact: float
    by: str

    @property
    def paid(self) -> float:
        """Whole machines from one on; below, a smaller one of the same family, at the same price for its size."""
        return ceil(self.exact) if self.exact > 1 else ceil(self.exact * PARTS) / PARTS


class Plan(Struct, frozen=True):
    """What a rate of requests takes."""

    rate: float
    workers: int
    hosts: Need
    open_streams: float
    redis_ops: float
    redis: Need
    transactions: float
    rows: float
    wal_bytes: float
    postgres: Need
    """With an answer level in SQL, as built."""
    postgres_ledger: Need
    """For the ledger alone."""
    rows_month_tb: float
    object_month_tb: float
    dollars: dict[str, float]
    """A month, by what they are for."""
    vendor_accounts: int
    vendor_dollars: float


class Kind(Struct, frozen=True):
    """Workers under one kind of traffic or cost."""

    cpu_us: float
    """Of a worker, for a mean request."""
    per_second: float
    """Requests of one worker as busy as it may be."""
    workers: Sequence[int]
    """For each rate that is planned for."""


def most(**needs: float) -> Need:
    """The largest of the needs, and its name."""
    name = max(needs, key=lambda each: needs[each])
    return Need(needs[name], name)


def workers(rate: float, asked: Asked, inputs: Inputs) -> int:
    """Workers for so many requests per second, so that one zone may be lost."""
    spare = inputs.wishes.zones / (inputs.wishes.zones - 1)
    return ceil(rate * asked.mean.cpu_us / 1e6 / asked.utilisation * spare)


def plan(rate: float, asked: Asked, inputs: Inputs) -> Plan:
    """The plan for so many requests per second."""
    mean, request = asked.mean, asked.request
    number = workers(rate, asked, inputs)
    in_flight = rate * mean.duration_s * asked.open_per_busy
    hosts = _hosts(rate, number, in_flight, asked, inputs)
    redis = _redis(rate, request, inputs)
    database = _Databases(asked, inputs, rate, number)
    as_built = database.primaries(request.postgres_cpu_us, request.wal_bytes)
    ledger = database.primaries(asked.row.row_cpu_us, asked.row.row_wal_bytes)
    vendor = inputs.vendor
    tokens = mean.tokens_in + mean.tokens_out
    return Plan(
        rate=rate,
        workers=number,
        hosts=hosts,
        open_streams=in_flight,
        redis_ops=rate * request.redis_commands,
        redis=redis,
        transactions=rate * request.transactions + number * asked.worker.transactions,
        rows=rate,
        wal_bytes=rate * request.wal_bytes,
        postgres=as_built,
        postgres_ledger=ledger,
        rows_month_tb=rate * SECONDS * asked.row.row_disk_bytes / 1e12,
        object_month_tb=rate * SECONDS * inputs.database.column_bytes / 1e12,
        dollars=_servers(hosts, redis, as_built, inputs) | _bytes(rate, asked, inputs),
        vendor_accounts=ceil(60 * rate * max(1 / vendor.requests_per_min, tokens / vendor.tokens_per_min)),
        vendor_dollars=rate
        * SECONDS
        * (1 - inputs.traffic.hit_share)
        * (mean.tokens_in * vendor.usd_per_mtok_in + mean.tokens_out * vendor.usd_per_mtok_out)
        / 1e6,
    )


def _hosts(rate: float, number: int, in_flight: float, asked: Asked, inputs: Inputs) -> Need:
    machine, spare = inputs.machine, inputs.wishes.zones / (inputs.wishes.zones - 1)
    memory = number * machine.worker_mib * (1 << 20) + in_flight * asked.stream_kib * 1024 * spare
    bits = 8 * rate * (asked.mean.inside_bytes + asked.mean.outside_bytes) * spare
    return most(
        processor=number / machine.vcpus,
        memory=memory / (machine.memory_gib * GIB),
        network=bits / (machine.network_gbit_s * 1e9 * machine.network_share),
        zones=inputs.wishes.zones / PARTS,
    )


def _redis(rate: float, request: PerRequest, inputs: Inputs) -> Need:
    """Primaries; each has a replica beside it."""
    kept = rate * request.redis_memory * inputs.database.keep_answers_s
    return most(
        thread=rate * request.redis_cpu_us / 1e6 / inputs.redis.busy,
        memory=kept / (inputs.redis.memory_gib * GIB),
        network=8 * rate * request.redis_bytes / (inputs.machine.network_gbit_s * 1e9 * inputs.machine.network_share),
    )


class _Databases(Struct, frozen=True):
    asked: Asked
    inputs: Inputs
    rate: float
    workers: int

    def primaries(self, cpu_us: float, wal_bytes: float) -> Need:
        """For a request that costs so much; each has a replica. Workers at rest look into one primary each."""
        database, row = self.inputs.database, self.asked.row
        busy_us = self.rate * cpu_us + self.workers * self.asked.worker.postgres_cpu_us
        held_ms = row.sums_ms + database.commit_ms
        return most(
            processor=busy_us / 1e6 / (database.vcpus * database.busy),
            log=self.rate * wal_bytes / (database.wal_mb_s * 1e6),
            sums=self.rate / row.batch * held_ms / 1000,
        )


def _servers(hosts: Need, redis: Need, postgres: Need, inputs: Inputs) -> dict[str, float]:
    """Dollars a month; Redis and PostgreSQL with a replica each."""
    hour = inputs.prices.vcpu_hour * HOURS
    return {
        "gateways": hosts.paid * inputs.machine.vcpus * hour,
        "Redis": 2 * redis.paid * inputs.redis.vcpus * hour,
        "PostgreSQL": 2 * postgres.paid * inputs.database.vcpus * hour,
    }


def _bytes(rate: float, asked: Asked, inputs: Inputs) -> dict[str, float]:
    """Dollars a month for what is kept and what is moved."""
    prices, database, mean = inputs.prices, inputs.database, asked.mean
    rows = database.keep_days * 86_400 * asked.row.row_disk_bytes
    answers = database.keep_answers_s * asked.request.answers_disk
    month_gb = rate * SECONDS / GB
    between = mean.inside_bytes + mean.outside_bytes + asked.request.redis_bytes
    return {
        "volumes": 2 * rate * (rows + answers) / GB * prices.volume_gb_month,
        "a year in object storage": 12 * month_gb * database.column_bytes * prices.object_gb_month,
        "bytes to vendors": month_gb * mean.inside_bytes * prices.internet_gb,
        "bytes between zones": month_gb * CALLERS_ELSEWHERE * between * prices.between_zones_gb,
    }
