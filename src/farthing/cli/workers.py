"""Several worker processes under one supervisor, each with a listening socket of its own.

Workers that wait at one socket race for every connection, and the same ones keep winning; with one each, the kernel
deals connections out among them. The supervisor holds all sockets open, so whoever called while a worker is replaced is
answered by its successor.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from time import monotonic
from typing import TYPE_CHECKING

from farthing.cli.server import INTERRUPT, RETIRE

if TYPE_CHECKING:
    from farthing.cli.worker import Worker

logger = logging.getLogger(__name__)

SILENT_S = 15.0
"""A worker whose loop has not turned for so long answers nobody: it is killed, and another takes its place."""
START_S = 60.0
"""For a successor to become ready."""
STEADY_S = 5.0
"""A worker that lived for so long did not fail at its start."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
LONGEST_PAUSE_READY_S = 1.0
"""After a worker that had become ready: callers wait at its socket."""
_TURN_S = 0.5

SIGNALS = {signal.SIGTERM: signal.SIGTERM, signal.SIGINT: INTERRUPT, signal.SIGHUP: signal.SIGHUP}
"""What the supervisor hears, and what its workers hear of it."""


class Workers:
    """Keeps one worker at each place: replaces who dies, and at SIGHUP everybody, one after the other."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        *,
        number: int,
        start: Callable[..., Worker],
        tell_ready: Callable[[], None],
    ) -> None:
        """`listeners`: one for each of `number` workers, or a single one for all. `tell_ready` is called once.

        `start` takes a listener, and `is_successor` for whoever is to replace a worker that serves.
        """
        self._listeners = listeners
        self._start = start
        self._tell_ready: Callable[[], None] | None = tell_ready
        self._places: dict[int, Worker] = {}
        self._vacant = dict.fromkeys(range(number), monotonic())
        """Places without a worker, and when each may have its next."""
        self._failures = dict.fromkeys(range(number), 0)
        self._retired: set[Worker] = set()
        self._to_renew: list[int] = []
        self._successor: Worker | None = None
        self._is_stopping = False
        self._has_failed = False

    def run(self) -> bool:
        """Returns when all workers have ended: whether because they were told to."""
        with _heard() as (ear, heard):
            while not self._is_stopping or self._living():
                self.turn()
                wait([ear, *self._ends()], timeout=self._rest())
                while heard:
                    ear.recv(4096)
                    self.obey(heard.pop(0))
        return not self._has_failed

    def turn(self) -> None:
        """Looks after everybody."""
        for worker in self._living():
            worker.listen()
            if worker.status is not None:
                self._bury(worker)
            elif worker in self._places.values() and worker.is_ready and monotonic() - worker.heard_at > SILENT_S:
                logger.error("worker %d has been silent for %d s and is killed", worker.pid, SILENT_S)
                worker.tell(signal.SIGKILL)
        if self._tell_ready is not None and any(worker.is_ready for worker in self._places.values()):
            self._tell_ready()
            self._tell_ready = None
        if not self._is_stopping:
            self._fill()
            self._renew()

    def obey(self, number: int) -> None:
        """Does what the signal asks for."""
        if number == signal.SIGHUP:
            if not self._is_stopping:
                self._to_renew = [place for place in self._failures if place not in self._to_renew] + self._to_renew
            return
        # Who was retired is on its way out and has not heard this before; hearing it would make it hurry.
        told = self._living() if self._is_stopping else self._living() - self._retired
        self._stop()
        for worker in told:
            worker.tell(SIGNALS[signal.Signals(number)])

    def _stop(self) -> None:
        """Starts nobody any more; the workers alone say for how long anybody may call."""
        self._is_stopping = True
        for listener in self._listeners:
            listener.close()

    def _living(self) -> set[Worker]:
        return {*self._places.values(), *self._retired, *([self._successor] if self._successor else [])}

    def _ends(self) -> Iterator[socket.socket | int]:
        """Whatever shows that a worker has something to say or has ended."""
        for worker in self._living():
            yield worker.sentinel
            if not worker.is_ready:
                yield worker.beats

    def _rest(self) -> float:
        """Seconds until somebody has to be looked after, whatever happens."""
        due = [moment - monotonic() for moment in self._vacant.values()]
        return max(0.0, min([_TURN_S, *due]))

    def _listener(self, place: int) -> socket.socket:
        return self._listeners[place % len(self._listeners)]

    def _fill(self) -> None:
        """Gives vacant places their worker when their time has come."""
        for place in [place for place, moment in self._vacant.items() if moment <= monotonic()]:
            del self._vacant[place]
            self._places[place] = self._start(self._listener(place))

    def _renew(self) -> None:
        """Has the next worker replaced once its successor is ready, and gives up where that does not come so far."""
        successor = self._successor
        if successor is None:
            if self._to_renew:
                self._successor = self._start(self._listener(self._to_renew[0]), is_successor=True)
        elif successor.is_ready:
            self._successor, place = None, self._to_renew.pop(0)
            self._vacant.pop(place, None)
            if (before := self._places.get(place)) is not None:
                self._retired.add(before)
                before.tell(RETIRE)
            self._places[place] = successor
        elif monotonic() - successor.started_at > START_S:
            successor.tell(signal.SIGKILL)

    def _bury(self, worker: Worker) -> None:
        """Draws the conclusions from a worker's end."""
        pid, status = worker.pid, worker.status
        if worker is self._successor:
            logger.error("worker %d did not become ready: all others stay as they are", pid)
            self._successor, self._to_renew = None, []
        elif worker in self._retired:
            self._retired.discard(worker)
        else:
            self._vacate(worker)
            if not self._is_stopping and worker.could_not_start:
                self._has_failed = True
                self.obey(signal.SIGTERM)
            elif not self._is_stopping:
                logger.error("worker %d ended with status %s: another takes its place", pid, status)
        worker.bury()

    def _vacate(self, worker: Worker) -> None:
        """Its place is filled again at once, or ever later where nobody gets far there."""
        place = next(place for place, each in self._places.items() if each is worker)
        del self._places[place]
        is_steady = worker.is_ready and monotonic() - worker.started_at > STEADY_S
        failures = self._failures[place] = 0 if is_steady else self._failures[place] + 1
        longest = LONGEST_PAUSE_READY_S if worker.is_ready else LONGEST_PAUSE_S
        pause = min(longest, FIRST_PAUSE_S * 2 ** min(failures, 10)) if failures > 1 else 0.0
        self._vacant[place] = monotonic() + pause


@contextmanager
def _heard() -> Iterator[tuple[socket.socket, list[int]]]:
    """Signals as they come, and a socket that wakes whoever waits for them."""
    heard: list[int] = []
    ear, mouth = socket.socketpair()
    for end in (ear, mouth):
        end.setblocking(False)
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in SIGNALS}
    woken = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield ear, heard
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        ear.close()
        mouth.close()
