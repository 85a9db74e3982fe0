"""Sections that only make sense whole, and with the secrets that the environment holds for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from farthing.domain.signing import secret_bytes
from farthing.domain.signon import Admission, place_named
from farthing.settings.document import Place
from farthing.settings.environment import MASTER_KEY, secret_in
from farthing.settings.mistakes import Mistake, key_of
from farthing.settings.resolved import AlertAccess, SignOnAccess
from farthing.settings.sections import AlertSettings, Document, SignOnSettings

Source = Callable[[Place], str]
"""Says where a setting was made."""


def incomplete(document: Document, source: Source, environ: Mapping[str, str]) -> list[Mistake]:
    """What would look switched on and do nothing, or do it so that nobody could trust it."""
    found = [
        *_mute(document.alerts, environ),
        *_undeliverable(document),
        *_half_open(document.oidc, environ),
        *_untested(document),
    ]
    return [Mistake(source(place), key_of(place), problem) for place, problem in found]


def alerts_of(alerts: AlertSettings, environ: Mapping[str, str]) -> AlertAccess:
    """The section with its secrets."""
    return AlertAccess(
        webhook_url=alerts.webhook_url,
        webhook_secret=secret_in([alerts.webhook_secret_env], environ),
        email_to=alerts.email_to,
        smtp=alerts.smtp,
        smtp_password=secret_in([alerts.smtp.password_env], environ),
    )


def sign_on_of(oidc: SignOnSettings, environ: Mapping[str, str]) -> SignOnAccess | None:
    """The section with its secret, None where no identity provider is named."""
    if oidc.issuer is None or oidc.client_id is None or oidc.public_url is None:
        return None
    return SignOnAccess(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=secret_in([oidc.client_secret_env], environ),
        public_url=oidc.public_url,
        scopes=oidc.scopes,
        admission=Admission(
            tenant=oidc.tenant or (None if oidc.places else "local"),
            default_role=None if oidc.default_role == "none" else oidc.default_role,
            admins=frozenset(address.lower() for address in oidc.admins),
            group_claim=oidc.group_claim,
            roles=oidc.roles,
            places={group: place_named(name) for group, name in oidc.places.items()},
        ),
    )


def _mute(alerts: AlertSettings, environ: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    if alerts.webhook_url:
        name = alerts.webhook_secret_env
        try:
            secret_bytes(environ.get(name, ""))
        except ValueError as error:
            yield ("alerts", "webhook_url"), f"{name} holds the secret that signs: {error}"
    if alerts.email_to and alerts.smtp.host is None:
        yield ("alerts", "email_to"), "expected alerts.smtp.host beside it"


def _undeliverable(document: Document) -> Iterator[tuple[Place, str]]:
    for position, report in enumerate(document.reports):
        if report.email_to and document.alerts.smtp.host is None:
            yield ("reports", position, "email_to"), "expected alerts.smtp.host, the server that takes the mail"
        if report.webhook and document.alerts.webhook_url is None:
            yield ("reports", position, "webhook"), "expected alerts.webhook_url, where it is posted"


def _untested(document: Document) -> Iterator[tuple[Place, str]]:
    learning = document.learning
    if learning.shadow_share and learning.judge and learning.keep_prompts:
        return
    for position, route in enumerate(document.routes):
        if route.promise_points is not None:
            needed = "learning.shadow_share, learning.judge and learning.keep_prompts"
            problem = f"expected {needed} beside it: without answers to compare the baseline would answer for ever"
            yield ("routes", position, "promise_points"), problem


def _half_open(oidc: SignOnSettings, environ: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    if oidc.issuer is None:
        return
    for name in ("client_id", "public_url"):
        if getattr(oidc, name) is None:
            yield ("oidc", "issuer"), f"expected oidc.{name} beside it"
    if oidc.default_role == "none" and not oidc.admins and not oidc.roles:
        yield ("oidc", "issuer"), "expected oidc.admins, oidc.roles or oidc.default_role, or nobody may come in"
    # What a browser carries to the provider and back is signed with one of them: a database's address could be guessed.
    if secret_in([oidc.client_secret_env, MASTER_KEY], environ) is None:
        yield ("oidc", "issuer"), f"expected {oidc.client_secret_env} or {MASTER_KEY} to be set"
