"""Several worker processes under one supervisor, each with a listening socket of its own."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import uvicorn
from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """uvicorn's supervisor, but the kernel deals connections out among the workers.

    Workers that wait at one socket race for every connection, and the same ones keep winning. The supervisor holds all
    sockets open, so whoever called while a worker is replaced is answered by its successor.
    """

    def __init__(self, config: uvicorn.Config, listeners: Sequence[socket.socket]) -> None:
        """`listeners`: one for each of `config.workers`, or a single one for all."""
        self._listeners = listeners
        self._places = iter(range(config.workers))
        super().__init__(config, sockets=[*listeners])

    @property
    def sockets(self) -> list[socket.socket]:
        """What the worker that is about to be started listens on."""
        place = next(self._places, None)
        if place is None:
            place = next(place for place, worker in enumerate(self.processes) if worker.exitcode is not None)
        return [self._listeners[place % len(self._listeners)]]

    @sockets.setter
    def sockets(self, _sockets: list[socket.socket]) -> None:
        """Taken no notice of: all of them would go to each worker."""

    def restart_all(self) -> None:
        """As uvicorn's own, which replaces one worker after the other."""
        self._places = iter(range(len(self.processes)))
        super().restart_all()
        self._places = iter(())

    def handle_ttin(self) -> None:
        """Changes nothing: a further worker would have nothing to listen on."""

    def handle_ttou(self) -> None:
        """Changes nothing: nobody would answer those who call the socket of a worker that has gone."""
