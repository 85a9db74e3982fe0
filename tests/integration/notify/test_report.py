"""Reports of a month handed to a real mail server and posted to a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from msgspec import Struct

from farthing.background.clock import ManualClock
from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.errors import Unavailable
from farthing.domain.secrecy import Secret
from farthing.notify import report
from farthing.notify.email import Email, MailServer
from farthing.notify.report import Editor, MailedReport, PostedReport
from farthing.notify.webhook import Webhook
from farthing.ports.reports import Format, Order
from farthing.providers.transport import HttpTransport
from farthing.reports import FORMATS
from tests.faultserver.server import FaultServer, always, answer
from tests.integration.notify.letterbox import Letterbox
from tests.unit.reports.months import MadeUp
from tests.unit.reports.months import report as month_in_sums

NOTICE = Notice(
    event_id="report:finance:2026-11",
    kind="report.monthly",
    text="The report finance of 2026-11",
    occurred_at_us=1_796_090_000_000_000,
    data={"report": "finance", "month": "2026-11", "tenant": None},
)
SENTENCE = (
    "AI costs of November 2026: $1.23 for 4 requests. At the baseline's prices $2.00: $0.77 saved, 38.3%. "
    "What 1 of them cost is not known yet, and missing from it."
)


class Paper:
    """A file in two halves."""

    def __init__(self, content: bytes, error: Exception | None) -> None:
        self._content = content
        self._error = error
        self.is_closed = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Its halves, or the first and an error."""
        half = len(self._content) // 2
        yield self._content[:half]
        if self._error:
            raise self._error
        yield self._content[half:]

    async def aclose(self) -> None:
        """Remembers it."""
        self.is_closed = True


class Press:
    """Implements `Reporting`: tables that are made up, and the summary of a month."""

    def __init__(self, *, tables: bytes = b"a,b\r\n1,2\r\n") -> None:
        self.tables = tables
        self.error: Exception | None = None
        self.orders: list[Order] = []
        self.papers: list[Paper] = []
        self.formats: Mapping[str, Format] = FORMATS

    async def __call__(self, order: Order) -> Paper:
        """The file."""
        self.orders.append(order)
        pieces = FORMATS["summary"].write(MadeUp(report=month_in_sums(is_demo=order.is_demo)))
        summary = b"".join([piece async for piece in pieces])
        self.papers.append(Paper(summary if order.format == "summary" else self.tables, self.error))
        return self.papers[-1]


class Made(Struct):
    """What a test works with."""

    press: Press
    editor: Editor


@pytest.fixture
def made() -> Made:
    """At an address that is known."""
    press = Press()
    editor = Editor(press, clock=ManualClock(), is_demo=lambda: False, site="https://farthing.example.com")
    return Made(press, editor)


def mailed(port: int, editor: Editor, *formats: str) -> MailedReport:
    """The channel under test."""
    server = MailServer(host="127.0.0.1", port=port, security="none", username=None, password=None)
    email = Email(server, sender="farthing@example.com", recipients=("cfo@example.com",), clock=ManualClock())
    return MailedReport("finance:email", email=email, editor=editor, formats=formats)


def arrived(letterbox: Letterbox) -> EmailMessage:
    """The only mail."""
    [envelope] = letterbox.envelopes
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(mail: EmailMessage) -> str:
    """What people read in it."""
    body = mail.get_body()
    assert body is not None
    text: str = body.get_content()
    return text


async def test_a_mail_brings_the_files(letterbox: Letterbox, port: int, made: Made) -> None:
    """As they are, with the month in one sentence and an id: the same each time, and another gateway's is another."""
    await mailed(port, made.editor, "csv", "focus").send(NOTICE)
    mail = arrived(letterbox)
    assert (mail["To"], mail["Subject"]) == ("cfo@example.com", "AI costs of November 2026")
    assert mail["Message-ID"] == "<report.finance.2026-11.1796090000000000@farthing>"
    assert text_of(mail).strip() == SENTENCE
    files = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in mail.iter_attachments()
    ]
    assert files == [
        ("farthing-2026-11.csv", "text/csv", b"a,b\r\n1,2\r\n"),
        ("farthing-2026-11.focus.csv", "text/csv", b"a,b\r\n1,2\r\n"),
    ]
    assert [(order.format, order.tenant, order.month) for order in made.press.orders] == [
        ("summary", None, "2026-11"),
        ("csv", None, "2026-11"),
        ("focus", None, "2026-11"),
    ]
    order = made.press.orders[0]
    assert (order.stretch.from_us, order.stretch.to_us) == (1_793_491_200_000_000, 1_796_083_200_000_000)
    assert all(paper.is_closed for paper in made.press.papers)


