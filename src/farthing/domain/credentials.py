"""Keys for providers that tenants bring along, and what each of them is bound to."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct


class Bond(Struct, frozen=True):
    """What a sealed secret is good for, and nothing else: whoever moves it to another place cannot open it there."""

    tenant: str
    credential_id: str
    origin: str
    """Scheme, host and port that it may be sent to, as `origin_of` writes them."""


class Credential(Struct, frozen=True, kw_only=True):
    """A provider's key of one tenant, as it is kept: sealed."""

    bond: Bond
    provider: str
    """The provider's name in the settings."""
    sealed: bytes
    hint: str
    """Its last four characters, enough for a person to recognise it."""
    created_at_us: int
    """Microseconds since 1970 in UTC."""


LEAST_HINTED = 16
"""Characters of a secret from which on four of them give nothing away."""
_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """`https://api.example.com:443`: where requests to the URL go, whatever their path."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def hint_of(secret: str) -> str:
    """The last four characters of a secret, none of one so short that they would help to guess it."""
    return f"…{secret[-4:]}" if len(secret) >= LEAST_HINTED else "…"
