"""What was counted on real servers, as it is stored, and what it amounts to for a mean request."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.machine import RESULTS, described
from benchmarks.scale.counting import WORKERS, Counts, Work
from benchmarks.scale.ingesting import Ingested
from benchmarks.scale.inputs import Costs, Own
from benchmarks.scale.streams import Held

FILE = RESULTS / "scale-counted.json"


class Counted(msgspec.Struct, frozen=True):
    """Everything that was counted in one run."""

    measured: str
    """When and where."""
    counts: Counts
    held: Held
    ingested: Ingested


class PerRequest(msgspec.Struct, frozen=True):
    """What a mean request asks of the servers; CPU in µs of one of their cores."""

    redis_commands: float
    redis_cpu_us: float
    redis_bytes: float
    redis_memory: float
    transactions: float
    postgres_cpu_us: float
    wal_bytes: float
    answers_disk: float


class PerWorker(msgspec.Struct, frozen=True):
    """What a worker asks in a second of rest."""

    transactions: float
    postgres_cpu_us: float


def save(counts: Counts, held: Held, ingested: Ingested, path: Path = FILE) -> None:
    """Stores what was counted, with date and machine."""
    encoded = msgspec.json.encode(Counted(described(), counts, held, ingested))
    path.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")


def load(path: Path = FILE) -> Counted:
    """What was stored last. Raises `FileNotFoundError`."""
    return msgspec.json.decode(path.read_bytes(), type=Counted)


def per_request(counts: Counts, *, streamed: float, hits: float) -> PerRequest:
    """The mean of whole, streamed and kept answers in these shares."""
    parts = (
        (counts.forwarded, (1 - hits) * (1 - streamed)),
        (counts.streamed, (1 - hits) * streamed),
        (counts.again, hits),
    )
    shares = [(_per_request(work), share) for work, share in parts]
    return PerRequest(
        *(sum(getattr(each, name) * share for each, share in shares) for name in PerRequest.__struct_fields__)
    )


def _per_request(work: Work) -> PerRequest:
    return PerRequest(
        *(
            # What is less than the servers' own coming and going is nothing.
            max(0.0, total / work.requests)
            for total in (
                sum(work.redis.values()),
                work.redis_cpu_us,
                work.redis_bytes,
                work.redis_memory,
                work.postgres["transactions"],
                work.postgres_cpu_us,
                work.wal_bytes,
                work.answers_disk,
            )
        )
    )


def costs(counts: Counts, own: Own) -> Costs:
    """What the workers themselves spent on an answer, and on one from memory.

    Events are not counted here: those of the count come all at once, which is cheaper than in life.
    """
    return Costs(
        forward_us=counts.forwarded.gateway_cpu_us / counts.forwarded.requests,
        hit_us=counts.repeated.gateway_cpu_us / counts.repeated.requests,
        event_us=own.event_us,
        row_us=own.row_us,
        batch_ms=own.batch_ms,
    )


def per_worker(counts: Counts) -> PerWorker:
    """What the count at rest says of one worker."""
    idle = counts.idle
    worker_seconds = idle.seconds * WORKERS
    return PerWorker(idle.postgres["transactions"] / worker_seconds, idle.postgres_cpu_us / worker_seconds)
