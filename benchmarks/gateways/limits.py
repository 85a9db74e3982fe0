"""What no gateway can be: no gateway at all, and nginx or a bare proxy passing bytes on or answering by themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from benchmarks.floor import MEMORY
from benchmarks.gateways.contestant import Contestant, Peer
from benchmarks.gateways.rig import SERVED_CORE, Rig, pinned
from benchmarks.gateways.rows import CHAT, Call, Row
from benchmarks.machine import ROOT
from benchmarks.nginx import COMPLETION, ENCRYPTED, STREAMED, proxy, returning
from tests.servers.process import free_port, private_folder

NO_CACHE = "keeps no answers"
NO_UPSTREAM = "asks nobody"


class Direct(Contestant):
    """The vendor's mock itself: the zero of every added latency."""

    title = "direct to the mock"
    alone = False
    absent: ClassVar[Mapping[Row, str]] = {"hit": NO_CACHE, "tls": "the load generator speaks no TLS"}

    def __init__(self, rig: Rig) -> None:
        self.server = rig.mock

    def call(self, row: Row) -> Call:
        """The request as the vendor gets it."""
        del row
        return Call(url=self.server.url)

    def settle(self, answered: int) -> None:
        """Nothing is left to do."""

    def rest(self) -> None:
        """Never: all others ask it."""


class Passing(Contestant):
    """nginx `proxy_pass`, with connections kept to the vendor."""

    title = "nginx proxy_pass"
    absent: ClassVar[Mapping[Row, str]] = {"hit": NO_CACHE}

    def __init__(self, rig: Rig) -> None:
        self.server = proxy(rig.mock, rig.terminator, rig.certificates.authority, core=SERVED_CORE)

    def call(self, row: Row) -> Call:
        """The place in front of the vendor that suits the row."""
        before = {"streaming": STREAMED, "tls": ENCRYPTED}.get(row, "")
        return Call(url=self.server.url, path=before + CHAT)


class Returning(Contestant):
    """nginx with one answer in its configuration."""

    title = "nginx return 200"
    absent: ClassVar[Mapping[Row, str]] = {"forwarded": NO_UPSTREAM, "streaming": NO_UPSTREAM, "tls": NO_UPSTREAM}

    def __init__(self, rig: Rig) -> None:
        del rig
        self.server = returning(core=SERVED_CORE)

    def call(self, row: Row) -> Call:
        """Any path is answered."""
        del row
        return Call(url=self.server.url)


class Floor(Contestant):
    """A proxy that only passes on, on the same interpreter, event loop and parser as Farthing: what those cost."""

    title = "floor (bare uvloop proxy)"

    def __init__(self, rig: Rig, busy_us: int = 0) -> None:
        folder, port = private_folder("floor"), free_port()
        program: list[str | Path] = [*pinned(SERVED_CORE), sys.executable, "-I", ROOT / "benchmarks" / "floor.py"]
        ports = {"port": port, "vendor": rig.mock.port, "encrypted": rig.terminator.port, "busy-us": busy_us}
        options = [f"--{name}={number}" for name, number in ports.items()]
        answer = ("--answer", json.dumps(COMPLETION))
        peer = Peer("the floor", folder=folder, port=port, command=[*program, *options, *answer])
        peer.environment = rig.environment(folder)
        self.server = peer
        peer.asked = self.call("forwarded")

    def call(self, row: Row) -> Call:
        """The place that suits the row."""
        before = {"hit": MEMORY, "tls": ENCRYPTED}.get(row, "")
        return Call(url=self.server.url, path=before + CHAT)


BUSY_US = 180
"""About what Farthing's own work takes for a forwarded request."""


class BusyFloor(Floor):
    """The same with other work to do for each request: what it costs beyond that is the platform's at such a pace."""

    title = f"floor + {BUSY_US} µs of work"
    absent: ClassVar[Mapping[Row, str]] = {"streaming": "its work is for each request, not for each event"}

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig, BUSY_US)