async def test_what_is_too_large_for_a_mail_is_a_link(
    letterbox: Letterbox, port: int, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files together count, and nobody goes on writing one that is."""
    monkeypatch.setattr(report, "ATTACHED_MOST", 15)
    notice = Notice(
        event_id="report:finance:2026-11",
        kind="report.monthly",
        text="",
        occurred_at_us=1,
        data={"report": "finance", "month": "2026-11", "tenant": "acme & söhne"},
    )
    await mailed(port, made.editor, "csv", "json").send(notice)
    mail = arrived(letterbox)
    assert mail["Subject"] == "AI costs of November 2026, acme & söhne"
    link = "https://farthing.example.com/reports/2026-11?format=json&tenant=acme+%26+s%C3%B6hne"
    assert f"Too large for a mail, as JSON: {link}" in text_of(mail)
    assert [part.get_filename() for part in mail.iter_attachments()] == ["farthing-2026-11.csv"]
    assert all(paper.is_closed for paper in made.press.papers)


async def test_what_was_not_written_is_not_delivered(letterbox: Letterbox, port: int, made: Made) -> None:
    """No half of a file is sent, and why is told."""
    made.press.error = Unavailable("the database is away")
    with pytest.raises(NotDelivered, match="the report was not written: the database is away"):
        await mailed(port, made.editor, "csv").send(NOTICE)
    assert letterbox.envelopes == []
    assert all(paper.is_closed for paper in made.press.papers)


async def test_a_report_that_takes_too_long_is_not_delivered(
    letterbox: Letterbox, port: int, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before another worker takes it up."""
    monkeypatch.setattr(report, "PATIENCE_S", 0.0)
    with pytest.raises(NotDelivered, match="the report took too long"):
        await mailed(port, made.editor, "csv").send(NOTICE)
    assert letterbox.envelopes == []


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    """A transport that is closed at the end."""
    transport = HttpTransport()
    yield transport
    await transport.aclose()


async def test_a_webhook_gets_the_sums_and_links(transport: HttpTransport) -> None:
    """Signed as alerts are, with the event's own id; amounts are what the file says."""
    press = Press()
    editor = Editor(press, clock=ManualClock(), is_demo=lambda: True, site="")
    async with FaultServer(always(answer(b"", status=b"204 No Content"))) as server:
        webhook = Webhook(Secret(server.url), secret=Secret(b"secret"), transport=transport, clock=ManualClock())
        channel = PostedReport("finance:webhook", webhook=webhook, editor=editor, formats=("csv", "json"))
        await channel.send(NOTICE)
        [request] = server.requests
        await transport.aclose()
    assert request.headers[b"webhook-id"] == b"report:finance:2026-11:1796090000000000"
    told = json.loads(request.body)
    assert (told["type"], told["text"]) == ("report.monthly", f"{SENTENCE} All amounts are simulated.")
    data = told["data"]
    assert (data["report"], data["month"], data["tenant"]) == ("finance", "2026-11", None)
    assert data["files"] == {"csv": "/reports/2026-11?format=csv", "json": "/reports/2026-11?format=json"}
    assert data["summary"]["total"]["cost"] == 1.234567891
    assert b'"cost":1.234567891' in request.body
    assert [order.format for order in press.orders] == ["summary"]


async def test_the_largest_mail_arrives_whole(letterbox: Letterbox, port: int) -> None:
    """Byte for byte."""
    press = Press(tables=bytes(range(256)) * (report.ATTACHED_MOST // 256))
    editor = Editor(press, clock=ManualClock(), is_demo=lambda: False, site="")
    await mailed(port, editor, "csv").send(NOTICE)
    [part] = arrived(letterbox).iter_attachments()
    assert part.get_payload(decode=True) == press.tables
