"""The providers' keys that tenants bring along, opened for the snapshot."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from secrets import token_bytes

from farthing.domain.credentials import Credential, origin_of
from farthing.domain.errors import Unavailable
from farthing.ports import Provider
from farthing.providers.vault import CannotOpen, Vault, sealing_key
from farthing.settings import Settings
from farthing.store.credentials import Credentials

logger = logging.getLogger(__name__)

Owner = tuple[str, str]
"""A tenant, and the provider that its key is for."""


def build_vault(settings: Settings) -> Vault | None:
    """What seals and opens, None where no key for it is configured."""
    keys = [sealing_key(key.get_secret_value()) for key in settings.encryption_keys]
    return Vault(keys, chance=token_bytes) if keys else None


class BroughtKeys:
    """Reads them anew when one has come, gone or been replaced."""

    def __init__(self, credentials: Credentials, settings: Settings) -> None:
        self.keys: Mapping[Owner, str | None] = {}
        """None where a key is kept and cannot be opened: its tenant must not be served at somebody else's expense."""
        self._credentials = credentials
        self._settings = settings
        self._known: object = None

    async def refresh(self, providers: Mapping[str, Provider]) -> bool:
        """Whether anything changed. While the database is away the last keys stay in force."""
        origins = {name: origin_of(provider.base_url) for name, provider in providers.items()}
        try:
            version = await self._credentials.version()
            if (version, origins) == self._known:
                return False
            kept = await self._credentials.list() if version[0] else []
        except Unavailable:
            return False
        keys = dict(self._opened(kept, origins))
        self._known = version, origins
        if keys == self.keys:
            return False
        self.keys = keys
        return True

    def _opened(self, kept: list[Credential], origins: Mapping[str, str]) -> Iterator[tuple[Owner, str | None]]:
        vault = build_vault(self._settings) if kept else None
        for credential in kept:
            owner = credential.bond.tenant, credential.provider
            try:
                yield owner, _open(credential, vault, origins.get(credential.provider))
            except CannotOpen as problem:
                logger.error("the key of tenant %s for %s cannot be used: %s", *owner, problem)  # noqa: TRY400
                yield owner, None


def _open(credential: Credential, vault: Vault | None, origin: str | None) -> str:
    if vault is None:
        raise CannotOpen("FARTHING_ENCRYPTION_KEY is not set")
    if origin != credential.bond.origin:
        raise CannotOpen("the provider's address is not the one that it was brought for")
    return vault.open(credential.sealed, credential.bond)
