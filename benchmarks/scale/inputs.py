"""What the plan is reckoned with: costs, traffic, machines and prices, as they stand in inputs.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("inputs.toml")


class Costs(msgspec.Struct, frozen=True):
    """Microseconds of one core, and how many milliseconds apart the ledger is written."""

    forward_us: float
    """A whole answer forwarded, its ledger row included."""
    hit_us: float
    event_us: float
    row_us: float
    batch_ms: int


class Own(msgspec.Struct, frozen=True):
    """What a worker spends on an event and on a row, and how many milliseconds apart it writes rows."""

    event_us: float
    row_us: float
    batch_ms: int


class Traffic(msgspec.Struct, frozen=True):
    """What a trace of arrivals and token counts leaves open."""

    first_token_s: float
    tokens_per_s: float
    tokens_per_event: float
    hit_share: float
    bytes_per_token: float
    event_bytes: float
    envelope_bytes: float


class Wishes(msgspec.Struct, frozen=True):
    """What the plan must keep: milliseconds of queueing for 99 of 100 requests, with one of `zones` lost."""

    added_p99_ms: float
    zones: int


class Machine(msgspec.Struct, frozen=True):
    """A gateway host, with one worker a processor."""

    name: str
    vcpus: int
    memory_gib: float
    network_gbit_s: float
    network_share: float
    worker_mib: float
    fds_per_worker: int


class Database(msgspec.Struct, frozen=True):
    """A PostgreSQL primary, and how long it keeps rows."""

    vcpus: int
    busy: float
    commit_ms: float
    wal_mb_s: float
    keep_days: float
    column_bytes: float
    keep_answers_s: float


class Redis(msgspec.Struct, frozen=True):
    """A Redis node, and the share of its one thread that is planned for."""

    vcpus: int
    memory_gib: float
    busy: float


class Vendor(msgspec.Struct, frozen=True):
    """Limits of one account, and US dollars for a million tokens."""

    requests_per_min: float
    tokens_per_min: float
    usd_per_mtok_in: float
    usd_per_mtok_out: float


class Prices(msgspec.Struct, frozen=True):
    """US dollars."""

    vcpu_hour: float
    volume_gb_month: float
    object_gb_month: float
    between_zones_gb: float
    internet_gb: float


class Inputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of inputs.toml."""

    worker: Own
    goals: Costs
    traffic: Traffic
    wishes: Wishes
    machine: Machine
    database: Database
    redis: Redis
    vendor: Vendor
    prices: Prices


def load(path: Path = FILE) -> Inputs:
    """The inputs. Raises `msgspec.ValidationError` where one is missing or misspelt."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Inputs, strict=False)
