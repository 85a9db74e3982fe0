"""The vendor's mock and the load generator, two C programs that are built where they are first needed."""

from __future__ import annotations

import functools
import http.client
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from benchmarks.machine import ROOT
from tests.servers.process import HttpServer, ServerFailed, free_port, private_folder, program

PLACEHOLDER = "@@@@@@@@@@@@"
"""What stands in a body where each request is to have a number of its own."""
GRACE_SECONDS = 60.0


@functools.cache
def built() -> Path:
    """The folder that holds both programs, not older than their sources. Raises `ServerFailed` where they are not."""
    folder = ROOT / ".benchmarks" / "bin"
    command: list[str | Path] = [program("make"), "--silent", "-C", Path(__file__).parent]
    command += [f"CC={program('gcc')}", f"OUT={folder}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise ServerFailed(f"the load generator does not compile: {made.stderr[-2000:]}")
    return folder


class Upstream(HttpServer):
    """A vendor that answers every POST at once, as OpenAI does or, on /v1/messages, as Anthropic; a stream is paced."""

    as_ourselves = True

    def __init__(
        self, *, events: int = 34, gap_ms: float = 10, awake: bool = False, runner: tuple[str, ...] = ()
    ) -> None:
        """A stream's `events`, at least 2, stand `gap_ms` apart, the first at once; `runner` is such as taskset.

        Who asks one that stays `awake` does not pay for waking its core; it leaves the core to others, but never idle.
        """
        self.awake = awake
        port = free_port()
        options = ["--port", str(port), "--events", str(events), "--gap-ms", str(gap_ms)]
        options += ["--awake"] if awake else []
        super().__init__(
            "the mock", folder=private_folder("mock"), port=port, command=[*runner, built() / "upstream", *options]
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._got("/") == "ok"
        except (OSError, http.client.HTTPException):
            return False

    def count(self) -> int:
        """How many POSTs it has answered, or begun to, since the start or the last `reset`."""
        return int(self._got("/count"))

    def reset(self) -> None:
        """Counts from zero again."""
        self._got("/reset")

    def _got(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


class Durations(msgspec.Struct, frozen=True):
    """Of all requests, µs: quantiles within 1 %, the maximum and the mean exactly."""

    p50: float
    p90: float
    p99: float
    max: float
    mean: float


class LoadResult(msgspec.Struct, frozen=True):
    """What came of a load: `requests` were answered in full with status 200, and only they are measured."""

    requests: int
    errors: int
    """Other statuses, broken connections, streams without their last event, answers that did not come in time."""
    seconds: float
    """From the first request to the last answer; in open loop at least what was asked for."""
    per_second: float
    events: int
    """Lines that begin with `data:`, the vendor's last one included."""
    cpu_seconds: float
    """Processor time of the load generator itself: near `seconds`, one that sleeps was the limit."""
    latency_us: Durations
    """To the answer's end; in open loop from the moment the request was due, sent or not."""
    first_byte_us: Durations
    """To the body's first byte, from the same moment."""
    statuses: dict[str, int]
    """Answers that came to their end, by status."""
    first_error: str = ""
    """What happened to the first request that failed, with the start of what was answered."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """POSTs of one body: as fast as they are answered, or with `rate` at equal distances, so many a second.

    In open loop a request that finds no free connection waits, and its wait counts. Every request that was begun gets
    its answer or its error before the load ends.
    """

    url: str
    body: bytes
    connections: int = 32
    seconds: float = 5.0
    warmup: float = 0.0
    """Seconds of the same load before, of which nothing is counted."""
    rate: float | None = None
    vary: bool = False
    """Puts a number of its own into each request, in place of `PLACEHOLDER` in the body."""
    seed: int | None = None
    """Equal seeds vary alike; without one, no two loads have a number in common, but by a rare chance."""
    headers: Mapping[str, str] = {}
    awake: bool = False
    """Waits without sleeping, so that who answers does not pay for waking its core."""
    timeout: float = 30.0
    """Seconds from when a request is due to when it is an error, without an answer or even before it was sent."""

    def put(self, *, runner: tuple[str, ...] = ()) -> LoadResult:
        """Loads, as a child of `runner` such as taskset. Raises `ServerFailed` where the load generator fails."""
        numbers = {
            "connections": self.connections,
            "seconds": self.seconds,
            "warmup": self.warmup,
            "rate": self.rate,
            "seed": self.seed,
            "timeout": self.timeout,
        }
        options = [f"--{name}={value}" for name, value in numbers.items() if value is not None]
        options += [f"--header={name}: {value}" for name, value in self.headers.items()]
        options += ["--vary"] if self.vary else []
        options += ["--awake"] if self.awake else []
        command: list[str | Path] = [*runner, built() / "load", "--url", self.url, "--body", "/dev/stdin", *options]
        longest = self.warmup + self.seconds + 2 * self.timeout + GRACE_SECONDS
        done = subprocess.run(command, input=self.body, capture_output=True, timeout=longest, check=False)
        if done.returncode:
            raise ServerFailed(f"the load generator failed: {done.stderr.decode(errors='replace')}")
        return msgspec.json.decode(done.stdout, type=LoadResult)
