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
    from pydantic import SecretStr

    from farthing.notify.email import Email
    from farthing.notify.report import Editor
    from farthing.notify.webhook import Webhook
    from farthing.settings.resolved import AlertAccess
    from farthing.settings.sections import ReportSettings


def build_channels(settings: Settings, *, transport: Transport, clock: Clock) -> Iterator[Channel]:
    """One for the webhook and one for mail, where they are configured; a gateway without loads neither."""
    alerts = settings.alerts
    if alerts.webhook_url and alerts.webhook_secret:
        yield _webhook(alerts.webhook_url, alerts.webhook_secret, transport, clock)
    if alerts.email_to and alerts.smtp.host:
        yield _email(alerts, alerts.email_to, clock)


def build_schedules(
    settings: Settings, *, reporting: Reporting, is_demo: Callable[[], bool], transport: Transport, clock: Clock
) -> Iterator[Schedule]:
    """One for each report that is sent each month; a gateway that sends none loads nothing."""
    if not settings.reports:
        return
    from farthing.notify.report import Editor

    site = settings.oidc.public_url if settings.oidc else ""
    editor = Editor(reporting, clock=clock, is_demo=is_demo, site=site)
    for report in settings.reports:
        channels = _report_channels(report, settings.alerts, editor, transport, clock)
        yield Schedule(
            name=report.name, tenant=report.tenant, day=report.day, hour=report.hour, channels=tuple(channels)
        )


def _report_channels(
    report: ReportSettings, alerts: AlertAccess, editor: Editor, transport: Transport, clock: Clock
) -> Iterator[Channel]:
    from farthing.notify.report import MailedReport, PostedReport

    if report.email_to:
        email = _email(alerts, report.email_to, clock)
        yield MailedReport(f"{report.name}:email", email=email, editor=editor, formats=report.formats)
    if report.webhook and alerts.webhook_url and alerts.webhook_secret:
        webhook = _webhook(alerts.webhook_url, alerts.webhook_secret, transport, clock)
        yield PostedReport(f"{report.name}:webhook", webhook=webhook, editor=editor, formats=report.formats)


def _webhook(url: SecretStr, secret: SecretStr, transport: Transport, clock: Clock) -> Webhook:
    from farthing.domain.signing import secret_bytes
    from farthing.notify.webhook import Webhook

    signs = Secret(secret_bytes(secret.get_secret_value()))
    return Webhook(Secret(url.get_secret_value()), secret=signs, transport=transport, clock=clock)


def _email(alerts: AlertAccess, recipients: tuple[str, ...], clock: Clock) -> Email:
    from farthing.notify.email import Email, MailServer

    smtp = alerts.smtp
    server = MailServer(
        host=smtp.host or "",
        port=smtp.port,
        security=smtp.security,
        username=smtp.username,
        password=Secret(alerts.smtp_password.get_secret_value()) if alerts.smtp_password else None,
    )
    return Email(server, sender=smtp.sender, recipients=recipients, clock=clock)
