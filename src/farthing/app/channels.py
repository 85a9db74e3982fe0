"""From settings to the channels that alerts go out on."""

from __future__ import annotations

from collections.abc import Iterator

from farthing.domain.secrecy import Secret
from farthing.ports import Channel, Clock, Transport
from farthing.settings import Settings


def build_channels(settings: Settings, *, transport: Transport, clock: Clock) -> Iterator[Channel]:
    """One for the webhook and one for mail, where they are configured; a gateway without loads neither."""
    alerts = settings.alerts
    if alerts.webhook_url and alerts.webhook_secret:
        from farthing.domain.signing import secret_bytes
        from farthing.notify.webhook import Webhook

        url = Secret(alerts.webhook_url.get_secret_value())
        secret = Secret(secret_bytes(alerts.webhook_secret.get_secret_value()))
        yield Webhook(url, secret=secret, transport=transport, clock=clock)
    if alerts.email_to and alerts.smtp.host:
        from farthing.notify.email import Email, MailServer

        smtp = alerts.smtp
        server = MailServer(
            host=smtp.host or "",
            port=smtp.port,
            security=smtp.security,
            username=smtp.username,
            password=Secret(alerts.smtp_password.get_secret_value()) if alerts.smtp_password else None,
        )
        yield Email(server, sender=smtp.sender, recipients=alerts.email_to, clock=clock)
