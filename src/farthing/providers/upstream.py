"""Builds a provider from an address, a key and a dialect."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from farthing.domain.secrecy import Secret
from farthing.ports import Deadlines, Provider, Transport


class Endpoint(Struct, frozen=True, kw_only=True):
    """What is known of a provider before anything is sent to it."""

    name: str
    dialect: str
    base_url: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    deadlines: Deadlines = Deadlines()
    has_responses: bool = False
    """Whether it answers OpenAI's Responses API."""


def build_provider(endpoint: Endpoint, transport: Transport, api_key: Secret[str] | None = None) -> Provider:
    """The provider behind an address. Raises `ValueError` for an address that is none, without repeating it."""
    return Provider(
        name=endpoint.name,
        dialect=endpoint.dialect,
        base_url=checked_base_url(endpoint.base_url),
        transport=transport,
        api_key=api_key,
        headers=endpoint.headers,
        deadlines=endpoint.deadlines,
        has_responses=endpoint.has_responses,
    )


def checked_base_url(base_url: str) -> str:
    """The address without its closing slashes.

    Raises `ValueError` unless it is http or https with a host, and free of a user name, query and fragment: a password
    or key in an address ends up in logs.
    """
    parts = urlsplit(base_url)
    port = parts.port
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("expected an address such as https://api.example.com/v1")
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        raise ValueError("expected an address without user name, query and fragment")
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ValueError("expected an address in printable ASCII without spaces")
    return base_url.rstrip("/")


def join(base_url: str, path: str) -> str:
    """The URL of a dialect's path, which begins with a slash, below a provider's address."""
    return base_url.rstrip("/") + path
