"""What the benchmark needs of everything it compares: started, asked, accounted for, frozen while others are asked."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import ClassVar

from benchmarks.gateways.rows import ROWS, Call, Row
from benchmarks.native import PLACEHOLDER
from tests.servers.process import HttpServer

PROBE_SECONDS = 10.0
SETTLE_SECONDS = 0.5


class Contestant:
    """One column of the comparison; `server` is the process tree whose cost is counted."""

    title: ClassVar[str]
    absent: ClassVar[Mapping[Row, str]] = {}
    """Rows it cannot take part in, and why."""
    alone: ClassVar[bool] = True
    """Whether the served core is its own."""
    server: HttpServer
    version: str = ""

    def call(self, row: Row) -> Call:
        """How it is asked."""
        raise NotImplementedError

    def on(self, row: Row) -> Contestant:
        """Who is asked in that row: itself, unless its best set-up there is another."""
        del row
        return self

    def start(self) -> float:
        """Seconds from the start of its process to the first answer with status 200. Raises `ServerFailed`."""
        started = time.monotonic()
        self.server.start()
        return time.monotonic() - started

    def remove(self) -> None:
        """Ends it, and takes away what it left."""
        self.server.remove()

    def settle(self, answered: int) -> None:
        """Returns when it has done what it still had to do after so many answers since it last settled."""
        del answered
        time.sleep(SETTLE_SECONDS)

    def rest(self) -> None:
        """Takes no processor time until it is woken."""
        self.server.freeze()

    def wake(self) -> None:
        """Goes on where it rested."""
        self.server.thaw()

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self.server.pid

    def takes(self, row: Row) -> bool:
        """Whether it is asked that."""
        return row not in self.absent


def answers(call: Call) -> bool:
    """Whether one plain request gets its 200."""
    body = call.body(ROWS["forwarded"]).replace(PLACEHOLDER.encode(), b"first")
    headers = {"content-type": "application/json", **call.headers}
    request = urllib.request.Request(f"{call.url}{call.path}", body, headers)  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as response:  # noqa: S310 (loopback)
            return bool(response.status == 200 and b"usage" in response.read())
    except (OSError, urllib.error.URLError, ValueError):
        return False


class Peer(HttpServer):
    """Another gateway as a process of its own, ready when it has answered once."""

    as_ourselves = True
    asked: Call

    def ready(self) -> bool:
        """Whether a request gets its answer."""
        return answers(self.asked)
