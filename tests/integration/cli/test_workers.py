"""Several workers at one port: all of them serve, what they count adds up, and nobody's call is lost."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from farthing.cli.listening import listen
from farthing.cli.terminal import CommandError
from tests.servers.gateway import Gateway, running

CONNECTIONS = 40
SECONDS = 20.0


@pytest.fixture(scope="module")
def demo() -> Iterator[Gateway]:
    """A demo with two workers, started where a shell allows few open files."""
    few = ("prlimit", "--nofile=256:4096")
    with running("", workers=2, environment={"FARTHING_DEMO": "1"}, runner=few) as gateway:
        yield gateway


@pytest.fixture
def gateway(demo: Gateway) -> Gateway:
    """The demo, both of whose workers are at work."""
    with ExitStack() as stack:
        for connection in connections(demo, stack):
            ask(connection, "GET", "/readyz")
    return demo


def connections(gateway: Gateway, stack: ExitStack) -> list[http.client.HTTPConnection]:
    """As many as make it certain that each worker has some; open until the block ends."""
    opened = []
    for _ in range(CONNECTIONS):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=SECONDS)
        stack.enter_context(closing(connection))
        connection.connect()
        opened.append(connection)
    return opened


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    """The body of an answer with status 200."""
    encoded = json.dumps(body) if body else None
    connection.request(method, path, encoded, {"content-type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200, content
    return content


def workers_of(gateway: Gateway) -> set[int]:
    """The worker processes, without multiprocessing's own."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def test_both_workers_serve_and_their_counts_add_up(gateway: Gateway) -> None:
    """Each counts the connections that asked it, once each; together they are all that was asked, as in the ledger."""
    question = {"model": "demo/small", "messages": [{"role": "user", "content": "What is a farthing?"}]}
    with ExitStack() as stack:
        opened = connections(gateway, stack)
        for connection in opened:
            ask(connection, "POST", "/v1/chat/completions", question)
        counted = Counter(requests_of(ask(connection, "GET", "/metrics").decode()) for connection in opened)
        shares = [number for number, callers in counted.items() for _ in range(callers // number)]
        assert (len(shares), sum(shares)) == (2, CONNECTIONS)
        assert min(shares) >= 5
        end = time.monotonic() + SECONDS
        while (total := booked(opened[0])) < CONNECTIONS and time.monotonic() < end:
            time.sleep(0.05)
        assert total == CONNECTIONS


def requests_of(metrics: str) -> int:
    """Requests that one worker has counted."""
    return round(sum(map(float, re.findall(r"^farthing_requests_total\{[^}]*\} (\S+)", metrics, re.MULTILINE))))


def booked(connection: http.client.HTTPConnection) -> int:
    """Rows of the ledger."""
    return int(json.loads(ask(connection, "GET", "/stats"))["overall"]["total_requests"])


def test_callers_of_a_killed_worker_are_answered_by_its_successor(gateway: Gateway) -> None:
    """Whoever calls while it is being replaced waits a moment, and is neither refused nor cut off."""
    before = workers_of(gateway)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    with ExitStack() as stack:
        for connection in connections(gateway, stack):
            ask(connection, "GET", "/readyz")
    after = workers_of(gateway)
    assert len(after) == 2
    assert before - after == {victim}


def test_workers_may_open_more_files_than_a_shell_allows(gateway: Gateway) -> None:
    """Two for each answer under way, as many as the system lets them have."""
    for pid in (gateway.pid, *workers_of(gateway)):
        [line] = re.findall(r"^Max open files.*", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
        assert line.split()[3:5] == ["4096", "4096"]


@pytest.fixture
def together() -> Iterator[list[socket.socket]]:
    """Three sockets at one address."""
    listeners = listen("127.0.0.1", 0, number=3)
    yield listeners
    for listener in listeners:
        listener.close()


def test_sockets_at_one_address_share_the_calls(together: list[socket.socket]) -> None:
    """A hundred calls reach all three."""
    address = together[0].getsockname()
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(closing(socket.create_connection(address, timeout=SECONDS)))
        shares = [waiting(listener) for listener in together]
    assert sum(shares) == 100
    assert min(shares) >= 10


def waiting(listener: socket.socket) -> int:
    """How many calls it holds."""
    listener.setblocking(False)
    number = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


@pytest.mark.parametrize("number", [1, 2])
def test_a_shared_port_is_in_use_for_everybody_else(together: list[socket.socket], number: int) -> None:
    """A second gateway does not quietly take half of the first one's calls."""
    port = together[0].getsockname()[1]
    with pytest.raises(CommandError, match=f"port {port} of 127.0.0.1 is in use"):
        listen("127.0.0.1", port, number=number)


def test_a_file_that_drops_a_plan_in_use_replaces_nobody() -> None:
    """The first successor says why it does not start, and all others stay as they are."""
    with running("[plans.gold]\n", workers=2, environment={"FARTHING_DEMO": "1"}) as gateway:
        create = [str(Path(sys.executable).with_name("farthing")), "tenants", "create", "acme", "--plan", "gold"]
        subprocess.run(create, cwd=gateway.folder, env=gateway.environment, check=True, capture_output=True)
        (gateway.folder / "farthing.toml").write_text("[plans.god]\n")
        os.kill(gateway.pid, signal.SIGHUP)
        end = time.monotonic() + SECONDS
        while "all others stay as they are" not in gateway.log.read_text() and time.monotonic() < end:
            time.sleep(0.1)
        told = "plans.gold: expected this plan to be named: the tenant acme is on it"
        assert told in gateway.log.read_text()
        assert gateway.ready()
