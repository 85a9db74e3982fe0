"""The supervisor: every place has its worker, and nobody is let go before a successor is ready."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from farthing.cli import workers as supervision
from farthing.cli.server import INTERRUPT, RETIRE
from farthing.cli.workers import Workers

NUMBER = 3


class FakeWorker:
    """A worker that does what a test says, and notes what it is told."""

    def __init__(self, listener: socket.socket, pid: int) -> None:
        self.listener = listener
        self.pid = pid
        self.beats, self.mouth = socket.socketpair()
        self.is_ready = self.could_not_start = self.is_buried = self.is_successor = False
        self.status: int | None = None
        self.started_at = self.heard_at = Time.now
        self.told: list[int] = []
        self._end, self._ended = os.pipe()
        self.sentinel = self._end

    def listen(self) -> None:
        """Nothing to take in: tests set what was heard."""

    def tell(self, number: int) -> None:
        """Notes it; nobody survives SIGKILL."""
        self.told.append(number)
        if number == signal.SIGKILL:
            self.status = -number

    def bury(self) -> None:
        """Notes it."""
        self.is_buried = True
        for end in (self.beats, self.mouth):
            end.close()
        os.close(self._end)
        os.close(self._ended)


class Time:
    """Turned by hand."""

    now = 100.0


class Staff:
    """A supervisor and everybody it ever started."""

    def __init__(self, listeners: list[socket.socket]) -> None:
        self.started: list[FakeWorker] = []
        self.is_ready = 0
        self.workers = Workers(listeners, number=NUMBER, start=self._start, tell_ready=self._tell)
        self.workers.turn()

    def _start(self, listener: socket.socket, *, is_successor: bool = False) -> Any:
        self.started.append(FakeWorker(listener, 1000 + len(self.started)))
        self.started[-1].is_successor = is_successor
        return self.started[-1]

    def _tell(self) -> None:
        self.is_ready += 1

    def turn(self, *ready: FakeWorker, seconds: float = 0.0) -> None:
        """Time passes, these become ready, and the supervisor looks after everybody."""
        Time.now += seconds
        for worker in ready:
            worker.is_ready = True
        self.workers.turn()

    def remove(self) -> None:
        """Gives back what is left."""
        for worker in self.started:
            if not worker.is_buried:
                worker.bury()


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Sockets that nobody calls."""
    sockets = [socket.socket() for _ in range(NUMBER)]
    yield sockets
    for each in sockets:
        each.close()


