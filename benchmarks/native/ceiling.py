"""`python -m benchmarks.native.ceiling`: how fast the mock and the load generator are beside nginx and wrk."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.accounting import account
from benchmarks.machine import store
from benchmarks.native import PLACEHOLDER, Load, LoadResult, Upstream
from benchmarks.nginx import Nginx
from benchmarks.tables import aligned
from tests.servers.process import free_port

SERVER_CORE, LOAD_CORE = 0, 1
ON_LOAD_CORE = ("taskset", "-c", str(LOAD_CORE))
PATH = "/v1/chat/completions"
QUESTION = f'{{"model":"mock","messages":[{{"role":"user","content":"Question {PLACEHOLDER}: why?"}}]}}'
STREAMS = 1000

Side = Upstream | Nginx


class Work(msgspec.Struct, frozen=True):
    """Answers or events, in how many seconds, and the load generator's CPU seconds where it tells them."""

    count: int
    seconds: float
    cpu_seconds: float | None = None


class Round(msgspec.Struct, frozen=True):
    """Answers or events per second, and CPU µs for each: the server's, and the load generator's."""

    per_second: float
    server_us: float
    load_us: float | None


def whole(server: Side, seconds: int) -> Work:
    """Answers to our load generator, each prompt different."""
    result = _checked(Load(url=server.url + PATH, body=QUESTION.encode(), seconds=seconds, vary=True))
    return Work(result.requests, result.seconds, result.cpu_seconds)


def streamed(server: Side, seconds: int) -> Work:
    """Events of a thousand streams at a time."""
    body = QUESTION[:-1].encode() + b',"stream":true}'
    result = _checked(Load(url=server.url + PATH, body=body, seconds=seconds, connections=STREAMS))
    return Work(result.events, result.seconds, result.cpu_seconds)


def _checked(load: Load) -> LoadResult:
    result = load.put(runner=ON_LOAD_CORE)
    assert result.errors == 0, result.first_error
    return result


def wrk(server: Side, seconds: int) -> Work:
    """Answers to wrk, always the same prompt."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(f"wrk.method, wrk.body = 'POST', '{QUESTION}'\n", encoding="utf-8")
        command = [*ON_LOAD_CORE, "wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(script), server.url + PATH]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", output)
    assert found, output
    assert not re.search("Non-2xx|Socket errors", output), output
    return Work(int(found[1]), float(found[2]))


def measure(put: Callable[[Side, int], Work], server: Side, seconds: int) -> Round:
    """One round."""
    before = account(server.pid).cpu_seconds
    work = put(server, seconds)
    spent = account(server.pid).cpu_seconds - before
    return Round(
        per_second=work.count / work.seconds,
        server_us=spent / work.count * 1e6,
        load_us=None if work.cpu_seconds is None else work.cpu_seconds / work.count * 1e6,
    )


def nginx_like(upstream: Upstream) -> Nginx:
    """Returns the mock's own answer to everything."""
    request = urllib.request.Request(upstream.url + PATH, data=b"{}")  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 (loopback)
        answer = f"default_type application/json; return 200 '{response.read().decode()}';"
    port = free_port()
    return Nginx(f"server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}", port=port, core=SERVER_CORE)


def table(rounds: dict[str, list[Round]]) -> str:
    """The fastest round's rate, since whatever else the machine does can only slow it, and the least costs."""
    head = ("", "per second", "server CPU µs", "load CPU µs", "each round")
    lines = [
        (
            name,
            f"{max(one.per_second for one in each):,.0f}",
            f"{min(one.server_us for one in each):.2f}",
            _least([one.load_us for one in each if one.load_us is not None]),
            " ".join(f"{one.per_second:,.0f}" for one in each),
        )
        for name, each in rounds.items()
    ]
    notes = [
        "Server and load generator each on a core of its own, 32 connections, rounds interleaved; the fastest round",
        f"and the least costs. The last row counts the events of {STREAMS} streams at a time: their pace is its bound.",
    ]
    return "\n".join([*aligned([head, *lines]), "", *notes])


def _least(costs: Sequence[float]) -> str:
    return f"{min(costs):.2f}" if costs else ""


def main() -> int:
    """The exit code; prints the table and stores it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=3)
    chosen = options.parse_args()
    if len(os.sched_getaffinity(0)) <= max(SERVER_CORE, LOAD_CORE):
        print("The ceilings need two cores, one for the server and one for the load generator.")
        return 1
    with Upstream(runner=("taskset", "-c", str(SERVER_CORE))) as upstream:
        nginx = nginx_like(upstream)
        rows: dict[str, tuple[Callable[[Side, int], Work], Side]] = {
            "our load, our mock": (whole, upstream),
            "our load, nginx return 200": (whole, nginx),
            "wrk, our mock": (wrk, upstream),
            "wrk, nginx return 200": (wrk, nginx),
            "our load, our mock's events": (streamed, upstream),
        }
        rounds: dict[str, list[Round]] = {name: [] for name in rows}
        try:
            nginx.start()
            for _ in range(chosen.rounds):
                for name, (put, server) in rows.items():
                    rounds[name].append(measure(put, server, chosen.seconds))
        finally:
            nginx.remove()
    text = table(rounds)
    print(text)
    store("native", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
