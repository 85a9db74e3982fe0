"""An hour of real arrivals: when requests came, how long they were, and how long their answers."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import ROOT
from benchmarks.scale.inputs import Costs, Traffic

FOLDER = ROOT.parent / "shared" / "data" / "caching"
STREAMED, WHOLE = FOLDER / "azure2023_conv.csv.gz", FOLDER / "azure2023_code.csv.gz"
"""People who chat watch the answer grow; editors wait for a short one."""


class Request(NamedTuple):
    """One request of the trace."""

    at_s: float
    """Seconds since the trace began."""
    tokens_in: int
    tokens_out: int
    is_streamed: bool


class Mean(NamedTuple):
    """The mean request of a trace."""

    cpu_us: float
    """Of one core."""
    streamed: float
    """Share of requests whose answer is streamed."""
    duration_s: float
    events: float
    tokens_in: float
    tokens_out: float
    inside_bytes: float
    """Bytes that a gateway takes from callers and gives to vendors: each once."""
    outside_bytes: float
    """Bytes that it takes from vendors and gives to callers: each once."""


def load(streamed: Path = STREAMED, whole: Path = WHOLE) -> Sequence[Request]:
    """Both halves of the trace in order of time. Raises `FileNotFoundError` where it is not at hand."""
    return sorted([*_read(streamed, is_streamed=True), *_read(whole, is_streamed=False)])


def _read(path: Path, *, is_streamed: bool) -> Sequence[Request]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [
            Request(float(row["t_s"]), int(row["ContextTokens"]), int(row["GeneratedTokens"]), is_streamed)
            for row in csv.DictReader(lines)
        ]


def events(request: Request, traffic: Traffic) -> int:
    """Pieces in which the answer comes; 0 where it comes whole."""
    return max(1, round(request.tokens_out / traffic.tokens_per_event)) if request.is_streamed else 0


def duration_s(request: Request, traffic: Traffic) -> float:
    """Seconds from arrival to the end of the answer, as long as nobody queues."""
    return traffic.first_token_s + request.tokens_out / traffic.tokens_per_s


def mean(trace: Sequence[Request], costs: Costs, traffic: Traffic) -> Mean:
    """What the mean request of the trace costs and moves. A hit takes no time and comes in one piece."""
    number = len(trace)
    pieces = sum(events(request, traffic) for request in trace) / number
    tokens_in = sum(request.tokens_in for request in trace) / number
    tokens_out = sum(request.tokens_out for request in trace) / number
    whole_tokens = sum(request.tokens_out for request in trace if not request.is_streamed) / number
    missed = 1 - traffic.hit_share
    return Mean(
        cpu_us=missed * (costs.forward_us + pieces * costs.event_us) + traffic.hit_share * costs.hit_us,
        streamed=sum(request.is_streamed for request in trace) / number,
        duration_s=missed * sum(duration_s(request, traffic) for request in trace) / number,
        events=pieces,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        inside_bytes=tokens_in * traffic.bytes_per_token + traffic.envelope_bytes,
        outside_bytes=pieces * traffic.event_bytes + whole_tokens * traffic.bytes_per_token + traffic.envelope_bytes,
    )


def peak_to_mean(trace: Sequence[Request], window_s: float) -> float:
    """How many times the mean the busiest stretch of so many seconds is."""
    counts: dict[int, int] = {}
    for request in trace:
        window = int(request.at_s / window_s)
        counts[window] = counts.get(window, 0) + 1
    windows = int(max(request.at_s for request in trace) / window_s) + 1
    return max(counts.values()) * windows / len(trace)
