"""From settings to the way in for people."""

from __future__ import annotations

from secrets import token_bytes

from farthing.domain.secrecy import Secret
from farthing.ports import Clock, SignOn, Transport
from farthing.settings import Settings
from farthing.store.sessions import Sessions


def build_sign_on(
    settings: Settings, *, sessions: Sessions, transport: Transport, clock: Clock, secret: Secret[bytes]
) -> SignOn | None:
    """Single sign-on, where an identity provider is configured. `secret` is what all workers and hosts share."""
    access = settings.oidc
    if access is None:
        return None
    from farthing.identity import signon
    from farthing.identity.oidc import Client, OpenIdProvider

    client = Client(
        issuer=access.issuer,
        client_id=access.client_id,
        client_secret=Secret(access.client_secret.get_secret_value()) if access.client_secret else None,
        redirect_url=f"{access.public_url}/login/callback",
        scopes=access.scopes,
    )
    return signon.SignOn(
        provider=OpenIdProvider(client, transport=transport, clock=clock),
        sessions=sessions,
        admission=access.admission,
        public_url=access.public_url,
        secret=secret,
        clock=clock,
        chance=token_bytes,
    )
