"""What no gateway can be: no gateway at all, and nginx passing bytes on or answering by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from benchmarks.gateways.contestant import Contestant
from benchmarks.gateways.rig import SERVED_CORE, Rig
from benchmarks.gateways.rows import CHAT, Call, Row
from benchmarks.nginx import ENCRYPTED, STREAMED, proxy, returning

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