@pytest.fixture
def staff(listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> Iterator[Staff]:
    """Three workers that were just started."""
    monkeypatch.setattr(supervision, "monotonic", lambda: Time.now)
    staff = Staff(listeners)
    yield staff
    staff.remove()


def test_each_worker_has_a_socket_of_its_own(staff: Staff, listeners: list[socket.socket]) -> None:
    """In their order; the first that is ready is told, once."""
    assert [worker.listener for worker in staff.started] == listeners
    assert staff.is_ready == 0
    staff.turn(staff.started[1])
    staff.turn(*staff.started)
    assert staff.is_ready == 1


def test_one_socket_is_shared_by_all(listeners: list[socket.socket]) -> None:
    """Where the kernel deals nothing out."""
    staff = Staff(listeners[:1])
    assert [worker.listener for worker in staff.started] == [listeners[0]] * NUMBER
    staff.remove()


@pytest.mark.parametrize("place", range(NUMBER))
def test_a_dead_workers_socket_goes_to_its_successor(staff: Staff, listeners: list[socket.socket], place: int) -> None:
    """At once, so that whoever waits there is answered."""
    staff.turn(*staff.started, seconds=10)
    staff.started[place].status = -9
    staff.turn()
    assert len(staff.started) == NUMBER + 1
    assert staff.started[-1].listener is listeners[place]
    assert staff.started[place].is_buried


def until_started(staff: Staff, status: int) -> float:
    """Seconds until the newest worker, which ends with this status, has a successor."""
    staff.started[-1].status = status
    staff.turn()
    before, waited = len(staff.started), 0.0
    while len(staff.started) == before and staff.started[-1].status is not None:
        waited += 0.1
        staff.turn(seconds=0.1)
    return round(waited, 1)


def test_who_is_killed_again_and_again_is_soon_back(staff: Staff) -> None:
    """Within a second where it had become ready: people wait at its socket."""
    pauses = []
    for _ in range(8):
        staff.turn(staff.started[-1])
        pauses.append(until_started(staff, -9))
    assert pauses[0] == 0
    assert max(pauses) == pytest.approx(1.0, abs=0.11)


def test_who_fails_again_and_again_is_started_ever_later(staff: Staff) -> None:
    """The first time at once, then after 0.4, 0.8 … s; one that lasts makes it forgotten."""
    pauses = [until_started(staff, 1) for _ in range(4)]
    assert pauses[0] == 0
    assert pauses[1:] == pytest.approx([0.4, 0.8, 1.6], abs=0.11)
    staff.turn(staff.started[-1], seconds=10)
    staff.started[-1].status = 1
    staff.turn()
    assert staff.started[-1].status is None


def test_a_silent_worker_is_killed(staff: Staff) -> None:
    """It answers nobody; one that has not begun to beat is given time."""
    staff.turn(staff.started[0])
    staff.turn(seconds=supervision.SILENT_S + 1)
    staff.turn()
    assert [worker.told for worker in staff.started[:NUMBER]] == [[signal.SIGKILL], [], []]
    assert len(staff.started) == NUMBER + 1


def test_a_restart_goes_through_all_of_them(staff: Staff, listeners: list[socket.socket]) -> None:
    """Each is retired when its successor is ready, not before, and there is never more than one successor."""
    staff.turn(*staff.started, seconds=10)
    old = staff.started[:NUMBER]
    staff.workers.obey(signal.SIGHUP)
    staff.turn()
    for place in range(NUMBER):
        successor = staff.started[-1]
        assert (len(staff.started), old[place].told) == (NUMBER + place + 1, [])
        assert (successor.listener, successor.is_successor) == (listeners[place], True)
        staff.turn(successor)
        assert old[place].told == [RETIRE]
        staff.turn()
    assert len(staff.started) == 2 * NUMBER
    assert not any(worker.is_successor for worker in old)
    old[0].status = 0
    staff.turn()
    assert old[0].is_buried
    assert len(staff.started) == 2 * NUMBER


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_successor_that_fails_ends_the_restart(staff: Staff, how: str) -> None:
    """Everybody else stays as they are, also where it says that no other could start."""
    staff.turn(*staff.started, seconds=10)
    staff.workers.obey(signal.SIGHUP)
    staff.turn()
    if how == "dies":
        staff.started[-1].status, staff.started[-1].could_not_start = 3, True
    else:
        for worker in staff.started[:NUMBER]:
            worker.heard_at += supervision.START_S
        staff.turn(seconds=supervision.START_S + 1)
    staff.turn()
    staff.turn()
    assert len(staff.started) == NUMBER + 1
    assert [worker.told for worker in staff.started[:NUMBER]] == [[]] * NUMBER


@pytest.mark.parametrize(("heard", "told"), [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, INTERRUPT)])
def test_the_end_is_told_to_all(staff: Staff, listeners: list[socket.socket], heard: int, told: int) -> None:
    """Again when it is heard again; nobody new is started, and nobody can call who is not with a worker yet."""
    staff.turn(*staff.started)
    staff.workers.obey(heard)
    assert [worker.told for worker in staff.started] == [[told]] * NUMBER
    assert [listener.fileno() for listener in listeners] == [-1] * NUMBER
    staff.workers.obey(signal.SIGHUP)
    staff.started[0].status = 0
    staff.turn()
    staff.workers.obey(heard)
    assert [worker.told for worker in staff.started] == [[told], [told, told], [told, told]]


def test_who_was_retired_is_not_hurried_by_the_first_signal(staff: Staff) -> None:
    """It is on its way out already."""
    staff.turn(*staff.started, seconds=10)
    staff.workers.obey(signal.SIGHUP)
    staff.turn()
    staff.turn(staff.started[-1])
    staff.workers.obey(signal.SIGTERM)
    assert staff.started[0].told == [RETIRE]
    staff.workers.obey(signal.SIGTERM)
    assert staff.started[0].told == [RETIRE, signal.SIGTERM]


def test_it_runs_until_all_have_ended(staff: Staff) -> None:
    """Well where it was told to end, not so where a worker says that no other could start; signals are given back."""
    before = signal.getsignal(signal.SIGTERM)
    for worker in staff.started:
        worker.status = 0
    signal_self = staff.started[0]
    signal_self.status = None
    tell = signal_self.tell

    def end(number: int) -> None:
        tell(number)
        signal_self.status = 0
        signal_self.mouth.send(b".")

    signal_self.tell = end  # type: ignore[method-assign]
    for worker in staff.started[1:]:
        worker.could_not_start = True
    assert staff.workers.run() is False
    assert signal_self.told == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_wakes_it(staff: Staff) -> None:
    """From the wait for something to happen."""
    tells = [worker.tell for worker in staff.started]

    def ended(place: int) -> Any:
        def tell(number: int) -> None:
            tells[place](number)
            staff.started[place].status = 0

        return tell

    for place, worker in enumerate(staff.started):
        worker.tell = ended(place)  # type: ignore[method-assign]
    staff.is_ready = 0
    staff.workers._tell_ready = lambda: os.kill(os.getpid(), signal.SIGTERM)
    staff.started[0].is_ready = True
    assert staff.workers.run() is True
    assert [worker.told for worker in staff.started] == [[signal.SIGTERM]] * NUMBER
