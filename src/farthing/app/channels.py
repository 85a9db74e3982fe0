"""From settings to the channels that alerts and reports go out on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from farthing.domain.secrecy import Secret
from farthing.insight.scheduling import Schedule
from farthing.ports import Channel, Clock, Transport
from farthing.ports.reports import Reporting
from farthing.settings import Settings

if TYPE_CHECKING:
    from farthing.notify.email import Email
    from farthing.notify.webhook import Webhook


def build_channels(settings: Settings, *, transport: Transport, clock: Clock) -> Iterator[Channel]:
    """One for the webhook and one for mail, where they are configured; a gateway without loads neither."""
    alerts = settings.alerts
    if alerts.webhook_url and alerts.webhook_secret:
        yield _webhook(settings, transport, clock)
    if alerts.email_to and alerts.smtp.host:
        yield _email(settings, alerts.email_to, clock)


def build_report_channels(
    settings: Settings, *, reporting: Reporting, is_demo: Callable[[], bool], transport: Transport, clock: Clock
) -> Iterator[Channel]:
    """One for each way that a report is sent each month; a gateway that sends none loads nothing."""
    if not settings.reports:
        return
    from farthing.notify.report import Editor, MailedReport, PostedReport

    site = settings.oidc.public_url if settings.oidc else ""
    editor = Editor(reporting, clock=clock, is_demo=is_demo, site=site)
    for report in settings.reports:
        formats = report.formats
        if report.email_to:
            email = _email(settings, report.email_to, clock)
            yield MailedReport(f"{report.name}:email", email=email, editor=editor, formats=formats)
        if report.webhook:
            webhook = _webhook(settings, transport, clock)
            yield PostedReport(f"{report.name}:webhook", webhook=webhook, editor=editor, formats=formats)


def schedules_of(settings: Settings) -> Iterator[Schedule]:
    """When which report goes out on which of its channels."""
    for report in settings.reports:
        ways = {"email": bool(report.email_to), "webhook": report.webhook}
        yield Schedule(
            name=report.name,
            tenant=report.tenant,
            day=report.day,
            hour=report.hour,
            channels=tuple(f"{report.name}:{way}" for way, is_used in ways.items() if is_used),
        )


def _webhook(settings: Settings, transport: Transport, clock: Clock) -> Webhook:
    from farthing.domain.signing import secret_bytes
    from farthing.notify.webhook import Webhook

    url, secret = settings.alerts.webhook_url, settings.alerts.webhook_secret
    if url is None or secret is None:
        raise ValueError("there is no webhook in the settings")
    signs = Secret(secret_bytes(secret.get_secret_value()))
    return Webhook(Secret(url.get_secret_value()), secret=signs, transport=transport, clock=clock)


def _email(settings: Settings, recipients: tuple[str, ...], clock: Clock) -> Email:
    from farthing.notify.email import Email, MailServer

    alerts, smtp = settings.alerts, settings.alerts.smtp
    server = MailServer(
        host=smtp.host or "",
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=Secret(alerts.smtp_password.get_secret_value()) if alerts.smtp_password else None,
    )
    return Email(server, sender=smtp.sender, recipients=recipients, clock=clock)
