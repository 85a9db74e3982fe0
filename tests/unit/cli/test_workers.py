"""Each worker has a socket of its own, and its successor has the same one."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.supervisors import Multiprocess

from farthing.cli.workers import Workers

NUMBER = 3


@pytest.fixture
def listeners() -> Iterator[Sequence[socket.socket]]:
    """Sockets that nobody calls."""
    sockets = [socket.socket() for _ in range(NUMBER)]
    yield sockets
    for each in sockets:
        each.close()


@pytest.fixture(autouse=True)
def _own_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor would take over this process's signals."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def started(listeners: Sequence[socket.socket]) -> Workers:
    """A supervisor whose workers are all alive."""
    workers = Workers(uvicorn.Config("any", workers=NUMBER), listeners)
    for _ in range(NUMBER):
        worker: Any = SimpleNamespace(listens_on=workers.sockets, exitcode=None)
        workers.processes.append(worker)
    return workers


def listening(workers: Workers) -> list[list[socket.socket]]:
    """What each worker listens on."""
    return [worker.listens_on for worker in workers.processes]  # type: ignore[attr-defined]


def test_each_worker_has_its_own(listeners: Sequence[socket.socket]) -> None:
    """In their order."""
    assert listening(started(listeners)) == [[each] for each in listeners]


def test_one_socket_is_shared_by_all(listeners: Sequence[socket.socket]) -> None:
    """Where the kernel deals nothing out."""
    assert listening(started(listeners[:1])) == [[listeners[0]]] * NUMBER


@pytest.mark.parametrize("place", range(NUMBER))
def test_a_dead_workers_socket_goes_to_its_successor(listeners: Sequence[socket.socket], place: int) -> None:
    """Whoever waits there is answered."""
    workers = started(listeners)
    workers.processes[place].exitcode = -9  # type: ignore[misc]
    assert workers.sockets == [listeners[place]]


def test_a_restart_goes_through_all_of_them(
    listeners: Sequence[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it gives up on its way; afterwards a dead worker is replaced as before."""
    workers = started(listeners)
    taken: list[list[socket.socket]] = []

    def restart_two(self: Multiprocess) -> None:
        taken.extend([self.sockets, self.sockets])

    monkeypatch.setattr(Multiprocess, "restart_all", restart_two)
    workers.restart_all()
    assert taken == [[each] for each in listeners[:2]]
    workers.processes[0].exitcode = 1  # type: ignore[misc]
    assert workers.sockets == [listeners[0]]


@pytest.mark.parametrize("number", [signal.SIGTTIN, signal.SIGTTOU])
def test_their_number_is_fixed(listeners: Sequence[socket.socket], number: signal.Signals) -> None:
    """No worker comes without a socket, no socket loses its worker."""
    workers = started(listeners)
    workers.signal_queue.append(number)
    workers.handle_signals()
    assert listening(workers) == [[each] for each in listeners]
