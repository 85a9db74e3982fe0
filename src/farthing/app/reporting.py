"""Monthly reports, each written by a process of its own: the ledger of a month takes it a while."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec.structs import replace

from farthing.app.aside import give_way, working
from farthing.domain.errors import Conflict, NotInstalled, Unavailable
from farthing.domain.permissions import Reach
from farthing.domain.report import Charge, Report
from farthing.gateway.snapshot import Snapshots
from farthing.ports.reports import Format, Order

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from asyncio.subprocess import Process

    from farthing.store import Store

MOST = 2
"""Reports that a worker writes at the same time."""
LONGEST = timedelta(minutes=15)
"""For a report, with however long its reader takes."""
PIECE = 65_536
"""Bytes at most of a piece."""
KEYS = 1_000
"""Whose names are read at a time."""
_PROGRAM = "from farthing.app.reporting import main; main()"
_encode = msgspec.msgpack.Encoder().encode
_read_order = msgspec.msgpack.Decoder(tuple[str, Order]).decode
"""Where the database is, and what is asked."""


class Reporter:
    """Implements `farthing.ports.reports.Reporting`."""

    def __init__(self, url: str, snapshots: Snapshots) -> None:
        """`url` of the database; of `snapshots` it is told what prices are known from."""
        self._url = url
        self._snapshots = snapshots
        self._free = MOST

    @property
    def formats(self) -> Mapping[str, Format]:
        """What a report may be written as, by name."""
        from farthing.reports import FORMATS

        return FORMATS

    async def __call__(self, order: Order) -> Printing:
        """The file, once it has begun. Raises `NotInstalled`, `Conflict` while too many are written, `Unavailable`."""
        check_installed(order.format)
        if not self._free:
            raise Conflict(f"{MOST} reports are being written: ask again when one is done.", code="reports_under_way")
        self._free -= 1
        async with AsyncExitStack() as stack:
            stack.callback(self._release)
            process = await stack.enter_async_context(working(_PROGRAM))
            printing = Printing(process, asyncio.get_running_loop().time() + LONGEST.total_seconds())
            prices = self._snapshots.current.catalogue.prices
            await printing.begin(_encode((self._url, replace(order, prices=prices))))
            printing.at_end(stack.pop_all())
        return printing

    def _release(self) -> None:
        self._free += 1


class Printing:
    """Implements `farthing.ports.reports.Document`."""

    def __init__(self, process: Process, deadline: float) -> None:
        """`deadline` is on the loop's clock."""
        self._process = process
        self._deadline = deadline
        self._end = AsyncExitStack()
        self._first = b""

    def at_end(self, end: AsyncExitStack) -> None:
        """What is to be done once nobody wants any more of it."""
        self._end = end

    async def begin(self, order: bytes) -> None:
        """Gives the order, and waits for the first piece. Raises `Unavailable`."""
        pipe = cast("StreamWriter", self._process.stdin)
        pipe.write(order)
        pipe.close()
        self._first = await self._piece()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Its pieces. Raises `Unavailable` where it breaks off."""
        piece = self._first
        while piece:
            yield piece
            piece = await self._piece()

    async def aclose(self) -> None:
        """Ends the process, at work or done."""
        await self._end.aclose()

    async def _piece(self) -> bytes:
        """The next one, empty at the end."""
        pipe = cast("StreamReader", self._process.stdout)
        try:
            async with asyncio.timeout_at(self._deadline):
                piece = await pipe.read(PIECE)
                if piece or await self._process.wait() == 0:
                    return piece
        except TimeoutError as error:
            raise Unavailable("The report took too long: ask for one tenant's alone.") from error
        raise Unavailable("The report was broken off: the database is away, or memory is short. Ask again soon.")


def check_installed(name: str) -> None:
    """Raises `NotInstalled` where the format of this name lacks what it needs."""
    from farthing.reports import lacking

    if lacking(name):
        raise NotInstalled(
            f"Reports as {name.upper()} need an extra: install `farthing[{name}]`, or ask for another format.",
            param="format",
        )


class StoredMonth:
    """Implements `farthing.ports.reports.Month` over the database."""

    def __init__(self, store: Store, order: Order, advance: Callable[[float], None]) -> None:
        """`advance` is told with each page of charges which share of the days is done."""
        self.order = order
        self._store = store
        self._advance = advance

    async def report(self) -> Report:
        """Its sums. Raises `Unavailable`."""
        from farthing.insight.reporting import report_of

        return await report_of(self.order, self._store.queries, self._store.experiments, await self._key_names())

    async def charges(self) -> AsyncIterator[Sequence[Charge]]:
        """All that was used, day by day. Raises `Unavailable`."""
        begin_us, end_us = self.order.stretch.from_us or 0, self.order.stretch.to_us or 0
        async for page in self._store.queries.charges(self.order.tenant, self.order.stretch):
            self._advance((page[0].day_us - begin_us) / (end_us - begin_us))
            yield page

    async def _key_names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        after: str | None = None
        while page := await self._store.keys.page(Reach(self.order.tenant), limit=KEYS, after=after):
            found |= {key.caller.key_id: key.name for key in page if key.caller.key_id}
            after = page[-1].caller.key_id
        return found


def written(
    store: Store, order: Order, advance: Callable[[float], None] = lambda _: None
) -> AsyncGenerator[bytes, None]:
    """The file piece by piece, written in this process; `advance` is told its share. Raises `Unavailable`."""
    from farthing.reports import FORMATS

    return FORMATS[order.format].write(StoredMonth(store, order, advance))


def main() -> None:
    """The process: reads its order from standard input, and writes the file to standard output."""
    give_way()
    url, order = _read_order(sys.stdin.buffer.read())
    try:
        asyncio.run(_work(url, order))
    except (Unavailable, BrokenPipeError):
        sys.exit(1)


async def _work(url: str, order: Order) -> None:
    from farthing.background.clock import SystemClock
    from farthing.store import open_store

    store = open_store(url, clock=SystemClock())
    try:
        async for piece in written(store, order):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    finally:
        await store.aclose()
