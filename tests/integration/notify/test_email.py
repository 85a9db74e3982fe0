"""Alerts handed to a real mail server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from farthing.background.clock import ManualClock
from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.secrecy import Secret
from farthing.notify.email import Email, MailServer
from tests.integration.notify.letterbox import Letterbox

NOTICE = Notice(
    event_id="budget:b1:0:10:50",
    kind="budget.threshold_reached",
    text="The day's budget of key k1\r\nBcc: everybody@example.com has come to 50%: $1.00 of $2.00 are spent.",
    occurred_at_us=0,
    data={},
)


def email(port: int) -> Email:
    """The channel under test."""
    server = MailServer(host="127.0.0.1", port=port, security="none", username=None, password=Secret("canary"))
    return Email(
        server, sender="farthing@example.com", recipients=("a@example.com", "b@example.com"), clock=ManualClock()
    )


async def test_a_mail_arrives(letterbox: Letterbox, port: int) -> None:
    """At everybody named and nobody else; what others have written stays text."""
    await email(port).send(NOTICE)
    [envelope] = letterbox.envelopes
    assert envelope.mail_from == "farthing@example.com"
    assert envelope.rcpt_tos == ["a@example.com", "b@example.com"]
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "The day's budget of key k1 Bcc"
    assert mail["Date"] == "Mon, 01 Dec 2025 00:00:00 +0000"
    assert mail["Message-ID"] == "<budget.b1.0.10.50@farthing>"
    assert "has come to 50%: $1.00 of $2.00 are spent." in mail.get_content()


async def test_a_server_that_refuses_has_not_taken_it(letterbox: Letterbox, port: int) -> None:
    """It is told by its kind alone: a server's own words may hold addresses."""
    letterbox.reply = "451 try later"
    with pytest.raises(NotDelivered, match="did not take it: SMTPDataError"):
        await email(port).send(NOTICE)


async def test_a_server_that_is_away_has_not_taken_it() -> None:
    """Nobody listens."""
    with pytest.raises(NotDelivered, match="did not take it: SMTPConnectError"):
        await email(1).send(NOTICE)


async def test_a_server_that_is_slow_at_every_word_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In all, not word by word: another worker takes the notice over when it has been under way for long."""
    monkeypatch.setattr("farthing.notify.email.PATIENCE_S", 0.3)

    async def drawl(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(b"220 welcome\r\n")
            while await reader.readline():
                await asyncio.sleep(0.2)
                writer.write(b"250 go on\r\n")
        writer.close()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(drawl, "127.0.0.1", 0)
    async with server:
        with pytest.raises(NotDelivered, match="did not take it: TimeoutError"):
            await email(server.sockets[0].getsockname()[1]).send(NOTICE)
        await over.wait()


def test_a_mail_servers_password_does_not_show() -> None:
    """Wherever the server is shown."""
    shown = repr(MailServer(host="mail.example", port=25, security="none", username="user", password=Secret("canary")))
    assert "canary" not in shown
    assert "password=***" in shown
