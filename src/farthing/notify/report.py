"""Sends the report of a month: by mail with its files, by webhook in sums with links to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.errors import FarthingError
from farthing.domain.months import month_span, month_title
from farthing.notify.email import Email, File
from farthing.notify.webhook import Webhook
from farthing.ports import Clock, Stretch
from farthing.ports.reports import Order, Reporting

ATTACHED_MOST = 2 * 1024 * 1024
"""Bytes of a mail's files together: every server takes them, and requests are held up for a blink at worst."""
PATIENCE_S = 1_500.0
"""For writing and sending, shorter than the lease of a delivery."""


class _Total(Struct):
    requests: int
    cost: Decimal
    baseline_cost: Decimal
    savings: Decimal
    unpriced_requests: int


class _Savings(Struct):
    percent: float


class _Summary(Struct):
    """What the sentence tells of the format `summary`."""

    total: _Total
    savings: _Savings
    is_demo: bool


_read_summary = msgspec.json.Decoder(_Summary).decode


class Editor:
    """Has the files of a report written."""

    def __init__(self, reporting: Reporting, *, clock: Clock, is_demo: Callable[[], bool], site: str) -> None:
        """`site` is where people reach the gateway, without a slash at its end; empty where that is not known."""
        self._reporting = reporting
        self._clock = clock
        self._is_demo = is_demo
        self._site = site

    async def written(self, notice: Notice, name: str, most: int) -> File | None:
        """The file in the format of this name, None where it has more bytes than `most`. Raises `NotDelivered`."""
        content = bytearray()
        async with aclosing(self._pieces(notice, name)) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) > most:
                    return None
        form = self._reporting.formats[name]
        return File(f"farthing-{notice.data['month']}{form.suffix}", form.media_type, bytes(content))

    async def summary(self, notice: Notice) -> bytes:
        """The month in all, as JSON. Raises `NotDelivered`."""
        async with aclosing(self._pieces(notice, "summary")) as pieces:
            return b"".join([piece async for piece in pieces])

    async def _pieces(self, notice: Notice, name: str) -> AsyncGenerator[bytes]:
        month = notice.data["month"]
        within = month_span(month)
        order = Order(
            month=month,
            stretch=Stretch(within.start_us, within.end_us),
            tenant=notice.data["tenant"],
            format=name,
            is_demo=self._is_demo(),
            now_us=self._clock.now_us(),
        )
        try:
            async with aclosing(await self._reporting(order)) as document:
                async for piece in document:
                    yield piece
        except FarthingError as error:
            raise NotDelivered(f"the report was not written: {error.message}") from error

    def link(self, notice: Notice, name: str) -> str:
        """Where the gateway gives out the file."""
        tenant = notice.data["tenant"]
        query = urlencode({"format": name, **({} if tenant is None else {"tenant": tenant})})
        return f"{self._site}/reports/{notice.data['month']}?{query}"


class MailedReport:
    """Implements `farthing.ports.Channel` for notices of the kind `report.monthly`."""

    def __init__(self, name: str, *, email: Email, editor: Editor, formats: Sequence[str]) -> None:
        self.name = name
        self._email = email
        self._editor = editor
        self._formats = formats

    async def send(self, notice: Notice) -> None:
        """Returns when the mail server has taken it. Raises `NotDelivered`."""
        async with _patience():
            lines, files, room = [sentence(notice, await self._editor.summary(notice))], [], ATTACHED_MOST
            for name in self._formats:
                file = await self._editor.written(notice, name, room)
                if file is None:
                    lines.append(f"Too large for a mail, as {name.upper()}: {self._editor.link(notice, name)}")
                else:
                    files.append(file)
                    room -= len(file.content)
            told = _told(notice, text="\n\n".join(lines))
            # Base64 of megabytes would hold up requests.
            content = await asyncio.to_thread(self._email.content, told, files)
            await self._email.hand_in(content)


class PostedReport:
    """Implements `farthing.ports.Channel` for notices of the kind `report.monthly`."""

    def __init__(self, name: str, *, webhook: Webhook, editor: Editor, formats: Sequence[str]) -> None:
        self.name = name
        self._webhook = webhook
        self._editor = editor
        self._formats = formats

    async def send(self, notice: Notice) -> None:
        """Returns when the receiver has accepted it. Raises `NotDelivered`."""
        async with _patience():
            summary = await self._editor.summary(notice)
            files = {name: self._editor.link(notice, name) for name in self._formats}
            data = {**notice.data, "summary": Raw(summary), "files": files}
            await self._webhook.send(_told(notice, text=sentence(notice, summary), data=data))


def sentence(notice: Notice, summary: bytes) -> str:
    """What the month came to, for people; up to its colon it is the subject of a mail."""
    found = _read_summary(summary)
    total, whose = found.total, notice.data["tenant"]
    title = f"AI costs of {month_title(notice.data['month'])}{'' if whose is None else f', {whose}'}"
    told = [f"{title}: ${total.cost:,.2f} for {total.requests:,} requests."]
    if total.baseline_cost:
        percent = f"{found.savings.percent:.1f}%"
        told.append(f"At the baseline's prices ${total.baseline_cost:,.2f}: ${total.savings:,.2f} saved, {percent}.")
    if total.unpriced_requests:
        told.append(f"What {total.unpriced_requests:,} of them cost is not known yet, and missing from it.")
    if found.is_demo:
        told.append("All amounts are simulated.")
    return " ".join(told)


def _told(notice: Notice, **changes: object) -> Notice:
    """As it goes out. Another gateway may have a report of the same name for the same people: its ids are others."""
    return replace(notice, event_id=f"{notice.event_id}:{notice.occurred_at_us}", **changes)


@asynccontextmanager
async def _patience() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError as error:
        raise NotDelivered("the report took too long") from error
