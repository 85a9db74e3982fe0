"""Sends notices by mail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from msgspec import Struct

from farthing.domain.alerts import NotDelivered, Notice
from farthing.domain.secrecy import Secret
from farthing.ports import Clock

PATIENCE_S = 15.0
"""For a whole delivery."""
LONGEST_SUBJECT = 150
_SEVEN_BITS = SMTP.clone(cte_type="7bit")
"""Which every mail server takes."""

Security = Literal["starttls", "tls", "none"]


class MailServer(Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    security: Security
    username: str | None
    password: Secret[str] | None


class File(Struct, frozen=True):
    """Something attached to a mail."""

    name: str
    media_type: str
    content: bytes


class Email:
    """Implements `ports.Channel`."""

    name = "email"

    def __init__(self, server: MailServer, *, sender: str, recipients: tuple[str, ...], clock: Clock) -> None:
        """Addresses as the settings have checked them."""
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        """Returns when the mail server has taken it. Raises `NotDelivered`."""
        await self.hand_in(self.content(notice))

    async def hand_in(self, content: bytes) -> None:
        """Returns when the mail server has taken this mail. Raises `NotDelivered`."""
        # Only a gateway that sends mail pays for the library.
        from aiosmtplib import SMTPException, send

        server = self._server
        try:
            # The library's own patience is for each of a dozen words that pass between the two.
            async with asyncio.timeout(PATIENCE_S):
                await send(
                    content,
                    sender=self._sender,
                    recipients=list(self._recipients),
                    hostname=server.host,
                    port=server.port,
                    username=server.username,
                    password=server.password.reveal() if server.password else None,
                    use_tls=server.security == "tls",
                    start_tls=server.security == "starttls",
                    timeout=PATIENCE_S,
                )
        except (SMTPException, OSError) as error:
            raise NotDelivered(f"the mail server did not take it: {type(error).__name__}") from error

    def content(self, notice: Notice, files: Sequence[File] = ()) -> bytes:
        """The mail. Names that others have chosen stand in it as text, never as a header of their own."""
        message = EmailMessage(_SEVEN_BITS)
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = " ".join(notice.text.split(":")[0].split())[:LONGEST_SUBJECT]
        message["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now_us() // 1_000_000, UTC))
        message["Message-ID"] = f"<{notice.event_id.replace(':', '.')}@farthing>"
        message.set_content(f"{notice.text}\n")
        for file in files:
            maintype, _, subtype = file.media_type.partition(";")[0].partition("/")
            message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.name)
        return message.as_bytes()
