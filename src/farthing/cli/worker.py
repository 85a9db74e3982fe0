"""One of several worker processes: how its supervisor sees it, and what it does."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from multiprocessing import get_context, parent_process
from time import monotonic

from uvicorn.config import STARTUP_FAILURE

from farthing.cli.garbage import postpone
from farthing.cli.lifespan import EXPECTED
from farthing.cli.server import INTERRUPT, RETIRE, Server
from farthing.cli.terminal import complain
from farthing.settings import load

BEAT_EVERY_S = 1.0


class Worker:
    """A process that was started; it begins to beat when it is ready."""

    def __init__(self, listener: socket.socket, *, is_successor: bool = False) -> None:
        """`listener` is what it listens on; whoever takes its place gets the same one.

        `is_successor` says that somebody is there to serve on if it does not start.
        """
        self.beats, theirs = socket.socketpair()
        self.beats.setblocking(False)
        self.is_ready = False
        self.started_at = self.heard_at = monotonic()
        self._process = get_context("spawn").Process(target=work, args=(listener, theirs, is_successor))
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """What can be waited for until it has ended."""
        return self._process.sentinel

    @property
    def status(self) -> int | None:
        """How it ended, None while it lives; negative for a signal."""
        return self._process.exitcode

    @property
    def could_not_start(self) -> bool:
        """Whether it has said why, so that another try would fail as well."""
        return self.status == STARTUP_FAILURE

    def listen(self) -> None:
        """Takes in its beats."""
        try:
            if self.beats.recv(4096):
                self.is_ready = True
                self.heard_at = monotonic()
        except OSError:
            # Nothing came, or it has ended, which its status tells.
            return

    def tell(self, number: int) -> None:
        """Sends it a signal."""
        if self.status is None:
            os.kill(self.pid, number)

    def bury(self) -> None:
        """Gives back what an ended process still holds."""
        self._process.join()
        self._process.close()
        self.beats.close()


def work(listener: socket.socket, beats: socket.socket, is_successor: bool) -> None:
    """The gateway in a process of its own, whose settings all stand in the environment."""
    postpone()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    beats.setblocking(False)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    last = 0.0

    def beat() -> None:
        nonlocal last
        if monotonic() - last >= BEAT_EVERY_S:
            last = monotonic()
            _say(beats)

    try:
        from farthing.app.application import create_app

        settings = load()
        application = create_app(settings, is_successor=is_successor)
        server = Server(application, settings, tell_ready=beat, beat=beat, interrupt=INTERRUPT)
    except EXPECTED as error:
        # With any other status the supervisor would start this worker again, for ever.
        complain(str(error))
        sys.exit(STARTUP_FAILURE)
    server.run(sockets=[listener])


def _say(beats: socket.socket) -> None:
    try:
        beats.send(b".")
    except OSError:
        # A supervisor that is frozen takes nothing in, and one that has gone is noticed by the thread.
        return


def _end_with_parent() -> None:
    """Ends this process in good order when its supervisor was killed, so that no orphan keeps the port."""
    parent = parent_process()
    if parent is not None:
        # Returns at once where the supervisor died before this process came so far.
        parent.join()
        os.kill(os.getpid(), RETIRE)
