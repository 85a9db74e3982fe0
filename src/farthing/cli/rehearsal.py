"""Whether every route has its policy: where one has none, the gateway ends.

A child process looks, beside the start: the gateway itself loads the routes when somebody asks for one that is not hot,
which may never be. It is forked, as loading everything anew would take half a second: there must be no other thread.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection

from farthing.cli.terminal import CommandError

_NICE = 10
"""Whoever waits for the gateway to start must not wait for this."""


@contextmanager
def rehearsed() -> Iterator[None]:
    """Has the routes looked at while the block serves, which is sent SIGTERM where one has no policy.

    Then raises `CommandError` at its end.
    """
    heard, said = Pipe(duplex=False)
    child = get_context("fork").Process(target=_rehearse, args=(said, os.getpid()), daemon=True)
    child.start()
    said.close()
    try:
        yield
    finally:
        mistake = heard.recv() if heard.poll() else ""
        heard.close()
        child.terminate()
        child.join()
        if mistake:
            raise CommandError(f"the gateway does not start: {mistake}")


def _rehearse(said: Connection, gateway: int) -> None:
    """Makes all routes, with nothing behind them, and tells what is wrong with them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.nice(_NICE)
    _be_silent()
    mistake = "its routes cannot be made"
    try:
        from farthing.http.application import routed
        from farthing.http.routes import ROUTES

        routed(ROUTES, "rehearsal")
        mistake = ""
    except TypeError as error:
        mistake = str(error)
    finally:
        said.send(mistake)
        if mistake and os.getppid() == gateway:
            os.kill(gateway, signal.SIGTERM)


def _be_silent() -> None:
    """What is loaded here is loaded nowhere else: who watches the gateway's start must not take it for that."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
